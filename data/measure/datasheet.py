"""The measured tables of ``data/README.md``, each between two marks."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from data.measure.agreement import Agreement, measure_agreement
from data.measure.probes import Probe, probe_giveaways
from data.measure.repetition import Repetition, measure_repetition
from pipeline.errors import BadInput
from pipeline.ingest import ReadOptions, read_answers
from pipeline.schema import AnswerRecord, LabelScheme, Notice, Rejected
from pipeline.workflow.scheme import default_scheme

WRITTEN = "corpus"
READINGS = "labels/corpus_readings.csv"
COLLECTED = "labels/medical_qa.csv"
GENERAL = "general"
GENERAL_READINGS = "labels/general_readings.csv"
ASKED = "labels/medical_qa_asked.csv"
CROSSED = "crossed"
BEYOND = "beyond"
ELUSIVE = "elusive"
OPEN = "labels/medical_qa_open.csv"
TITLES = "labels/medical_qa_titles.csv"
PAIRS = "labels/medical_qa_pairs.csv"
RETOLD = "retold"
THIRD_READER = "part one, third reader"
_MARK = re.compile(r"(<!-- measured: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Reading:
    """Two readers' labels of one answer."""

    question_id: str
    first: str
    second: str


def read_table(path: Path) -> list[dict[str, str]]:
    """Read a CSV table of the data folder."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_readings(path: Path, other: str = "second_label") -> list[Reading]:
    """Read the answers of a table that the first and another reader labelled."""
    return [Reading(row["question_id"], row["first_label"], row[other]) for row in read_table(path) if row[other]]


def read_kept_readings(path: Path) -> list[Reading]:
    """Read the two readers' labels of a part that has them in its records."""
    return [
        Reading(answer.question_id, field_of(answer, "first_label"), field_of(answer, "second_label"))
        for answer in read_part(path)
    ]


def gather_readings(folder: Path) -> dict[str, list[Reading]]:
    """Read what the first reader of each part and another said, by the name of the part."""
    return {
        "part one": read_readings(folder / READINGS),
        THIRD_READER: read_readings(folder / READINGS, "third_label"),
        "part two": read_readings(folder / COLLECTED),
        "part three": read_readings(folder / GENERAL_READINGS),
        "part four": read_readings(folder / ASKED),
        "part five": read_kept_readings(folder / CROSSED),
        "part six": read_kept_readings(folder / BEYOND),
        "part seven": read_kept_readings(folder / ELUSIVE),
        "part eight, open": read_readings(folder / OPEN),
        "part eight, titles": read_readings(folder / TITLES),
        "part eight, pairs": read_readings(folder / PAIRS),
        "part nine": read_kept_readings(folder / RETOLD),
    }


def read_part(path: Path, texts: str | None = None) -> list[AnswerRecord]:
    """Read a part of the labelled data; every record must be sound.

    Raises
    ------
    BadInput
        At the first that is not.
    """
    answers = []
    for item in read_answers([str(path)], ReadOptions(texts=texts)):
        if isinstance(item, Rejected):
            raise BadInput(item.file, item.reason, where=item.locator)
        if isinstance(item, Notice):
            raise BadInput(item.file, item.message)
        answers.append(item)
    return answers


def field_of(answer: AnswerRecord, name: str) -> Any:
    """Return a field beside those of the record, such as the label."""
    return (answer.model_extra or {})[name]


def is_asked(answer: AnswerRecord) -> bool:
    """Say whether the proposition is what the question asks about, so that it goes without saying."""
    known = answer.model_extra or {}
    # A table has the word where a record has the value.
    is_explicit = known.get("explicit") in {True, "true"}
    return not is_further(answer) and ("polarity" in known or is_explicit)


def measure_datasheet(folder: Path, texts: str) -> dict[str, str]:
    """Measure every table of the datasheet.

    Parameters
    ----------
    folder
        The data folder.
    texts
        Folder of the real answers.

    Returns
    -------
    dict
        Markdown by the name of its section.
    """
    scheme = default_scheme()
    written, collected = read_part(folder / WRITTEN), read_part(folder / COLLECTED, texts)
    general, asked = read_part(folder / GENERAL), read_part(folder / ASKED, texts)
    crossed, elusive = read_part(folder / CROSSED), read_part(folder / ELUSIVE)
    left_open, titles, pairs = (read_part(folder / table, texts) for table in (OPEN, TITLES, PAIRS))
    retold = read_part(folder / RETOLD)
    real = read_part(Path(texts))
    readings = gather_readings(folder)
    return {
        "labels": render_labels(
            {
                "part one": written,
                "part two": collected,
                "of these the ask explicit": [a for a in collected if field_of(a, "explicit") == "true"],
            },
            # In part three a further proposition makes another id; in parts four, eight and nine it makes none.
            {
                **split_further("part three", general),
                "part four": asked,
                **split_further("part five", crossed),
                **split_further("part seven", elusive),
                "part eight, open": left_open,
                "part eight, titles": titles,
                "part eight, pairs": pairs,
                "part nine": retold,
            },
            scheme,
        ),
        "groups": render_counts("group", (field_of(a, "group") for a in written)),
        "fields": render_counts("field", (field_of(a, "group") for a in general)),
        "crossed-fields": render_counts("field", (field_of(a, "group") for a in crossed), "labels"),
        "elusive-kinds": render_kinds(elusive),
        "phenomena": render_phenomena(written),
        "agreement": render_agreement(readings, scheme),
        "disagreements": render_disagreements(readings, scheme),
        "repetition": render_repetition(
            written,
            {
                "part three": general,
                "part five": crossed,
                "part seven": elusive,
                # Two questions are asked of an answer.
                "part nine": [a for a in retold if a.answer_id.endswith("-1")],
            },
            real,
        ),
        "probes": render_probes({"part one": written, "part two": collected, "part three": general}),
    }


def replace_sections(sheet: str, sections: Mapping[str, str]) -> str:
    r"""Put new text between the marks of each section; a section without new text stays as it is.

    Raises
    ------
    ValueError
        When a section has no marks: what was measured would be lost.

    Examples
    --------
    >>> print(replace_sections("<!-- measured: n -->\nold\n<!-- end -->", {"n": "new"}))
    <!-- measured: n -->
    new
    <!-- end -->
    """
    unmarked = set(sections) - {found[2] for found in _MARK.finditer(sheet)}
    if unmarked:
        raise ValueError(f"no marks for {', '.join(sorted(unmarked))}")
    return _MARK.sub(
        lambda found: f"{found[1]}{sections[found[2]]}\n{found[3]}" if found[2] in sections else found[0], sheet
    )


def section_of(sheet: str, name: str) -> str:
    """Return what stands between a section's marks."""
    return next(found[0] for found in _MARK.finditer(sheet) if found[2] == name).split("\n", 1)[1].rsplit("\n", 1)[0]


def render_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Render a Markdown table: the first column left, the others right."""
    lines = [header, ["---", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def render_labels(
    by_id: Mapping[str, Sequence[AnswerRecord]], by_wording: Mapping[str, Sequence[AnswerRecord]], scheme: LabelScheme
) -> str:
    """Render how many answers of each part have each label.

    Parameters
    ----------
    by_id
        Answers by the name of their part, whose questions are told apart by their ids.
    by_wording
        Those whose questions are told apart by their wordings.
    scheme
        The labels.
    """
    parts = {**by_id, **by_wording}
    counts = [Counter(field_of(a, "label") for a in part) for part in parts.values()]
    rows: list[list[object]] = [[f"`{name}`", *(count[name] for count in counts)] for name in scheme.names]
    rows.append(["all", *(count.total() for count in counts)])
    rows.append(["questions", *(len({a.question_id for a in part}) for part in by_id.values())])
    rows[-1] += [len({a.question for a in part}) for part in by_wording.values()]
    return render_table(["label", *parts], rows)


def split_further(name: str, answers: Sequence[AnswerRecord]) -> dict[str, list[AnswerRecord]]:
    """Split a part into answers on their first proposition and the same on further ones."""
    return {
        name: [a for a in answers if not is_further(a)],
        f"{name}, further propositions": [a for a in answers if is_further(a)],
    }


def is_further(answer: AnswerRecord) -> bool:
    """Say whether an answer is labelled on another proposition than its first."""
    return answer.answer_id.endswith(("-b", "-c"))


def render_counts(what: str, values: Iterable[str], counted: str = "answers") -> str:
    """Render how many answers, or what else is counted, have each value."""
    return render_table([what, counted], sorted(Counter(values).items()))


def render_kinds(elusive: Sequence[AnswerRecord]) -> str:
    """Render how many labels and answers each kind of part seven has, and whether length gives the open ones away."""
    rows = []
    for kind, n_labels in sorted(Counter(field_of(a, "group") for a in elusive).items()):
        asked = [a for a in elusive if field_of(a, "group") == kind and not is_further(a)]
        is_open = [field_of(a, "label") in {"neutral", "no_stance"} for a in asked]
        words = [
            f"{mean(len(a.text.split()) for a, one in zip(asked, is_open, strict=True) if one is wanted):.0f}"
            for wanted in (True, False)
        ]
        rows.append([kind, n_labels, len(asked), sum(is_open), *words])
    return render_table(["kind", "labels", "answers", "open", "words of the open", "words of the others"], rows)


def render_phenomena(written: Sequence[AnswerRecord]) -> str:
    """Render how many answers have each phenomenon, and their share."""
    counts = Counter(name for a in written for name in field_of(a, "phenomena"))
    rows = [[f"`{name}`", n, f"{n / len(written):.1%}"] for name, n in sorted(counts.items())]
    return render_table(["phenomenon", "answers", "share"], rows)


def render_agreement(readings: Mapping[str, Sequence[Reading]], scheme: LabelScheme) -> str:
    """Render how far the first reader of each part and the others agree."""
    figures = {name: _agreement(part, scheme) for name, part in readings.items()}
    rows: list[list[object]] = [["answers read twice", *(f"{a.n_answers:,}" for a in figures.values())]]
    rows += [
        [words, *(getattr(a, name) for a in figures.values())]
        for name, words in (
            ("exact", "exact label"),
            ("sides", "side"),
            ("kappa", "quadratic-weighted kappa"),
            ("alpha", "Krippendorff's alpha, ordinal"),
        )
    ]
    return render_table(["agreement", *figures], rows)


def _agreement(readings: Sequence[Reading], scheme: LabelScheme) -> Agreement:
    first, second, questions = zip(*((r.first, r.second, r.question_id) for r in readings), strict=True)
    return measure_agreement(first, second, questions, scheme)


def render_disagreements(readings: Mapping[str, Sequence[Reading]], scheme: LabelScheme) -> str:
    """Render what the first reader's labels became with the second, all parts together."""
    counts = Counter((r.first, r.second) for name, part in readings.items() if name != THIRD_READER for r in part)
    rows = [[f"`{one}`", *(counts[one, two] for two in scheme.names)] for one in scheme.names]
    return render_table(["first reader \\ second reader", *(f"`{name}`" for name in scheme.names)], rows)


def render_repetition(
    written: Sequence[AnswerRecord],
    invented: Mapping[str, Sequence[AnswerRecord]],
    real: Sequence[AnswerRecord],
) -> str:
    """Render how repetitive the written answers are, beside as many words of real ones.

    Of a contrast pair, whose answers are alike by design, only the first counts, and an answer labelled on
    several propositions once.
    """
    one = measure_repetition(texts_without_twins(written))
    figures = {
        "part one, a pair counted once": one,
        **{
            name: measure_repetition([a.text for a in answers if not is_further(a)])
            for name, answers in invented.items()
        },
        "real answers, as many words as part one": measure_repetition(sample_texts(real, one.n_words)),
        "real answers, all": measure_repetition([a.text for a in real]),
    }
    return render_table(
        ["texts", "answers", "words", "distinct 4-grams", "answers sharing a 6-gram with another"],
        [[name, *_repetition_cells(r)] for name, r in figures.items()],
    )


def texts_without_twins(written: Sequence[AnswerRecord]) -> list[str]:
    """Return the texts, of a contrast pair the first only."""
    by_pair = {(a.model_extra or {}).get("pair_id", a.answer_id): a.text for a in reversed(written)}
    return list(by_pair.values())


def sample_texts(answers: Sequence[AnswerRecord], n_words: int) -> list[str]:
    """Take texts at equal distances, about so many words of them in all."""
    total = sum(len(a.text.split()) for a in answers)
    step = max(1.0, total / n_words)
    return [answers[int(place * step)].text for place in range(int(len(answers) / step))]


def _repetition_cells(r: Repetition) -> list[str]:
    return [f"{r.n_texts:,}", f"{r.n_words:,}", f"{r.distinct_4grams:.3f}", f"{r.sharing_6gram:.3f}"]


def render_probes(parts: Mapping[str, Sequence[AnswerRecord]]) -> str:
    """Render what classifiers score that do not see the words."""
    rows = [
        [part, probe.name, *_probe_cells(probe)]
        for part, answers in parts.items()
        for probe in probe_giveaways(answers, [field_of(a, "label") for a in answers])
    ]
    return render_table(
        ["answers", "sees only", "balanced accuracy", "labels shuffled", "95 % of shuffles below"], rows
    )


def _probe_cells(probe: Probe) -> list[str]:
    return [f"{value:.3f}" for value in (probe.balanced_accuracy, probe.chance, probe.chance_high)]
