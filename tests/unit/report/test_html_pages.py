"""What the pages of a report show and leave out, their size, and the folder of pages for many questions."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from pipeline.report import wording
from pipeline.report.html import render_html, render_site
from pipeline.report.html.pages import ROWS_PER_PAGE, name_question
from pipeline.schema import (
    AnswerRecord,
    Cell,
    ClassifiedAnswer,
    Comparison,
    Consensus,
    Dissent,
    Evidence,
    Flip,
    Interval,
    Merger,
    Prevalence,
    Relabelling,
    Report,
    Respondent,
    Source,
    StanceCall,
    Verdict,
    VerdictChange,
)

SIDES = {
    "against": "oppose",
    "cautiously_against": "oppose",
    "neutral": "neutral",
    "cautiously_supportive": "support",
    "supportive": "support",
}
# Of ten answers: the last but one is counted with the first, the last is too unsure to call.
STANCES = ["against"] * 4 + ["cautiously_against"] * 2 + ["neutral", "supportive"] + ["against", "neutral"]
WORDS = "one would rather wait until the child is weaned because nothing is known of it and no harm comes of waiting "


def build_answer(question: str, number: int, text: str, **extra: Any) -> ClassifiedAnswer:
    stance = STANCES[number - 1]
    record = AnswerRecord(
        question_id=question,
        question=f"Is it safe to have {question}?",
        proposition=f"having {question}",
        answer_id=f"{question}-{number}",
        position=number,
        headline="Better to wait" if number % 2 else None,
        text=text,
        respondent=Respondent(
            name=f"Ottilie Marchbanks {number}", credentials="MD", specialty="Dermatologist", rating=4.5, n_reviews=12
        ),
        source=Source(file="answers.jsonl", locator=f"line {number}"),
        **extra,
    )
    passages = [Evidence(field="text", start=a, end=b, quote=text[a:b], weight=1.0) for a, b in ((0, 20), (40, 60))]
    call = StanceCall(
        stance=stance,
        side=SIDES[stance],
        posteriors={name: float(name == stance) for name in SIDES},
        confidence=0.82 if number < 10 else 0.41,
        abstained=number == 10,
        evidence=tuple(passages),
        model="default@1a2b3c",
    )
    return ClassifiedAnswer(answer=record, call=call)


def build_prevalence(n: int, *, corrected: bool) -> Prevalence:
    share = n / 8
    interval = Interval(share=min(share + 0.03, 1), low=max(share - 0.3, 0), high=min(share + 0.3, 1))
    return Prevalence(
        n=n,
        share=share,
        low=max(share - 0.2, 0),
        high=min(share + 0.2, 1),
        corrected=interval if corrected else None,
    )


def build_question(
    question: str = "a peel", text: str = WORDS * 2, *, corrected: bool = True, extra: dict[str, Any] | None = None
) -> Consensus:
    answers = tuple(build_answer(question, n, text, **(extra or {})) for n in range(1, 11))
    called = STANCES[:8]
    sides = [SIDES[stance] for stance in called]
    return Consensus(
        question_id=question,
        question=f"Is it safe to have {question}?",
        proposition=f"having {question}",
        n_answers=10,
        n_with_stance=8,
        n_no_stance=0,
        n_abstained=1,
        n_merged=1,
        prevalence={stance: build_prevalence(called.count(stance), corrected=corrected) for stance in SIDES},
        sides={s: build_prevalence(sides.count(s), corrected=corrected) for s in ("oppose", "neutral", "support")},
        verdict=Verdict(side="oppose", strength="consensus", probability=0.63 if corrected else None),
        agreement=0.4,
        polarisation=0.35,
        dissent=(
            Dissent(
                answer_id=f"{question}-8",
                respondent="Ottilie Marchbanks 8",
                stance="supportive",
                confidence=0.82,
                quote="I see no reason to wait.",
            ),
        ),
        flip=Flip(
            strength="majority",
            side="oppose",
            answers=(
                Relabelling(
                    answer_id=f"{question}-5",
                    respondent="Ottilie Marchbanks 5",
                    side="oppose",
                    to=None,
                    probability=0.2,
                ),
            ),
        ),
        mergers=(
            Merger(counted=f"{question}-1", others=(f"{question}-9",), reason="near-identical text", disagree=False),
        ),
        breakdown={},
        answers=answers,
    )


def build_report(*questions: Consensus, **fields: Any) -> Report:
    given_fields: dict[str, Any] = {
        "medstance": "0.1.0",
        "model": {"names": ["default@1a2b3c"], "scheme": "stance", "side_accuracy": 0.66},
        "rule": {
            "name": "delphi-75",
            "kind": "delphi",
            "share": 0.75,
            "min_answers": 5,
            "interval": 0.9,
            "n_draws": 4000,
            "weight_by": None,
            "keep_repeats": False,
        },
        "warnings": ("2 records were left out",),
        "disclaimer": "Not medical advice: it counts what answers say.",
    }
    return Report.model_validate(given_fields | fields | {"questions": questions})


def parse(html: str) -> LexborHTMLParser:
    return LexborHTMLParser(html)


def texts(html: str, selector: str) -> list[str]:
    return [" ".join(node.text(deep=True).split()) for node in parse(html).css(selector)]


# ---------------------------------------------------------------- one question


def test_every_number_of_the_table_is_that_of_the_other_forms_of_the_report() -> None:
    question = build_question()
    cells = [texts(render_html(build_report(question)), f".votes tbody tr > :nth-child({n})") for n in (1, 2, 3, 4)]
    order = ["oppose", "against", "cautiously_against", "neutral", "support", "cautiously_supportive", "supportive"]
    found = [(question.sides | question.prevalence)[name] for name in order]
    assert cells[0] == [wording.plain_label(name) for name in order]
    assert cells[1] == [str(p.n) for p in found]
    assert cells[2] == [wording.show_prevalence(p) for p in found]
    assert cells[3] == [wording.show_corrected(p) for p in found]


def test_the_chart_has_a_row_of_plain_and_one_of_corrected_shares_and_says_its_numbers() -> None:
    (chart,) = parse(render_html(build_report(build_question()))).css("figure svg")
    assert chart.attributes["viewBox"] == "0 0 312 92"
    assert chart.attributes["aria-label"] == (
        "Shares: oppose 75 %, corrected 78 %; neutral 12 %, corrected 16 %; support 12 %, corrected 16 %"
    )


def test_without_corrected_shares_the_page_says_so_and_has_one_row_and_no_column_of_them() -> None:
    html = render_html(build_report(build_question(corrected=False)))
    (chart,) = parse(html).css("figure svg")
    assert chart.attributes["class"] == "one"
    assert texts(html, ".votes thead th")[-1] == "Share (90 % interval)"
    assert texts(html, "dl > div:first-child dd") == ["not given", "the classifier's errors are not known"]


def test_verdict_certainty_agreement_and_polarisation_stand_apart() -> None:
    question, report = build_question(), build_report(build_question())
    html = render_html(report)
    assert texts(html, ".verdict") == [wording.verdict_sentence(question, report.rule)]
    assert texts(html, "dt") == ["Certainty", "Agreement", "Polarisation"]
    assert texts(html, "dd") == ["63 %", "+0.40", "0.35"]


def test_answers_stand_by_stance_with_merged_ones_marked_and_the_unsure_apart() -> None:
    html = render_html(build_report(build_question()))
    assert texts(html, "h4") == [
        "against (4 votes, 1 counted with another)",
        "cautiously against (2 votes)",
        "neutral (1 vote)",
        "supportive (1 vote)",
        "too unsure to call (1 answer)",
    ]
    merged = next(line for line in texts(html, "details li") if line.startswith("#9 "))
    assert "82 % sure, counted with #1" in merged
    unsure = next(line for line in texts(html, "details li") if line.startswith("#10 "))
    assert "most likely neutral, 41 % sure" in unsure


def test_what_could_flip_it_dissent_and_mergers_lead_to_their_answers() -> None:
    tree = parse(render_html(build_report(build_question())))
    for selector, number in [("main > article > ul a", 5), ("blockquote a", 8), ("article > p.q a", 1)]:
        (link,) = tree.css(selector)
        target = tree.css_first(str(link.attributes["href"]))
        assert target is not None
        assert target.text().startswith(f"#{number} ")


def test_a_breakdown_warns_of_small_cells() -> None:
    sides = {name: build_prevalence(1, corrected=False) for name in ("oppose", "neutral", "support")}
    cells = (
        Cell(value="Dermatologist", n_votes=7, n_with_stance=7, sides=sides, is_small=False),
        Cell(value=None, n_votes=1, n_with_stance=1, sides=sides, is_small=True),
    )
    question = build_question().model_copy(update={"breakdown": {"respondent.specialty": cells}})
    html = render_html(build_report(question))
    assert texts(html, ".by tbody th") == ["Dermatologist", "not given (too few)"]
    assert "Where it says too few" in texts(html, ".by caption")[0]
    assert texts(html, ".by thead th") == ["specialty", "Votes", "oppose", "neutral", "support"]


def test_a_procedure_is_shown_and_filtered_by_only_where_the_answers_name_one() -> None:
    named = [build_question(name, extra={"procedure": "chemical peel"}) for name in ("a peel", "two peels")]
    html = render_html(build_report(*named))
    assert parse(html).css_first("#procedure") is not None
    assert texts(html, ".index tbody small") == ["chemical peel"] * 2
    plain = render_html(build_report(build_question("a peel"), build_question("two peels", extra={"procedure": 7})))
    assert parse(plain).css_first("#procedure") is None


# ---------------------------------------------------------------- the whole page


def test_without_script_the_index_is_a_list_of_links_and_no_control_shows() -> None:
    tree = parse(render_html(build_report(build_question("a peel"), build_question("two peels"))))
    links = [str(a.attributes["href"]) for a in tree.css(".index a")]
    assert links == ["#q1", "#q2"]
    assert all(tree.css_first(link) is not None for link in links)
    controls = tree.css_first("[role=search]")
    assert controls is not None
    assert "hidden" in controls.attributes
    shown = tree.css_first("[role=status]")
    assert shown is not None
    assert shown.text() == "2 questions"


def test_headings_go_down_by_one_level_at_a_time() -> None:
    tree = parse(render_html(build_report(build_question("a peel"), build_question("two peels"))))
    levels = [int(str(node.tag)[1]) for node in tree.css("h1, h2, h3, h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_what_moved_since_an_earlier_report_is_on_the_page() -> None:
    before = Verdict(side="support", strength="majority", probability=0.5)
    changes = tuple(
        VerdictChange(
            question_id=name,
            question=f"Is it safe to have {name}?",
            kind=kind,
            before=None if kind == "new" else before,
            after=None if kind == "gone" else Verdict(side="oppose", strength="consensus", probability=0.63),
            shares={"oppose": 0.25} if kind == "changed" else {},
        )
        for name, kind in [("a peel", "changed"), ("two peels", "new"), ("no peel", "gone")]
    )
    comparison = Comparison(against="march.json", models=("m",), rule="delphi-75", changes=changes)
    html = render_html(build_report(build_question("a peel"), build_question("two peels"), comparison=comparison))
    rows = texts(html, "#changes ~ table tbody tr")
    assert [re.findall("changed|new|gone", row)[0] for row in rows] == ["changed", "new", "gone"]
    assert "Changed: the verdict was majority: support; oppose +25 points." in texts(html, "article > p.q")
    assert texts(html, ".index td:nth-child(2) small") == ["was majority: support", "new"]
    assert len(parse(html).css("#changes ~ table a")) == 2


def test_an_empty_report_can_be_shown() -> None:
    html = render_html(build_report())
    assert "Not medical advice" in html
    assert [name for name, _ in render_site(build_report(), iter(()))] == ["index.html"]


def test_a_hundred_questions_of_ten_answers_of_a_hundred_words_stay_below_a_megabyte() -> None:
    text = " ".join((WORDS * 6).split()[:100])
    questions = [build_question(f"a peel of kind {n}", text, extra={"procedure": "peel"}) for n in range(100)]
    assert len(render_html(build_report(*questions)).encode()) < 2**20


# ---------------------------------------------------------------- a folder of pages


def build_site(n: int) -> dict[str, str]:
    question = build_question()
    copies = (question.model_copy(update={"question_id": f"q {i}"}) for i in range(n))
    return dict(render_site(build_report(), copies))


def test_every_link_of_a_folder_leads_to_one_of_its_files() -> None:
    site = build_site(ROWS_PER_PAGE + 1)
    assert list(site)[-2:] == ["index.html", "index-2.html"]
    assert len(site) == ROWS_PER_PAGE + 3
    for name in ["index.html", "index-2.html", "questions/00001-q-0.html", "questions/00201-q-200.html"]:
        tree = parse(site[name])
        for href in (str(a.attributes["href"]) for a in tree.css("a")):
            if href.startswith("#"):
                assert tree.css_first(href) is not None
            else:
                assert posixpath.normpath(posixpath.join(posixpath.dirname(name), href)) in site
    assert 'href="../index-2.html"' in site["questions/00201-q-200.html"]


def test_every_page_of_a_folder_says_that_it_is_no_medical_advice_and_lets_nothing_in() -> None:
    for html in build_site(3).values():
        assert "Not medical advice" in html
        assert "default-src 'none'" in html


def test_a_folder_says_how_many_questions_there_are_and_that_the_search_is_of_this_page() -> None:
    site = build_site(ROWS_PER_PAGE + 5)
    assert f"{ROWS_PER_PAGE + 5} questions on 2 pages: here are 1 to {ROWS_PER_PAGE}." in site["index.html"]
    assert "Search the questions of this page" in site["index.html"]
    assert len(texts(site["index-2.html"], ".index tbody tr")) == 5


def test_no_more_than_two_questions_are_held_while_a_folder_is_rendered() -> None:
    taken = 0

    def questions() -> Iterator[Consensus]:
        nonlocal taken
        for n in range(20):
            taken += 1
            yield build_question(f"peel {n}")

    for n, (name, _) in enumerate(render_site(build_report(), questions()), start=1):
        if name.startswith("questions/"):
            assert taken <= n + 1


@pytest.mark.parametrize(
    ("question_id", "name"),
    [
        ("laser", "00001-laser.html"),
        ("../../etc/passwd", "00001-etc-passwd.html"),
        ("C:\\autoexec.bat", "00001-c-autoexec-bat.html"),
        ("Übergröße", "00001-ubergroe.html"),
        ("你好", "00001-question.html"),
        ("a" * 500, f"00001-{'a' * 60}.html"),
        ("\u202egnp.exe", "00001-gnp-exe.html"),
        ("", "00001-question.html"),
    ],
    ids=["plain", "traversal", "drive", "accents", "other script", "long", "bidi", "empty"],
)
def test_a_file_is_named_after_its_question_safely(question_id: str, name: str) -> None:
    assert name_question(1, question_id) == name


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 10**7))
def test_whatever_the_id_the_file_name_is_short_and_plain(question_id: str, number: int) -> None:
    assert re.fullmatch(r"\d{5,8}-[a-z0-9]([a-z0-9-]*[a-z0-9])?\.html", name_question(number, question_id))
    assert len(name_question(number, question_id)) < 80
