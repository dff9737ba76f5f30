"""The lines under an answer that say who gave it: name, credentials, specialty, place, rating.

>>> read_signature(["Ottoline Vance-Mbeki, MD, FACS", "Lower Fenwick Plastic Surgeon",
...                 "4.6 out of 5 stars 1,208 reviews"])["location"]
'Lower Fenwick'
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_MAX_LINES = 5
_MAX_LINE_CHARS = 120

_CREDENTIAL = (
    r"(?:M\.?D\.?|D\.?O\.?|D\.?D\.?S\.?|D\.?M\.?D\.?|M\.?B\.?B\.?S\.?|M\.?B\.?Ch\.?B\.?|B\.?D\.?S\.?|Ph\.?D\.?|"
    r"MPH|MS|MSc|MBA|MHA|FACS|FAAD|FAACS|FICS|FRCS(?:C|Ed|I)?(?:\s?\([A-Za-z ]+\))?|FRACS|FRCPC?|FEBOPRAS|"
    r"RN|BSN|MSN|NP|FNP|DNP|APRN|CRNA|PA|PA-C|OD|DC|LE|Jr\.?|Sr\.?|II|III)"
)
_NAME = re.compile(
    r"(?P<name>(?:Dr\.?\s+)?[^\W\d_][\w.'’-]*(?:\s+[\w.'’()\"-]+){0,5}?)"
    rf",?\s+(?P<credentials>{_CREDENTIAL}(?:[,/]?\s*{_CREDENTIAL})*)"
)
_TITLED = re.compile(r"(?P<name>(?:Dr|Prof|Doctor|Professor)\.?\s+[^\W\d_][\w.'’-]*(?:\s+[^\W\d_][\w.'’-]*){0,4})")
_PLAIN_NAME = re.compile(
    r"(?P<name>[A-Z][\w.'’-]*(?:\s+(?:[A-Z][\w.'’-]*|d[aeiu]l?|von|van|der|bin|ten|le|la|y)){1,4})"
)

_FIELD = (
    r"(?:Board[- ]Certified|Facial|Plastic|Oculoplastic|Oculofacial|Dermatologic(?:al)?|Cosmetic|Aesthetic|"
    r"Reconstructive|Oral|Maxillofacial|Craniofacial|Hair|Restoration|Transplant|Vascular|Vein|Phlebology|"
    r"Bariatric|General|Family|Internal|Emergency|Head|Neck|Hand|Breast|Laser|Skin|Pediatric|Implant|"
    r"Orthopa?edic|Orthognathic|Ophthalmic|Ear|Nose|Throat|ENT|Medical|Body|Mohs|Eye|Eyelid|Anti-Aging|"
    r"Burn|Holistic|Medicine|Surgical|Gender|Neuro|Pain|Regenerative|Integrative)"
)
_OFFICE = (
    r"(?:Surgeon|Dermatologist|Physician|Dentist|Orthodontist|Periodontist|Prosthodontist|Endodontist|"
    r"Gyn(?:a)?ecologist|OB/?GYN|Ophthalmologist|Otolaryngologist|Urologist|Neurologist|Phlebologist|"
    r"An(?:a)?esthesiologist|An(?:a)?esthetist|Radiologist|Oncologist|Cardiologist|Endocrinologist|Psychiatrist|"
    r"Psychologist|Nutritionist|Dietitian|Optometrist|Podiatrist|Internist|Pediatrician|Practitioner|Nurse|"
    r"Doctor|Specialist|Provider|Aesthetician|Esthetician|Trichologist|Pharmacist|Midwife)"
)
_PLACE_WORD = r"(?:[A-Z][\w.'’-]*|of|on|the|de|del|la|upon|le|am|an|der)"
_SPECIALTY = re.compile(
    rf"(?:(?P<location>[A-Z][\w.'’-]*(?:\s+{_PLACE_WORD})*?,?)\s+)??"
    rf"(?P<specialty>{_FIELD}(?:(?:,\s|\s(?:and|&)\s|/|\s){_FIELD})*\s{_OFFICE}|"
    rf"{_OFFICE}(?:\s(?:Assistant|Practitioner))?)"
    rf"(?:,?\s+in\s+(?P<place>[A-Z][\w .,'’-]+))?"
)
_PLACE = re.compile(r"[A-Z][\w.'’ -]*,\s?(?:[A-Z]{2}|[A-Z][\w.'’-]+(?:\s[A-Z][\w.'’-]+)?)(?:\s\d{4,6})?")
_RATING = re.compile(
    r"(?P<rating>\d(?:[.,]\d+)?)\s*(?:out of|/)\s*(?:5|10)(?:\s+stars?)?"
    r"(?:[\s,·(]*(?P<n_reviews>\d[\d,.]*)\s+(?:reviews?|ratings?)\)?)?"
)
_REVIEWS = re.compile(r"\(?(?P<n_reviews>\d[\d,.]*)\s+(?:reviews?|ratings?)\)?")


def split_credentials(line: str) -> tuple[str, str | None]:
    """Split a signed name into name and credentials.

    Examples
    --------
    >>> split_credentials("Anselm Okoro-Lindqvist, MD, FACS")
    ('Anselm Okoro-Lindqvist', 'MD, FACS')
    >>> split_credentials("Dr. Brisa Thistlewood")
    ('Dr. Brisa Thistlewood', None)
    """
    match = _NAME.fullmatch(line.strip())
    return (match["name"].rstrip(","), match["credentials"]) if match else (line.strip(), None)


def read_signature(lines: Sequence[str]) -> dict[str, Any]:
    """Read respondent fields from the lines of one signature.

    Parameters
    ----------
    lines
        One to five lines, outer space removed.

    Returns
    -------
    dict
        Keys among name, credentials, specialty, location, rating, n_reviews; empty when the lines
        are no signature. A signature has a line that is a specialty, a rating, or a name with
        credentials, and no line that is none of name, place, specialty and rating.
    """
    if not 1 <= len(lines) <= _MAX_LINES or any(len(line) > _MAX_LINE_CHARS for line in lines):
        return {}
    found: dict[str, Any] = {}
    certain = False
    for place, line in enumerate(lines):
        fields = _read_rating(line) or _read_specialty(line)
        if fields:
            certain = True
        elif match := _NAME.fullmatch(line):
            fields = {"name": match["name"].rstrip(","), "credentials": match["credentials"]}
            certain = True
        elif found and _PLACE.fullmatch(line):
            fields = {"location": line}
        elif place == 0 and (match := _TITLED.fullmatch(line) or _PLAIN_NAME.fullmatch(line)):
            fields = {"name": match["name"]}
        else:
            return {}
        found = fields | found
    return found if certain else {}


def _read_rating(line: str) -> dict[str, Any]:
    if match := _RATING.fullmatch(line):
        fields: dict[str, Any] = {"rating": float(match["rating"].replace(",", "."))}
        return fields | ({"n_reviews": _count(match["n_reviews"])} if match["n_reviews"] else {})
    if match := _REVIEWS.fullmatch(line):
        return {"n_reviews": _count(match["n_reviews"])}
    return {}


def _count(text: str) -> int:
    return int(re.sub(r"[.,]", "", text))


def _read_specialty(line: str) -> dict[str, Any]:
    match = _SPECIALTY.fullmatch(line)
    if match is None or len(line.split()) > 10:
        return {}
    location = match["location"] or match["place"]
    return {"specialty": match["specialty"]} | ({"location": location.rstrip(",")} if location else {})


def split_signature(lines: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Split the longest signature off the end of a block of lines.

    Returns
    -------
    rest
        The lines before it.
    respondent
        Its fields; empty when the block ends in no signature.
    """
    for start in range(max(0, len(lines) - _MAX_LINES), len(lines)):
        if respondent := read_signature(lines[start:]):
            return list(lines[:start]), respondent
    return list(lines), {}
