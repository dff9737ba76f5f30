"""The HTML report: complete, inert, and in need of nothing but itself."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from pipeline.aggregate import ConsensusRule, aggregate_question
from pipeline.report.html import mark_evidence, render_html
from pipeline.schema import AnswerRecord, ClassifiedAnswer, Evidence, LabelScheme, Report, StanceCall

HARMLESS = "HARMLESS"
HOSTILE = [
    "<script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</p></article></section><script src=//e.example></script>",
    "<SCRIPT/SRC=//e.example/x.js></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mi//xlink:href='data:x,<script>alert(4)</script>'>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<object data='data:text/html,<script>1</script>'></object>",
    "<embed src=//e.example>",
    "<base href=//e.example/>",
    "<meta http-equiv=refresh content='0;url=//e.example'>",
    "<link rel=stylesheet href=//e.example/x.css>",
    "<form action=//e.example><input name=q autofocus onfocus=alert(1)></form>",
    "<a href='javascript:alert(1)'>here</a>",
    "<style>*{display:none}</style>",
    "<plaintext>",
    "<xmp><b>",
    "<textarea>",
    "<template><b>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    '" onmouseover="alert(1)',
    "' onmouseover='alert(1)' x='",
    '"><img src=x onerror=alert(1)>',
    "'><b>bold</b>",
    '" autofocus onfocus=alert(1) x="',
    "` onclick=alert(1) `",
    "javascript:alert(1)",
    "JaVaScRiPt&colon;alert(1)",
    "data:text/html;base64,PHNjcmlwdD4=",
    "}; body { background: url(//e.example/x) } x {",
    "red; background:url(javascript:alert(1))",
    "expression(alert(1))",
    "{{7*7}}",
    "{% for x in ().__class__.__mro__ %}{{ x }}{% endfor %}",
    "{# comment #}",
    "${7*7} #{7*7} <%= 7*7 %>",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&amp;amp; &#60;b&#62; &#x3c;i&#x3e; &nbsp;",
    "&ltscript&gt &copy &notit;",
    "--><script>alert(1)</script><!--",
    "<!-- --!><b>",
    "<![CDATA[<b>]]>",
    "]]><b>",
    "<?xml version='1.0'?><!DOCTYPE html>",
    "\u202efdp.exe\u202c \u2066isolated",
    "\u200b\u200e\u200f\ufeff",
    "\ufe64script\ufe65 \uff1cscript\uff1e \u2028 \u2029",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "\x01\x02\x1b[31m\x7f\x85",
    "\\u003cscript\\u003e \\x3cb\\x3e %3Cscript%3E",
    "Markup('<b>') |safe",
    "<",
    "&",
    "</",
]


def build_report(text: str, scheme: LabelScheme | None = None, label: str = "no", other: str = "yes") -> Report:
    """Build a report with the text in every field that a source, or the command line, can fill."""
    scheme = scheme or LabelScheme.from_labels("s", [label, other])

    def build(question: int, place: int, stance: str, *, abstained: bool) -> ClassifiedAnswer:
        record = {
            "question_id": f"{text} {question}",
            "question": text,
            "proposition": text,
            "answer_id": f"{text} {question} {place}",
            "position": place,
            "headline": text,
            "text": text,
            "respondent": {
                "name": text,
                "credentials": text,
                "specialty": text,
                "location": text,
                "rating": 4.5,
                "n_reviews": 12,
                "motto": text,
            },
            "source": {"file": text, "locator": text},
            "own column": text,
        }
        half = (len(text) + 1) // 2
        passages = [("text", 0, half), ("headline", 0, half)] if place % 2 else []
        call = StanceCall.model_validate(
            {
                "stance": stance,
                "side": scheme.side_of(stance),
                "posteriors": {name: float(name == stance) for name in scheme.names},
                "confidence": 0.75,
                "abstained": abstained,
                "evidence": [
                    {"field": field, "start": start, "end": end, "quote": text, "weight": 1.0}
                    for field, start, end in passages
                ],
                "model": text,
            }
        )
        return ClassifiedAnswer(answer=AnswerRecord.model_validate(record), call=call)

    first, second = scheme.names[0], scheme.names[1]
    stances = [first] * 6 + [second]
    panels = [[build(q, n, s, abstained=n == 2) for n, s in enumerate(stances, start=1)] for q in (1, 2)]
    rule = ConsensusRule(name=text, n_draws=50)
    return Report(
        medstance="0",
        model={"names": [text], "scheme": text, "side_accuracy": 0.8},
        rule=vars(rule),
        warnings=(text,),
        disclaimer="No advice.",
        questions=tuple(aggregate_question(panel, scheme, rule) for panel in panels),
    )


def outline(html: str) -> list[tuple[str, dict[str, str | None]]]:
    """Return every element with its attributes, in order: all that a browser could act on."""
    tree = LexborHTMLParser(html)
    return [(str(node.tag), dict(node.attributes)) for node in tree.css("*")]


def visible(html: str) -> str:
    tree = LexborHTMLParser(html)
    assert tree.body is not None
    title = tree.css_first("title")
    return ("" if title is None else title.text()) + tree.body.text(deep=True)


@pytest.fixture(scope="module")
def harmless() -> str:
    return render_html(build_report(HARMLESS))


def without_turns(text: str) -> str:
    """The text without the invisible signs that turn the direction of writing, which no page shows."""
    return re.sub("[\u202a-\u202e\u2066-\u2069]", "", text)


@pytest.mark.parametrize("text", HOSTILE, ids=repr)
def test_a_hostile_text_in_every_field_adds_no_element_and_no_attribute(harmless: str, text: str) -> None:
    html = render_html(build_report(text))
    assert outline(html) == outline(harmless)
    names = {name for _, attributes in outline(html) for name in attributes}
    assert not [name for name in names if name.startswith("on")]
    assert [tag for tag, _ in outline(html)].count("script") == 1


@pytest.mark.parametrize("text", HOSTILE, ids=repr)
def test_a_hostile_text_is_shown_as_it_is_but_for_signs_that_turn_the_writing(harmless: str, text: str) -> None:
    assert visible(render_html(build_report(text))) == visible(harmless).replace(HARMLESS, without_turns(text))


@pytest.mark.parametrize("label", HOSTILE, ids=repr)
def test_a_hostile_label_of_the_users_own_scheme_stays_text(label: str) -> None:
    html = render_html(build_report("An answer.", label=label))
    assert outline(html) == outline(render_html(build_report("An answer.", label="no way")))
    assert without_turns(label.replace("_", " ")) in visible(html)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=2).filter(str.strip))
@settings(max_examples=30)
def test_whatever_the_text_the_page_has_the_same_elements_and_shows_the_text(harmless: str, text: str) -> None:
    # As a name, "Doctor" alone would be nobody's, and the votes others.
    text = f"Quill{text}"
    html, shown = render_html(build_report(text)), without_turns(text)
    assert outline(html) == outline(harmless)
    assert [node.text() for node in LexborHTMLParser(html).css("details li p:last-child")] == [shown] * 14
    assert [node.text() for node in LexborHTMLParser(html).css("details li p > b")] == [shown] * 14


def test_the_page_loads_nothing_and_links_only_within_itself(harmless: str) -> None:
    elements = outline(harmless)
    assert not {"link", "img", "iframe", "object", "embed", "form", "base"} & {tag for tag, _ in elements}
    assert not [a for _, a in elements if "src" in a or "style" in a]
    links = [a["href"] for _, a in elements if "href" in a]
    ids = {f"#{a['id']}" for _, a in elements if "id" in a}
    assert links
    assert set(links) <= ids
    assert "@import" not in harmless
    assert "url(" not in harmless


def test_the_policy_allows_the_one_style_and_the_one_script_by_their_hashes_and_nothing_else(harmless: str) -> None:
    elements = outline(harmless)
    policy = next(a for tag, a in elements if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy")
    tree = LexborHTMLParser(harmless)
    allowed = []
    for tag in ("style", "script"):
        (node,) = tree.css(tag)
        digest = base64.b64encode(hashlib.sha256(node.text().encode()).digest()).decode()
        allowed.append(f"{tag}-src 'sha256-{digest}'")
    assert policy["content"] == "; ".join(["default-src 'none'", *allowed, "base-uri 'none'", "form-action 'none'"])


def test_a_page_of_one_question_has_no_script_and_allows_none() -> None:
    report = build_report("An answer.")
    html = render_html(report.model_copy(update={"questions": report.questions[:1]}))
    assert "<script" not in html
    assert "script-src" not in html


def test_ids_are_unique_and_every_label_points_to_one(harmless: str) -> None:
    ids = [a["id"] for _, a in outline(harmless) if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["aria-labelledby"] for _, a in outline(harmless) if "aria-labelledby" in a} <= set(ids)


def test_the_page_is_the_same_each_time(harmless: str) -> None:
    assert render_html(build_report(HARMLESS)) == harmless


def test_answers_are_grouped_by_stance_in_scheme_order_with_the_unsure_last(scheme: LabelScheme) -> None:
    html = render_html(build_report("An answer.", scheme))
    headings = [node.text().partition(" (")[0] for node in LexborHTMLParser(html).css("main h4")]
    assert headings == ["against", "cautiously against", "too unsure to call"] * 2


# ---------------------------------------------------------------- evidence


def classified(text: str, spans: Sequence[tuple[int, int]], **fields: Any) -> ClassifiedAnswer:
    record = {
        "question_id": "q",
        "question": "Q?",
        "answer_id": "a",
        "position": 1,
        "text": text,
        "source": {"file": "f", "locator": "line 1"},
    }
    passages = [Evidence(field="text", start=s, end=e, quote=text[s:e], weight=1.0) for s, e in spans]
    call = StanceCall(
        stance="x",
        side="x",
        posteriors={"x": 1.0},
        confidence=1.0,
        abstained=False,
        evidence=tuple(passages),
        model="m",
    )
    return ClassifiedAnswer(answer=AnswerRecord.model_validate(record | fields), call=call)


@given(
    st.text(min_size=1).filter(str.strip),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=5),
)
@settings(max_examples=60)
def test_the_stretches_of_a_text_join_to_it_whatever_the_evidence(text: str, spans: list[tuple[int, int]]) -> None:
    stretches = mark_evidence(classified(text, spans), "text")
    assert "".join(stretch.text for stretch in stretches) == text


def test_passages_are_marked_with_their_rank_and_in_order_of_place() -> None:
    stretches = mark_evidence(classified("One. Two. Three.", [(10, 16), (0, 4)]), "text")
    assert [tuple(s) for s in stretches] == [("One.", 2), (" Two. ", 0), ("Three.", 1)]


def test_a_missing_headline_gives_no_stretch() -> None:
    assert mark_evidence(classified("Yes.", []), "headline") == []


def test_evidence_of_the_text_marks_nothing_in_the_headline() -> None:
    answer = classified("Yes. No.", [(0, 4)], headline="Yes. No.")
    assert [tuple(s) for s in mark_evidence(answer, "headline")] == [("Yes. No.", 0)]


def test_the_first_passage_of_an_answer_is_marked_as_the_first() -> None:
    html = render_html(build_report("Certainly not."))
    firsts = [node.text() for node in LexborHTMLParser(html).css("mark.a")]
    assert firsts
    assert set(firsts) == {"Certain"}
