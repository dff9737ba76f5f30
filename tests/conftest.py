"""What every test may use: the label scheme, the parser and the shipped model, each built once."""

from __future__ import annotations

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
    from pipeline.classify import StanceModel
    from pipeline.schema import LabelScheme

# No test may depend on a time. An example costs nearly twice as much while coverage is measured: half of the usual.
settings.register_profile("medstance", deadline=None, max_examples=50)
settings.load_profile("medstance")

CHECKOUT = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: "slow" not in item.keywords)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the checkout."""
    return CHECKOUT


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


@pytest.fixture(scope="session")
def model() -> StanceModel:
    """The model that comes with medstance."""
    return load_model(read_folder(find_model("default")))
