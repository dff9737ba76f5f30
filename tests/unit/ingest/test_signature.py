from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ingest.signature import read_signature, split_credentials, split_signature

RATING = {"rating": 4.6, "n_reviews": 1208}


@pytest.mark.parametrize(
    ("line", "name", "credentials"),
    [
        ("Ada Fennimore, MD", "Ada Fennimore", "MD"),
        ("Ada Fennimore MD", "Ada Fennimore", "MD"),
        ("Ada Q. Fennimore, M.D., Ph.D.", "Ada Q. Fennimore", "M.D., Ph.D."),
        ("Ada Fennimore, MD, FACS, MBA", "Ada Fennimore", "MD, FACS, MBA"),
        ("Ada Fennimore DDS MD", "Ada Fennimore", "DDS MD"),
        ("Ada Fennimore, MD, FRCS(C)", "Ada Fennimore", "MD, FRCS(C)"),
        ("Åsa Öström-O’Neill, DO", "Åsa Öström-O’Neill", "DO"),
        ("Ruy de la Vega y Prat, MD", "Ruy de la Vega y Prat", "MD"),
        ('Ada "Addie" Fennimore, RN', 'Ada "Addie" Fennimore', "RN"),
        ("Ada Fennimore, MD, FACOG", "Ada Fennimore", "MD, FACOG"),
        ("Ada Fennimore, MD, FACP, FAAFP", "Ada Fennimore", "MD, FACP, FAAFP"),
        ("Ada Fennimore, M.D., F.A.C.S.", "Ada Fennimore", "M.D., F.A.C.S."),
        ("Ada Fennimore, BSc, MRCS", "Ada Fennimore", "BSc, MRCS"),
        ("  Dr. Ada Fennimore ", "Dr. Ada Fennimore", None),
        ("Ada Fennimore", "Ada Fennimore", None),
        ("", "", None),
    ],
)
def test_a_signed_name_is_split_from_its_credentials(line: str, name: str, credentials: str | None) -> None:
    assert split_credentials(line) == (name, credentials)


@pytest.mark.parametrize(
    ("lines", "fields"),
    [
        (
            ["Ada Fennimore, MD", "Upper Tarn Plastic Surgeon", "4.6 out of 5 stars 1,208 reviews"],
            {"name": "Ada Fennimore", "credentials": "MD", "location": "Upper Tarn", "specialty": "Plastic Surgeon"}
            | RATING,
        ),
        (
            ["Upper Tarn Dermatologic Surgeon", "4.6 out of 5 stars 1208 reviews"],
            {"location": "Upper Tarn", "specialty": "Dermatologic Surgeon"} | RATING,
        ),
        (["Dr. Ada Fennimore", "Dermatologist"], {"name": "Dr. Ada Fennimore", "specialty": "Dermatologist"}),
        (["Ada Fennimore", "(1.208 ratings)"], {"name": "Ada Fennimore", "n_reviews": 1208}),
        (["Ada Fennimore, MD", "4,6/5 (1208 reviews)"], {"name": "Ada Fennimore", "credentials": "MD"} | RATING),
        (["Ada Fennimore, MD", "Tarn, NJ"], {"name": "Ada Fennimore", "credentials": "MD", "location": "Tarn, NJ"}),
        (["Ada Fennimore, MD", "Tarn, PA"], {"name": "Ada Fennimore", "credentials": "MD", "location": "Tarn, PA"}),
        (["Ada Fennimore, MD", "Tarn, DC"], {"name": "Ada Fennimore", "credentials": "MD", "location": "Tarn, DC"}),
        (
            ["Ada Fennimore, MD", "Tarn, MS", "Tarn Plastic Surgeon"],
            {"name": "Ada Fennimore", "credentials": "MD", "location": "Tarn, MS", "specialty": "Plastic Surgeon"},
        ),
        (
            ["Ada Fennimore, MD", "Ada Q. Fennimore, MD", "Tarn Plastic Surgeon"],
            {"name": "Ada Fennimore", "credentials": "MD", "location": "Tarn", "specialty": "Plastic Surgeon"},
        ),
        (["Facial Plastic Surgeon in Tarn, NJ"], {"specialty": "Facial Plastic Surgeon", "location": "Tarn, NJ"}),
        (["Ear, Nose and Throat Specialist"], {"specialty": "Ear, Nose and Throat Specialist"}),
        (
            ["Tarn-on-the-Water Nurse Practitioner"],
            {"location": "Tarn-on-the-Water", "specialty": "Nurse Practitioner"},
        ),
        (
            ["Newton of the Moor Board Certified Oral & Maxillofacial Surgeon"],
            {"location": "Newton of the Moor", "specialty": "Board Certified Oral & Maxillofacial Surgeon"},
        ),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_every_line_of_a_signature_goes_to_its_field(lines: list[str], fields: dict[str, Any]) -> None:
    assert read_signature(lines) == fields


@pytest.mark.parametrize(
    "line",
    [
        "It is safe.",
        "Good luck",
        "Best Wishes",
        "Good Luck Dear",
        "Botox Works",
        "I would see a dermatologist",
        "Ask a board certified plastic surgeon.",
        "NOT SAFE TO DO",
        "Something I would never DO",
        "5",
        "39 patients",
        "3 out of 5 of my patients",
        "Tarn, NJ",
        "",
    ],
)
def test_a_line_of_an_answer_is_no_signature(line: str) -> None:
    assert read_signature([line]) == {}


def test_one_line_that_fits_nothing_makes_the_block_no_signature() -> None:
    assert read_signature(["Ada Fennimore, MD", "is what I was called", "Dermatologist"]) == {}


@pytest.mark.parametrize(
    "lines", [[], ["Ada Fennimore, MD"] * 6, ["Dermatologist", f"{'A' * 121}, MD"]], ids=["none", "six", "long"]
)
def test_a_signature_has_one_to_five_short_lines(lines: list[str]) -> None:
    assert read_signature(lines) == {}


def test_the_longest_signature_is_split_off_the_end() -> None:
    lines = ["Go ahead.", "All the best,", "Ada Fennimore, MD", "Tarn Dermatologist", "4.6 out of 5 stars"]
    rest, respondent, after = split_signature(lines)
    assert (rest, after) == (lines[:2], [])
    assert respondent == {
        "name": "Ada Fennimore",
        "credentials": "MD",
        "location": "Tarn",
        "specialty": "Dermatologist",
        "rating": 4.6,
    }


def test_a_block_without_a_signature_stays_whole() -> None:
    assert split_signature(["Go ahead.", "All the best"]) == (["Go ahead.", "All the best"], {}, [])


@settings(max_examples=100)
@given(st.lists(st.text(max_size=130) | st.sampled_from(["Ada Fennimore, MD", "Dermatologist", "4/5"]), max_size=8))
def test_splitting_keeps_every_line_before_the_signature_and_only_known_fields(lines: list[str]) -> None:
    rest, respondent, after = split_signature(lines)
    assert rest == lines[: len(rest)]
    assert after == lines[len(lines) - len(after) :]
    assert (len(rest) + len(after) < len(lines)) == bool(respondent)
    assert respondent.keys() <= {"name", "credentials", "specialty", "location", "rating", "n_reviews"}
