"""Folders take their place whole, and only when all went well."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import WrongUsage
from pipeline.folders import open_folder


def fill(folder: Path, text: str) -> None:
    (folder / "file.txt").write_text(text, encoding="utf-8")


def test_a_folder_takes_its_name_at_the_end(tmp_path: Path) -> None:
    place = tmp_path / "deep" / "folder"
    with open_folder(place) as new:
        fill(new, "new")
        assert not place.exists()
    assert (place / "file.txt").read_text(encoding="utf-8") == "new"
    assert list(place.parent.iterdir()) == [place]


def test_a_folder_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    place = tmp_path / "folder"
    with open_folder(place) as new:
        fill(new, "old")
    with pytest.raises(FileNotFoundError), open_folder(place) as new:
        fill(new / "missing", "new")
    assert (place / "file.txt").read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [place]


def test_a_folder_replaces_another_as_a_whole(tmp_path: Path) -> None:
    place = tmp_path / "folder"
    place.mkdir()
    fill(place, "old")
    (place / "other.txt").write_text("old", encoding="utf-8")
    with open_folder(place) as new:
        fill(new, "new")
    assert [path.name for path in place.iterdir()] == ["file.txt"]


def test_a_folder_can_be_read_by_whom_the_users_mask_allows(tmp_path: Path) -> None:
    with open_folder(tmp_path / "folder"):
        pass
    plain = tmp_path / "plain"
    plain.mkdir()
    assert (tmp_path / "folder").stat().st_mode == plain.stat().st_mode


def test_a_place_below_a_file_is_wrong_usage_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(WrongUsage, match=r"folder: cannot be written"), open_folder(tmp_path / "file" / "folder"):
        pass
