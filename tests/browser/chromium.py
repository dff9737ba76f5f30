"""The system's Chromium, and a page of it that is watched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Dialog, Error, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")

# The same letters on every machine: no hinting, no colours at their edges, no graphics card.
_ARGUMENTS = (
    "--disable-gpu",
    "--disable-lcd-text",
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
)


class NoChromium(Exception):
    """There is none, or it does not start."""


@dataclass
class Watched:
    """A page, and what it did that a report must not do.

    Attributes
    ----------
    page
        The page.
    problems
        Errors and warnings of the console, and errors that no script caught.
    dialogs
        What dialogs said.
    requests
        Addresses of all that was asked for, the page itself first.
    """

    page: Page
    problems: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


def find_chromium(environment: Mapping[str, str]) -> str:
    """Return the path of a Chromium: what ``MEDSTANCE_CHROMIUM`` names, else the first of `NAMES` on the PATH.

    Raises
    ------
    NoChromium
        When there is none.
    """
    named = environment.get("MEDSTANCE_CHROMIUM")
    for name in [named] if named else NAMES:
        found = shutil.which(name, path=environment.get("PATH"))
        if found is not None:
            return found
    where = f"MEDSTANCE_CHROMIUM names {named}, which" if named else f"none of {', '.join(NAMES)}"
    raise NoChromium(f"{where} is no program here (on Debian: apt-get install chromium)")


@contextmanager
def start_chromium() -> Iterator[Browser]:
    """Start the system's Chromium, and end it afterwards.

    Raises
    ------
    NoChromium
        When there is none, or it does not start.
    """
    path = find_chromium(os.environ)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        except Error as error:
            raise NoChromium(f"{path} does not start: {error.message.splitlines()[0]}") from error
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(
    browser: Browser, path: Path, *, width: int = 1200, height: int = 900, **options: Any
) -> Iterator[Watched]:
    """Open a file in a window of its own, watched from the start; `options` are those of a browser context."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    try:
        page = context.new_page()
        watched = Watched(page)
        page.set_default_timeout(10_000)
        page.on("console", lambda message: _note_message(watched, message.type, message.text))
        page.on("pageerror", lambda error: watched.problems.append(str(error)))
        page.on("request", lambda request: watched.requests.append(request.url))
        page.on("dialog", lambda dialog: _dismiss_dialog(watched, dialog))
        page.goto(path.as_uri())
        yield watched
    finally:
        context.close()


def _dismiss_dialog(watched: Watched, dialog: Dialog) -> None:
    watched.dialogs.append(dialog.message)
    dialog.dismiss()


def _note_message(watched: Watched, kind: str, text: str) -> None:
    if kind in ("error", "warning", "assert"):
        watched.problems.append(f"{kind}: {text}")
