"""A real browser for tests: Debian's Chromium without a window, and what a person does with a page in it.

Things are found by what a person reads: the label of a field, the words on a button, a tab, a link.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE_SECONDS = 120
KINDS = {
    "button": "self::button",
    "link": "self::a",
    "tab": "@role='tab'",
    "menu item": "@role='menuitem'",
    "option": "@role='option'",
}
Found = TypeVar("Found")


class Page:
    """What stands in the browser; everything is waited for."""

    def __init__(self, driver: Chrome, url: str) -> None:
        self.driver = driver
        self._url = url

    def open(self, path: str) -> None:
        self.driver.get(self._url + path)

    def text(self) -> str:
        """All that can be read."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    def until(self, what: Callable[[], Found], wanted: str, patience: float = PATIENCE_SECONDS) -> Found:
        """What `what` gives once it gives something; the page may change under it."""

        def tried(_: Chrome) -> Found:
            return what()

        waiting = WebDriverWait(self.driver, patience, ignored_exceptions=(WebDriverException,))
        try:
            return waiting.until(tried)
        except TimeoutException as error:
            raise AssertionError(f"the page has no {wanted}") from error

    def shows(self, *words: str, patience: float = PATIENCE_SECONDS) -> str:
        """The page's text once all `words` stand in it, in whatever order."""

        def read() -> str | None:
            text = self.text()
            return text if all(one in text for one in words) else None

        return self.until(read, f"text {words}", patience) or ""

    def press(self, name: str, kind: str = "button", *, part: bool = False) -> None:
        """Clicks the first button, link, tab, menu item or option that is called `name`, or so in `part`."""
        called = f"contains(., {quoted(name)})" if part else f"normalize-space(.)={quoted(name)}"
        path = f"//*[{KINDS[kind]}][{called}]"

        def pressed() -> bool:
            self.driver.find_element(By.XPATH, path).click()
            return True

        self.until(pressed, f"{kind} {name!r}")

    def follow(self, address: str) -> None:
        """Clicks the first link to an address that has `address` in it, where the words on it say nothing."""

        def followed() -> bool:
            self.driver.find_element(By.CSS_SELECTOR, f'a[href*="{address}"]').click()
            return True

        self.until(followed, f"link to {address}")

    def field(self, label: str) -> WebElement:
        """The input whose label begins with `label`."""

        def labelled() -> WebElement:
            found = self.driver.find_element(By.XPATH, f"//label[starts-with(normalize-space(.), {quoted(label)})]")
            return self.driver.find_element(By.ID, found.get_attribute("for") or "")

        return self.until(labelled, f"field {label!r}")

    def fill(self, label: str, text: str) -> None:
        """Types `text` in place of what stands in a field."""
        self.field(label).send_keys(Keys.CONTROL, "a")
        self.field(label).send_keys(text)

    def choose(self, label: str, option: str) -> None:
        """Picks an option of a field's list."""
        self.field(label).click()
        self.press(option, "option")

    def one_of(self, *names: str, patience: float) -> str:
        """Which of `names` is the first to stand alone in a part of the page."""

        def standing() -> str | None:
            return next((name for name in names if self._stands(name)), None)

        return self.until(standing, f"state {names}", patience) or ""

    def _stands(self, name: str) -> bool:
        parts = self.driver.find_elements(By.XPATH, f"//*[text()[normalize-space(.)={quoted(name)}]]")
        return any(part.is_displayed() for part in parts)

    def count(self, css: str) -> int:
        """How many elements there are."""
        return len(self.driver.find_elements(By.CSS_SELECTOR, css))

    def stood(self, picture: Path) -> str:
        """Where the page stands, for whoever reads of a failure."""
        try:
            self.driver.save_screenshot(str(picture))
            return f"The page stood at {self.driver.current_url} (picture: {picture}):\n{self.text()}"
        except WebDriverException as error:
            return f"The browser no longer answers: {error.msg}"


@contextmanager
def browsing(url: str, home: Path) -> Iterator[Page]:
    """A browser for the pages of `url`; what fails in the block says where the page stood."""
    chromium, driver = binaries()
    options = ChromeOptions()
    options.binary_location = chromium
    # The sandbox refuses to be root's; /dev/shm is small in containers.
    for argument in ("--headless=new", "--window-size=1400,1000", "--lang=en-US", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    with Chrome(options=options, service=Service(driver)) as opened:
        page = Page(opened, url)
        try:
            yield page
        except Exception as error:
            error.add_note(page.stood(home / "page.png"))
            raise


def binaries() -> tuple[str, str]:
    """Chromium and its driver; without them the test is skipped, in CI it fails."""
    return _binary("chromium"), _binary("chromedriver")


def _binary(name: str) -> str:
    if found := shutil.which(name):
        return found
    missing = f"No {name} here: apt-get install chromium chromium-driver"
    if os.environ.get("CI"):
        pytest.fail(f"{missing}; .ci/run does.")
    pytest.skip(missing)


def quoted(text: str) -> str:
    """`text` as a string of XPath, which has no escapes."""
    return f'"{text}"' if '"' not in text else f"'{text}'"
