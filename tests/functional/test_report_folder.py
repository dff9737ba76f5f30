"""A report as a folder of pages: the same however it is made, whole or not at all, never over someone's files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.cli import run

QUESTIONS = [f"Is treatment number {n} safe?" for n in range(1, 6)]
ANSWERS = ["I would not recommend it.", "Yes, it is safe and works well.", "How old are you?", "Please do not do it."]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Answers to five questions, those to one question never in a row."""
    monkeypatch.chdir(tmp_path)
    rows = [
        {"question": question, "text": f"{text} (Answer {n}.)", "respondent": {"name": f"Doctor {n}", "town": "Ghent"}}
        for n, text in enumerate(ANSWERS)
        for question in QUESTIONS
    ]
    Path("answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return "answers.jsonl"


def read_folder(folder: str) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_there_is_an_index_and_a_page_for_each_question(source: str) -> None:
    assert run(["report", source, "-o", "pages"]) == 0
    pages = read_folder("pages")
    assert sorted(pages) == ["index.html", *(f"questions/{name}" for name in sorted(_names(pages)))]
    assert len(_names(pages)) == len(QUESTIONS)
    for number, (name, question) in enumerate(zip(sorted(_names(pages)), QUESTIONS, strict=True), start=1):
        assert name.startswith(f"{number:05d}-")
        page = pages[f"questions/{name}"].decode()
        assert question in page
        assert all(text in page for text in ANSWERS)
        assert f"questions/{name}".encode() in pages["index.html"]


def _names(pages: dict[str, bytes]) -> list[str]:
    return [name.removeprefix("questions/") for name in pages if name.startswith("questions/")]


@pytest.mark.parametrize("options", [[], ["--by", "town"], ["--rule", "rand-ucla", "--keep-repeats"]], ids=str)
def test_a_folder_made_a_question_at_a_time_is_the_same_as_one_made_in_memory(source: str, options: list[str]) -> None:
    assert run(["report", source, *options, "-o", "alone"]) == 0
    assert run(["report", source, *options, "-o", "beside", "-o", "report.json"]) == 0
    assert read_folder("alone") == read_folder("beside")


def test_a_comparison_has_a_page_of_its_own_and_decides_the_exit_code(source: str) -> None:
    changed = Path(source).read_text(encoding="utf-8").replace("I would not recommend it.", "Yes, I recommend it.")
    Path("changed.jsonl").write_text(changed.replace("Please do not do it.", "Go ahead, do it."), encoding="utf-8")
    arguments = ["--against", "before.json", "--min-answers", "3"]
    assert run(["report", source, "--min-answers", "3", "-o", "before.json"]) == 0
    assert run(["report", source, *arguments, "-o", "same", "--fail-on", "changed"]) == 0
    assert run(["report", "changed.jsonl", *arguments, "-o", "moved", "--fail-on", "changed"]) == 1
    assert "changes.html" in read_folder("moved")


def test_an_earlier_report_is_replaced_as_a_whole(source: str) -> None:
    assert run(["report", source, "-o", "pages"]) == 0
    first = Path(source).read_text(encoding="utf-8").splitlines(keepends=True)[0]
    Path("one.jsonl").write_text(first, encoding="utf-8")
    assert run(["report", "one.jsonl", "-o", "pages"]) == 0
    assert len(_names(read_folder("pages"))) == 1
    assert [path.name for path in Path().iterdir() if path.name.startswith(".pages")] == []


def test_an_empty_folder_of_the_users_will_do(source: str) -> None:
    Path("pages").mkdir()
    assert run(["report", source, "-o", "pages"]) == 0
    assert "index.html" in read_folder("pages")


@pytest.mark.parametrize("place", ["mine", "notes", "site"], ids=["other files", "no ending", "a site of the user's"])
def test_what_is_no_report_is_never_replaced(source: str, place: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine").mkdir()
    Path("mine/letter.txt").write_text("Dear all", encoding="utf-8")
    Path("site/questions").mkdir(parents=True)
    Path("site/index.html").write_text("mine", encoding="utf-8")
    Path("site/questions/mine.txt").write_text("mine", encoding="utf-8")
    Path("notes").write_text("mine", encoding="utf-8")
    assert run(["report", source, "-o", place]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(f"stance: {place}: ")
    assert Path("mine/letter.txt").read_text(encoding="utf-8") == "Dear all"
    assert Path("notes").read_text(encoding="utf-8") == "mine"
    assert Path("site/questions/mine.txt").read_text(encoding="utf-8") == "mine"


def test_a_run_that_is_to_fail_on_what_moved_fails_where_nothing_was_compared(source: str) -> None:
    Path("other.jsonl").write_text('{"question": "Is it another one?", "text": "No."}', encoding="utf-8")
    assert run(["report", "other.jsonl", "-o", "other.json"]) == 0
    assert run(["report", source, "--against", "other.json", "--fail-on", "side", "-o", "pages"]) == 3


def test_a_folder_called_like_standard_output_is_not_made(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", source, "-o", "-"]) == 2
    assert "--format" in capsys.readouterr().err
    assert not Path("-").exists()


def test_a_run_that_fails_leaves_the_earlier_report(source: str) -> None:
    assert run(["report", source, "-o", "pages"]) == 0
    before = read_folder("pages")
    assert run(["report", source, "-o", "pages", "--by", "no_such_field"]) == 2
    assert read_folder("pages") == before


def test_bad_records_are_quarantined_and_said_on_the_index(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Path(source).open("a", encoding="utf-8") as file:
        file.write('{"question": "Is it safe?"}\n')
    assert run(["report", source, "-o", "pages", "--quarantine", "bad.jsonl"]) == 5
    assert "1 record left out" in capsys.readouterr().err
    assert len(Path("bad.jsonl").read_text(encoding="utf-8").splitlines()) == 1
    assert "1 record could not be read" in Path("pages/index.html").read_text(encoding="utf-8")
