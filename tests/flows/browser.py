"""A real browser for tests: Debian's Chromium without a window, and what a person does with a page in it.

Things are found by what a person reads: the label of a field, the words on a button, a tab, a link. Whatever is looked
for is waited for. While the browser is open its event loop runs in this thread, so no flow can.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Error, Locator, Page, expect, sync_playwright

PATIENCE_SECONDS = 120
Kind = Literal["button", "link", "menuitem", "option", "tab"]


class Reader:
    """A person in front of the browser."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self, path: str) -> None:
        self.page.goto(path, wait_until="commit")

    def press(self, name: str | re.Pattern[str], kind: Kind = "button") -> None:
        """Clicks the first thing of its kind that is called `name`."""
        self.page.get_by_role(kind, name=name, exact=True).first.click()

    def follow(self, address: str) -> None:
        """Clicks the first link to an address that has `address` in it, where the words on it say nothing."""
        self.page.locator(f'a[href*="{address}"]').first.click()

    def field(self, label: str) -> Locator:
        """The input whose label begins with `label`."""
        named = self.page.locator("label").filter(has_text=re.compile(f"^{re.escape(label)}")).first
        # Not `get_by_label`: the lists have another name of their own, which takes the label's place.
        return self.page.locator(f'[id="{named.get_attribute("for")}"]')

    def fill(self, label: str, text: str) -> None:
        self.field(label).fill(text)

    def choose(self, label: str, option: str) -> None:
        """Picks an option of a field's list."""
        self.field(label).click()
        self.press(option, "option")

    def shows(self, *words: str) -> str:
        """The page's text once all `words` stand in it."""
        body = self.page.locator("body")
        for one in words:
            expect(body).to_contain_text(one, use_inner_text=True)
        return body.inner_text()

    def one_of(self, *names: str, patience: float) -> str:
        """Which of `names` is the first to stand alone in a part of the page."""
        found = self.page.get_by_text(re.compile(f"^({'|'.join(names)})$")).first
        found.wait_for(timeout=patience * 1000)
        return found.inner_text()

    def gone(self, words: str) -> None:
        """Returns once nothing of the page is called `words` any more."""
        expect(self.page.get_by_text(words, exact=True)).to_have_count(0)

    def count(self, css: str) -> int:
        """How many elements there are."""
        return self.page.locator(css).count()

    def stood(self, picture: Path) -> str:
        """Where the page stands, for whoever reads of a failure."""
        try:
            self.page.screenshot(path=picture)
            text = self.page.locator("body").inner_text()
        except Error as error:
            return f"The browser no longer answers: {error.message}"
        return f"The page stood at {self.page.url} (picture: {picture}):\n{text}"


@contextmanager
def browsing(url: str, home: Path) -> Iterator[Reader]:
    """A browser for the pages of `url`; what fails in the block says where the page stood."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), chromium_sandbox=os.geteuid() != 0)
        page = browser.new_page(base_url=url, locale="en-US", viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        expect.set_options(timeout=PATIENCE_SECONDS * 1000)
        reader = Reader(page)
        try:
            yield reader
        except (AssertionError, Error) as error:
            error.add_note(reader.stood(home / "page.png"))
            raise
        finally:
            browser.close()


def chromium() -> str:
    """Debian's browser; without it the test is skipped, in CI it fails."""
    if found := shutil.which("chromium"):
        return found
    missing = "No browser here: apt-get install chromium"
    if os.environ.get("CI"):
        pytest.fail(f"{missing}; .ci/run does.")
    pytest.skip(missing)
