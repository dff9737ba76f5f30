"""Arrays as an archive of NumPy (npz) whose bytes depend on them alone, read without pickle: it cannot run code."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import ModelError

_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def dump_arrays(arrays: Mapping[str, Any]) -> bytes:
    """Serialise arrays by name; NumPy itself stamps the archive with the time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in sorted(arrays.items()):
            info = zipfile.ZipInfo(f"{name}.npy", _ZIP_DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = 0o600 << 16
            data = io.BytesIO()
            np.lib.format.write_array(data, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(info, data.getvalue())
    return out.getvalue()


def read_arrays(path: Path) -> dict[str, Any]:
    """Read an archive's arrays.

    Raises
    ------
    ModelError
        When it is no archive of plain arrays.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except Exception as error:
        # Whatever a malformed archive makes NumPy raise, to the user it is one thing, in one line.
        reason = " ".join(str(error).split())
        raise ModelError(f"{path}: cannot be loaded ({type(error).__name__}: {reason})") from error


def text_array(names: Iterable[str]) -> Any:
    """Store names as the bytes of one text, a line each: far smaller than an array of texts of one length."""
    return np.frombuffer("\n".join(names).encode(), dtype=np.uint8)


def read_text_array(array: Any) -> tuple[str, ...]:
    """Read the names that `text_array` stored.

    Raises
    ------
    TypeError, ValueError
        When it is no text.
    """
    if array.dtype != np.uint8:
        raise TypeError("its names are no text")
    return tuple(array.tobytes().decode().split("\n"))
