"""Errors say the same wherever they are raised."""

from __future__ import annotations

import pickle

import pytest

from pipeline.errors import BadInput, MedstanceError, ModelError, WrongUsage


@pytest.mark.parametrize(
    "error",
    [
        MedstanceError("no memory"),
        WrongUsage("name a file"),
        ModelError("m: is damaged"),
        BadInput("a.csv", "no column 'text'", where="line 1"),
        BadInput("a.csv", "is empty"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_another_process_is_the_same_here(error: MedstanceError) -> None:
    here = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(here) is type(error)
    assert str(here) == str(error)
    assert vars(here) == vars(error)
