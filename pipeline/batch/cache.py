"""A cache of results by what they were made of, so that only what is new is worked out."""

from __future__ import annotations

import fcntl
import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

from pipeline.errors import WrongUsage

_FILE, _LOCK = "calls.sqlite", "lock"
_WAIT_SECONDS = 300.0
_MAX_ASKED = 900
"""Keys in one question to SQLite, which takes 999 at least."""
_ADVICE = {sqlite3.SQLITE_FULL: "make room there, or "} | dict.fromkeys(
    (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB), "delete it, or "
)
"""What to do about a file, by the kind of error; about all else, as a disk that is read-only, nothing but to move."""


def hash_key(*parts: str | None) -> bytes:
    """Return sixteen bytes that stand for some texts, in order; None differs from an empty text.

    Examples
    --------
    >>> hash_key("a", "b") == hash_key("a", "b"), hash_key("ab", "") == hash_key("a", "b")
    (True, False)
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = b"" if part is None else part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % (-1 if part is None else len(data)))
        digest.update(data)
    return digest.digest()


class CallCache:
    """Results by key in an SQLite file, used by several processes of one machine at a time.

    Parameters
    ----------
    folder
        Where the file is, or will be.

    Raises
    ------
    WrongUsage
        When there can be none, or the file is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # SQLite waits for others when it reads and writes, yet not when it changes to another kind of journal.
            with (folder / _LOCK).open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._database = self._open()
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=_WAIT_SECONDS)
        # Readers and a writer do not wait for each other; a lost last entry is worked out again.
        database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
        # Entries stand in order of coming; the index alone is in order of the keys, which are random.
        database.execute("CREATE TABLE IF NOT EXISTS call (key BLOB NOT NULL, content BLOB NOT NULL)")
        database.execute("CREATE UNIQUE INDEX IF NOT EXISTS by_key ON call (key)")
        database.commit()
        return database

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the results that are known, by key."""
        found: dict[bytes, bytes] = {}
        try:
            for first in range(0, len(keys), _MAX_ASKED):
                some = keys[first : first + _MAX_ASKED]
                marks = ",".join("?" * len(some))
                found.update(self._database.execute(f"SELECT key, content FROM call WHERE key IN ({marks})", some))  # noqa: S608 - marks alone
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        return found

    def put(self, results: Mapping[bytes, bytes] | Iterable[tuple[bytes, bytes]]) -> None:
        """Keep results; one that is kept already stays."""
        rows = results.items() if isinstance(results, Mapping) else results
        try:
            with self._database:
                self._database.executemany("INSERT OR IGNORE INTO call VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError | sqlite3.Error) -> WrongUsage:
        reason = error.strerror if isinstance(error, OSError) else error
        # The last eight bits are the kind of error, those before them say more of it.
        kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
        advice = f"{_ADVICE.get(kind, '')}name another folder"
        return WrongUsage(f"--cache: {self._path} cannot be used ({reason}): {advice}")
