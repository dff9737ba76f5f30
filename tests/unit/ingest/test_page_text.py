from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ingest.page_text import read_page_text, relocate
from pipeline.ingest.raw import BadRecord, PageAnswers, RawRecord

TEMPLATE = "{{ voteCount >= 0 ? '+' + (voteCount + 1) : (voteCount + 1) }}"
HELPFUL = "12 people found this helpful"
DISCLAIMER = (
    "The answers on this site are for educational purposes and replace no visit. "
    "They do not constitute a patient/doctor relationship."
)
FURNITURE = ("votecount", "helpful", "educational", "constitute", "{{")


@dataclass(frozen=True)
class _Answer:
    headline: str
    paragraphs: tuple[str, ...]
    signature: str = ""

    @property
    def text(self) -> str:
        return "\n\n".join(self.paragraphs)


ADA = _Answer(
    "Nothing to fear",
    ("It fades within a year.",),
    "Ada Fennimore, MD\nTarn Plastic Surgeon\n4.6 out of 5 stars 8 reviews",
)
BO = _Answer("I would wait", ("Wait for the winter.", "Then ask again."), "Bo Lindgren, DO\nElm Dermatologist")


def _page(
    *answers: _Answer,
    question: str = "Does a peel help old scars?",
    announce: str | None = "Doctor Answers {}",
    vote: str = TEMPLATE,
    close: str = DISCLAIMER,
) -> str:
    parts = [question, announce.format(len(answers)) if announce else ""]
    for answer in answers:
        parts += [answer.headline, vote, answer.text, answer.signature]
    return "\n\n".join(part for part in [*parts, close] if part) + "\n"


def _only(text: str) -> PageAnswers:
    (page,) = read_page_text(text)
    return page


def _fields(page: PageAnswers) -> list[dict[str, Any]]:
    assert all(isinstance(answer, RawRecord) for answer in page.answers), page.answers
    return [dict(answer.fields) for answer in page.answers if isinstance(answer, RawRecord)]


def _read(text: str) -> list[tuple[str, str]]:
    return [(fields.get("headline", ""), fields["text"]) for fields in _fields(_only(text))]


def _expected(*answers: _Answer) -> list[tuple[str, str]]:
    return [(answer.headline, answer.text) for answer in answers]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


SENTENCE = st.lists(
    st.sampled_from(["brem", "ostal", "vink", "no", "scar", "it's", "50%", "(maybe)", "Dr."]), min_size=1
).map(lambda words: " ".join(["Well", *words]) + ".")
SIGNED = st.sampled_from([ADA.signature, BO.signature, "Tarn Facial Plastic Surgeon\n4.9 out of 5 stars 39 reviews"])
ANSWER = st.builds(_Answer, SENTENCE, st.lists(SENTENCE, min_size=1, max_size=3).map(tuple), SIGNED | st.just(""))
SIGNED_ANSWER = st.builds(_Answer, SENTENCE, st.lists(SENTENCE, min_size=1, max_size=3).map(tuple), SIGNED)


@settings(max_examples=60)
@given(st.lists(ANSWER, min_size=1, max_size=5), st.sampled_from([TEMPLATE, HELPFUL, "+3", "Helpful (2)", "17 votes"]))
def test_where_votes_stand_below_headlines_every_answer_is_read_word_for_word(
    answers: list[_Answer], vote: str
) -> None:
    page = _only(_page(*answers, vote=vote))
    assert [(fields.get("headline", ""), fields["text"]) for fields in _fields(page)] == _expected(*answers)
    assert [("respondent" in fields) for fields in _fields(page)] == [bool(answer.signature) for answer in answers]


@settings(max_examples=60)
@given(st.lists(SIGNED_ANSWER, min_size=1, max_size=5), st.sampled_from(["Doctor Answers {}", "{} answers", None]))
def test_where_signatures_alone_part_the_answers_no_word_is_lost(answers: list[_Answer], announce: str | None) -> None:
    read = _read(_page(*answers, announce=announce, vote=""))
    assert [f"{headline} {text}".split() for headline, text in read] == [
        f"{answer.headline} {answer.text}".split() for answer in answers
    ]


@settings(max_examples=60)
@given(st.lists(ANSWER, min_size=1, max_size=4), st.sampled_from([TEMPLATE, HELPFUL, ""]))
def test_no_field_holds_anything_of_the_furniture(answers: list[_Answer], vote: str) -> None:
    for page in read_page_text(_page(*answers, vote=vote)):
        held = json.dumps([page.question, page.details, *_fields(page)]).lower()
        assert not [word for word in FURNITURE if word in held]


@settings(max_examples=200)
@given(
    st.lists(
        st.sampled_from([TEMPLATE, HELPFUL, "Doctor Answers 3", "Well.", "Share", DISCLAIMER, ADA.signature, "", " "])
    )
)
def test_lines_in_any_order_are_read_or_passed_over_and_never_a_crash(lines: list[str]) -> None:
    for page in read_page_text("\n".join(lines)):
        assert page.question
        assert page.answers


@pytest.mark.parametrize("text", ["", "\n\n", TEMPLATE, DISCLAIMER, "Just a note to self.", "One.\n\nTwo.\n\nThree."])
def test_a_text_that_is_no_page_of_answers_gives_none(text: str) -> None:
    assert read_page_text(text) == []


# ---------------------------------------------------------------- the quirks of real pages


def test_an_answer_without_a_name_keeps_specialty_place_and_rating() -> None:
    nameless = _Answer("Not in my practice", ("It marks.",), "Tarn Dermatologic Surgeon\n4.9 out of 5 stars 39 reviews")
    first, second = _fields(_only(_page(nameless, ADA)))
    assert first["respondent"] == {
        "specialty": "Dermatologic Surgeon",
        "location": "Tarn",
        "rating": 4.9,
        "n_reviews": 39,
    }
    assert second["respondent"]["name"] == "Ada Fennimore"


def test_an_answer_without_a_rating_has_none_of_its_neighbours() -> None:
    _, second, _ = _fields(_only(_page(ADA, BO, ADA)))
    assert second["respondent"] == {
        "name": "Bo Lindgren",
        "credentials": "DO",
        "specialty": "Dermatologist",
        "location": "Elm",
    }


def test_a_signature_repeated_below_the_body_is_no_text_and_the_longer_place_counts() -> None:
    twice = _Answer(
        "Hardly ever", ("It hardly helps.", "Cy R Voss, MD\nElm, NJ"), "Cy R. Voss, MD\nElm Plastic Surgeon"
    )
    _, fields = _fields(_only(_page(ADA, twice)))
    assert fields == {
        "headline": "Hardly ever",
        "text": "It hardly helps.",
        "respondent": {
            "name": "Cy R. Voss",
            "credentials": "MD",
            "location": "Elm, NJ",
            "specialty": "Plastic Surgeon",
        },
    }


def test_a_sentence_that_runs_on_from_the_headline_stays_cut_where_the_page_cuts_it() -> None:
    running = _Answer("Peels work", ("only on the surface. Deep scars stay.", "Needles reach deeper."), BO.signature)
    assert _read(_page(ADA, running, ADA)) == _expected(ADA, running, ADA)


def test_spaces_and_lines_within_a_paragraph_are_kept() -> None:
    odd = _Answer("Hm", ("One.\u00a0 Two. \u00a0 Three.\nFour “five”.",), BO.signature)
    assert _read(_page(odd)) == _expected(odd)


def test_a_template_within_a_line_is_cut_out_of_it() -> None:
    assert _read(_page(_Answer("Hm", ("Wait {{ name | safe }} a year {% endif %}.",), BO.signature))) == [
        ("Hm", "Wait   a year  .")
    ]


def test_what_the_patient_adds_below_the_question_is_no_answer() -> None:
    page = _only(_page(ADA, BO).replace("Doctor Answers", "I am 44.\n\nMy skin is fair.\n\nDoctor Answers"))
    assert (page.question, page.details) == ("Does a peel help old scars?", "I am 44.\n\nMy skin is fair.")
    assert len(page.answers) == 2


@pytest.mark.parametrize(
    ("line", "announced"),
    [
        ("Doctor Answers 11", 11),
        ("Answers (11)", 11),
        ("answers: 11", 11),
        ("11 answers", 11),
        ("11 doctors' answers", 11),
        ("11 Answers from doctors", 11),
        ("Doctor Answers", None),
        (None, None),
    ],
)
def test_the_number_of_answers_the_page_announces_is_told_as_it_stands(line: str | None, announced: int | None) -> None:
    page = _only(_page(ADA, BO, announce=line))
    assert (page.announced, len(page.answers)) == (announced, 2)


@pytest.mark.parametrize(
    "line", ["Was this helpful?", "Read more", "Share", "Reply", "View full profile", "3 comments"]
)
def test_a_button_is_in_no_field(line: str) -> None:
    cy = _Answer(BO.headline, (*BO.paragraphs, line), f"{BO.signature}\n\n{line}")
    assert _read(_page(ADA, cy, ADA)) == _expected(ADA, BO, ADA)


def test_a_vote_count_below_the_signature_belongs_to_the_answer_above_it() -> None:
    below = "\n\n".join(
        ["Does a peel help old scars?", "Doctor Answers 2"]
        + [part for answer in (ADA, BO) for part in (answer.headline, answer.text, answer.signature, HELPFUL)]
    )
    page = _only(below)
    assert page.details == ""
    assert _read(below) == _expected(ADA, BO)
    assert [fields["respondent"]["name"] for fields in _fields(page)] == ["Ada Fennimore", "Bo Lindgren"]


@pytest.mark.parametrize(
    "headline",
    ["See an ENT Specialist", "Choose the Right Surgeon", "Ask Your Doctor", "NOT SAFE TO DO", "Nobody has MS"],
)
def test_a_headline_that_looks_like_a_signature_is_a_headline(headline: str) -> None:
    cy = _Answer(headline, ("It marks.",), BO.signature)
    page = _only(_page(ADA, cy))
    assert _read(_page(ADA, cy)) == _expected(ADA, cy)
    assert _fields(page)[0]["respondent"]["name"] == "Ada Fennimore"


@pytest.mark.parametrize("letters", ["FACOG", "FACP, FAAFP", "F.A.C.S.", "MRCS"])
def test_a_signature_with_rarer_letters_is_no_text(letters: str) -> None:
    cy = _Answer("Hm", ("It marks.",), f"Cy Voss, MD, {letters}\nElm Dermatologist")
    (fields,) = _fields(_only(_page(cy)))
    assert fields["text"] == "It marks."
    assert fields["respondent"]["name"] == "Cy Voss"


@pytest.mark.parametrize(
    "paragraph",
    [
        "It is safe. This answer is for educational purposes only, of course.",
        "I would wait. My words do not create a doctor-patient relationship.",
        "A smaller nose does not create a better relationship between chin and brow.",
        "That information was given out for informational purposes by the maker, so I distrust it.",
        "Copyright 2009 is what the leaflet says, so it is out of date.",
    ],
)
def test_an_answer_that_sounds_like_the_disclaimer_is_kept(paragraph: str) -> None:
    cy = _Answer("Hm", (paragraph,), BO.signature)
    assert _read(_page(ADA, cy, ADA)) == _expected(ADA, cy, ADA)


@pytest.mark.parametrize("vote", [TEMPLATE, HELPFUL, ""], ids=["template", "helpful", "no votes"])
@pytest.mark.parametrize("close", [DISCLAIMER, ""], ids=["disclaimer", "no disclaimer"])
def test_several_pages_in_one_file_are_read_one_by_one(vote: str, close: str) -> None:
    text = _page(ADA, BO, vote=vote, close=close) + "\n" + _page(BO, ADA, BO, question="Does it hurt?", vote=vote)
    pages = read_page_text(text)
    assert [page.question for page in pages] == ["Does a peel help old scars?", "Does it hurt?"]
    assert [[fields["text"] for fields in _fields(page)] for page in pages] == [
        [ADA.text, BO.text],
        [BO.text, ADA.text, BO.text],
    ]


def test_several_pages_that_do_not_tell_a_number_are_told_apart_by_the_disclaimer() -> None:
    text = _page(ADA, BO, announce="Doctor Answers") + _page(BO, question="Does it hurt?", announce="Doctor Answers")
    assert [page.question for page in read_page_text(text)] == ["Does a peel help old scars?", "Does it hurt?"]


def test_an_answer_of_a_headline_alone_has_it_for_text() -> None:
    _, fields = _fields(_only(_page(ADA, _Answer("Never", (), BO.signature))))
    assert fields["text"] == "Never"


def test_an_answer_without_any_text_is_rejected_and_its_place_told() -> None:
    text = _page(ADA, _Answer("", (), BO.signature), ADA)
    first, bad, last = _only(text).answers
    assert isinstance(bad, BadRecord)
    assert (bad.column, bad.raw) == ("text", BO.signature)
    line = text.split("\n").index("Bo Lindgren, DO") + 1
    assert bad.locator == f"lines {line}-{line + 1}"
    assert [isinstance(answer, RawRecord) for answer in (first, last)] == [True, True]


def test_an_answer_is_found_by_its_first_and_last_line() -> None:
    lines = _page(ADA, BO).split("\n")
    first, second = _only("\n".join(lines)).answers
    assert first.locator == f"lines {lines.index(ADA.headline) + 1}-{lines.index(BO.headline) - 1}"
    assert second.locator.startswith(f"lines {lines.index(BO.headline) + 1}-")


def test_lines_mean_nothing_in_html_and_become_the_number_of_the_answer() -> None:
    page = relocate(_only(_page(ADA, BO)), "answer")
    assert [answer.locator for answer in page.answers] == ["answer 1", "answer 2"]


# ---------------------------------------------------------------- the real page


@pytest.fixture(scope="module")
def real(shared: Path) -> str:
    return (shared / "pages" / "botox_limb_reduction.txt").read_text("utf-8")


def test_the_real_page_has_ten_answers_though_it_announces_eleven(real: str) -> None:
    page = _only(real)
    assert (page.announced, len(page.answers), page.details) == (11, 10, "")
    assert page.question == real.split("\n", 1)[0]


def test_the_real_pages_first_answer_alone_has_no_name(real: str) -> None:
    respondents = [fields["respondent"] for fields in _fields(_only(real))]
    assert ["name" in respondent for respondent in respondents] == [False] + [True] * 9
    assert ["credentials" in respondent for respondent in respondents] == [False] + [True] * 9
    assert all("specialty" in respondent and "location" in respondent for respondent in respondents)


def test_the_real_pages_ratings_stay_with_their_answers(real: str) -> None:
    respondents = [fields["respondent"] for fields in _fields(_only(real))]
    assert [respondent.get("rating") for respondent in respondents] == [
        *(4.9, 4.9, 4.4, 4.7, 4.7),
        *(None, 4.7, None, None, None),
    ]
    assert [respondent.get("n_reviews") for respondent in respondents] == [
        *(39, 26, 7, 12, 12),
        *(None, 41, None, None, None),
    ]


def test_the_real_pages_eighth_answer_has_its_repeated_signature_in_no_text(real: str) -> None:
    fields = _fields(_only(real))[7]
    respondent = fields["respondent"]
    assert not _words(respondent["name"].split()[-1] + " " + respondent["location"]) & _words(fields["text"])
    assert "," in respondent["location"]


def test_the_real_pages_ninth_answer_runs_on_from_its_headline(real: str) -> None:
    fields = _fields(_only(real))[8]
    assert len(fields["headline"].split()) == 2
    assert fields["text"][0].islower()
    assert fields["text"].count("\n\n") == 1


def test_the_real_page_loses_no_word_but_its_furniture(real: str) -> None:
    lines = [
        line for line in real.split("\n") if line and not re.search(r"\{\{|out of 5|^Doctor Answers|emergency", line)
    ]
    page = _only(real)
    held = json.dumps([page.question, *_fields(page)], ensure_ascii=False).replace("\\n", "\n")
    assert _words("\n".join(lines)) <= _words(held)
    assert not [word for word in FURNITURE if word in held.lower()]


@pytest.mark.parametrize("line", ["Board Certified Dermatologist", "5/5 stars"])
def test_a_line_inside_an_answer_that_looks_like_a_signature_makes_no_further_answer(line: str) -> None:
    cy = _Answer("Hm", ("It marks. I am a", line, "and have seen it often."), ADA.signature)
    assert _read(_page(BO, cy, BO)) == _expected(BO, cy, BO)
