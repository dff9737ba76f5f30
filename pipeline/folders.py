"""Folders that appear whole or not at all, and the names that things are made under."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import WrongUsage


def name_beside(place: Path) -> Path:
    """Return a hidden name beside a place that nothing has: where its content is made."""
    return place.with_name(f".{place.name}-{secrets.token_hex(4)}")


def flush_folder(folder: Path) -> None:
    """Make the names in a folder outlive the machine's being switched off."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextmanager
def open_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder that takes another's place and name when the block ends well.

    Parameters
    ----------
    folder
        The name in the end; what is there now stays until then, and for good when the block raises.

    Raises
    ------
    WrongUsage
        When nothing can be written there.
    """
    # Named before it is made: whenever the run is interrupted, there is a name to clean up by.
    new = name_beside(folder)
    try:
        try:
            new.mkdir(parents=True)
        except OSError as error:
            raise WrongUsage(f"{folder}: cannot be written ({error.strerror}): name another place with -o") from error
        yield new
        if folder.exists():
            old = new.with_name(new.name + "-old")
            folder.rename(old)
            try:
                new.rename(folder)
            except BaseException:
                old.rename(folder)
                raise
            shutil.rmtree(old)
        else:
            new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
