"""Every command as a user runs it: what it prints, what it writes, what it keeps."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from pipeline.cli import run
from pipeline.ingest import ReadOptions, read_answers
from pipeline.manifest import find_model
from pipeline.report import build_report_schema
from pipeline.schema import CALL_FIELDS, AnswerRecord, split_classified

STANCE = [sys.executable, "-m", "pipeline"]
FORMATS = ["jsonl", "csv", "tsv", "parquet"]
Json = Any

CLAIMS = {
    "favor": ["Yes, {} works and I recommend it.", "I am all for {}, it is safe.", "Great, {} helps everyone."],
    "against": ["No, {} is useless and unsafe.", "I advise against {}, avoid it.", "Never, {} harms and I would stop."],
    "none": ["Which town do you live in?", "Please send a photograph first.", "Thank you for asking about {}."],
}
TOPICS = ["a night guard", "collagen powder", "cupping", "an ice roller", "dry brushing", "jaw massage", "silk pillows"]


def claims() -> list[dict[str, str]]:
    """Labelled answers under labels that are not medstance's own."""
    return [
        {"question": f"Is {topic} any good?", "text": f"{text.format(topic)} Note {n}.", "label": label}
        for topic in TOPICS
        for label, texts in CLAIMS.items()
        for n, text in enumerate(texts)
    ]


def write_jsonl(path: Path, rows: Sequence[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def read_jsonl(data: bytes | Path) -> list[Json]:
    return [json.loads(line) for line in (data.read_bytes() if isinstance(data, Path) else data).splitlines()]


def stance(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own."""
    return subprocess.run([*STANCE, *arguments], capture_output=True, check=False, timeout=120, **options)


@pytest.fixture(scope="session")
def claims_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of labels that are not medstance's own, without order."""
    folder = tmp_path_factory.mktemp("claims")
    data = write_jsonl(folder / "claims.jsonl", claims())
    assert run(["train", data, "-o", str(folder / "claims"), "--folds", "3"]) == 0
    return folder / "claims"


@pytest.fixture(scope="session")
def page(samples: Path) -> str:
    return str(samples / "laser_while_nursing.txt")


@pytest.fixture(scope="session")
def classified(page: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("classified") / "classified.jsonl"
    assert run(["classify", page, "-o", str(path)]) == 0
    return path


# ---------------------------------------------------------------- ingest


def test_ingest_writes_answer_records_to_standard_output_and_messages_elsewhere(
    page: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["ingest", page]) == 0
    out, err = capsysbinary.readouterr()
    rows = read_jsonl(out)
    assert len(rows) == 9
    assert [row["position"] for row in rows] == list(range(1, 10))
    assert rows[1]["respondent"]["name"] == "Marit Achterberg-Quist"
    assert err == b"9 answers read\n"


@pytest.mark.parametrize("format_name", FORMATS)
def test_what_ingest_writes_ingest_reads_again_unchanged(
    page: str, tmp_path: Path, format_name: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["ingest", page]) == 0
    expected = capsysbinary.readouterr().out
    assert run(["ingest", page, "-o", str(tmp_path / f"out.{format_name}")]) == 0
    assert run(["ingest", str(tmp_path / f"out.{format_name}")]) == 0
    assert capsysbinary.readouterr().out == expected


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_format_on_standard_output_is_the_one_in_the_file(
    page: str, tmp_path: Path, format_name: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = tmp_path / f"out.{format_name}"
    assert run(["ingest", page, "-o", str(path)]) == 0
    capsysbinary.readouterr()
    assert run(["ingest", page, "--format", format_name]) == 0
    assert capsysbinary.readouterr().out == path.read_bytes()


def test_a_named_format_counts_more_than_the_files_name(page: str, tmp_path: Path) -> None:
    assert run(["ingest", page, "-o", str(tmp_path / "out.txt"), "--format", "csv"]) == 0
    assert (tmp_path / "out.txt").read_bytes().startswith(b"question_id,")


def test_a_users_own_column_names_are_mapped(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    (tmp_path / "mine.csv").write_text("Frage,Antwort\nIst es gut?,Ja.\n", encoding="utf-8")
    arguments = ["--column", "question=Frage", "--column", "text=Antwort"]
    assert run(["ingest", str(tmp_path / "mine.csv"), *arguments]) == 0
    (row,) = read_jsonl(capsysbinary.readouterr().out)
    assert (row["question"], row["text"]) == ("Ist es gut?", "Ja.")


# ---------------------------------------------------------------- classify


def test_classify_adds_the_fields_of_the_design_in_input_order(page: str, classified: Path) -> None:
    rows = read_jsonl(classified)
    before = [r.to_row() for r in read_answers([page], ReadOptions()) if isinstance(r, AnswerRecord)]
    assert [{name: row[name] for name in record} for row, record in zip(rows, before, strict=True)] == before
    for row, record in zip(rows, before, strict=True):
        assert row.keys() - record.keys() == set(CALL_FIELDS)
        assert sum(row["posteriors"].values()) == pytest.approx(1, abs=1e-3)
        assert row["stance"] in row["posteriors"]
        for passage in row["evidence"]:
            assert row[passage["field"]][passage["start"] : passage["end"]] == passage["quote"]


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format_of_classified_answers_holds_the_same_calls(
    page: str, classified: Path, tmp_path: Path, format_name: str
) -> None:
    path = tmp_path / f"out.{format_name}"
    assert run(["classify", page, "-o", str(path)]) == 0
    calls = [split_classified(r) for r in read_answers([str(path)], ReadOptions()) if isinstance(r, AnswerRecord)]
    assert [call.to_row() for call in calls if call] == read_jsonl(classified)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_every_column_of_the_users_own_is_kept_those_named_like_a_call_as_input(
    tmp_path: Path, kind: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    own = {"side": "left", "model": "T-800", "ward": "B, 2", "=note": "x", "respondent.shoe": "42", "stance": "firm"}
    row = {"question": "Is it safe?", "text": "Yes, quite safe."} | own
    path = tmp_path / f"mine.{kind}"
    if kind == "csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([list(row), list(row.values())])
    else:
        write_jsonl(path, [row])
    assert run(["classify", str(path)]) == 0
    (found,) = read_jsonl(capsysbinary.readouterr().out)
    assert {name: found[f"input_{name}"] for name in ("side", "model", "stance")} == {
        name: own[name] for name in ("side", "model", "stance")
    }
    assert (found["ward"], found["=note"], found["respondent"]["shoe"]) == ("B, 2", "x", "42")


def test_classifying_what_classify_wrote_changes_nothing(
    classified: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["classify", str(classified)]) == 0
    assert capsysbinary.readouterr().out == classified.read_bytes()


def test_the_same_sources_give_the_same_bytes_and_stand_in_the_order_named(
    page: str, samples: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    sources = [page, str(samples / "chin_implant.html"), str(samples / "answers.csv")]
    outs = []
    for order in (sources, sources, sources[::-1]):
        assert run(["classify", *order]) == 0
        outs.append(capsysbinary.readouterr().out)
    assert outs[0] == outs[1]
    assert sorted(outs[0].splitlines()) == sorted(outs[2].splitlines())
    for out, order in ((outs[0], sources), (outs[2], sources[::-1])):
        assert list(dict.fromkeys(row["source"]["file"] for row in read_jsonl(out))) == order


# ---------------------------------------------------------------- report


def report_json(arguments: Sequence[str], capsysbinary: pytest.CaptureFixture[bytes]) -> Json:
    capsysbinary.readouterr()
    assert run(["report", *arguments, "--json"]) == 0
    return json.loads(capsysbinary.readouterr().out)


def test_a_report_on_classified_answers_does_not_classify_them_again(
    classified: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    # The analyst has corrected a call: a model would not give it.
    rows = read_jsonl(classified)
    for row in rows:
        row.update(stance="neutral", side="neutral", confidence=1.0, abstained=False, model="analyst@1")
    report = report_json([write_jsonl(tmp_path / "corrected.jsonl", rows)], capsysbinary)
    assert report["model"]["names"] == ["analyst@1"]
    assert report["questions"][0]["answers"] == rows
    assert report["questions"][0]["sides"]["neutral"]["n"] == len(rows)


def test_a_report_on_a_mix_classifies_what_is_not_classified_and_keeps_the_order(
    page: str, classified: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    whole = report_json([page], capsysbinary)
    rows = read_jsonl(classified)
    raw = [{name: value for name, value in row.items() if name not in CALL_FIELDS} for row in rows]
    mix = [row if n % 2 else bare for n, (row, bare) in enumerate(zip(rows, raw, strict=True))]
    assert report_json([write_jsonl(tmp_path / "mix.jsonl", mix)], capsysbinary) == whole


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_report_is_the_same_on_a_page_and_on_its_classified_answers_in_any_format(
    page: str, tmp_path: Path, format_name: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = str(tmp_path / f"classified.{format_name}")
    assert run(["classify", page, "-o", path]) == 0
    assert report_json([path], capsysbinary) == report_json([page], capsysbinary)


def test_a_report_goes_to_several_files_at_once_and_not_to_the_terminal(
    page: str, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    outputs = [str(tmp_path / f"out.{suffix}") for suffix in ("html", "md", "json", "csv")]
    assert run(["report", page, *(part for path in outputs for part in ("-o", path))]) == 0
    out, err = capsysbinary.readouterr()
    assert out == b""
    assert [line for line in err.decode().splitlines() if line.startswith("report written to")] == [
        f"report written to {path}" for path in outputs
    ]
    for path in outputs:
        format_name = path.rsplit(".", 1)[1]
        assert run(["report", page, "--format", format_name]) == 0
        assert capsysbinary.readouterr().out == Path(path).read_bytes()


def test_a_report_without_a_file_is_a_table_on_the_terminal(
    page: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["report", page]) == 0
    out, err = capsysbinary.readouterr()
    assert out.decode().startswith("Is laser hair removal safe while I am breastfeeding?\n")
    assert b"Castellanos-Roe" in out
    assert err == b""


def test_the_rule_of_the_verdict_can_be_set_and_stands_in_the_report(
    page: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert report_json([page], capsysbinary)["rule"]["name"] == "delphi-75"
    report = report_json([page, "--min-answers", "20", "--consensus-share", "0.9"], capsysbinary)
    assert report["questions"][0]["verdict"]["strength"] == "insufficient"
    assert (report["rule"]["share"], report["rule"]["min_answers"]) == (0.9, 20)
    assert report["rule"]["name"] != "delphi-75"


@pytest.mark.parametrize("columns", ["wide", "", "-3", "0", "80.5"])
def test_whatever_the_variable_columns_holds_a_report_is_printed(
    page: str, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert run(["report", page]) == 0


# ---------------------------------------------------------------- report: rules, votes, weights, breakdowns


@pytest.fixture(scope="session")
def knowing_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The fast model, with how its calls err in its manifest: nine times in ten it is right."""
    folder = tmp_path_factory.mktemp("knowing") / "knowing"
    shutil.copytree(find_model("fast"), folder)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    n = len(manifest["scheme"]["labels"])
    manifest["scores"]["calls"] = [[90 if k == j else 2 for k in range(n + 1)] for j in range(n)]
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return str(folder)


def test_a_model_that_knows_its_errors_gives_corrected_shares_and_a_probability(
    page: str, knowing_model: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    report = report_json([page, "--model", knowing_model], capsysbinary)
    (question,) = report["questions"]
    assert 0 <= question["verdict"]["probability"] <= 1
    for found in question["sides"].values():
        assert 0 <= found["corrected"]["low"] <= found["corrected"]["share"] <= found["corrected"]["high"] <= 1
    assert not [w for w in report["warnings"] if "corrected" in w]
    assert run(["report", page, "--model", knowing_model]) == 0
    assert "corrected" in capsysbinary.readouterr().out.decode()


def test_answers_by_a_model_whose_errors_are_not_known_are_not_corrected_and_the_report_says_so(
    page: str, classified: Path, knowing_model: str, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    rows = [row | {"model": "elder@1"} if n == 3 else row for n, row in enumerate(read_jsonl(classified))]
    others = write_jsonl(tmp_path / "others.jsonl", rows)
    forgetful = tmp_path / "forgetful"
    shutil.copytree(knowing_model, forgetful)
    manifest = json.loads((forgetful / "manifest.json").read_bytes())
    del manifest["scores"]["calls"]
    (forgetful / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    for arguments, said in (
        ([others, "--model", knowing_model], "1 of 1 questions have no corrected shares and no probability"),
        ([page, "--model", str(forgetful)], "no share is corrected and no verdict has a probability"),
    ):
        report = report_json(arguments, capsysbinary)
        (question,) = report["questions"]
        assert question["verdict"]["probability"] is None
        assert {found["corrected"] for found in question["sides"].values()} == {None}
        assert len([w for w in report["warnings"] if said in w]) == 1


def panel_rows(stances: Sequence[str], classified: Path, **fields: Any) -> list[dict[str, Any]]:
    """Answers called as said, each by another respondent unless `fields` says otherwise."""
    first = read_jsonl(classified)[0]
    sides = {"against": "oppose", "neutral": "neutral", "supportive": "support", "no_stance": None}
    return [
        {
            "question": "Is a nose clip worth it?",
            "text": f"Answer {n}.",
            "respondent": {"name": f"Doctor {chr(65 + n)}"},
            "posteriors": {name: float(name == stance) for name in first["posteriors"]},
            "stance": stance,
            "side": sides[stance],
            "confidence": 1.0,
            "abstained": False,
            "evidence": [],
            "model": first["model"],
        }
        | fields
        for n, stance in enumerate(stances)
    ]


def test_the_rule_can_be_that_of_rand_ucla(
    classified: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    stances = ["against"] * 7 + ["supportive"] * 3
    source = write_jsonl(tmp_path / "in.jsonl", panel_rows(stances, classified))
    verdicts = {
        rule: report_json([source, "--rule", rule], capsysbinary)["questions"][0]["verdict"]
        for rule in ("delphi-75", "rand-ucla")
    }
    assert {rule: (v["strength"], v["side"]) for rule, v in verdicts.items()} == {
        "delphi-75": ("majority", "oppose"),
        "rand-ucla": ("split", None),
    }


def test_a_doctor_who_answers_twice_has_one_vote_unless_repeats_are_kept(
    classified: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    rows = panel_rows(["against"] * 5, classified)
    rows += panel_rows(["supportive"] * 3, classified, respondent={"name": "Ada Quill"})
    source = write_jsonl(tmp_path / "in.jsonl", rows)
    (once,) = report_json([source], capsysbinary)["questions"]
    (each,) = report_json([source, "--keep-repeats"], capsysbinary)["questions"]
    assert (once["n_with_stance"], once["n_merged"], len(once["mergers"])) == (6, 2, 1)
    assert (each["n_with_stance"], each["n_merged"], len(each["mergers"])) == (8, 0, 0)
    assert run(["report", source]) == 0
    assert "Counted once: #6 stands for #7, #8 too (same respondent)." in capsysbinary.readouterr().out.decode()


@pytest.mark.parametrize("format_name", FORMATS)
def test_votes_can_be_weighted_by_a_column_of_any_table(
    classified: Path, tmp_path: Path, format_name: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    rows = panel_rows(["against"] * 4 + ["supportive"] * 2, classified)
    for row, years in zip(rows, (1, 1, 1, 1, 10, 2.5), strict=True):
        row["years"] = years
    path = str(tmp_path / f"classified.{format_name}")
    assert run(["ingest", write_jsonl(tmp_path / "in.jsonl", rows), "-o", path]) == 0
    report = report_json([path, "--weight-by", "years"], capsysbinary)
    (question,) = report["questions"]
    assert (question["verdict"]["strength"], question["verdict"]["side"]) == ("consensus", "support")
    assert question["sides"]["support"]["share"] == pytest.approx(12.5 / 16.5, abs=1e-4)
    assert (report["rule"]["name"], report["rule"]["weight_by"]) == ("delphi-75, weighted by years", "years")


def test_votes_are_broken_down_by_fields_and_small_cells_are_warned_of_once(
    page: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    report = report_json([page, "--by", "specialty", "--by", "location"], capsysbinary)
    (question,) = report["questions"]
    assert list(question["breakdown"]) == ["specialty", "location"]
    cells = [cell for found in question["breakdown"].values() for cell in found]
    assert sum(cell["n_votes"] for cell in question["breakdown"]["specialty"]) == 9
    n_small = sum(cell["is_small"] for cell in cells)
    assert n_small
    assert [w for w in report["warnings"] if "cells" in w] == [
        f"{n_small} of {len(cells)} cells of the breakdowns have fewer than 5 votes with a stance: "
        "too few to be told from chance"
    ]


def test_texts_that_look_like_formulas_go_through_csv_to_the_same_report(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    texts = ["=1+1 is two, avoid it", "-no", "+1, do it", "@home, yes", "'=quoted", "\tindented"]
    rows = [
        {"question": "=is it safe?", "text": text, "respondent": {"name": f"-Doctor {n}"}}
        for n, text in enumerate(texts)
    ]
    path = str(tmp_path / "classified.csv")
    source = write_jsonl(tmp_path / "in.jsonl", rows)
    assert run(["classify", source, "-o", path]) == 0
    with Path(path).open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r")) and not is_number(cell)]
    report = report_json([path], capsysbinary)
    assert [answer["text"] for answer in report["questions"][0]["answers"]] == texts
    assert report == report_json([source], capsysbinary)


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def test_the_json_report_is_as_its_schema_says(
    page: str, checkout: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    schema = json.loads((checkout / "docs" / "report.schema.json").read_bytes())
    report = report_json([page, "--by", "specialty"], capsysbinary)
    jsonschema.Draft202012Validator(schema).validate(report)


# ---------------------------------------------------------------- report: against an earlier one


@pytest.fixture
def two_runs(classified: Path, tmp_path: Path) -> tuple[str, str]:
    """Classified answers of two runs: one verdict lost its side, one its strength, one is the same."""
    runs: list[list[dict[str, Any]]] = [[], []]
    for name, before, after in (("a", 8, 0), ("b", 8, 5), ("c", 6, 7)):
        for rows, n_against in zip(runs, (before, after), strict=True):
            stances = ["against"] * n_against + ["supportive"] * (8 - n_against)
            rows += panel_rows(stances, classified, question=f"Is {name} safe?")
    paths = [write_jsonl(tmp_path / f"{name}.jsonl", rows) for name, rows in zip(("old", "new"), runs, strict=True)]
    return paths[0], paths[1]


def test_a_report_is_compared_with_an_earlier_one_in_whatever_form_that_is(
    two_runs: tuple[str, str], tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    old, new = two_runs
    written = [str(tmp_path / f"report.{suffix}") for suffix in ("json", "csv")]
    assert run(["report", old, *(part for path in written for part in ("-o", path))]) == 0
    comparisons = []
    for earlier in (*written, old):
        report = report_json([new, "--against", earlier], capsysbinary)
        jsonschema.Draft202012Validator(build_report_schema()).validate(report)
        assert not [w for w in report["warnings"] if "another rule" in w or "other models" in w]
        comparison = report["comparison"]
        assert comparison.pop("against") == earlier
        comparisons.append(comparison)
    assert comparisons[0] == comparisons[1] == comparisons[2]
    assert [change["kind"] for change in comparisons[0]["changes"]] == ["changed", "changed", "same"]
    assert comparisons[0]["changes"][1]["shares"] == {"oppose": -0.375, "neutral": 0.0, "support": 0.375}
    for format_name in ("table", "md"):
        assert run(["report", new, "--against", old, "--format", format_name]) == 0
        shown = capsysbinary.readouterr().out.decode().replace("\\", "")
        # A long name may be wrapped anywhere.
        assert f"Against{old}:2of3verdictschanged." in "".join(shown.split())


def test_answers_from_standard_input_can_be_what_is_compared_with(two_runs: tuple[str, str]) -> None:
    old, new = two_runs
    done = stance("report", new, "--against", "-", "--json", input=Path(old).read_bytes())
    assert done.returncode == 0
    assert [c["kind"] for c in json.loads(done.stdout)["comparison"]["changes"]] == ["changed", "changed", "same"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(["--fail-on", "changed"], 1, "2 of 3 verdicts moved (--fail-on changed)", id="changed"),
        pytest.param(["--fail-on", "side"], 1, "1 of 3 verdicts moved (--fail-on side)", id="side"),
        pytest.param([], 0, "report written", id="not asked"),
        pytest.param(
            ["--fail-on", "side", "--min-answers", "9"], 0, "report written", id="nothing decided now or then"
        ),
    ],
)
def test_a_run_that_is_to_fail_on_what_moved_writes_its_results_and_ends_with_1(
    two_runs: tuple[str, str],
    tmp_path: Path,
    arguments: list[str],
    code: int,
    said: str,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    old, new = two_runs
    output = tmp_path / "out.json"
    assert run(["report", new, "--against", old, "-o", str(output), *arguments]) == code
    assert said in capsysbinary.readouterr().err.decode()
    assert len(json.loads(output.read_bytes())["comparison"]["changes"]) == 3


def test_a_report_compared_with_itself_fails_on_nothing(two_runs: tuple[str, str], tmp_path: Path) -> None:
    path = str(tmp_path / "report.json")
    assert run(["report", two_runs[0], "-o", path]) == 0
    assert run(["report", two_runs[0], "--against", path, "--fail-on", "changed", "-o", path]) == 0
    assert {change["kind"] for change in json.loads(Path(path).read_bytes())["comparison"]["changes"]} == {"same"}


def test_a_verdict_that_moved_counts_more_than_records_left_out(two_runs: tuple[str, str], tmp_path: Path) -> None:
    old, new = two_runs
    with Path(new).open("a", encoding="utf-8") as file:
        file.write('{"question": "No text?"}\n')
    arguments = ["report", new, "--against", old, "-o", str(tmp_path / "out.json")]
    assert run(arguments) == 5
    assert run([*arguments, "--fail-on", "side"]) == 1
    assert (tmp_path / "out.json.quarantine.jsonl").is_file()


def test_records_of_the_earlier_source_that_cannot_be_used_are_quarantined_too(
    two_runs: tuple[str, str], tmp_path: Path
) -> None:
    old, new = two_runs
    with Path(old).open("a", encoding="utf-8") as file:
        file.write('{"question": "No text?"}\n')
    output = tmp_path / "out.json"
    assert run(["report", new, "--against", old, "-o", str(output)]) == 5
    (bad,) = read_jsonl(tmp_path / "out.json.quarantine.jsonl")
    assert bad["file"] == old
    warnings = json.loads(output.read_bytes())["warnings"]
    assert f"1 records of {old} could not be read" in warnings
    assert not [w for w in warnings if "are in no number here" in w]


def test_another_rule_or_model_than_that_of_the_earlier_report_is_warned_of(
    two_runs: tuple[str, str], tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    old, new = two_runs
    path = tmp_path / "old.json"
    assert run(["report", old, "--rule", "rand-ucla", "-o", str(path)]) == 0
    row = json.loads(path.read_bytes())
    row["model"]["names"] = ["elder@1"]
    path.write_text(json.dumps(row), encoding="utf-8")
    warnings = report_json([new, "--against", str(path)], capsysbinary)["warnings"]
    assert f"{path} was made by another rule (rand-ucla, now delphi-75)" in warnings
    assert f"{path} rests on other models (elder@1)" in warnings


# ---------------------------------------------------------------- explain


def test_explain_says_the_same_in_words_and_in_json(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    arguments = ["explain", "-q", "Is a thread lift worth it?", "It works, but I would not do it."]
    assert run([*arguments, "--json"]) == 0
    row = json.loads(capsysbinary.readouterr().out)
    assert {*CALL_FIELDS, "intercept", "sentences", "cues", "words", "rest", "total"} == row.keys()
    assert run(arguments) == 0
    shown = capsysbinary.readouterr().out.decode()
    assert shown.startswith(row["stance"].replace("_", " "))
    assert f"{row['total']:+.3f}  in all" in shown
    (sentence,) = row["sentences"]
    assert f'{sentence["weight"]:+.3f}  "It works, but I would not do it."' in shown
    for part in (*row["cues"], *row["words"]):
        assert f"{part['weight']:+.3f}  {part['quote']!r} (" in shown


def test_explain_calls_an_answer_as_classify_does(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    row = {"question": "Is it safe?", "text": "I would not.", "headline": "Better not", "proposition": "doing it"}
    assert run(["classify", write_jsonl(tmp_path / "in.jsonl", [row])]) == 0
    (call,) = read_jsonl(capsysbinary.readouterr().out)
    options = ["--headline", row["headline"], "--proposition", row["proposition"], "--json"]
    assert run(["explain", "-q", row["question"], row["text"], *options]) == 0
    explained = json.loads(capsysbinary.readouterr().out)
    assert {name: explained[name] for name in CALL_FIELDS} == {name: call[name] for name in CALL_FIELDS}


def test_explain_reads_the_answer_from_standard_input() -> None:
    done = stance("explain", "-q", "Is it safe?", "-", "--json", input="Yes, caf\u00e9-safe.".encode())
    assert done.returncode == 0
    assert json.loads(done.stdout)["words"]


# ---------------------------------------------------------------- train, evaluate


def test_labels_of_the_users_own_make_a_model_without_order(
    claims_model: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["models", "show", str(claims_model), "--json"]) == 0
    scheme = json.loads(capsysbinary.readouterr().out)["scheme"]
    assert [(x["name"], x["side"], x["value"]) for x in scheme["labels"]] == [
        (name, name, None) for name in ("against", "favor", "none")
    ]


def test_a_model_of_the_users_own_labels_classifies_and_reports(
    claims_model: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    texts = ["Yes, I recommend it, it works.", "No, avoid it, it is useless and unsafe.", "Yes, great, it helps."] * 3
    rows = [{"question": "Is oil pulling any good?", "text": f"{text} {n}"} for n, text in enumerate(texts)]
    path = str(tmp_path / "classified.csv")
    model = ["--model", str(claims_model)]
    assert run(["classify", write_jsonl(tmp_path / "in.jsonl", rows), *model, "-o", path]) == 0
    report = report_json([path, *model], capsysbinary)
    (question,) = report["questions"]
    assert question["agreement"] is None
    assert set(question["sides"]) == set(question["prevalence"]) == {"against", "favor", "none"}
    stances = [answer["stance"] for answer in question["answers"]]
    assert stances == ["favor", "against", "favor"] * 3
    assert all(answer["side"] == answer["stance"] for answer in question["answers"])
    for format_name in ("table", "md", "html", "csv"):
        assert run(["report", path, *model, "--format", format_name]) == 0
        assert b"favor" in capsysbinary.readouterr().out


def test_answers_classified_under_other_labels_are_bad_input_that_points_to_model(
    claims_model: Path, classified: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", str(classified), "--model", str(claims_model)]) == 3
    assert "--model" in capfd.readouterr().err


def test_explain_works_with_a_model_of_the_users_own_labels(
    claims_model: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["explain", "-q", "Is it good?", "I recommend it.", "--model", str(claims_model), "--json"]) == 0
    assert json.loads(capsysbinary.readouterr().out)["stance"] == "favor"


def test_the_same_training_gives_the_same_bytes(claims_model: Path, tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "claims.jsonl", claims())
    assert run(["train", data, "-o", str(tmp_path / "claims"), "--folds", "3"]) == 0
    files = sorted(path.name for path in claims_model.iterdir())
    assert sorted(path.name for path in (tmp_path / "claims").iterdir()) == files
    for name in files:
        assert (tmp_path / "claims" / name).read_bytes() == (claims_model / name).read_bytes(), name


def test_training_prints_its_scores_or_json(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    data = write_jsonl(tmp_path / "claims.jsonl", claims())
    train = ["train", data, "-o", str(tmp_path / "m"), "--folds", "2"]
    assert run([*train, "--json"]) == 0
    row = json.loads(capsysbinary.readouterr().out)
    assert row["model"].startswith("m@")
    assert row["n_folds"] == 2
    assert run(train) == 0
    out, err = capsysbinary.readouterr()
    assert re.search(rf"exact labels right +{row['accuracy']:.3f}", out.decode())
    assert f"model {row['model']} written to" in err.decode()


def test_labels_that_are_not_in_the_scheme_are_quarantined_by_place(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scheme = tmp_path / "scheme.toml"
    scheme.write_text(
        'name = "claims"\n' + "".join(f'[[label]]\nname = "{n}"\nside = "{n}"\n' for n in CLAIMS), encoding="utf-8"
    )
    rows = claims()
    rows[4]["label"] = "agianst"
    del rows[7]["label"]
    data = write_jsonl(tmp_path / "claims.jsonl", rows)
    assert run(["train", data, "-o", str(tmp_path / "m"), "--scheme", str(scheme), "--folds", "2"]) == 5
    rejected = {row["locator"]: row for row in read_jsonl(tmp_path / "m.quarantine.jsonl")}
    assert rejected.keys() == {"line 5", "line 8"}
    assert "'agianst' is no label of the scheme (favor, against, none)" in rejected["line 5"]["reason"]
    assert {row["column"] for row in rejected.values()} == {"label"}
    assert "2 records left out" in capfd.readouterr().err
    assert run(["models", "verify", str(tmp_path / "m")]) == 0


def test_the_weight_of_a_source_is_learnt_with_and_stands_in_the_manifest(claims_model: Path, tmp_path: Path) -> None:
    rows = claims()
    sources = [write_jsonl(tmp_path / f"{n}.jsonl", part) for n, part in enumerate((rows[:36], rows[36:]))]
    arguments = ["train", *sources, "-o", str(tmp_path / "m"), "--folds", "3"]
    assert run([*arguments, "--weight", f"{sources[0]}=4", "--weight", f"{sources[1]}=0.5"]) == 0
    ours, theirs = (json.loads((m / "manifest.json").read_bytes()) for m in (tmp_path / "m", claims_model))
    assert ours["training"]["source_weights"] == {sources[0]: 4.0, sources[1]: 0.5}
    assert theirs["training"]["source_weights"] == {}
    assert ours["training"]["labels"] == theirs["training"]["labels"]
    assert ours["training"]["digest"] != theirs["training"]["digest"]
    assert ours["files"]["model.npz"] != theirs["files"]["model.npz"]


@pytest.mark.parametrize("n_rows", [63, 18], ids=["enough", "too few for a small share"])
def test_curves_are_measured_where_asked_for_and_change_no_score(tmp_path: Path, n_rows: int) -> None:
    rows = [row | {"group": row["question"].split()[-3]} for row in claims()[:n_rows]]
    train = ["train", write_jsonl(tmp_path / "in.jsonl", rows), "--folds", "2"]
    assert run([*train, "-o", str(tmp_path / "plain")]) == 0
    assert run([*train, "-o", str(tmp_path / "drawn"), "--curves"]) == 0
    plain, drawn = (json.loads((tmp_path / m / "manifest.json").read_bytes()) for m in ("plain", "drawn"))
    curves = drawn["scores"]["curves"]
    assert curves.keys() - plain["scores"]["curves"].keys() == {"learning", "groups"}
    assert curves["learning"][-1]["side_accuracy"] == drawn["scores"]["side_accuracy"]
    assert plain["scores"] | {"curves": curves} == drawn["scores"]
    assert plain["files"]["model.npz"] == drawn["files"]["model.npz"]


def marked_claims() -> list[dict[str, Any]]:
    """Give the labelled answers with the evidence marked: all but the note at the end."""
    return [
        row | {"gold_evidence": [{"field": "text", "start": 0, "end": row["text"].index(" Note")}]} for row in claims()
    ]


@pytest.mark.parametrize("format_name", ["jsonl", "csv", "tsv", "parquet"])
def test_marked_evidence_is_learnt_from_whatever_format_the_answers_were_written_in(
    tmp_path: Path, format_name: str
) -> None:
    source, path = write_jsonl(tmp_path / "in.jsonl", marked_claims()), tmp_path / f"answers.{format_name}"
    assert run(["ingest", source, "-o", str(path)]) == 0
    for given, name in ((source, "one"), (str(path), "two")):
        assert run(["train", given, "-o", str(tmp_path / name), "--folds", "3"]) == 0
    one, two = (json.loads((tmp_path / name / "manifest.json").read_bytes()) for name in ("one", "two"))
    assert one["scores"] == two["scores"]
    assert one["scores"]["evidence_first"] > 0
    assert one["files"]["model.npz"] == two["files"]["model.npz"]


def test_evaluating_on_training_answers_warns_that_the_scores_flatter(
    claims_model: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    fresh = [{"question": "Is yoga good?", "text": "I recommend it.", "label": "favor"}]
    old = [row | {"text": row["text"].upper() + " "} for row in claims()[:6]]
    data = write_jsonl(tmp_path / "data.jsonl", [*old, *fresh])
    assert run(["evaluate", data, "--model", str(claims_model), "--json"]) == 0
    out, err = capsysbinary.readouterr()
    row = json.loads(out)
    assert (row["n_answers"], row["n_seen_in_training"]) == (7, 6)
    assert b"warning: 6 of 7 answers were in the model's training data" in err


def test_evaluating_on_new_answers_warns_of_nothing(
    claims_model: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    rows = [
        {"question": "Is yoga good?", "text": "I recommend it, it works.", "label": "favor"},
        {"question": "Is yoga good?", "text": "Avoid it, useless and unsafe.", "label": "against"},
    ]
    data = write_jsonl(tmp_path / "data.jsonl", rows)
    assert run(["evaluate", data, "--model", str(claims_model)]) == 0
    out, err = capsysbinary.readouterr()
    assert out.decode().startswith("2 answers to 1 questions, model claims@")
    assert err == b""


# ---------------------------------------------------------------- models


def test_models_list_names_the_default_model(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["models", "list", "--json"]) == 0
    rows = json.loads(capsysbinary.readouterr().out)
    default = next(row for row in rows if row["name"] == "default")
    assert run(["models", "list"]) == 0
    shown = capsysbinary.readouterr().out.decode()
    assert len(shown.splitlines()) == len(rows)
    for value in (default["digest"], str(default["n_answers"]), default["path"]):
        assert value in shown


def test_models_show_prints_the_card_or_the_manifest(
    claims_model: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["models", "show", str(claims_model)]) == 0
    assert capsysbinary.readouterr().out == (claims_model / "README.md").read_bytes()
    assert run(["models", "show", str(claims_model), "--json"]) == 0
    manifest = json.loads((claims_model / "manifest.json").read_bytes())
    assert json.loads(capsysbinary.readouterr().out) == manifest


def test_models_verify_says_that_a_model_is_intact(
    claims_model: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["models", "verify", str(claims_model), "default"]) == 0
    lines = capsysbinary.readouterr().out.decode().splitlines()
    assert [line.split("  ")[1] for line in lines] == ["intact", "intact"]
    assert lines[0].startswith("claims@")
    assert run(["models", "verify"]) == 0


# ---------------------------------------------------------------- help


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("", "ingest classify report explain train evaluate models --version --show-completion"),
        ("ingest", "SOURCE... -o --format --kind --encoding --column --quarantine"),
        ("classify", "SOURCE... -o --model --format --kind --encoding --column --quarantine"),
        (
            "report",
            "SOURCE... -o --model --format --json --rule delphi-75 rand-ucla --consensus-share --min-answers "
            "--keep-repeats --weight-by --by --against --fail-on changed side --kind --quarantine",
        ),
        ("explain", "TEXT --question -q --headline --proposition --model --json"),
        ("train", "LABELLED... -o --scheme --folds --weight --curves --json --kind --quarantine"),
        ("evaluate", "LABELLED... --model --json --kind --quarantine"),
        ("models", "list show verify"),
        ("models list", "--json"),
        ("models show", "MODEL --json"),
        ("models verify", "MODEL..."),
    ],
)
def test_the_help_of_every_command_names_its_options_and_an_example(
    command: str, names: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    shown = {}
    for flag in ("--help", "-h"):
        assert run([*command.split(), flag]) == 0
        shown[flag] = capsysbinary.readouterr().out.decode()
    assert shown["--help"] == shown["-h"]
    assert [name for name in names.split() if name not in shown["-h"]] == []
    if command != "models":
        assert f"stance {command}".strip() in shown["-h"].split("\n", 1)[1]


@pytest.mark.parametrize("command", [[], ["models"]], ids=["stance", "stance models"])
def test_a_command_without_arguments_shows_its_help_as_help(command: list[str]) -> None:
    done = stance(*command)
    assert done.returncode in {0, 2}
    lines = (done.stdout + done.stderr).decode().splitlines()
    assert "Commands:" in lines
    assert lines[0].startswith("Usage: stance ")


def test_the_version_is_printed(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["--version"]) == 0
    assert re.fullmatch(r"medstance \d+\.\d+\.\d+\S*\n", capsysbinary.readouterr().out.decode())


def test_help_needs_neither_spacy_nor_scikit_learn() -> None:
    code = (
        "import sys, pipeline.cli; pipeline.cli.run(['--help']); print({'spacy', 'sklearn', 'numpy'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.decode().splitlines()[-1] == "set()"


def test_finding_a_model_needs_neither_spacy_nor_an_array_library() -> None:
    """As `models list` does, and the process of a long run that hands out the work."""
    code = (
        "import sys, pipeline.cli, pipeline.workflow.running;"
        "codes = [pipeline.cli.run(['models', 'list']), pipeline.cli.run(['models', 'show'])];"
        "print({'spacy', 'scipy', 'sklearn', 'matplotlib', 'numpy'} & {*sys.modules}); sys.exit(max(codes))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.decode().splitlines()[-1] == "set()"


def test_a_report_of_classified_answers_needs_neither_spacy_nor_scikit_learn(classified: Path) -> None:
    code = (
        "import sys, pipeline.cli; code = pipeline.cli.run(['report', sys.argv[1], '--json']);"
        "print({'spacy', 'sklearn', 'matplotlib'} & {*sys.modules}); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(classified)], capture_output=True, check=True)
    assert done.stdout.decode().splitlines()[-1] == "set()"


def test_a_call_needs_no_scikit_learn(page: str) -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None; import pipeline.cli;"
        f"codes = [pipeline.cli.run(['report', {page!r}, '--json']), pipeline.cli.run(['models', 'verify'])];"
        "sys.exit(max(codes))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout


# ---------------------------------------------------------------- as a process


def test_commands_pipe_into_one_another(page: str) -> None:
    ingested = stance("ingest", page)
    classified = stance("classify", "-", input=ingested.stdout)
    report = stance("report", "-", "--json", input=classified.stdout)
    assert [done.returncode for done in (ingested, classified, report)] == [0, 0, 0]
    assert report.stdout == stance("report", page, "--json").stdout


@pytest.mark.parametrize("name", ["laser_while_nursing.txt", "chin_implant.html", "answers.csv", "answers.jsonl"])
def test_standard_input_is_read_as_the_file_would_be(
    samples: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["ingest", str(samples / name)]) == 0
    expected = read_jsonl(capsysbinary.readouterr().out)
    for row in expected:
        row["source"]["file"] = "<stdin>"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((samples / name).read_bytes())))
    assert run(["ingest", "-"]) == 0
    assert read_jsonl(capsysbinary.readouterr().out) == expected


@pytest.mark.parametrize(
    "command",
    [["ingest"], ["ingest", "--format", "csv"], ["report", "--json"]],
    ids=" ".join,
)
def test_a_reader_that_has_enough_ends_the_command_quietly(tmp_path: Path, command: list[str]) -> None:
    rows = [{"question": f"Is it safe {n}?", "text": "Yes, it is safe. " + "x" * 5000} for n in range(40)]
    source = write_jsonl(tmp_path / "many.jsonl", rows)
    with subprocess.Popen([*STANCE, *command, source], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read().decode()
    assert "Traceback" not in said
    assert "BrokenPipe" not in said
    assert process.returncode == 0


@pytest.mark.parametrize("command", [["--help"], ["--version"], ["models", "list"]], ids=" ".join)
def test_a_reader_that_is_gone_ends_the_command_quietly(command: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run([*STANCE, *command], stdout=writer, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writer)
    assert done.stderr == b""
    assert done.returncode == 0


def on_a_terminal(arguments: Sequence[str], environment: dict[str, str]) -> str:
    """Run a command whose standard output is a terminal, and return what it wrote there."""
    master, slave = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS"}}
    process = subprocess.Popen(
        [*STANCE, *arguments], stdout=slave, stderr=subprocess.DEVNULL, env=kept | {"TERM": "xterm"} | environment
    )
    os.close(slave)
    pieces = []
    try:
        while piece := os.read(master, 65536):
            pieces.append(piece)
    except OSError:
        pass  # On Linux a terminal whose other end is closed gives an error instead of an end.
    finally:
        os.close(master)
    assert process.wait() == 0
    return b"".join(pieces).decode()


def test_no_color_is_honoured_and_a_terminal_gets_colour_without_it(classified: Path) -> None:
    assert "\x1b[" in on_a_terminal(["report", str(classified)], {})
    assert "\x1b" not in on_a_terminal(["report", str(classified)], {"NO_COLOR": "1"})


def test_what_is_no_terminal_gets_no_colour(
    classified: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert run(["report", str(classified)]) == 0
    assert b"\x1b" not in capsysbinary.readouterr().out


@pytest.mark.parametrize("words", ["stance cl", "stance models ver"])
def test_the_shell_completes_commands(words: str) -> None:
    environment = {"_STANCE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = stance(env=os.environ | environment)
    assert done.stdout.decode().split() == [{"cl": "classify", "ver": "verify"}[words.split()[-1]]]
    assert done.stderr == b""


def test_a_completion_script_can_be_printed() -> None:
    done = stance("--show-completion", "bash", env=os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"})
    assert b"_STANCE_COMPLETE=complete_bash" in done.stdout
    assert done.stderr == b""


def test_a_report_is_printed_whatever_the_encoding_of_the_terminal(classified: Path) -> None:
    done = stance("report", str(classified), env=os.environ | {"PYTHONIOENCODING": "latin-1"})
    assert b"Traceback" not in done.stderr
    assert done.returncode == 0
    assert b"Castellanos-Roe" in done.stdout


def test_progress_is_not_written_where_nobody_watches(page: str, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["classify", page]) == 0
    said = capsysbinary.readouterr().err.decode().splitlines()
    assert re.fullmatch(r"9 answers classified in [\d.]+ s, \d+ a second, 0 quarantined", said[0])
    assert sum(map(int, re.findall(r"\w+ (\d+) \(", said[1]))) == 9
    assert len(said) == 2


# ---------------------------------------------------------------- labels apart from their texts


def write_label_table(folder: Path, *, change: str | None = None) -> tuple[str, str]:
    """Write claims as a folder of texts and a table of labels without them; return both paths."""
    rows = claims()
    texts = folder / "texts"
    texts.mkdir()
    write_jsonl(
        texts / "answers.jsonl",
        [{"id": f"t-{n}", "question": row["question"], "answer": row["text"]} for n, row in enumerate(rows)],
    )
    table = folder / "labels.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["answer_id", "text_id", "text_sha256", "proposition", "label"])
        for n, row in enumerate(rows):
            text = change if n == 0 and change is not None else row["text"]
            digest = hashlib.sha256(text.encode()).hexdigest()
            writer.writerow([f"a-{n}", f"t-{n}", digest, "using it", row["label"]])
    return str(table), str(texts)


def test_labels_are_joined_with_their_texts(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    table, texts = write_label_table(tmp_path)
    assert run(["ingest", table, "--texts", texts]) == 0
    joined = read_jsonl(capsysbinary.readouterr().out)
    assert [(row["text"], row["label"]) for row in joined] == [(row["text"], row["label"]) for row in claims()]
    assert {row["proposition"] for row in joined} == {"using it"}


def test_training_on_labels_and_texts_is_training_on_labelled_answers(tmp_path: Path, claims_model: Path) -> None:
    table, texts = write_label_table(tmp_path)
    assert run(["train", table, "--texts", texts, "-o", str(tmp_path / "model")]) == 0
    assert run(["evaluate", table, "--texts", texts, "-m", str(tmp_path / "model")]) == 0
    ours, theirs = (json.loads((m / "manifest.json").read_text()) for m in (tmp_path / "model", claims_model))
    assert ours["training"]["labels"] == theirs["training"]["labels"]


def test_a_label_whose_text_has_changed_is_quarantined_with_its_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, texts = write_label_table(tmp_path, change="Another text.")
    out = tmp_path / "joined.jsonl"
    assert run(["ingest", table, "--texts", texts, "-o", str(out)]) == 5
    assert len(read_jsonl(out)) == len(claims()) - 1
    assert "1 record left out" in capsys.readouterr().err
    (bad,) = read_jsonl(tmp_path / "joined.jsonl.quarantine.jsonl")
    assert (bad["file"], bad["locator"], bad["column"]) == (table, "row at line 2", "text_sha256")
    assert "is another one" in bad["reason"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "labels without their texts: name the folder of the texts with --texts", id="none"),
        pytest.param(["--texts", "nowhere"], "nowhere: no such file or folder", id="missing"),
    ],
)
def test_labels_whose_texts_are_nowhere_end_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    table, _ = write_label_table(tmp_path)
    assert run(["ingest", table, *arguments]) == 3
    assert message in capsys.readouterr().err
