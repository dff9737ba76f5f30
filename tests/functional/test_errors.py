"""What goes wrong: the exit code, the one line that says so, and what is left behind."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.batch import DamagedShard
from pipeline.cli import run
from pipeline.errors import BadInput, MedstanceError, ModelError, WrongUsage
from pipeline.manifest import find_model

STANCE = [sys.executable, "-m", "pipeline"]
GOOD = '{"question": "Is it safe?", "text": "Yes, it is safe."}\n'
BAD = '{"question": "Is it safe?"}\n'
OLD_QUESTION = {
    "question_id": "q",
    "question": "Is it safe?",
    "verdict": {"side": None, "strength": "split", "probability": None},
    "sides": {},
}


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of sources, good and bad, that every command is run in."""
    monkeypatch.chdir(tmp_path)
    files = {
        "good.jsonl": GOOD,
        "mixed.jsonl": GOOD + BAD + "{\n" + GOOD,
        "bad.jsonl": BAD,
        "empty.jsonl": "",
        "page.txt": "Nothing here is an answer.\n",
        "lacking.csv": "question,reply\nIs it safe?,Yes\n",
        "twice.csv": "question,text,text\na,b,c\n",
        "lines.csv": 'question,"my\nreply"\na,b\n',
        "scheme.toml": "name = 'x'\n",
        "weights.csv": "question,text,years\nIs it safe?,Yes.,3\nIs it safe?,No.,many\n",
        "cut.json": '{\n "medstance": "0.1.0",\n "mod',
        "hollow.json": '{"questions": []}',
        "twice.json": json.dumps(
            {"model": {"names": []}, "rule": {"name": "r"}, "questions": [OLD_QUESTION, OLD_QUESTION]}
        ),
        "odd.csv": "question_id,question,verdict.side,verdict.strength,verdict.probability\nq,Q?,,strong,\n",
        "ragged.csv": "question_id,verdict.strength\nq,split,more\n",
        "labels.jsonl": '{"question": "Is it safe?", "text": "Yes.", "label": "supportive"}\n',
        "written.jsonl": json.dumps(json.loads(GOOD) | {"label": "yes", "source": {"file": "x", "locator": "y"}}),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "program.csv").write_bytes(b"\x7fELF" + bytes(range(256)))
    (tmp_path / "folder").mkdir()
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "notes.md").write_text("mine", encoding="utf-8")
    return tmp_path


@pytest.fixture
def only_line(capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Read standard error: one line and no more, and nothing on standard output."""

    def read() -> str:
        out, err = capfd.readouterr()
        assert out == ""
        lines = err.splitlines()
        assert len(lines) == 1, err
        assert err.endswith("\n")
        assert lines[0].startswith("stance: ")
        return lines[0]

    return read


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


# ---------------------------------------------------------------- 2: wrong usage


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        pytest.param(["nonsense"], "nonsense", id="no such command"),
        pytest.param(["ingest"], "SOURCE", id="a missing argument"),
        pytest.param(["ingest", "good.jsonl", "--nonsense"], "--nonsense", id="no such option"),
        pytest.param(["ingest", "good.jsonl", "--kind", "xml"], "xml", id="no such kind"),
        pytest.param(["ingest", "good.jsonl", "--format", "html"], "html", id="no such format"),
        pytest.param(["ingest", "good.jsonl", "-o"], "-o", id="an option without its value"),
        pytest.param(["ingest", "good.jsonl", "-o", "out"], "out", id="an output without a format"),
        pytest.param(["ingest", "good.jsonl", "-o", "out.pdf"], "out.pdf", id="an output of no known format"),
        pytest.param(
            ["ingest", "good.jsonl", "-o", "folder", "--format", "csv"], "folder", id="an output that is a folder"
        ),
        pytest.param(["ingest", "good.jsonl", "-o", "bad.jsonl/x.csv"], "bad.jsonl/x.csv", id="an output below a file"),
        pytest.param(
            ["classify", "good.jsonl", "-o", "bad.jsonl/x.csv"], "bad.jsonl/x.csv", id="classified below a file"
        ),
        pytest.param(["ingest", "good.jsonl", "--column", "text"], "--column text", id="a column that maps nothing"),
        pytest.param(["ingest", "good.jsonl", "--column", "=x"], "--column =x", id="a column without a field"),
        pytest.param(["report", "good.jsonl", "-o", "out.pdf"], "out.pdf", id="a report of no known format"),
        pytest.param(["report", "good.jsonl", "-o", "bad.jsonl/x.md"], "bad.jsonl/x.md", id="a report below a file"),
        pytest.param(["report", "good.jsonl", "--consensus-share", "1.5"], "--consensus-share", id="a share beyond 1"),
        pytest.param(
            ["report", "good.jsonl", "--consensus-share", "nan"], "--consensus-share", id="a share that is no number"
        ),
        pytest.param(["report", "good.jsonl", "--min-answers", "0"], "--min-answers", id="no answers wanted"),
        pytest.param(["report", "good.jsonl", "--rule", "vote"], "vote", id="no such rule"),
        pytest.param(
            ["report", "good.jsonl", "--rule", "rand-ucla", "--consensus-share", "0.8"],
            "--consensus-share 0.8: is of --rule delphi-75",
            id="a share for a rule without one",
        ),
        pytest.param(
            ["report", "good.jsonl", "--rule", "rand-ucla", "--weight-by", "w"],
            "--weight-by w: rand-ucla counts votes",
            id="weights for a rule that counts",
        ),
        pytest.param(
            ["report", "good.jsonl", "--fail-on", "side"],
            "--fail-on side: needs a report to compare with: name it with --against",
            id="to fail on no comparison",
        ),
        pytest.param(
            ["report", "good.jsonl", "--against", "old.json", "--fail-on", "all"], "all", id="to fail on nonsense"
        ),
        pytest.param(["report", "-", "--against", "-"], "--against -: standard input is", id="standard input twice"),
        pytest.param(
            ["report", "good.jsonl", "--by", "ward"], "--by ward: no answer has such a field", id="no such field"
        ),
        pytest.param(["explain", "Yes."], "--question", id="an answer without its question"),
        pytest.param(["explain", "-q", "", "Yes."], "question", id="an empty question"),
        pytest.param(["explain", "-q", "Is it safe?", " "], "text", id="an empty answer"),
        pytest.param(["train", "labels.jsonl"], "-o", id="training to nowhere"),
        pytest.param(["train", "labels.jsonl", "-o", "m", "--folds", "1"], "--folds", id="one fold"),
        pytest.param(["train", "labels.jsonl", "-o", "."], ".", id="training over the current folder"),
        *(
            pytest.param(
                ["train", "labels.jsonl", "-o", "m", "--weight", given], f"--weight {given}: {problem}", id=name
            )
            for given, problem, name in [
                ("labels.jsonl", "expected SOURCE=W", "a weight that is not said"),
                ("=2", "expected SOURCE=W", "a weight of nothing"),
                ("", "expected SOURCE=W", "an empty weight"),
                ("good.jsonl=2", "'good.jsonl' is no source that is read (labels.jsonl)", "a weight of another source"),
                ("labels.jsonl=", "'' is no positive number", "a weight that is empty"),
                ("labels.jsonl=much", "'much' is no positive number", "a weight in words"),
                ("labels.jsonl=0", "'0' is no positive number", "a weight of 0"),
                ("labels.jsonl=-2", "'-2' is no positive number", "a weight below 0"),
                ("labels.jsonl=nan", "'nan' is no positive number", "a weight that is no number"),
                ("labels.jsonl=inf", "'inf' is no positive number", "a weight without end"),
            ]
        ),
        pytest.param(
            ["train", "written.jsonl", "-o", "m", "--weight", "written.jsonl=2"],
            "--weight written.jsonl=2: its records say that they are from elsewhere",
            id="a weight of records from elsewhere",
        ),
        pytest.param(["models", "nonsense"], "nonsense", id="no such models command"),
    ],
)
def test_wrong_usage_is_exit_2_and_one_line_that_names_what_is_wrong(
    workplace: Path, arguments: list[str], names: str, only_line: Callable[[], str]
) -> None:
    before = snapshot(workplace)
    assert run(arguments) == 2
    assert names in only_line()
    assert snapshot(workplace) == before


def test_rand_ucla_on_a_model_without_its_sides_is_exit_2_and_one_line(
    workplace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    texts = {"yes": "Yes, I recommend it {}.", "no": "No, avoid it {}."}
    rows = [
        {"question": f"Is it safe {n}?", "text": text.format(n), "label": label}
        for n in range(6)
        for label, text in texts.items()
    ]
    Path("data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert run(["train", "data.jsonl", "-o", "m", "--folds", "2"]) == 0
    capfd.readouterr()
    assert run(["report", "good.jsonl", "--model", "./m", "--rule", "rand-ucla", "-o", "out.json"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("stance: rule rand-ucla: needs the sides oppose, neutral, support in this order; the model's")
    assert len(err.splitlines()) == 1
    assert not (workplace / "out.json").exists()


def test_training_refuses_a_folder_that_is_no_model_and_leaves_it_alone(
    workplace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    texts = {"supportive": "Yes, I recommend it {}.", "against": "No, avoid it {}.", "neutral": "It depends {}."}
    rows = [
        {"question": f"Is it safe {n}?", "text": text.format(n), "label": label}
        for n in range(6)
        for label, text in texts.items()
    ]
    Path("data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    before = snapshot(workplace)
    assert run(["train", "data.jsonl", "-o", "kept", "--folds", "2"]) == 2
    assert "kept: exists and is no model folder" in capfd.readouterr().err
    assert snapshot(workplace) == before


# ---------------------------------------------------------------- 3: bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["ingest", "nowhere.csv"], "nowhere.csv: no such file", id="no such file"),
        pytest.param(["ingest", "good.jsonl", "nowhere.csv"], "nowhere.csv: no such file", id="the second missing"),
        pytest.param(["ingest", "empty.jsonl"], "empty.jsonl: is empty", id="an empty file"),
        pytest.param(["ingest", "program.csv"], "program.csv: is a program", id="a program"),
        pytest.param(["ingest", "page.txt"], "page.txt: no doctors' answers found", id="a page without answers"),
        pytest.param(["ingest", "lacking.csv"], "lacking.csv, line 1: no column 'text'", id="a missing column"),
        pytest.param(["ingest", "lines.csv"], "lines.csv, line 1: no column 'text'", id="a header of two lines"),
        pytest.param(["ingest", "twice.csv"], "twice.csv, line 1: column 'text' stands twice", id="a column twice"),
        pytest.param(["ingest", "folder"], "folder: folder without a file", id="an empty folder"),
        pytest.param(["ingest", "good.jsonl", "good.jsonl"], "good.jsonl: is named twice", id="a source twice"),
        pytest.param(
            ["ingest", "good.jsonl", "--encoding", "klingon"], "good.jsonl: unknown encoding", id="no such encoding"
        ),
        pytest.param(["ingest", "no\nsuch.csv"], "no such file", id="a line end in the file's name"),
        pytest.param(["report", "nowhere.csv", "-o", "x.html"], "nowhere.csv: no such file", id="a report on no file"),
        pytest.param(["report", "good.jsonl", "--against", "nowhere.json"], "nowhere.json: no such", id="no report"),
        *(
            pytest.param(["report", "good.jsonl", "--against", name], f"{name}: is no whole report: {problem}", id=name)
            for name, problem in [
                ("cut.json", "Unterminated string"),
                ("hollow.json", "model: Field required"),
                ("twice.json", "question 'q' stands twice"),
                ("odd.csv", "questions.0.verdict.strength: Input should be"),
                ("ragged.csv", "a row has not the header's 2 columns"),
            ]
        ),
        pytest.param(
            ["report", "good.jsonl", "--against", "bad.jsonl"],
            "bad.jsonl, line 1: is missing or empty",
            id="an earlier source of which nothing can be used",
        ),
        pytest.param(
            ["report", "weights.csv", "--weight-by", "years"],
            "weights.csv, row at line 3, column years: 'many' is no finite number of 0 or more",
            id="a weight that is none",
        ),
        pytest.param(
            ["report", "good.jsonl", "--weight-by", "years"],
            "good.jsonl, line 1, column years: is missing or empty",
            id="no weight",
        ),
        pytest.param(["train", "labels.jsonl", "-o", "m"], "labelled data: 1 answers", id="one labelled answer"),
        pytest.param(
            ["train", "labels.jsonl", "-o", "m", "--scheme", "nowhere.toml"],
            "nowhere.toml: cannot be read",
            id="no scheme",
        ),
        pytest.param(
            ["train", "labels.jsonl", "-o", "m", "--scheme", "scheme.toml"],
            "scheme.toml, labels: ",
            id="a scheme that is none",
        ),
    ],
)
def test_bad_input_is_exit_3_and_one_line_that_names_file_and_place(
    workplace: Path, arguments: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(workplace)
    assert run(arguments) == 3
    out, err = capfd.readouterr()
    assert out == ""
    said = [line for line in err.splitlines() if not line.startswith("reading ")]
    assert len(said) == 1, err
    assert said[0].startswith("stance: ")
    assert message in said[0]
    assert snapshot(workplace) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["ingest", "bad.jsonl"],
        ["classify", "bad.jsonl"],
        ["report", "bad.jsonl"],
        ["report", "bad.jsonl", "--json"],
        ["train", "good.jsonl", "-o", "m"],
        ["evaluate", "good.jsonl"],
    ],
    ids=" ".join,
)
def test_a_source_of_which_nothing_can_be_used_is_exit_3_and_names_row_and_column(
    arguments: list[str], only_line: Callable[[], str]
) -> None:
    assert run(arguments) == 3
    line, column = only_line(), "label" if arguments[0] in {"train", "evaluate"} else "text"
    assert line.startswith(f"stance: {arguments[1]}, line 1, column {column}: is missing or empty")
    assert "quarantine.jsonl" in line


@pytest.mark.parametrize("command", ["ingest", "classify", "report"])
def test_a_run_of_which_nothing_can_be_used_leaves_the_old_output(command: str) -> None:
    output = Path("out.csv")
    output.write_text("of yesterday", encoding="utf-8")
    assert run([command, "bad.jsonl", "-o", str(output)]) == 3
    assert output.read_text(encoding="utf-8") == "of yesterday"


def test_an_input_that_fails_half_way_leaves_the_old_output(workplace: Path) -> None:
    output = Path("out.jsonl")
    output.write_text("of yesterday", encoding="utf-8")
    # The header is looked at only when the first source has been read.
    assert run(["ingest", "good.jsonl", "lacking.csv", "-o", str(output)]) == 3
    assert output.read_text(encoding="utf-8") == "of yesterday"
    assert not [name for name in snapshot(workplace) if name.startswith(".")]


# ---------------------------------------------------------------- 4: the model


def drop(folder: Path, name: str) -> None:
    (folder / name).unlink()


def change(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)


@pytest.mark.parametrize("command", ["classify", "report", "explain", "evaluate", "models show", "models verify"])
def test_a_model_that_is_not_there_is_exit_4_and_says_which_are(command: str, only_line: Callable[[], str]) -> None:
    source = {"explain": ["-q", "Is it safe?", "Yes."], "evaluate": ["labels.jsonl"]}.get(command, ["good.jsonl"])
    arguments = ["nowhere"] if command.startswith("models") else [*source, "--model", "nowhere"]
    assert run([*command.split(), *arguments]) == 4
    line = only_line()
    assert "nowhere: no model folder" in line
    assert "default" in line


@pytest.mark.parametrize("name", ["model.npz", "cues.toml", "README.md", "training_answers.txt"])
@pytest.mark.parametrize("damage", [drop, change])
def test_a_damaged_model_is_exit_4_and_names_the_file(
    damage: Callable[[Path, str], None], name: str, only_line: Callable[[], str]
) -> None:
    shutil.copytree(find_model("default"), "model")
    damage(Path("model"), name)
    assert run(["models", "verify", "./model"]) == 4
    assert f"model/{name}" in only_line()
    assert run(["classify", "good.jsonl", "--model", "./model", "-o", "out.jsonl"]) == 4
    assert f"model/{name}" in only_line()
    assert not Path("out.jsonl").exists()


def test_a_model_of_an_older_format_is_exit_4_and_says_to_train_it_again(only_line: Callable[[], str]) -> None:
    shutil.copytree(find_model("default"), "model")
    manifest = json.loads(Path("model/manifest.json").read_text(encoding="utf-8"))
    Path("model/manifest.json").write_text(json.dumps(manifest | {"format": 2}), encoding="utf-8")
    for command in (["classify", "good.jsonl", "-o", "out.jsonl", "--model"], ["models", "verify"]):
        assert run([*command, "./model"]) == 4
        assert "folder format 2" in (line := only_line())
        assert "retrain it with stance train" in line
    assert not Path("out.jsonl").exists()


@pytest.mark.parametrize("change", ["truncate", "rename", "pickle", "break the line"])
def test_an_artefact_whose_parts_do_not_fit_is_exit_4_though_its_hash_is_right(
    change: str, only_line: Callable[[], str]
) -> None:
    shutil.copytree(find_model("default"), "model")
    path = Path("model/model.npz")
    with np.load(path, allow_pickle=False) as archive:
        content = {name: archive[name] for name in archive.files}
    if change == "truncate":
        content["stance.idf"] = content["stance.idf"][:-1]
    elif change == "pickle":
        content["stance.idf"] = content["stance.idf"].astype(object)
    elif change == "rename":
        labels = content["stance.classes"].tobytes().decode().split("\n")
        renamed = "\n".join(f"not_{name}" for name in labels)
        content["stance.classes"] = np.frombuffer(renamed.encode(), dtype=np.uint8)
    else:
        content["relevance_power"] = np.array(["in\ntwo lines"])
    np.savez(path, **content)
    data = path.read_bytes()
    manifest = json.loads(Path("model/manifest.json").read_text(encoding="utf-8"))
    manifest["files"]["model.npz"] = hashlib.sha256(data).hexdigest()
    Path("model/manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    for command in (["classify", "good.jsonl", "-o", "out.jsonl", "--model"], ["models", "verify"]):
        assert run([*command, "./model"]) == 4
        assert "model/model.npz" in (line := only_line())
        assert ("Object arrays cannot be loaded" if change == "pickle" else "not trusted") in line
    assert not Path("out.jsonl").exists()


@pytest.mark.parametrize("text", ["", "{}", "[]", "{"], ids=["empty", "no fields", "a list", "no JSON"])
def test_a_manifest_that_is_none_is_exit_4(text: str, only_line: Callable[[], str]) -> None:
    Path("model").mkdir()
    Path("model/manifest.json").write_text(text, encoding="utf-8")
    assert run(["models", "show", "./model"]) == 4
    assert "model/manifest.json" in only_line()


# ---------------------------------------------------------------- 5: some records left out


@pytest.mark.parametrize(
    ("arguments", "quarantine"),
    [
        pytest.param(["ingest", "mixed.jsonl"], "quarantine.jsonl", id="to standard output"),
        pytest.param(["classify", "mixed.jsonl"], "quarantine.jsonl", id="classified to standard output"),
        pytest.param(["report", "mixed.jsonl"], "quarantine.jsonl", id="a table on the terminal"),
        pytest.param(
            ["ingest", "mixed.jsonl", "-o", "out/x.csv"], "out/x.csv.quarantine.jsonl", id="beside the output"
        ),
        pytest.param(
            ["report", "mixed.jsonl", "-o", "out/x.html", "-o", "y.md"],
            "out/x.html.quarantine.jsonl",
            id="beside the first report",
        ),
        pytest.param(
            ["ingest", "mixed.jsonl", "-o", "x.csv", "--quarantine", "q/left.jsonl"], "q/left.jsonl", id="where told to"
        ),
    ],
)
def test_records_left_out_are_exit_5_and_in_the_quarantine_file(
    workplace: Path, arguments: list[str], quarantine: str, capfd: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(workplace)
    assert run(arguments) == 5
    rows = read_jsonl(Path(quarantine))
    assert [list(row) for row in rows] == [["file", "locator", "column", "reason", "raw"]] * 2
    assert [(r["file"], r["locator"], r["column"]) for r in rows] == [
        ("mixed.jsonl", "line 2", "text"),
        ("mixed.jsonl", "line 3", None),
    ]
    assert json.loads(rows[0]["raw"]) == json.loads(BAD)
    assert "not JSON" in rows[1]["reason"]
    err = capfd.readouterr().err
    assert "warning: 2 records left out, the first mixed.jsonl, line 2, column text: is missing or empty" in err
    assert f"warning: see {quarantine}" in err
    written = {arguments[n + 1] for n, part in enumerate(arguments) if part == "-o"} | {quarantine}
    new = {name for name, data in snapshot(workplace).items() if data is not None} - before.keys()
    assert new == written


def test_a_run_without_a_record_left_out_is_exit_0_and_writes_no_quarantine_file(workplace: Path) -> None:
    before = snapshot(workplace)
    assert run(["ingest", "good.jsonl"]) == 0
    assert snapshot(workplace) == before


BAD_MARKS = [
    "Yes.",
    7,
    {"field": "text", "start": 0, "end": 3},
    [[0, 3]],
    [{"field": "body", "start": 0, "end": 3}],
    [{"field": "text", "start": -1, "end": 3}],
    [{"field": "text", "start": 0, "end": 10**30}],
]


@pytest.mark.parametrize("command", [["train", "-o", "m", "--folds", "2"], ["evaluate"]], ids=["train", "evaluate"])
def test_answers_whose_marked_evidence_is_none_are_exit_5_and_in_the_quarantine_file(
    command: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    texts = {"supportive": "Yes, I recommend it {}.", "against": "No, avoid it {}.", "neutral": "It depends {}."}
    rows: list[dict[str, Any]] = [
        {"question": f"Is it safe {n}?", "text": text.format(n), "label": label}
        for n in range(6)
        for label, text in texts.items()
    ]
    rows += [rows[0] | {"gold_evidence": marks} for marks in BAD_MARKS]
    Path("data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert run([*command, "data.jsonl", "--quarantine", "left.jsonl"]) == 5
    left = read_jsonl(Path("left.jsonl"))
    assert [row["locator"] for row in left] == [f"line {n}" for n in range(19, 19 + len(BAD_MARKS))]
    assert all(row["column"].startswith("gold_evidence") and row["reason"] for row in left)
    err = capfd.readouterr().err
    assert "warning: 7 records left out, the first data.jsonl, line 19, column gold_evidence: " in err
    assert "Traceback" not in err


def test_the_quarantine_file_of_a_table_holds_the_rows_as_they_stood() -> None:
    Path("in.csv").write_text('question,text\nIs it safe?,Yes\n"a, b",\nc,"never closed\n', encoding="utf-8")
    assert run(["ingest", "in.csv", "-o", "out.jsonl"]) == 5
    rows = read_jsonl(Path("out.jsonl.quarantine.jsonl"))
    assert [(r["locator"], r["raw"]) for r in rows] == [
        ("row at line 3", '"a, b",\n'),
        ("row at line 4", 'c,"never closed\n'),
    ]


def test_a_source_is_never_overwritten_by_its_own_quarantine() -> None:
    Path("quarantine.jsonl").write_text(GOOD + BAD, encoding="utf-8")
    code = run(["ingest", "quarantine.jsonl"])
    assert code in {2, 5}
    assert Path("quarantine.jsonl").read_text(encoding="utf-8") == GOOD + BAD


# ---------------------------------------------------------------- 130: interrupted


@pytest.mark.skipif(signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="the tests run where Ctrl-C is ignored")
@pytest.mark.parametrize("command", ["ingest", "classify"])
def test_ctrl_c_is_exit_130_one_line_and_no_half_written_file(workplace: Path, command: str) -> None:
    output = workplace / "out" / "x.jsonl"
    with subprocess.Popen(
        [*STANCE, command, "-", "-o", str(output), "--kind", "jsonl"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(GOOD.encode())
        process.stdin.flush()
        # The file under its temporary name shows that the command is at work; it then waits for more input.
        while process.poll() is None and not (output.parent.is_dir() and any(output.parent.iterdir())):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().decode()
        process.stdin.close()
    assert process.returncode == 130
    assert said == "stance: interrupted\n"
    assert list(output.parent.iterdir()) == []


# ---------------------------------------------------------------- hostile surroundings


def one_line(done: subprocess.CompletedProcess[bytes]) -> str:
    said = done.stderr.decode(errors="replace")
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1, said
    return said


@pytest.mark.parametrize("data", [b"Yes \xff it is", b"\xfe\xff\x00"], ids=["a stray byte", "no UTF-8 at all"])
def test_an_answer_that_is_no_utf8_on_standard_input_is_said_so_in_one_line(data: bytes) -> None:
    command = [*STANCE, "explain", "-q", "Is it safe?", "-"]
    done = subprocess.run(command, input=data, capture_output=True, check=False, env=os.environ | {"PYTHONUTF8": "1"})
    assert done.returncode in {2, 3}
    assert one_line(done).startswith("stance: ")


def test_an_argument_that_is_no_utf8_is_said_so_in_one_line() -> None:
    command: list[str | bytes] = [*STANCE, "explain", "-q", "Is it safe?", b"caf\xe9"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode in {2, 3}
    assert one_line(done).startswith("stance: ")


def test_a_file_whose_name_is_no_utf8_is_read() -> None:
    name = b"caf\xe9.jsonl"
    try:
        Path(os.fsdecode(name)).write_text(GOOD, encoding="utf-8")
    except OSError:
        pytest.skip("this file system takes no such name")
    command: list[str | bytes] = [*STANCE, "ingest", name]
    done = subprocess.run(command, capture_output=True, check=False)
    assert b"Traceback" not in done.stderr
    assert done.returncode in {0, 3}


def test_a_closed_standard_input_is_bad_input() -> None:
    command = ["sh", "-c", 'exec "$0" -m pipeline ingest - <&-', sys.executable]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 3
    assert one_line(done).startswith("stance: <stdin>")


# ---------------------------------------------------------------- the classes


def all_errors(cls: type[MedstanceError]) -> Iterator[type[MedstanceError]]:
    for child in cls.__subclasses__():
        yield child
        yield from all_errors(child)


def test_every_kind_of_error_has_the_exit_code_of_the_design() -> None:
    codes = {WrongUsage: 2, BadInput: 3, DamagedShard: 3, ModelError: 4}
    assert {cls: cls.exit_code for cls in all_errors(MedstanceError)} == codes


def test_bad_input_names_file_place_and_reason_in_this_order() -> None:
    error = BadInput("a.csv", "is odd", where="line 3, column text")
    assert str(error) == "a.csv, line 3, column text: is odd"
    assert str(BadInput("a.csv", "is odd")) == "a.csv: is odd"
    assert (error.file, error.where, error.reason) == ("a.csv", "line 3, column text", "is odd")


def test_a_defect_of_medstance_itself_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("pipeline.workflow.intake.write_rows", fail)
    with pytest.raises(ZeroDivisionError):
        run(["ingest", "good.jsonl"])


@pytest.mark.parametrize("n_answers", [1, 7])
def test_answers_with_a_single_label_are_exit_3_and_no_model_is_written(
    workplace: Path, only_line: Callable[[], str], n_answers: int
) -> None:
    row = json.dumps(json.loads(GOOD) | {"label": "mine"}) + "\n"
    (workplace / "one_label.jsonl").write_text(row * n_answers, encoding="utf-8")
    assert run(["train", "one_label.jsonl", "-o", "made"]) == 3
    assert f"{n_answers} answers with 1 label" in only_line()
    assert not (workplace / "made").exists()
