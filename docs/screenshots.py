"""Take the README's two pictures: ``python -m docs.screenshots``.

``docs/report.png`` is the top of a report on a page that comes with medstance, ``docs/report-index.png`` the index of a
report on the written answers of ``data/corpus``. The same Chromium with the same fonts gives the same pictures.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Browser

from tests.browser.chromium import open_page, start_chromium

CHECKOUT = Path(__file__).resolve().parents[1]
DOCS = CHECKOUT / "docs"

# Half as many again pixels as the window has: sharp on a good screen, and still small.
SCALE = 1.5
MAX_BYTES = 300_000


def write_report(source: str, output: Path) -> None:
    """Run the command that a reader of the README would."""
    command = [sys.executable, "-m", "pipeline", "report", source, "-o", str(output)]
    subprocess.run(command, check=True, cwd=CHECKOUT)  # noqa: S603


def take_picture(browser: Browser, page: Path, picture: Path, size: tuple[int, int], sort_by: str = "") -> None:
    """Take the top of a page, in the light, with all that moves at rest, in few colours.

    Parameters
    ----------
    browser
        What shows the page.
    page, picture
        Files: what to show, and where the picture goes.
    size
        Width and height of the window.
    sort_by
        Column that an index is sorted by, falling; empty for the order as it is.

    Raises
    ------
    RuntimeError
        When the picture is too large for a README.
    """
    options = {"device_scale_factor": SCALE, "color_scheme": "light", "reduced_motion": "reduce", "locale": "en-GB"}
    with open_page(browser, page, width=size[0], height=size[1], **options) as watched:
        if sort_by:
            button = watched.page.locator(".index thead").get_by_role("button", name=sort_by)
            button.click(click_count=2)
            watched.page.mouse.move(0, 0)
        watched.page.evaluate("() => document.fonts.ready.then(() => null)")
        watched.page.screenshot(path=picture, animations="disabled", caret="hide")
    with Image.open(picture) as taken:
        few_colours = taken.convert("RGB").quantize(colors=128, dither=Image.Dither.NONE)
    few_colours.save(picture, optimize=True)
    n_bytes = picture.stat().st_size
    if n_bytes > MAX_BYTES:
        raise RuntimeError(f"{picture}: {n_bytes} bytes are more than {MAX_BYTES}: take a smaller window")


def main() -> None:
    """Make both reports and take both pictures."""
    with TemporaryDirectory() as folder, start_chromium() as browser:
        report, site = Path(folder) / "report.html", Path(folder) / "site"
        write_report("data/samples/laser_while_nursing.txt", report)
        write_report("data/corpus", site)
        take_picture(browser, report, DOCS / "report.png", (960, 1180))
        take_picture(browser, site / "index.html", DOCS / "report-index.png", (1000, 960), sort_by="Probability")


if __name__ == "__main__":
    main()
