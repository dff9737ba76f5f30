"""What every test may use: the label scheme, the parser and the shipped models, each built once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from pipeline.lexicon import default_lexicon_text, parse_lexicon
from pipeline.manifest import find_model, read_folder
from pipeline.persistence import load_model
from pipeline.preprocess import AnswerParser
from pipeline.workflow.scheme import default_scheme

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.classify import StanceModel
    from pipeline.schema import LabelScheme

# No test may depend on a time. An example costs nearly twice as much while coverage is measured: half of the usual.
settings.register_profile("medstance", deadline=None, max_examples=50)
settings.load_profile("medstance")

# What the suite classifies with where a test does not say: many tests need many answers.
os.environ["MEDSTANCE_MODEL"] = "fast"

CHECKOUT = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: "slow" not in item.keywords)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the checkout."""
    return CHECKOUT


@pytest.fixture(scope="session")
def sheet() -> str:
    """The datasheet of the labelled data."""
    return (CHECKOUT / "data" / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def samples() -> Path:
    """The sample sources that come with the project."""
    return CHECKOUT / "data" / "samples"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real pages and corpora, which are no part of the project: a test that needs them is skipped without."""
    path = CHECKOUT.parent / "shared"
    if not path.is_dir():
        pytest.skip("the folder of real pages is not on this machine")
    return path


@pytest.fixture(scope="session")
def scheme() -> LabelScheme:
    """The default label scheme."""
    return default_scheme()


@pytest.fixture(scope="session")
def parser() -> AnswerParser:
    """The parser with the default lexicon."""
    return AnswerParser(parse_lexicon(default_lexicon_text(), "cues.toml"))


@pytest.fixture(scope="module")
def no_model_named() -> Iterator[None]:
    """Classify with the default model, as a user does who names none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MEDSTANCE_MODEL")
        yield


@pytest.fixture(scope="session")
def model() -> StanceModel:
    """The model that comes with medstance and reads with an encoder."""
    return load_model(read_folder(find_model("default")))


@pytest.fixture(scope="session")
def fast_model() -> StanceModel:
    """The model that comes with medstance and reads words and cues alone."""
    return load_model(read_folder(find_model("fast")))
