"""Folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import WrongUsage


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
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise WrongUsage(f"{folder}: cannot be written ({error.strerror}): name another place with -o") from error
    try:
        yield new
        # mkdtemp makes folders that only the owner can read; results follow the user's own mask.
        mask = os.umask(0)
        os.umask(mask)
        new.chmod(0o777 & ~mask)
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
