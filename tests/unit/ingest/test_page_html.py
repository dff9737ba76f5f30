from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ingest.page_html import read_page_html
from pipeline.ingest.raw import BadRecord, PageAnswers, RawRecord

QUESTION = "Does a peel help old scars?"
YES: dict[str, Any] = {"@type": "Answer", "text": "It fades within a year."}
NO: dict[str, Any] = {"@type": "Answer", "text": "It marks."}


def _question(**fields: Any) -> dict[str, Any]:
    return {"@type": "Question", "name": QUESTION, **fields}


def _script(data: Any, before: str = "", after: str = "") -> str:
    text = data if isinstance(data, str) else json.dumps(data)
    return (
        f"<!doctype html><html><head>{before}<script type='application/ld+json'>{text}</script></head>"
        f"<body><h1>Shop</h1>{after}</body></html>"
    )


def _only(page: str) -> PageAnswers:
    (read,) = read_page_html(page)
    return read


def _fields(page: PageAnswers) -> list[dict[str, Any]]:
    assert all(isinstance(answer, RawRecord) for answer in page.answers), page.answers
    return [dict(answer.fields) for answer in page.answers if isinstance(answer, RawRecord)]


def _texts(page: PageAnswers) -> list[str]:
    return [fields["text"] for fields in _fields(page)]


# ---------------------------------------------------------------- JSON-LD


@pytest.mark.parametrize(
    "data",
    [
        {"@type": "QAPage", "mainEntity": _question(acceptedAnswer=YES, suggestedAnswer=[NO])},
        {"@graph": [{"@type": "WebSite"}, {"@type": "QAPage", "mainEntity": _question(suggestedAnswer=[YES, NO])}]},
        [{"@type": "Organization", "name": "Shop"}, _question(acceptedAnswer=[YES], suggestedAnswer=NO)],
        {"@type": ["WebPage", "QAPage"], "mainEntity": [_question(acceptedAnswer=[YES, NO])]},
        {**_question(suggestedAnswer=[YES, NO]), "@type": "https://schema.org/Question"},
        {**_question(suggestedAnswer=[YES, NO]), "@type": ["Thing", "Question"]},
    ],
    ids=["QAPage", "graph", "list", "types in a list", "type as address", "question in a list of types"],
)
def test_a_question_in_json_ld_is_found_wherever_it_stands(data: Any) -> None:
    page = _only(_script(data))
    assert (page.question, _texts(page)) == (QUESTION, [YES["text"], NO["text"]])


def test_several_questions_are_several_pages_in_order() -> None:
    data = {"@graph": [_question(acceptedAnswer=YES), _question(name="Does it hurt?", acceptedAnswer=NO)]}
    assert [page.question for page in read_page_html(_script(data))] == [QUESTION, "Does it hurt?"]


def test_the_accepted_answer_stands_first_and_answers_are_numbered() -> None:
    page = _only(_script(_question(suggestedAnswer=[NO], acceptedAnswer=YES)))
    assert _texts(page) == [YES["text"], NO["text"]]
    assert [answer.locator for answer in page.answers] == ["answer 1", "answer 2"]


@pytest.mark.parametrize("count", [3, "3", 3.0])
def test_the_number_of_answers_announced_is_told_as_it_stands(count: Any) -> None:
    assert _only(_script(_question(answerCount=count, acceptedAnswer=YES))).announced == 3


@pytest.mark.parametrize("count", ["NaN", "Infinity", '"nan"', '"1e999"', '"many"', "null", "[]"])
def test_a_number_that_is_none_is_passed_over(count: str) -> None:
    data = json.dumps(
        _question(
            answerCount="COUNT",
            acceptedAnswer={
                **YES,
                "author": {"name": "Ada", "aggregateRating": {"reviewCount": "COUNT", "ratingValue": "COUNT"}},
            },
        )
    )
    page = _only(_script(data.replace('"COUNT"', count)))
    assert page.announced is None
    assert _fields(page)[0]["respondent"] == {"name": "Ada"}


@pytest.mark.parametrize(("value", "rating"), [("4.8", 4.8), (4.8, 4.8), ("4,8", 4.8), ("5", 5.0)])
def test_a_rating_is_read_with_either_decimal_mark(value: Any, rating: float) -> None:
    author = {"name": "Ada", "aggregateRating": {"ratingValue": value}}
    assert (
        _fields(_only(_script(_question(acceptedAnswer={**YES, "author": author}))))[0]["respondent"]["rating"]
        == rating
    )


@pytest.mark.parametrize(
    ("author", "respondent"),
    [
        ("Ada Fennimore, MD", {"name": "Ada Fennimore", "credentials": "MD"}),
        ({"name": "Ada Fennimore, MD, FACS"}, {"name": "Ada Fennimore", "credentials": "MD, FACS"}),
        ([{"name": "Ada Fennimore"}, {"name": "Bo"}], {"name": "Ada Fennimore"}),
        (["Ada Fennimore"], {"name": "Ada Fennimore"}),
        (
            {"name": "Ada", "honorificSuffix": "DO", "jobTitle": "Dermatologist", "address": "Tarn"},
            {"name": "Ada", "credentials": "DO", "specialty": "Dermatologist", "location": "Tarn"},
        ),
        (
            {"name": "Ada", "address": {"addressLocality": "Tarn", "addressRegion": "NJ", "addressCountry": "US"}},
            {"name": "Ada", "location": "Tarn, NJ, US"},
        ),
        (
            {"name": "Ada", "medicalSpecialty": [{"name": "Dermatology"}], "workLocation": {"address": "Tarn"}},
            {"name": "Ada", "specialty": "Dermatology", "location": "Tarn"},
        ),
        (
            {"name": "O&#39;Neill &amp; Fenn", "aggregateRating": {"ratingValue": "4.5", "reviewCount": "1,208"}},
            {"name": "O'Neill & Fenn", "rating": 4.5, "n_reviews": 1208},
        ),
        ({"aggregateRating": [], "name": None}, None),
        ([], None),
        (7, None),
        (None, None),
    ],
    ids=lambda value: "" if value is None or (isinstance(value, dict) and "name" not in value) else str(value)[:40],
)
def test_an_author_in_any_form_is_the_respondent(author: Any, respondent: dict[str, Any] | None) -> None:
    (fields,) = _fields(_only(_script(_question(acceptedAnswer={**YES, "author": author}))))
    assert fields.get("respondent") == respondent


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<p>One.</p><p>Two <b>bold</b>.</p>", "One.\n\nTwo bold."),
        ("One.<br>Two.<br/>Three.", "One.\nTwo.\nThree."),
        ("<ul><li>One</li><li>Two</li></ul>", "One\n\nTwo"),
        ("Safe &amp; quick, don&#39;t worry&hellip;", "Safe & quick, don't worry…"),
        ("Use <5 units, never >90 %.", "Use <5 units, never >90 %."),
        ("One.<script>alert(1)</script><style>p{}</style> Two.", "One. Two."),
        ("One.\n\nTwo.", "One.\n\nTwo."),
        ("One.\n\nTwo & three.", "One.\n\nTwo & three."),
        ("  One.  ", "One."),
    ],
)
def test_a_text_in_json_ld_is_read_without_its_markup(text: str, plain: str) -> None:
    assert _texts(_only(_script(json.dumps(_question(acceptedAnswer={"text": text})).replace("</", "<\\/")))) == [plain]


def test_the_question_may_have_a_headline_details_and_further_fields() -> None:
    answer = {
        **YES,
        "headline": "In\n time",
        "url": "https://a.example/1",
        "datePublished": "2020-01-02",
        "upvoteCount": 7,
    }
    page = _only(_script(_question(text="<p>I am 44.</p>", acceptedAnswer=answer)))
    assert page.details == "I am 44."
    assert _fields(page) == [
        {
            "headline": "In time",
            "text": YES["text"],
            "url": "https://a.example/1",
            "datePublished": "2020-01-02",
            "upvoteCount": 7,
        }
    ]


@pytest.mark.parametrize("answer", [{"@type": "Answer"}, {"text": " "}, {"text": "<p></p>"}, "words", 7], ids=str)
def test_an_answer_without_text_is_rejected_alone(answer: Any) -> None:
    first, bad, last = _only(_script(_question(suggestedAnswer=[YES, answer, NO]))).answers
    assert isinstance(bad, BadRecord)
    assert bad.locator == "answer 2"
    assert isinstance(first, RawRecord)
    assert isinstance(last, RawRecord)


def test_json_ld_with_line_breaks_in_its_strings_is_read_as_browsers_do() -> None:
    assert _texts(_only(_script('{"@type":"Question","name":"Is it?","acceptedAnswer":{"text":"One.\nTwo."}}'))) == [
        "One.\nTwo."
    ]


@pytest.mark.parametrize("type_", ["application/ld+json; charset=utf-8", "Application/LD+JSON"])
def test_the_type_of_a_script_may_be_written_differently(type_: str) -> None:
    page = _script(_question(acceptedAnswer=YES)).replace("application/ld+json", type_)
    assert _texts(_only(page)) == [YES["text"]]


@pytest.mark.parametrize(
    "broken",
    ["{", "", "[" * 100_000, "null", '"x"', {"@type": "Question"}, _question(), _question(suggestedAnswer=[])],
    ids=["syntax", "empty", "deep", "null", "string", "no name", "no answer", "no answers"],
)
def test_json_ld_without_answers_leaves_the_word_to_what_is_visible(broken: Any) -> None:
    visible = (
        "<h1>Is it safe?</h1><p>Answers 1</p><h2>Yes</h2><p>It fades.</p><p>Ada Fenn, MD<br>Tarn Dermatologist</p>"
    )
    script = broken if isinstance(broken, str) else json.dumps(broken)
    page = _only(f"<script type='application/ld+json'>{script}</script>{visible}")
    assert (page.question, _texts(page)) == ("Is it safe?", ["It fades."])


def test_a_broken_script_does_not_hide_a_sound_one() -> None:
    page = _script(_question(acceptedAnswer=YES), before="<script type='application/ld+json'>{</script>")
    assert _texts(_only(page)) == [YES["text"]]


@pytest.mark.parametrize("depth", [300, 900])
def test_a_deeply_nested_address_is_never_a_crash(depth: int) -> None:
    data = json.dumps(_question(acceptedAnswer={**YES, "author": {"name": "Ada", "address": "DEEP"}}))
    page = _script(data.replace('"DEEP"', '{"address":' * depth + '"Tarn"' + "}" * depth))
    assert len(read_page_html(page)) <= 1


# ---------------------------------------------------------------- microdata

PERSON = 'itemprop="author" itemscope itemtype="https://schema.org/Person"'
MICRODATA = f"""<body><nav>Home Shop</nav><div itemscope itemtype="https://schema.org/QAPage">
<div itemprop="mainEntity" itemscope itemtype="https://schema.org/Question">
  <h1 itemprop="name">Does a peel
     help old scars?</h1>
  <div itemprop="text"><p>I am 44.</p></div>
  <span itemprop="answerCount">3</span> answers
  <div itemprop="acceptedAnswer" itemscope itemtype="https://schema.org/Answer">
    <h2 itemprop="headline">In time</h2><button>Reply</button>
    <div itemprop="text"><p>It fades.</p><p>Within a <i>year</i>.</p></div>
    <div {PERSON}><a itemprop="name">Ada Fennimore, MD</a>, <span itemprop="jobTitle">Dermatologist</span>
      in <span itemprop="addressLocality">Tarn</span>
      <span itemprop="aggregateRating" itemscope><meta itemprop="ratingValue" content="4.6">
        <span itemprop="reviewCount">1,208</span> reviews</span></div>
  </div>
  <div itemprop="suggestedAnswer" itemscope itemtype="http://schema.org/Answer">
    <span itemprop="author">Bo Lindgren, DO</span><div itemprop="text">It marks.</div></div>
</div></div><footer>All rights</footer></body>"""


def test_microdata_gives_every_field() -> None:
    page = _only(MICRODATA)
    assert (page.question, page.details, page.announced) == (QUESTION, "I am 44.", 3)
    assert _fields(page) == [
        {
            "headline": "In time",
            "text": "It fades.\n\nWithin a year.",
            "respondent": {
                "name": "Ada Fennimore",
                "credentials": "MD",
                "specialty": "Dermatologist",
                "location": "Tarn",
                "rating": 4.6,
                "n_reviews": 1208,
            },
        },
        {"headline": "", "text": "It marks.", "respondent": {"name": "Bo Lindgren", "credentials": "DO"}},
    ]


def test_json_ld_is_preferred_to_microdata() -> None:
    assert _texts(_only(_script(_question(acceptedAnswer=YES), after=MICRODATA))) == [YES["text"]]


def test_the_name_of_the_patient_above_the_question_is_not_the_question() -> None:
    asked = MICRODATA.replace("<h1 ", f'<div {PERSON}><span itemprop="name">visitor42</span></div><h1 ', 1)
    assert _only(asked).question == QUESTION


def test_the_name_of_a_reader_who_comments_is_not_the_headline() -> None:
    reader = f'<b {PERSON}><i itemprop="name">visitor42</i></b>'
    comment = f'<div itemprop="comment" itemscope><p itemprop="text">Thanks!</p>{reader}</div>'
    second = _fields(_only(MICRODATA.replace("It marks.</div>", f"It marks.</div>{comment}")))[1]
    assert (second["headline"], second["text"]) == ("", "It marks.")


def test_microdata_without_answers_leaves_the_word_to_what_is_visible() -> None:
    assert (
        read_page_html('<div itemscope itemtype="https://schema.org/Question"><h1 itemprop="name">Is it?</h1></div>')
        == []
    )


# ---------------------------------------------------------------- visible structure

VISIBLE = """<html><head><title>Shop: peel</title><style>p{}</style></head><body>
<nav>Home Doctors</nav><div class="brand">Shop of Scars</div><form>Search <input></form>
<h1>Does a peel <em>help</em> old scars?</h1><p>I am 44.</p><!-- ad --><h2>Doctor Answers 2</h2>
<article><h3>In time</h3><span>12 people found this helpful</span><p>It fades.<br>Within a year.</p><p>Or two.</p>
<div>Ada Fennimore, MD</div><div>Tarn Dermatologist</div><div>4.6 out of 5 stars 1,208 reviews</div>
<button>Ask a doctor</button></article>
<article><h3>I would wait</h3><span>3 people found this helpful</span><p>It&nbsp;marks.</p>
<div>Bo Lindgren, DO<br>Elm Plastic Surgeon</div></article>
<script>var x = "It marks.";</script><footer>All rights</footer></body></html>"""


def test_visible_structure_gives_every_field_and_no_furniture() -> None:
    page = _only(VISIBLE)
    assert (page.question, page.details, page.announced) == (QUESTION, "I am 44.", 2)
    assert _fields(page) == [
        {
            "headline": "In time",
            "text": "It fades.\nWithin a year.\n\nOr two.",
            "respondent": {
                "name": "Ada Fennimore",
                "credentials": "MD",
                "location": "Tarn",
                "specialty": "Dermatologist",
                "rating": 4.6,
                "n_reviews": 1208,
            },
        },
        {
            "headline": "I would wait",
            "text": "It\u00a0marks.",
            "respondent": {
                "name": "Bo Lindgren",
                "credentials": "DO",
                "location": "Elm",
                "specialty": "Plastic Surgeon",
            },
        },
    ]
    assert [answer.locator for answer in page.answers] == ["answer 1", "answer 2"]


def test_a_titled_name_in_a_block_of_its_own_is_the_respondents() -> None:
    first, _ = _fields(_only(VISIBLE.replace("Ada Fennimore, MD", "Dr. Ada Fennimore")))
    assert first["text"].endswith("Or two.")
    assert first["respondent"]["name"] == "Dr. Ada Fennimore"


@pytest.mark.parametrize("page", ["", "words", "<html></html>", "<p>One.</p><p>Two.</p>", "<h1>Is it safe?</h1>"])
def test_html_without_answers_gives_none(page: str) -> None:
    assert read_page_html(page) == []


# ---------------------------------------------------------------- no word lost, no furniture held

SENTENCE = st.lists(
    st.sampled_from(["brem", "ostal", "vink", "it's", "R&D", "<5", ">90%", "(no)", "naïve"]), min_size=1
)
ANSWERS = st.lists(
    st.lists(SENTENCE.map(lambda words: " ".join(["Well", *words]) + "."), min_size=1, max_size=3), min_size=1
)


def _paragraphs(answer: list[str]) -> str:
    return "".join(f"<p>{html.escape(paragraph)}</p>" for paragraph in answer)


def _as_json_ld(answers: list[list[str]]) -> str:
    return _script(
        json.dumps(_question(suggestedAnswer=[{"text": _paragraphs(a)} for a in answers])).replace("</", "<\\/")
    )


def _as_microdata(answers: list[list[str]]) -> str:
    answer = '<div itemscope itemtype="https://schema.org/Answer"><div itemprop="text">{}</div><nav>Shop</nav></div>'
    question = '<div itemscope itemtype="https://schema.org/Question"><h1 itemprop="name">Is it?</h1>'
    return f"<nav>Shop</nav>{question}{''.join(answer.format(_paragraphs(a)) for a in answers)}</div>"


def _as_visible(answers: list[list[str]]) -> str:
    items = "".join(
        f"<h2>So</h2><div>{{{{ votes }}}}</div>{_paragraphs(a)}<p>Ada Fenn, MD</p><button>Share</button>"
        for a in answers
    )
    return f"<nav>Shop</nav><h1>Is it?</h1><p>Doctor Answers {len(answers)}</p>{items}<footer>Shop</footer>"


@pytest.mark.parametrize("render", [_as_json_ld, _as_microdata, _as_visible])
@settings(max_examples=30)
@given(answers=ANSWERS)
def test_every_word_of_the_answers_is_in_their_texts_and_nothing_else_is(render: Any, answers: list[list[str]]) -> None:
    page = _only(render(answers))
    assert [re.findall(r"\S+", text) for text in _texts(page)] == [" ".join(answer).split() for answer in answers]


@settings(max_examples=100)
@given(st.lists(st.sampled_from(re.findall(r"<[^>]*>|[^<]+", MICRODATA + VISIBLE)), max_size=60))
def test_tag_soup_is_never_a_crash(parts: list[str]) -> None:
    for page in read_page_html("".join(parts)):
        assert page.question
        assert page.answers
