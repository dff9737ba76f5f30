"""Run a command and see what it took: CPU time, wall-clock time and memory, children included (Linux)."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.05
_PROC = Path("/proc")


class CommandFailed(Exception):
    """A measured command ended with another exit code than 0."""


@dataclass(frozen=True)
class Run:
    """What a command took."""

    cpu_seconds: float
    """Of the whole process tree, user and system, start-up included."""
    wall_seconds: float
    peak_mb: float
    """Largest sum of the resident memory of all processes at one time; pages that two share count twice."""

    def less(self, other: Run) -> Run:
        """Return the time that this took longer than another run; its memory stays."""
        cpu, wall = self.cpu_seconds - other.cpu_seconds, self.wall_seconds - other.wall_seconds
        return Run(cpu, wall, self.peak_mb)


def run(command: Sequence[str]) -> Run:
    """Run a command to its end; what it prints is dropped.

    Before it becomes the command a new process has the memory of this one, and the kernel counts that: whoever
    measures must be smaller than what is measured, and so must not import spaCy.

    Raises
    ------
    CommandFailed
        When it fails, with the last line of what it said.
    """
    with tempfile.TemporaryFile() as complaints:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=complaints)
        sampler = _Sampler(process.pid)
        sampler.start()
        try:
            # The usage of this one child, with that of the children it waited for: no other command is in it.
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            sampler.stop()
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            complaints.seek(0)
            said = complaints.read().decode("utf-8", "replace").strip().splitlines() or ["nothing was said"]
            raise CommandFailed(f"exit code {process.returncode}: {said[-1]}")
    # The kernel knows the peak of the largest process to the page; sums over several are only seen by looking.
    largest = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    return Run(usage.ru_utime + usage.ru_stime, wall, max(sampler.peak_mb, largest))


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process and of all below it, now; 0 where it is gone."""
    return _resident_kb(pid) * 1024 / 1e6 + sum(resident_mb(child) for child in _children(pid))


def _resident_kb(pid: int) -> int:
    try:
        status = (_PROC / str(pid) / "status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(sizes[0]) if sizes else 0


def _children(pid: int) -> list[int]:
    found: list[int] = []
    # A process may end while one looks.
    try:
        for thread in (_PROC / str(pid) / "task").iterdir():
            found += [int(child) for child in (thread / "children").read_text(encoding="ascii").split()]
    except OSError:
        pass
    return found


class _Sampler(threading.Thread):
    """Looks at the memory of a process tree until it is stopped."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak_mb = 0.0
        self._pid = pid
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self.peak_mb = max(self.peak_mb, resident_mb(self._pid))

    def stop(self) -> None:
        self._ended.set()
        self.join()
