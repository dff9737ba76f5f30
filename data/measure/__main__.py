"""Write the measured tables of the datasheet: ``python -m data.measure --texts FOLDER``."""

from __future__ import annotations

import argparse
from pathlib import Path

from data.measure.datasheet import measure_datasheet, replace_sections

parser = argparse.ArgumentParser(prog="python -m data.measure", description=__doc__)
parser.add_argument("--texts", required=True, help="folder of the real answers that data/labels/medical_qa.csv is on")
options = parser.parse_args()
sheet = Path(__file__).parents[1] / "README.md"
sections = measure_datasheet(sheet.parent, options.texts)
sheet.write_text(replace_sections(sheet.read_text(encoding="utf-8"), sections), encoding="utf-8")
