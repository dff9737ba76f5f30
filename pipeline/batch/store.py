"""Where the shards of a run are kept: a folder, or an object store that fsspec knows.

A shard is written by the one who worked it out, whole or not at all, and says of itself how long it is, what
is in it and what the sum of its bytes is: neither half a shard, nor one whose bytes were not yet on the disk when
the machine was switched off, nor a lost count is ever taken for a whole one.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from pipeline.errors import BadInput, MedstanceError, WrongUsage
from pipeline.folders import name_beside

_SHARD, _BLOCK, _UNFINISHED = ".shard", ".block", ".new"
_MARK = "stance.mark"
_HEAD_BYTES = 1 << 16


class Store(Protocol):
    """Named pieces of bytes, of which each appears whole."""

    def put(self, name: str, data: bytes) -> None:
        """Write a piece; it need not outlive the machine's being switched off in that moment."""
        ...

    def open(self, name: str) -> IO[bytes]:
        """Open a piece for reading."""
        ...

    def peek(self, name: str) -> tuple[bytes, int]:
        """Return a piece's first line, or its beginning where that is long, and the piece's size."""
        ...

    def names(self) -> list[str]:
        """Return the names of all pieces, sorted."""
        ...

    def delete(self, name: str) -> None:
        """Delete a piece, if it is there."""
        ...

    def remove(self) -> None:
        """Leave nothing of the store itself, where nothing is in it."""
        ...


class FolderStore:
    """A store in a folder of this machine, or of a file system that several machines share."""

    def __init__(self, folder: Path, *, is_new: bool) -> None:
        self._folder = folder
        if is_new:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise WrongUsage(f"{folder}: cannot be written ({error.strerror})") from error

    def put(self, name: str, data: bytes) -> None:
        """Write a piece, see `Store`."""
        new = name_beside(self._folder / f"{name}{_UNFINISHED}")
        try:
            with self._told():
                with new.open("xb") as file:
                    file.write(data)
                new.replace(self._folder / name)
        finally:
            new.unlink(missing_ok=True)

    def open(self, name: str) -> IO[bytes]:
        """Open a piece, see `Store`."""
        with self._told():
            return (self._folder / name).open("rb")

    def peek(self, name: str) -> tuple[bytes, int]:
        """Return a piece's beginning and size, see `Store`."""
        with self.open(name) as file:
            return file.readline(_HEAD_BYTES), os.fstat(file.fileno()).st_size

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say in one line that what should be here is not."""
        try:
            yield
        except FileNotFoundError as error:
            gone = "is not there: its folder was deleted, or is none that all workers share (see --shards)"
            raise WrongUsage(f"{error.filename}: {gone}") from error

    def names(self) -> list[str]:
        """List the pieces, see `Store`."""
        with suppress(FileNotFoundError):
            return sorted(entry.name for entry in os.scandir(self._folder))
        return []

    def delete(self, name: str) -> None:
        """Delete a piece, see `Store`."""
        (self._folder / name).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder if it is empty, see `Store`."""
        with suppress(OSError):
            self._folder.rmdir()


class ObjectStore:
    """A store that fsspec opens, such as ``s3://bucket/run``; an object is put whole by one request."""

    def __init__(self, url: str, *, is_new: bool) -> None:
        self._url = url
        self._files, self._root = _open_file_system(url)
        # What has folders names them from "/" on; elsewhere the first part is a bucket, and not ours to make.
        if is_new and self._root.startswith("/"):
            with _told(url):
                self._files.makedirs(self._root, exist_ok=True)

    def put(self, name: str, data: bytes) -> None:
        """Write a piece, see `Store`."""
        with _told(self._url):
            self._files.pipe_file(f"{self._root}/{name}", data)

    def open(self, name: str) -> IO[bytes]:
        """Open a piece, see `Store`."""
        # Whole, by one request: it is read whole, and what fails fails here.
        with _told(self._url):
            return io.BytesIO(self._files.cat_file(f"{self._root}/{name}"))

    def peek(self, name: str) -> tuple[bytes, int]:
        """Return a piece's beginning and size, see `Store`."""
        path = f"{self._root}/{name}"
        with _told(self._url):
            size = int(self._files.size(path))
            beginning = self._files.cat_file(path, start=0, end=min(size, _HEAD_BYTES))
        return bytes(beginning.partition(b"\n")[0]) + b"\n", size

    def names(self) -> list[str]:
        """List the pieces, see `Store`."""
        # Other clients write here too: what was listed before says nothing.
        self._files.invalidate_cache()
        with _told(self._url), suppress(FileNotFoundError):
            return sorted(path.rpartition("/")[2] for path in self._files.ls(self._root, detail=False))
        return []

    def delete(self, name: str) -> None:
        """Delete a piece, see `Store`."""
        with _told(self._url), suppress(FileNotFoundError):
            self._files.rm_file(f"{self._root}/{name}")

    def remove(self) -> None:
        """Remove the folder if it is empty and the system has any, see `Store`."""
        if self._root.startswith("/"):
            # Each system has errors of its own for one that is not empty.
            with suppress(Exception):
                self._files.rmdir(self._root)


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Say in one line what a store answers, or that it does not: each has exceptions of its own."""
    try:
        yield
    except MedstanceError:
        raise
    except Exception as error:
        raise WrongUsage(f"{url}: cannot be used ({type(error).__name__}: {error})") from error


def _open_file_system(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise WrongUsage(f"{url}: needs fsspec: pip install 'medstance[dask]'") from error
    try:
        files, root = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise WrongUsage(f"{url}: cannot be opened ({error})") from error
    return files, str(root).rstrip("/")


def own_part(place: str) -> str:
    """Name a new part of a place.

    It is not named after the output: another machine may have one of that name, and shares no lock with this one.
    """
    return f"{place}/{secrets.token_hex(8)}"


def open_store(place: str, *, is_new: bool = True) -> Store:
    """Open a store: an address with ``://`` by fsspec, anything else is a folder, made where it `is_new`."""
    return ObjectStore(place, is_new=is_new) if "://" in place else FolderStore(Path(place), is_new=is_new)


# ---------------------------------------------------------------- shards and blocks


@dataclass(frozen=True)
class Shard:
    """A block of results.

    Attributes
    ----------
    number
        Its place in the run, from 0.
    summary
        What is in it, JSON-ready.
    content
        The results as they stand in the output.
    """

    number: int
    summary: Mapping[str, Any]
    content: bytes


class DamagedShard(BadInput):
    """A shard that is not what was written."""


def write_shard(store: Store, shard: Shard) -> None:
    """Write a shard: a line of JSON that says what it is, then its content."""
    head = {"size": len(shard.content), "crc32": zlib.crc32(shard.content), "summary": shard.summary}
    store.put(_name(shard.number, _SHARD), json.dumps(head).encode() + b"\n" + shard.content)


def read_shard(store: Store, number: int) -> Shard:
    """Read a shard.

    Raises
    ------
    DamagedShard
        When it is cut off or otherwise damaged; it is deleted then, so that a later run makes it anew.
    """
    name = _name(number, _SHARD)
    with store.open(name) as file:
        head = _parse_head(file.readline())
        content = file.read()
    if head is None or (len(content), zlib.crc32(content)) != (head.size, head.crc32):
        store.delete(name)
        raise DamagedShard(name, "is damaged: go on with --resume, which makes it anew")
    return Shard(number, head.summary, content)


class _Head(NamedTuple):
    summary: Mapping[str, Any]
    size: int
    crc32: int


def _parse_head(line: bytes) -> _Head | None:
    """Return what a shard says of itself; None where it says nothing of the kind."""
    try:
        head = json.loads(line)
        return _Head(dict(head["summary"]), int(head["size"]), int(head["crc32"]))
    except (ValueError, KeyError, TypeError):
        return None


def write_block(store: Store, number: int, content: bytes) -> None:
    """Write a block of input for whoever works it out."""
    store.put(_name(number, _BLOCK), content)


def take_block(store: Store, number: int) -> bytes:
    """Read a block of input."""
    with store.open(_name(number, _BLOCK)) as file:
        return file.read()


def delete_block(store: Store, number: int) -> None:
    """Delete a block of input whose shard is written."""
    store.delete(_name(number, _BLOCK))


def delete_shard(store: Store, number: int) -> None:
    """Delete a shard that went to its reader."""
    store.delete(_name(number, _SHARD))


def sweep(store: Store) -> dict[int, Mapping[str, Any]]:
    """Delete what an ended run left unfinished, and return what the whole shards say of themselves, by number."""
    whole: dict[int, Mapping[str, Any]] = {}
    for name in store.names():
        if name.endswith(_SHARD):
            # What is in them may be as large as the output: the size says enough.
            line, size = store.peek(name)
            head = _parse_head(line)
            if head is not None and size == len(line) + head.size:
                whole[int(name.removesuffix(_SHARD))] = head.summary
            else:
                store.delete(name)
        elif name.endswith(_BLOCK) or _UNFINISHED in name:
            store.delete(name)
    return whole


def delete_damaged(store: Store) -> None:
    """Delete every damaged shard: where there is one, there may be more."""
    for number in sweep(store):
        with suppress(DamagedShard):
            read_shard(store, number)


def mark(store: Store) -> None:
    """Mark a store as a run's: one that is away for a while is not one that has no shards."""
    store.put(_MARK, b"")


def is_marked(store: Store) -> bool:
    """Say whether a store is there, and a run's."""
    return _MARK in store.names()


def empty(store: Store) -> None:
    """Delete every piece of a run but its mark."""
    for name in store.names():
        if name.endswith((_SHARD, _BLOCK)) or _UNFINISHED in name:
            store.delete(name)


def remove(store: Store) -> None:
    """Leave nothing of a store that is empty but for its mark."""
    store.delete(_MARK)
    store.remove()


def clear(store: Store) -> None:
    """Leave nothing of a run in a store, and nothing of the store where nothing else is in it."""
    empty(store)
    remove(store)


def _name(number: int, ending: str) -> str:
    return f"{number:08d}{ending}"
