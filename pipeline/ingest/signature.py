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
_MIN_LINES_INSIDE = 2
_MAX_LINE_CHARS = 120
_MAX_SPECIALTY_WORDS = 10

# A degree by which one signs as a doctor or a nurse; it may follow the name without a comma.
_DEGREE = (
    r"(?:M\.?D\.?|D\.?O\.?|D\.?D\.?S\.?|D\.?M\.?D\.?|M\.?B\.?B\.?S\.?|M\.?B\.?,?\s?Ch\.?B\.?|B\.?D\.?S\.?|"
    r"Ph\.?D\.?|R\.?N\.?|BSN|MSN|F?NP|DNP|APRN|CRNA|PA-C|OD|DPM|DVM|PharmD)"
)
# Whatever letters follow: FACS, FRCS(C), BSc, M.P.H.
_LETTERS = (
    r"(?:[A-Z][A-Za-z.-]{0,9}[A-Z.](?:\s?\([A-Za-z ]{1,12}\))?|"
    r"[A-Z]{2,8}|[A-Z][a-z]?[A-Z][a-z]{1,3}|Jr\.?|Sr\.?|II|III)"
)
_NAME_WORD = r"(?:[^\W\d_][\w.'’-]*|[(\"“][\w.'’ -]+[)\"”])"
_NAME = re.compile(
    rf"(?P<name>{_NAME_WORD}(?:\s+{_NAME_WORD}){{0,6}}?)"
    rf"(?:,\s*(?P<listed>{_LETTERS}(?:\s*[,/]\s*{_LETTERS}|\s{_LETTERS})*)|"
    rf"\s+(?P<degrees>{_DEGREE}(?:[,/]?\s*(?:{_DEGREE}|{_LETTERS}))*))"
    r"(?:,?\s*\([^()]{1,30}\))?"
)
_HAS_DEGREE = re.compile(rf"(?:^|[\s,/])(?:{_DEGREE}|PA|LE|MS|FACS|FAAD|MRCS|FRCS)(?:$|[\s,/])")
_PARTICLES = frozenset(
    [
        "de",
        "del",
        "della",
        "der",
        "den",
        "di",
        "da",
        "dos",
        "du",
        "la",
        "le",
        "van",
        "von",
        "zu",
        "bin",
        "ibn",
        "al",
        "el",
        "ten",
        "ter",
        "y",
        "e",
    ]
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
_TRADE = r"(?:Surgeon|Physician|Doctor|Specialist|Provider|Practitioner|Nurse|Medicine)"
_SPECIALIST = (
    r"(?:Dermatologist|Dentist|Orthodontist|Periodontist|Prosthodontist|Endodontist|"
    r"Gyn(?:a)?ecologist|OB/?GYN|Ophthalmologist|Otolaryngologist|Urologist|Neurologist|Phlebologist|"
    r"An(?:a)?esthesiologist|An(?:a)?esthetist|Radiologist|Oncologist|Cardiologist|Endocrinologist|Psychiatrist|"
    r"Psychologist|Nutritionist|Dietitian|Optometrist|Podiatrist|Internist|Pediatrician|Aesthetician|Esthetician|"
    r"Trichologist|Pharmacist|Midwife|Nurse Practitioner|Physician Assistant|Neurosurgeon)"
)
_PLACE_WORD = r"(?:[A-Z][\w.'’-]*|of|on|the|de|del|la|upon|le|der)"
# A trade alone ("Surgeon", "Doctor") is no specialty: "Ask Your Doctor" is a headline.
_SPECIALTY = re.compile(
    rf"(?:(?P<location>[A-Z][\w.'’-]*(?:,?\s+{_PLACE_WORD})*?,?)\s+)??"
    rf"(?P<specialty>{_FIELD}(?:(?:,\s|\s(?:and|&)\s|/|\s){_FIELD})*\s(?:{_SPECIALIST}|{_TRADE})|"
    rf"{_SPECIALIST})"
    rf"(?:,\s*Board[- ]Certified)?(?:,?\s+in\s+(?P<place>[A-Z][\w .,'’-]+))?"
)
_IMPERATIVES = frozenset(
    [
        "See",
        "Ask",
        "Choose",
        "Consult",
        "Find",
        "Visit",
        "Try",
        "Use",
        "Get",
        "Go",
        "Your",
        "The",
        "A",
        "An",
        "Any",
        "Every",
        "No",
        "Not",
        "Only",
        "Which",
    ]
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
    fields = _read_name(line.strip())
    return (fields["name"], fields["credentials"]) if fields else (line.strip(), None)


def _read_name(line: str) -> dict[str, str]:
    """Read a name with credentials; without a comma, every word of it must be written like a name."""
    match = _NAME.fullmatch(line)
    if match is None:
        return {}
    name, credentials = match["name"].rstrip(","), match["listed"] or match["degrees"]
    words = name.split()
    if not _HAS_DEGREE.search(credentials) or not all(w in _PARTICLES or not w[0].islower() for w in words):
        return {}
    if match["listed"] is None and (len(words) < 2 or any(len(w) > 2 and w.isupper() for w in words)):
        return {}
    return {"name": name, "credentials": credentials}


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
        fields: dict[str, Any] = _read_rating(line) or _read_specialty(line)
        if fields:
            certain = True
        elif _repeats_name(line, found):
            continue
        elif "name" in found and _PLACE.fullmatch(line):
            fields = {"location": line}
        elif fields := _read_name(line):
            certain = True
        elif place == 0 and (match := _TITLED.fullmatch(line) or _PLAIN_NAME.fullmatch(line)):
            fields = {"name": match["name"]}
        else:
            return {}
        found = _merge(found, fields)
    return found if certain else {}


def _repeats_name(line: str, found: dict[str, Any]) -> bool:
    """Whether a line is the name again, written a little differently: it is no place then."""
    again = _read_name(line)
    return bool(again and "name" in found and again["name"].split()[-1] == found["name"].split()[-1])


def _merge(found: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """Join the fields of two lines: the first counts, but of two places the longer says more."""
    places = [part["location"] for part in (found, fields) if "location" in part]
    return fields | found | ({"location": max(places, key=len)} if places else {})


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
    # Signatures may be all in capitals; the specialties are known as they are written elsewhere.
    match = _SPECIALTY.fullmatch(line.title() if line.isupper() else line)
    if match is None or len(line.split()) > _MAX_SPECIALTY_WORDS:
        return {}
    location = (match["location"] or match["place"] or "").rstrip(",")
    if _IMPERATIVES.intersection(location.split()[:1]):
        return {}
    return {"specialty": match["specialty"]} | ({"location": location} if location else {})


def is_titled_name(line: str) -> bool:
    """Whether a line is a name with a title and nothing else.

    Examples
    --------
    >>> is_titled_name("Dr. Brisa Thistlewood"), is_titled_name("Best Wishes")
    (True, False)
    """
    return len(line) <= _MAX_LINE_CHARS and _TITLED.fullmatch(line) is not None


def split_signature(lines: Sequence[str]) -> tuple[list[str], dict[str, Any], list[str]]:
    """Find the first signature in a block of lines: at its end, or in its midst where nothing parts answers.

    Returns
    -------
    before
        The lines before it; all lines when the block has no signature.
    respondent
        Its fields; empty when the block has none.
    after
        The lines after it. A signature with lines after it counts only if it has two lines at least.
    """
    for start in range(len(lines)):
        for end in range(min(len(lines), start + _MAX_LINES), start, -1):
            if end < len(lines) and end - start < _MIN_LINES_INSIDE:
                break
            if respondent := read_signature(lines[start:end]):
                return list(lines[:start]), respondent, list(lines[end:])
    return list(lines), {}, []
