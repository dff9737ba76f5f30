"""Which Chromium is taken, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.chromium import NAMES, NoChromium, find_chromium


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with a program of every name that is looked for, and one more."""
    for name in (*NAMES, "my-chromium"):
        path = tmp_path / name
        path.write_text("#!/bin/sh\n", encoding="utf-8")
        path.chmod(0o755)
    return tmp_path


def test_the_named_one_comes_first(programs: Path) -> None:
    assert find_chromium({"PATH": str(programs), "MEDSTANCE_CHROMIUM": "my-chromium"}) == str(programs / "my-chromium")


def test_then_the_first_of_the_known_names(programs: Path) -> None:
    for name in NAMES:
        assert find_chromium({"PATH": str(programs)}) == str(programs / name)
        (programs / name).unlink()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"PATH": "/nowhere"}, "none of chromium, chromium-browser, google-chrome is no program"),
        ({"PATH": "/nowhere", "MEDSTANCE_CHROMIUM": "/no/such"}, "MEDSTANCE_CHROMIUM names /no/such, which is no"),
    ],
    ids=["none", "misnamed"],
)
def test_where_there_is_none_it_says_what_to_do(environment: dict[str, str], said: str) -> None:
    with pytest.raises(NoChromium, match="apt-get install chromium") as caught:
        find_chromium(environment)
    assert str(caught.value).startswith(said)
