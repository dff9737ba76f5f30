"""The command line: parse, call `pipeline.workflow`, print, exit code; nothing else."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sys
import time
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.exceptions import TyperException

from pipeline.collector import collect_seldom
from pipeline.errors import (
    EXIT_CHANGED,
    EXIT_DONE,
    EXIT_INTERRUPTED,
    EXIT_QUARANTINED,
    MedstanceError,
    WrongUsage,
)

if TYPE_CHECKING:
    from pipeline.workflow.intake import Intake

app = typer.Typer(
    name="stance",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Where do the doctors stand? From free-text answers to a consensus you can check.

    A first run: stance report PAGE.txt

    SOURCE is a saved question page (text or HTML), a CSV, TSV, JSONL or Parquet table with the columns
    question and text, a folder of these, or - for standard input. Results go to -o or to standard output,
    messages to standard error. Every command reads what another wrote.

    Exit codes: 0 done, 1 done but a verdict moved (report --fail-on), 2 wrong usage, 3 bad input, 4 model
    missing, damaged or not trusted, 5 done but some records were left out (see the quarantine file), 130
    interrupted.

    Not medical advice: it counts what answers say, not what is medically right.""",
)
models_app = typer.Typer(
    invoke_without_command=True, rich_markup_mode=None, help="List, show and verify installed models."
)
app.add_typer(models_app, name="models")


class Kind(StrEnum):
    """Kinds of source; `pipeline.ingest.KINDS`, spelt out so that --help need not import the readers."""

    PAGE = "page"
    HTML = "html"
    CSV = "csv"
    TSV = "tsv"
    JSONL = "jsonl"
    PARQUET = "parquet"


class RecordFormat(StrEnum):
    """Formats of records on standard output."""

    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"
    PARQUET = "parquet"


class BackendName(StrEnum):
    """Where the work of a run is done; `pipeline.batch.open_backend`."""

    LOCAL = "local"
    DASK = "dask"


class ReportFormat(StrEnum):
    """Formats of a report on standard output."""

    TABLE = "table"
    HTML = "html"
    MD = "md"
    JSON = "json"
    CSV = "csv"


class RuleName(StrEnum):
    """Rules of the verdict; `pipeline.aggregate.RULES`, spelt out so that --help need not import them."""

    DELPHI_75 = "delphi-75"
    RAND_UCLA = "rand-ucla"


class FailOn(StrEnum):
    """What of a comparison a run may fail on."""

    CHANGED = "changed"
    SIDE = "side"


Sources = Annotated[
    list[str], typer.Argument(metavar="SOURCE...", help="Files, folders, quoted patterns, or - for standard input.")
]
Labelled = Annotated[
    list[str], typer.Argument(metavar="LABELLED...", help="Sources whose records also have a field 'label'.")
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        help="Write here (.jsonl, .csv, .tsv, .parquet; .gz or .zst after all but Parquet), not to standard output.",
    ),
]
Format = Annotated[
    RecordFormat | None,
    typer.Option("--format", help="Format of the records; else by the name of -o, else jsonl."),
]
Model = Annotated[
    str,
    typer.Option("--model", "-m", envvar="MEDSTANCE_MODEL", help="An installed model's name or a model folder."),
]
SourceKind = Annotated[Kind | None, typer.Option("--kind", help="What the sources are; else found out.")]
Encoding = Annotated[str | None, typer.Option("--encoding", help="Text encoding of the sources; else found out.")]
Column = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="FIELD=COLUMN",
        help="Your table's name for a field, as in text=Reply; may be repeated.",
    ),
]
Texts = Annotated[
    Path | None,
    typer.Option("--texts", help="Folder of the texts that a table of labels without texts is on."),
]
Quarantine = Annotated[
    Path | None,
    typer.Option("--quarantine", help="Where records that cannot be used go; else beside -o, else quarantine.jsonl."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a machine to read.")]


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)  # noqa: T201


def _print(text: str) -> None:
    """Print for people: a character that the terminal lacks becomes a question mark."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def _print_data(text: str) -> None:
    """Print for machines: UTF-8, whatever the terminal."""
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def _print_json(data: object) -> None:
    _print_data(json.dumps(data, ensure_ascii=False) + "\n")


def _say_json(data: object) -> None:
    _say(json.dumps(data, ensure_ascii=False))


def _intake(
    sources: list[str],
    kind: Kind | None,
    encoding: str | None,
    columns: list[str] | None,
    texts: Path | None = None,
) -> Intake:
    from pipeline.workflow.intake import FIELDS, Intake, ReadOptions

    mapping: dict[str, str] = {}
    for pair in columns or []:
        name, sign, column = pair.partition("=")
        if not sign or not name or not column:
            raise WrongUsage(f"--column {pair}: expected FIELD=COLUMN, as in text=Reply")
        if name not in FIELDS:
            raise WrongUsage(f"--column {pair}: no field {name!r}; fields are {', '.join(FIELDS)}")
        mapping[name] = column
    options = ReadOptions(
        kind=None if kind is None else kind.value,
        encoding=encoding,
        columns=mapping,
        texts=None if texts is None else str(texts),
    )
    return Intake(sources, options, _say)


def _output_or_none(output: Path | None) -> Path | None:
    return None if output == Path("-") else output


def _count(n: int) -> str:
    return f"{n} answer{'' if n == 1 else 's'}"


def _finish(n_rejected: int) -> None:
    if n_rejected:
        raise typer.Exit(EXIT_QUARANTINED)


def _terminal_width() -> int:
    # The variable COLUMNS counts first, where it is a number.
    return max(60, min(140, shutil.get_terminal_size((100, 24)).columns))


def _use_color() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _show_version(value: bool) -> None:
    if value:
        _print(f"medstance {version('medstance')}\n")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    _show_help(context)


def _show_help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        _print(context.get_help() + "\n")


@app.command()
def ingest(
    sources: Sources,
    output: Output = None,
    format_name: Format = None,
    kind: SourceKind = None,
    encoding: Encoding = None,
    column: Column = None,
    texts: Texts = None,
    quarantine: Quarantine = None,
) -> None:
    """Read sources into answer records.

    Example: stance ingest page.html answers.csv -o answers.jsonl
    """
    from pipeline.workflow.intake import ingest_sources, quarantine_path, write_records

    output = _output_or_none(output)
    left_out = quarantine_path(quarantine, output, sources)
    intake = _intake(sources, kind, encoding, column, texts)
    rows = intake.checked(ingest_sources(intake), left_out)
    n = write_records(rows, output, format_name)
    n_rejected = intake.close(left_out)
    _say(f"{_count(n)} read")
    _finish(n_rejected)


@app.command()
def classify(
    sources: Sources,
    output: Output = None,
    model: Model = "default",
    format_name: Format = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=0, help="Processes that share the work; 0 for one per core.")
    ] = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that was cut off; without one, begin.")
    ] = False,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps calls by question, text and model: only new answers are classified."),
    ] = None,
    backend: Annotated[BackendName, typer.Option(help="Where the work is done.")] = BackendName.LOCAL,
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help="The Dask scheduler.")] = None,
    shards: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE",
            help="Folder, or address for fsspec, that all workers can write to; else the folder of the run, beside -o.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON, on standard output if -o takes the records.")
    ] = False,
    kind: SourceKind = None,
    encoding: Encoding = None,
    column: Column = None,
    quarantine: Quarantine = None,
) -> None:
    """Label the stance of every answer, with posteriors and evidence.

    Adds stance, side, posteriors, confidence, abstained, evidence and model to every record, in input order.
    With -o, what is done is kept in a folder beside it until the end: cut off, a run goes on with --resume.

    Example: stance classify answers.csv -o classified.jsonl --jobs 2
    """
    from pipeline.progress import show_progress
    from pipeline.workflow.intake import quarantine_path
    from pipeline.workflow.running import RunOptions, classify_sources, describe_run

    output = _output_or_none(output)
    left_out = quarantine_path(quarantine, output, sources)
    intake = _intake(sources, kind, encoding, column)
    options = RunOptions(
        n_jobs=jobs or os.cpu_count() or 1,
        resume=resume,
        cache=cache,
        backend=backend.value,
        scheduler=scheduler,
        place=shards,
    )
    start = time.monotonic()
    with show_progress("classified") as progress:
        summary = classify_sources(
            intake,
            model,
            output,
            None if format_name is None else format_name.value,
            left_out,
            options,
            progress=progress,
        )
    seconds = time.monotonic() - start
    if as_json:
        row = summary.to_row() | {"seconds": round(seconds, 2)}
        (_print_json if output is not None else _say_json)(row)
    else:
        _say(describe_run(summary, seconds))
    _finish(summary.n_quarantined)


@app.command()
def report(
    sources: Sources,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "-o",
            "--output",
            help="Write here (.html, .md, .json, .csv, or a folder); may be repeated. Else a table is printed.",
        ),
    ] = None,
    model: Model = "default",
    format_name: Annotated[
        ReportFormat | None, typer.Option("--format", help="Format on standard output; else a table, without -o.")
    ] = None,
    as_json: AsJson = False,
    rule: Annotated[RuleName, typer.Option(help="The rule of the verdict.")] = RuleName.DELPHI_75,
    consensus_share: Annotated[
        float | None,
        typer.Option(min=0.51, max=1.0, help="Least share of one side for a consensus by delphi-75; else 0.75."),
    ] = None,
    min_answers: Annotated[
        int | None, typer.Option(min=1, help="Fewer votes with a stance are too few for a verdict; else 5.")
    ] = None,
    keep_repeats: Annotated[
        bool,
        typer.Option(
            "--keep-repeats", help="Count every answer; else one respondent's, and near-identical ones, count once."
        ),
    ] = False,
    weight_by: Annotated[
        str | None,
        typer.Option(metavar="FIELD", help="Weigh votes by a number of the answer, as respondent.n_reviews."),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD", help="Break votes down by a field, as specialty; may be repeated."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="REPORT", help="Compare with an earlier report (.json, .csv), or with one made of this source."
        ),
    ] = None,
    fail_on: Annotated[
        FailOn | None,
        typer.Option(help="Exit with 1 where a verdict changed, or its side, from that of --against."),
    ] = None,
    kind: SourceKind = None,
    encoding: Encoding = None,
    column: Column = None,
    quarantine: Quarantine = None,
) -> None:
    """Say per question what the panel thinks, and how sure one can be.

    Answers that are not classified yet are classified first.

    Example: stance report page.txt -o report.html -o report.json
    """
    from pipeline.progress import show_progress
    from pipeline.workflow.comparing import count_compared, count_failures
    from pipeline.workflow.intake import quarantine_path
    from pipeline.workflow.reporting import (
        build_rule,
        render_report,
        report_format,
        report_site,
        report_sources,
        write_report,
    )

    if as_json and format_name not in {None, ReportFormat.JSON}:
        raise WrongUsage(f"--json and --format {format_name} ask for two formats: give one")
    if fail_on is not None and against is None:
        raise WrongUsage(f"--fail-on {fail_on}: needs a report to compare with: name it with --against")
    if against == "-" and "-" in sources:
        raise WrongUsage("--against -: standard input is a source already")
    formats = [report_format(path) for path in output or []]
    left_out = quarantine_path(quarantine, output[0] if output else None, sources)
    intake = _intake(sources, kind, encoding, column)
    chosen_rule = build_rule(
        consensus_share, min_answers, rule=rule.value, weight_by=weight_by, keep_repeats=keep_repeats
    )
    chosen = ReportFormat.JSON if as_json else format_name
    # A folder of pages by itself is made a question at a time, however many there are.
    streams = formats == ["site"] and chosen is None
    with show_progress("read") as progress:
        if streams:
            result = report_site(
                intake, model, chosen_rule, (output or [])[0], progress=progress, by=by or [], against=against
            )
        else:
            result = report_sources(intake, model, chosen_rule, progress=progress, by=by or [], against=against)
    n_rejected = intake.close(left_out)
    if chosen not in {None, ReportFormat.TABLE}:
        _print_data(render_report(result, str(chosen)))
    elif not output or chosen is ReportFormat.TABLE:
        from pipeline.report import render_terminal

        _print(render_terminal(result, width=_terminal_width(), color=_use_color()))
    for path in output or []:
        if not streams:
            write_report(result, path)
        _say(f"report written to {path}")
    n_failures = 0 if fail_on is None else count_failures(result, fail_on.value)
    if n_failures:
        _say(f"{n_failures} of {count_compared(result)} verdicts moved (--fail-on {fail_on})")
        raise typer.Exit(EXIT_CHANGED)
    _finish(n_rejected)


@app.command()
def explain(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The answer, or - for standard input.")],
    question: Annotated[str, typer.Option("--question", "-q", help="The question it answers.")],
    headline: Annotated[str | None, typer.Option(help="The answer's own title.")] = None,
    proposition: Annotated[str | None, typer.Option(help="What a stance is on, worded affirmatively.")] = None,
    model: Model = "default",
    as_json: AsJson = False,
) -> None:
    """Classify one answer and show the words and sentences that moved it.

    Example: stance explain -q "Is a thread lift worth it?" "It works, but I would not do it."
    """
    from pipeline.report import render_explanation
    from pipeline.workflow.explaining import explain_text

    if text == "-":
        text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    result = explain_text(question, text, model, proposition=proposition, headline=headline)
    if as_json:
        _print_json(result)
    else:
        _print(render_explanation(result, width=_terminal_width(), color=_use_color()))


@app.command()
def train(
    labelled: Labelled,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="MODEL_DIR", help="Where the model folder goes.")],
    scheme: Annotated[
        Path | None,
        typer.Option(help="A label scheme (TOML); else medstance's own, or the data's labels, unordered."),
    ] = None,
    folds: Annotated[int, typer.Option(min=2, help="Folds of the cross-validation.")] = 5,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE=W", help="How much each answer of a source counts; 1 where not said. May be repeated."
        ),
    ] = None,
    encoder: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="The model whose encoder reads the answers, or the folder of a tuned one; none for words and cues "
            "alone, which is far faster.",
        ),
    ] = "default",
    curves: Annotated[
        bool,
        typer.Option("--curves", help="Also measure the learning curve and scores on groups never seen: minutes."),
    ] = False,
    as_json: AsJson = False,
    kind: SourceKind = None,
    encoding: Encoding = None,
    column: Column = None,
    texts: Texts = None,
    quarantine: Quarantine = None,
) -> None:
    """Train a model on labelled answers and score it by cross-validation across questions.

    Example: stance train labelled.jsonl -o my-model
    """
    from pipeline.report import render_scores
    from pipeline.workflow.intake import quarantine_path
    from pipeline.workflow.scheme import read_scheme
    from pipeline.workflow.training import (
        check_model_place,
        default_config,
        open_encoder,
        read_labelled,
        read_weights,
        show_scores,
        train_model,
    )

    left_out = quarantine_path(quarantine, output, labelled)
    check_model_place(output)
    reading = None if encoder == "none" else open_encoder(encoder)
    intake = _intake(labelled, kind, encoding, column, texts)
    chosen = None if scheme is None else read_scheme(scheme)
    data = read_labelled(intake, chosen, source_weights=read_weights(weight or [], labelled))
    n_rejected = intake.close(left_out)
    config = default_config(data.scheme, reading)
    folder = train_model(data, output, config, say=_say, encoder=reading, n_folds=folds, with_curves=curves)
    scores = folder.manifest.scores
    if as_json:
        _print_json({"model": folder.full_name, **scores})
    else:
        _print(render_scores(show_scores(scores), scores["labels"], width=_terminal_width()))
    _say(f"model {folder.full_name} written to {output}")
    _finish(n_rejected)


@app.command()
def evaluate(
    labelled: Labelled,
    model: Model = "default",
    as_json: AsJson = False,
    kind: SourceKind = None,
    encoding: Encoding = None,
    column: Column = None,
    texts: Texts = None,
    quarantine: Quarantine = None,
) -> None:
    """Score a model on labelled answers; those it was trained on are noticed.

    Example: stance evaluate labelled.jsonl --model my-model
    """
    from pipeline.report import render_scores
    from pipeline.workflow.classifying import Classifier
    from pipeline.workflow.intake import quarantine_path
    from pipeline.workflow.training import evaluate_model, read_labelled, show_scores

    classifier = Classifier(model)
    left_out = quarantine_path(quarantine, None, labelled)
    intake = _intake(labelled, kind, encoding, column, texts)
    data = read_labelled(intake, classifier.scheme, is_models=True)
    n_rejected = intake.close(left_out)
    scores = evaluate_model(data, classifier, say=_say)
    if as_json:
        _print_json(scores)
    else:
        _print(f"{scores['n_answers']} answers to {scores['n_questions']} questions, model {scores['model']}\n\n")
        _print(render_scores(show_scores(scores), scores["labels"], width=_terminal_width()))
    _finish(n_rejected)


@models_app.callback()
def _models_root(context: typer.Context) -> None:
    _show_help(context)


@models_app.command("list")
def models_list(as_json: AsJson = False) -> None:
    """List the installed models.

    Example: stance models list --json
    """
    from pipeline.workflow.models import describe_models

    rows = describe_models()
    if as_json:
        _print_json(rows)
        return
    for row in rows:
        sides = (
            "" if row["side_accuracy"] is None else f", {row['side_accuracy'] * 100:.0f} % of sides right out of fold"
        )
        _print(f"{row['name']}  {row['digest']}  {row['n_answers']} answers{sides}  {row['path']}\n")


@models_app.command("show")
def models_show(
    name: Annotated[
        str, typer.Argument(metavar="MODEL", help="An installed model's name or a model folder.")
    ] = "default",
    as_json: AsJson = False,
) -> None:
    """Print a model's card, or with --json its manifest.

    Example: stance models show my-model
    """
    from pipeline.workflow.models import open_model

    folder = open_model(name)
    if as_json:
        _print_json(folder.manifest.model_dump(mode="json"))
    else:
        _print(folder.read_card())


@models_app.command("verify")
def models_verify(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="MODEL...", help="Names or folders; else all installed.")
    ] = None,
) -> None:
    """Check that models are intact and can be loaded.

    Example: stance models verify default
    """
    from pipeline.workflow.models import verify_models

    for path, full_name in verify_models(names or []):
        _print(f"{full_name}  intact  {path}\n")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the code that the design promises."""
    # Ended from outside, a run cleans up as it does when it is interrupted.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    collect_seldom()
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code.

    A user's mistake is one line on standard error; anything else keeps its traceback.
    """
    try:
        code = app(args=arguments, prog_name="stance", standalone_mode=False)
    except MedstanceError as error:
        _complain(str(error))
        return error.exit_code
    except TyperException as error:
        _complain(f"{error.format_message()} (see stance --help)")
        return WrongUsage.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = EXIT_INTERRUPTED
    except SystemExit as end:
        # Typer ends in its own way when whoever read the output has enough of it; that is no failure.
        return EXIT_DONE if isinstance(end.__context__, BrokenPipeError) else int(end.code or EXIT_DONE)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise
        _complain(f"{error.filename or 'the output or a temporary file'}: cannot be written ({error.strerror})")
        return WrongUsage.exit_code
    if code == EXIT_INTERRUPTED:
        _complain("interrupted")
    return code if isinstance(code, int) else EXIT_DONE


def _complain(message: str) -> None:
    _say(f"stance: {' '.join(message.split())}")


if __name__ == "__main__":
    main()
