"""A block of answers to a shard of classified ones: the part of a run that any process can do."""

from __future__ import annotations

import platform
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from pipeline.batch import CallCache, Shard, hash_key, open_store, take_block, write_shard
from pipeline.collector import collect_seldom, leave_out_loaded
from pipeline.compression import compress
from pipeline.errors import ModelError, WrongUsage
from pipeline.flat import Row
from pipeline.schema import CALL_FIELDS, AnswerRecord, Asked, join_call
from pipeline.workflow.classifying import Classifier, without_call

_VERSIONED = ("medstance", "numpy", "pyarrow", "pydantic", "scipy", "spacy")
# A parser is no place for two threads at a time, and a worker of a cluster may have several.
_ONE_AT_A_TIME = threading.Lock()


@lru_cache(maxsize=1)
def list_versions() -> dict[str, str]:
    """Return the versions of what makes a shard: another may make another one of the same answers."""
    return {name: version(name) for name in _VERSIONED} | {"python": platform.python_version()}


@dataclass(frozen=True)
class ClassifyTask:
    """What every block of a run has in common.

    Attributes
    ----------
    model
        A model's name or folder, as the worker finds it.
    full_name
        Its name and digest: a worker that finds another model refuses.
    versions
        From `list_versions`, and likewise.
    place
        The store of the shards.
    codec
        How shards are compressed; None for not at all.
    cache
        Folder of the cache; None without one.
    """

    model: str
    full_name: str
    versions: Mapping[str, str]
    place: str
    codec: str | None = None
    cache: str | None = None


def classify_block(
    task: ClassifyTask, number: int, block: Sequence[Line] | None = None
) -> tuple[int, Mapping[str, Any], int]:
    """Classify a block and write its shard.

    Parameters
    ----------
    task
        Of the run.
    number
        The block's place in the run.
    block
        Its answers; None where they are in the store.

    Returns
    -------
    number
        The block's.
    summary
        What the shard holds: `n_answers`, `n_abstained`, and `stances`, of those that did not abstain.
    n_cached
        How many of them the cache knew.

    Raises
    ------
    ModelError
        When the model here is not that of the run.
    WrongUsage
        When the versions here are not, or the store is not here.
    """
    _check_versions(task)
    store = open_store(task.place, is_new=False)
    if block is None:
        block = read_block(take_block(store, number))
    with _ONE_AT_A_TIME:
        lines, summary, n_cached = _classify(task, block)
    content = b"".join(lines)
    if task.codec is not None:
        content = compress(content, task.codec)
    # The block stays until the run has heard of the shard: who dies in between is replaced by another.
    write_shard(store, Shard(number, summary, content))
    return number, summary, n_cached


@lru_cache(maxsize=1)
def prepare(model: str) -> None:
    """Load all that calls need, once: a process that does so early need not do it when the first block is there.

    Parameters
    ----------
    model
        As in `ClassifyTask`.
    """
    classifier = _load(model)
    # Each is built where it is first asked for.
    _ = classifier.model, classifier.parser
    leave_out_loaded()


class Line(NamedTuple):
    """An answer of a block: what its call depends on, and its record as it stands in the output before the call.

    Attributes
    ----------
    question, proposition, headline, text
        See `AnswerRecord`.
    content
        The record as JSON, without an earlier call.
    is_apart
        Whether no field of it is named like one of a call's.
    """

    question: str
    proposition: str | None
    headline: str | None
    text: str
    content: bytes
    is_apart: bool

    @classmethod
    def from_record(cls, answer: AnswerRecord) -> Line:
        """Make it of a record."""
        kept = without_call(answer)
        is_apart = not kept.model_extra or kept.model_extra.keys().isdisjoint(CALL_FIELDS)
        return cls(kept.question, kept.proposition, kept.headline, kept.text, to_json(kept), is_apart)

    @classmethod
    def from_json(cls, content: bytes) -> Line:
        """Make it of its own `content`."""
        row = from_json(content)
        is_apart = row.keys().isdisjoint(CALL_FIELDS)
        return cls(row["question"], row["proposition"], row["headline"], row["text"], content, is_apart)


def render_block(block: Sequence[Line]) -> bytes:
    """Render a block for the store."""
    return b"\n".join(line.content for line in block)


def read_block(content: bytes) -> list[Line]:
    """Read what `render_block` gave."""
    return [Line.from_json(line) for line in content.split(b"\n")]


def _check_versions(task: ClassifyTask) -> None:
    here = list_versions()
    other = next((name for name, wanted in task.versions.items() if here.get(name) != wanted), None)
    if other is not None:
        wanted = task.versions[other]
        raise WrongUsage(f"a worker has {other} {here.get(other)}, the run {wanted}: the same must be on every worker")


def _classify(task: ClassifyTask, block: Sequence[Line]) -> tuple[list[bytes], dict[str, Any], int]:
    classifier = _load(task.model)
    if classifier.folder.full_name != task.full_name:
        # A worker that lives long may remember a model that has been retrained since.
        _load.cache_clear()
        prepare.cache_clear()
        classifier = _load(task.model)
    if classifier.folder.full_name != task.full_name:
        found, path = classifier.folder.full_name, classifier.folder.path
        raise ModelError(f"{path}: is {found}, the run's model is {task.full_name}: the same must be on every worker")
    calls, n_cached = (_call(task, block), 0) if task.cache is None else _call_cached(task, block, Path(task.cache))
    called = Counter(call.row["stance"] for call in calls if not call.row["abstained"])
    summary = {
        "n_answers": len(block),
        "n_abstained": len(block) - called.total(),
        "stances": {name: called[name] for name in classifier.scheme.names},
    }
    return [_join(line, call) for line, call in zip(block, calls, strict=True)], summary, n_cached


class _Call(NamedTuple):
    """A call as data and as JSON."""

    row: Row
    content: bytes


def _call(task: ClassifyTask, answers: Iterable[Asked]) -> list[_Call]:
    prepare(task.model)
    return [_Call(call, to_json(call)) for call in _load(task.model).call(answers)]


def _call_cached(task: ClassifyTask, block: Sequence[Line], folder: Path) -> tuple[list[_Call], int]:
    """Call the answers that the cache does not know, and keep the calls."""
    made_by = hash_key(*list_versions().values(), task.full_name).hex()
    keys = [hash_key(made_by, a.question, a.proposition, a.headline, a.text) for a in block]
    with CallCache(folder) as cache:
        found = {key: _Call(from_json(content), content) for key, content in cache.get(keys).items()}
        n_known = sum(key in found for key in keys)
        # An answer that stands in the block twice is called once.
        new = {key: answer for key, answer in zip(keys, block, strict=True) if key not in found}
        if new:
            made = dict(zip(new, _call(task, new.values()), strict=True))
            cache.put({key: call.content for key, call in made.items()})
            found |= made
    return [found[key] for key in keys], n_known


def _join(line: Line, call: _Call) -> bytes:
    if line.is_apart:
        # Two JSON objects without a name in common are joined as text, far faster than as data.
        return line.content[:-1] + b"," + call.content[1:] + b"\n"
    return to_json(join_call(from_json(line.content), call.row)) + b"\n"


@lru_cache(maxsize=1)
def _load(model: str) -> Classifier:
    # Here, as a process begun to work out blocks has no main function.
    collect_seldom()
    return Classifier(model)
