"""The folder of an unfinished run: what it was begun with, its shards, and a lock against a second run."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.batch.store import Store, clear, empty, is_marked, mark, open_store, own_part, remove, sweep
from pipeline.errors import BadInput, MedstanceError, WrongUsage
from pipeline.folders import flush_folder

RUN_SUFFIX = ".run"
_PLAN, _NEW_PLAN, _LOCK = "run.json", "run.json.new", "lock"
"""The second is a plan that is not yet, or no longer, in force: where its shards would be, nothing is to be left."""

_PLACE = "shards_in"
"""What the plan says of where the shards are, where that is not its own folder."""


@dataclass(frozen=True)
class RunFolder:
    """An open run.

    Attributes
    ----------
    path
        The folder, beside the output.
    place
        Where its shards are.
    store
        The same, open.
    is_repeatable
        Whether it can be taken up.
    done
        What the shards that were there already say of themselves, by number.
    """

    path: Path
    place: str
    store: Store
    is_repeatable: bool
    done: Mapping[int, Mapping[str, Any]]

    def end_early(self) -> int:
        """Return how many shards there are for a later run to take up; where there can be none, nothing is left."""
        try:
            if self.place != str(self.path) and not is_marked(self.store):
                # Away for a moment, maybe, and then what it holds is for the next run to see.
                return 1
            n_shards = len(sweep(self.store)) if self.is_repeatable else 0
            if not n_shards:
                self.delete()
        except (MedstanceError, OSError):
            # A store that does not answer may be why the run ends: what it holds is for the next run to see.
            return 1
        return n_shards

    def delete(self) -> None:
        """Delete it: the run has ended, or is not worth taking up again."""
        empty(self.store)
        # Before the mark: cut off here, there is no run whose shards are missing.
        _repeal_plan(self.path)
        remove(self.store)
        # The lock goes last: cut off here, too, the folder is one of a run.
        with suppress(FileNotFoundError):
            names = (entry.name for entry in os.scandir(self.path))
            for name in sorted(names, key=lambda name: (name == _LOCK, name)):
                (self.path / name).unlink(missing_ok=True)
        # Another run may have begun in that very moment.
        with suppress(OSError):
            self.path.rmdir()


@contextmanager
def open_run(
    output: Path, plan: Mapping[str, Any], *, resume: bool, place: str | None, check: Callable[[Any, Any], None]
) -> Iterator[RunFolder]:
    """Open the run that makes a file: a new one, or with `resume` an unfinished one.

    Parameters
    ----------
    output
        The file that is made in the end; the folder stands beside it.
    plan
        What the results depend on, JSON-ready: a run is taken up again with the same plan alone. One whose
        `is_repeatable` is false can never be taken up: the next begins anew.
    resume
        Whether to take up an unfinished run, if there is one.
    place
        Where the shards go, into a part of its own; None for the folder itself.
    check
        Called with the earlier plan and this one where a run is taken up; raises when they differ.

    Raises
    ------
    WrongUsage
        When another run makes the same file, when there is an unfinished one that was not asked for, or when
        the folder is none of a run.
    """
    output = output.resolve()
    path = output.with_name(output.name + RUN_SUFFIX)
    with _locked(path, output):
        earlier = _read_plan(path)
        # Where that run kept its shards: not always the place that is named now.
        kept_in = str(path) if earlier is None else earlier.pop(_PLACE, str(path))
        is_lasting = earlier is not None and earlier.get("is_repeatable", True)
        if is_lasting and resume:
            check(earlier, plan)
        _remove_half_made(path)
        kept = open_store(kept_in, is_new=False)
        if is_lasting and kept_in != str(path) and not is_marked(kept):
            raise WrongUsage(
                f"{kept_in}: the shards of an unfinished run are not there: "
                f"see to it that they are, or delete {path} to begin anew"
            )
        done: Mapping[int, Mapping[str, Any]] = sweep(kept) if is_lasting else {}
        is_repeatable = bool(plan.get("is_repeatable", True))
        if done and not resume:
            also = "" if kept_in == str(path) else f" and {kept_in}"
            raise WrongUsage(
                f"{output}: an unfinished run is in {path}: "
                f"go on with --resume, or delete that folder{also} to begin anew"
            )
        if done:
            yield RunFolder(path, kept_in, kept, is_repeatable, done)
            return
        # Before the mark, as in `RunFolder.delete`.
        _repeal_plan(path)
        _clear_repealed(path)
        clear(kept)
        own = str(path) if place is None else own_part(place)
        _draw_up_plan(path, plan if place is None else {**plan, _PLACE: own})
        run = RunFolder(path, own, open_store(own), is_repeatable, {})
        try:
            if place is not None:
                # A store that does not answer says so before the plan is in force.
                mark(run.store)
            (path / _NEW_PLAN).replace(path / _PLAN)
            flush_folder(path)
        except BaseException:
            # The plan may have its name already, and waits for the disk.
            with suppress(MedstanceError, OSError):
                run.delete()
            raise
        yield run


@contextmanager
def _locked(path: Path, output: Path) -> Iterator[None]:
    """Hold the folder's lock; the system lets go of it however the run ends."""
    try:
        while (lock := _take_lock(path, output)) is None:
            pass
        with lock:
            yield
    except BaseException:
        # Cut off even in the moment in which it is made or locked, nothing of it is left.
        _remove_if_bare(path)
        raise


def _take_lock(path: Path, output: Path) -> BinaryIO | None:
    """Make the folder and lock it; None where the run that had it deletes it in that very moment."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WrongUsage(f"{path}: cannot be written ({error.strerror})") from error
    try:
        lock = (path / _LOCK).open("ab")
    except FileNotFoundError:
        # The run that had the folder has just deleted it.
        return None
    except OSError as error:
        raise WrongUsage(f"{path}: cannot be written ({error.strerror})") from error
    try:
        _lock(lock, output)
        # Between opening and locking, the run that held it may have ended and deleted its folder.
        if (path / _LOCK).exists() and os.path.samestat(os.fstat(lock.fileno()), (path / _LOCK).stat()):
            return lock
    except BaseException:
        # What a traceback keeps open stays locked.
        lock.close()
        raise
    lock.close()
    return None


def _lock(lock: BinaryIO, output: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise WrongUsage(f"{output}: another run is making it: wait for its end, or name another -o") from error


def _remove_if_bare(path: Path) -> None:
    """Remove the folder of a run that was cut off before it had a plan, unless another run has it now."""
    with suppress(OSError):
        if (path / _LOCK).exists():
            with (path / _LOCK).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if {entry.name for entry in os.scandir(path)} <= {_LOCK, _NEW_PLAN}:
                    for name in (_NEW_PLAN, _LOCK):
                        (path / name).unlink(missing_ok=True)
        path.rmdir()


def _remove_half_made(path: Path) -> None:
    """Remove what a killed run was making here: each may be as large as the output."""
    for entry in os.scandir(path):
        if entry.name.startswith("."):
            (path / entry.name).unlink(missing_ok=True)


def _read_plan(path: Path) -> dict[str, Any] | None:
    """Return the plan of the run in a folder; None where there is none yet."""
    try:
        return dict(json.loads((path / _PLAN).read_text(encoding="utf-8")))
    except FileNotFoundError:
        others = sorted(entry.name for entry in os.scandir(path) if entry.name not in {_LOCK, _NEW_PLAN})
        if others:
            raise WrongUsage(
                f"{path}: holds {others[0]} and is no folder of a run: move it, or name another -o"
            ) from None
        return None
    except (ValueError, TypeError) as error:
        raise BadInput(str(path / _PLAN), "is damaged: delete the folder to begin anew") from error


def _draw_up_plan(path: Path, plan: Mapping[str, Any]) -> None:
    """Write a plan that is not yet in force: cut off here, the next run knows where one was begun."""
    with (path / _NEW_PLAN).open("w", encoding="utf-8") as file:
        # A file's name may hold what is no UTF-8.
        json.dump(plan, file, indent=2)
        file.flush()
        os.fsync(file.fileno())


def _repeal_plan(path: Path) -> None:
    with suppress(FileNotFoundError):
        (path / _PLAN).replace(path / _NEW_PLAN)


def _clear_repealed(path: Path) -> None:
    """Leave nothing where the shards of a plan that is not in force were to be, if the place answers."""
    with suppress(OSError, ValueError, TypeError, MedstanceError):
        place = dict(json.loads((path / _NEW_PLAN).read_text(encoding="utf-8"))).get(_PLACE)
        if isinstance(place, str):
            clear(open_store(place, is_new=False))


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
