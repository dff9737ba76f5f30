from __future__ import annotations

import datetime as dt
import json

from pipeline.ingest.raw import MAX_RAW_CHARS, PageAnswers, RawRecord


def test_a_record_is_shown_as_it_stood_in_the_source() -> None:
    assert RawRecord({"text": "Yes"}, "line 1", '{"text":"Yes"}').shown() == '{"text":"Yes"}'


def test_a_record_of_a_source_without_lines_is_shown_as_json() -> None:
    shown = RawRecord({"text": "Oui, très sûr", "on": dt.date(2020, 1, 2)}, "row 1").shown()
    assert json.loads(shown) == {"text": "Oui, très sûr", "on": "2020-01-02"}
    assert "très" in shown


def test_a_long_record_is_cut_for_the_quarantine() -> None:
    assert len(RawRecord({}, "line 1", "x" * (MAX_RAW_CHARS + 1)).shown()) == MAX_RAW_CHARS


def test_two_pages_never_share_a_list_of_answers() -> None:
    first, second = PageAnswers("Is it safe?"), PageAnswers("Does it hurt?")
    first.answers.append(RawRecord({"text": "Yes"}, "answer 1"))
    assert second.answers == []
