"""Label schemes, and the files that come with the package."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import ValidationError

from pipeline.errors import BadInput
from pipeline.schema import (
    LabelScheme,
    first_problem,
)


def package_file(name: str) -> str:
    """Return a data file's text from the installed package, or from the checkout it runs in."""
    package = Path(__file__).resolve().parents[1]
    places = (package / "resources" / Path(name).name, package.parent / name)
    return next(place for place in places if place.is_file()).read_text(encoding="utf-8")


def default_scheme() -> LabelScheme:
    """Return the label scheme that comes with medstance."""
    return parse_scheme(package_file("data/label_scheme.toml"), "label_scheme.toml")


def parse_scheme(text: str, name: str) -> LabelScheme:
    """Read a label scheme from TOML text.

    Raises
    ------
    BadInput
        When it is none.
    """
    try:
        data = tomllib.loads(text)
        return LabelScheme.model_validate({"name": data.get("name"), "labels": data.get("label")})
    except tomllib.TOMLDecodeError as error:
        raise BadInput(name, f"is no TOML: {error}") from error
    except ValidationError as error:
        where, problem = first_problem(error)
        raise BadInput(name, problem, where=where) from error


def read_scheme(path: Path) -> LabelScheme:
    """Read a label scheme from a TOML file.

    Raises
    ------
    BadInput
        When it cannot be read or is none.
    """
    try:
        return parse_scheme(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(str(path), f"cannot be read ({error})") from error
