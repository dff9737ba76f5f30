"""Where blocks are worked out: in this process, in several of this machine, or on a Dask cluster."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from typing import Any, Protocol, TypeVar

from pipeline.errors import MedstanceError, WrongUsage

R = TypeVar("R")
_MAX_DEATHS = 3
"""How often a block is tried whose worker dies: a block that kills every worker would never end."""
_AHEAD = 2
_CONNECT_SECONDS = 30
_GIVE_UP_SECONDS = 60


class Pending(Protocol):
    """A call that is or will be made elsewhere."""

    def result(self) -> Any:
        """Wait for it, and return what it returned or raise what it raised."""
        ...

    def give_up(self, seconds: float) -> None:
        """Cancel it, or where it has begun wait for its end, so long at most."""
        ...


class Backend(Protocol):
    """Makes calls.

    Attributes
    ----------
    capacity
        Calls that should be under way at a time; 0 when each is made at once.
    """

    capacity: int

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Pending:
        """Begin a call."""
        ...


def map_in_order(backend: Backend, function: Callable[..., R], calls: Iterable[Sequence[Any]]) -> Generator[R]:
    """Make calls, as many at a time as the back end takes, and give their results in order.

    Parameters
    ----------
    backend
        From `open_backend`.
    function
        Found by name in other processes.
    calls
        The arguments of each; taken as they are needed.
    """
    pending: deque[Pending] = deque()
    try:
        for arguments in calls:
            pending.append(backend.submit(function, *arguments))
            if len(pending) > backend.capacity:
                yield pending[0].result()
                pending.popleft()
        while pending:
            yield pending[0].result()
            pending.popleft()
    finally:
        # Whoever tidies up next must not be followed by a call that still writes.
        until = time.monotonic() + _GIVE_UP_SECONDS
        for call in pending:
            call.give_up(max(0.0, until - time.monotonic()))


@contextmanager
def open_backend(
    name: str,
    *,
    n_jobs: int,
    scheduler: str | None = None,
    prepare: Callable[[], object] | None = None,
    say: Callable[[str], object] = lambda _: None,
) -> Iterator[Backend]:
    """Open a back end: ``local`` or ``dask``.

    Parameters
    ----------
    name
        Which.
    n_jobs
        Processes of the local one; one works in this process.
    scheduler
        Address of the Dask scheduler.
    prepare
        What new processes of this machine do until the first call is there; that it fails is for the calls to say.
    say
        Where notices go.
    """
    if name == "dask":
        with _dask(scheduler, say) as backend:
            yield backend
    elif n_jobs == 1:
        yield _Here()
    else:
        with _processes(n_jobs, prepare) as backend:
            yield backend


# ---------------------------------------------------------------- this process


class _Here:
    capacity = 0

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Pending:
        return _Made(function(*arguments))


class _Made:
    def __init__(self, value: Any) -> None:
        self._value = value

    def result(self) -> Any:
        return self._value

    def give_up(self, seconds: float) -> None:
        pass


# ---------------------------------------------------------------- processes of this machine


class _Processes:
    """A pool that is replaced when one of its processes dies, as the out-of-memory killer makes them."""

    def __init__(self, n_jobs: int, prepare: Callable[[], object] | None) -> None:
        self._n_jobs = n_jobs
        self._prepare = prepare
        self.capacity = _AHEAD * n_jobs
        self.pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        pool = ProcessPoolExecutor(self._n_jobs, multiprocessing.get_context("spawn"), _begin_worker)
        if self._prepare is not None:
            # A process is begun for every call that none is free for; one that dies of it is for the calls to say.
            with suppress(BrokenProcessPool):
                for _ in range(self._n_jobs):
                    _submit(pool, self._prepare)
        return pool

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Pending:
        return _Tried(self, function, arguments)

    def begin(self, function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[ProcessPoolExecutor, Future[Any]]:
        """Hand a call to the pool, to a new one where it is broken."""
        try:
            return self.pool, _submit(self.pool, function, *arguments)
        except BrokenProcessPool:
            self.replace(self.pool)
            return self.pool, _submit(self.pool, function, *arguments)

    def replace(self, broken: ProcessPoolExecutor) -> None:
        """Replace a broken pool, unless that is done."""
        if broken is self.pool:
            broken.shutdown(wait=True, cancel_futures=True)
            self.pool = self._start()


class _Tried:
    """A call that is made again when its process dies."""

    def __init__(self, backend: _Processes, function: Callable[..., Any], arguments: Sequence[Any]) -> None:
        self._backend, self._function, self._arguments = backend, function, arguments
        self._pool, self._future = backend.begin(function, arguments)

    def result(self) -> Any:
        for _ in range(_MAX_DEATHS):
            try:
                return self._future.result()
            except BrokenProcessPool:
                self._backend.replace(self._pool)
                self._pool, self._future = self._backend.begin(self._function, self._arguments)
        try:
            return self._future.result()
        except BrokenProcessPool as error:
            raise MedstanceError("processes die again and again: is there enough memory? (see --jobs)") from error

    def give_up(self, seconds: float) -> None:
        if not self._future.cancel():
            wait([self._future], seconds)


@contextmanager
def _processes(n_jobs: int, prepare: Callable[[], object] | None) -> Iterator[_Processes]:
    backend = _Processes(n_jobs, prepare)
    try:
        yield backend
    finally:
        backend.pool.shutdown(wait=True, cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
    """Submit a call; a process that is begun for it never gets a Ctrl-C, which goes to all of a terminal's."""
    # Begun later, it would let interrupts through again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(function, *arguments)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_worker() -> None:
    """Leave interrupts to the main process, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


# ---------------------------------------------------------------- a Dask cluster


class _Dask:
    """Tasks on a cluster: one whose worker dies is given to another."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.capacity = _AHEAD * max(1, sum(client.nthreads().values()))

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Pending:
        # Not pure: the same call of a later run must not be answered from an earlier one.
        return _DaskTask(self._client.submit(function, *arguments, pure=False))


class _DaskTask:
    def __init__(self, future: Any) -> None:
        self._future = future

    def result(self) -> Any:
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        try:
            return self._future.result()
        except KilledWorker as error:
            raise MedstanceError(f"workers die again and again: {error}") from error
        except FutureCancelledError as error:
            raise MedstanceError(f"the scheduler has gone: {error}: go on with --resume") from error
        except ModuleNotFoundError as error:
            raise WrongUsage(f"a worker lacks {error.name}: install the same medstance on every worker") from error

    def give_up(self, seconds: float) -> None:
        from distributed import wait

        # A task that has begun cannot be cancelled; how one ends does not matter any more.
        with suppress(Exception):
            wait([self._future], timeout=seconds)


@contextmanager
def _dask(scheduler: str | None, say: Callable[[str], object]) -> Iterator[_Dask]:
    if scheduler is None:
        raise WrongUsage("--backend dask: name the cluster with --scheduler ADDRESS, as tcp://host:8786")
    try:
        from distributed import Client
    except ImportError as error:
        raise WrongUsage("--backend dask: Dask is not installed: pip install 'medstance[dask]'") from error
    try:
        client = Client(scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise WrongUsage(f"--scheduler {scheduler}: no scheduler answers there ({error})") from error
    with client:
        # One that grows with its work has none before there is any.
        if not client.nthreads():
            say(f"{scheduler} has no workers yet: the run waits for them (dask worker {scheduler})")
        yield _Dask(client)
