"""Reports: made of sources, rendered, written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from pipeline.aggregate import ConsensusRule, build_rule, check_rule, compare_reports
from pipeline.errors import WrongUsage
from pipeline.folders import open_folder
from pipeline.output import write_text
from pipeline.schema import Consensus, Report
from pipeline.workflow.classifying import Classifier
from pipeline.workflow.comparing import Earlier, read_earlier, warn_of_comparison
from pipeline.workflow.gathering import PanelsInMemory, PanelsOnDisk, Tally, aggregate_panels, read_panels
from pipeline.workflow.intake import Intake

__all__ = [
    "DISCLAIMER",
    "ConsensusRule",
    "build_rule",
    "render_report",
    "report_format",
    "report_site",
    "report_sources",
    "write_report",
]

# What `pipeline.report.render_site` may have written: nothing else is ever replaced.
_PAGE = re.compile(r"index(-\d+)?\.html|changes\.html|questions(/\d{5,}-[a-z0-9-]+\.html)?")
DISCLAIMER = "Not medical advice: it counts what answers say, not what is medically right."


def report_sources(
    intake: Intake,
    model_name: str,
    rule: ConsensusRule,
    *,
    progress: Callable[[int], None],
    by: Sequence[str] = (),
    against: str | None = None,
) -> Report:
    """Aggregate the answers of some sources per question, classified first where they are not.

    Questions stand in order of first appearance.

    Parameters
    ----------
    intake
        The sources.
    model_name
        The model that classifies, and whose errors shares are corrected for.
    rule
        The rule of the verdict.
    progress
        Called with the number of answers so far.
    by
        Fields to break the votes down by.
    against
        An earlier report, or sources of one, to compare with; None for no comparison. Records of it that cannot
        be used go where those of `intake` go.

    Raises
    ------
    WrongUsage
        When the rule does not suit the model's labels, or no answer has a field of `by`.
    """
    task = _Task.prepare(intake, model_name, rule, by, against)
    panels = PanelsInMemory()
    read_panels(intake, task.classifier, panels, task.tally, progress)
    questions = tuple(aggregate_panels(panels, task.classifier, rule, task.tally))
    return task.build_report(questions, questions)


def report_site(
    intake: Intake,
    model_name: str,
    rule: ConsensusRule,
    folder: Path,
    *,
    progress: Callable[[int], None],
    by: Sequence[str] = (),
    against: str | None = None,
) -> Report:
    """Write a report as a folder of pages, in memory that does not grow with the answers.

    Parameters
    ----------
    folder
        Where to; it appears whole or not at all, and replaces an earlier report there.
    intake, model_name, rule, progress, by, against
        As in `report_sources`.

    Returns
    -------
    Report
        Without its questions.

    Raises
    ------
    WrongUsage
        As `report_sources` does.
    """
    task = _Task.prepare(intake, model_name, rule, by, against)
    with PanelsOnDisk() as panels:
        read_panels(intake, task.classifier, panels, task.tally, progress)
        for consensus in aggregate_panels(panels, task.classifier, rule, task.tally):
            panels.keep(consensus)
        head = task.build_report((), panels.kept())
        write_site(head, panels.kept(), folder)
    return head


def write_site(head: Report, questions: Iterable[Consensus], folder: Path) -> None:
    """Write a report as a folder of pages; see `pipeline.report.render_site`."""
    from pipeline.report import render_site

    with open_folder(folder.resolve()) as new:
        (new / "questions").mkdir()
        for name, page in render_site(head, questions):
            (new / name).write_text(page, encoding="utf-8")


def check_site(folder: Path) -> None:
    """Raise when something other than an earlier report is where a report's folder is to go."""
    if folder.is_dir():
        other = next(
            (path for path in folder.rglob("*") if not _PAGE.fullmatch(path.relative_to(folder).as_posix())), None
        )
        if other is not None:
            reason = f"holds something other than a report ({other.name}): name another folder, or a file"
            raise WrongUsage(f"{folder}: {reason}")
    elif folder.exists() and not folder.is_dir():
        raise WrongUsage(f"{folder}: is a file, and no name of a report: use .html, .md, .json or .csv, or a folder")


@dataclass
class _Task:
    """What a report is made with, and what is counted on the way."""

    intake: Intake
    classifier: Classifier
    rule: ConsensusRule
    earlier: Earlier | None
    tally: Tally

    @classmethod
    def prepare(
        cls, intake: Intake, model_name: str, rule: ConsensusRule, by: Sequence[str], against: str | None
    ) -> _Task:
        classifier = Classifier(model_name)
        check_rule(rule, classifier.scheme)
        earlier = None if against is None else read_earlier(against, intake, classifier, rule)
        return cls(intake, classifier, rule, earlier, Tally(by))

    def build_report(self, questions: tuple[Consensus, ...], compared: Iterable[Consensus]) -> Report:
        """Build the report of all that was read; `compared` are its questions, for the comparison alone."""
        earlier, intake = self.earlier, self.intake
        own = [notice for notice in intake.notices if earlier is None or notice not in earlier.intake.notices]
        warnings = [*map(str, own), *self.tally.list_warnings(self.classifier, self.rule)]
        if intake.rejected:
            n = len(intake.rejected)
            warnings.append(f"{n} record{'s' * (n > 1)} could not be read: in no number here")
        comparison = None
        if earlier is not None:
            intake.rejected.extend(earlier.intake.rejected)
            comparison = compare_reports(earlier.report, compared)
            warnings += warn_of_comparison(earlier, self.rule, self.tally.models)
        manifest = self.classifier.folder.manifest
        is_own = set(self.tally.models) <= {self.classifier.folder.full_name}
        return Report(
            medstance=version("medstance"),
            model={
                "names": list(self.tally.models),
                "scheme": manifest.scheme.name,
                # What another model's calls are worth is not known.
                "side_accuracy": manifest.scores["side_accuracy"] if is_own else None,
            },
            rule=asdict(self.rule),
            warnings=tuple(warnings),
            disclaimer=DISCLAIMER,
            comparison=comparison,
            questions=questions,
        )


def render_report(report: Report, format_name: str) -> str:
    """Render a report in a format that files have: html, md, json or csv."""
    from pipeline.report import render_csv, render_html, render_json, render_markdown

    renderers = {"html": render_html, "md": render_markdown, "json": render_json, "csv": render_csv}
    return renderers[format_name](report)


REPORT_FORMATS = {
    ".html": "html",
    ".htm": "html",
    ".md": "md",
    ".markdown": "md",
    ".json": "json",
    ".csv": "csv",
}


def report_format(path: Path) -> str:
    """Return the report format that a file's name asks for; "site", a folder of pages, where it has no ending.

    Raises
    ------
    WrongUsage
        When the name asks for none.
    """
    if str(path) == "-":
        raise WrongUsage("-o -: a report goes to standard output without -o; --format says in which form")
    suffix = path.suffix.lower()
    if path.is_dir() or not (suffix or path.name.startswith(".")):
        check_site(path)
        return "site"
    if suffix not in REPORT_FORMATS:
        reason = "cannot tell a report's format from its name: use .html, .md, .json or .csv, or a folder"
        raise WrongUsage(f"{path}: {reason}")
    return REPORT_FORMATS[suffix]


def write_report(report: Report, path: Path) -> None:
    """Write a report in the format that the name asks for, whole or not at all."""
    format_name = report_format(path)
    if format_name == "site":
        write_site(report, report.questions, path)
    else:
        write_text(path, render_report(report, format_name))
