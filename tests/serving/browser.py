"""A real browser, Debian's Chromium, that talks to the loopback and to nobody else."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

PATIENCE = 30  # seconds
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
)


class Page:
    """A page in the browser, and what its people would do with it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        """Load it, and wait until its form is there."""
        self.driver.get(url)
        self.wait("sides")

    def wait(self, name: str) -> WebElement:
        """An element, once it is shown."""
        return WebDriverWait(self.driver, PATIENCE).until(lambda driver: _shown(driver, name), f"{name} never came")

    def text(self, name: str) -> str:
        """What an element says."""
        return self.wait(name).text

    def click(self, name: str) -> None:
        """Press it."""
        self.wait(name).click()

    def send(self) -> None:
        """Press Decide, and wait for the answer to this request."""
        self.driver.execute_script("document.getElementById('said').firstChild.id = 'before'")
        self.click("send")
        WebDriverWait(self.driver, PATIENCE).until(
            lambda driver: not driver.find_elements(By.ID, "before"), "no answer"
        )

    def fill(self, **row: str) -> None:
        """Write values into fields."""
        for name, value in row.items():
            field = self.driver.find_element(By.NAME, name)
            if field.tag_name == "select":
                Select(field).select_by_value(value)
            else:
                field.clear()
                field.send_keys(value)

    def field(self, name: str) -> WebElement:
        """The field of an input."""
        return self.driver.find_element(By.NAME, name)

    def values(self) -> dict[str, str]:
        """What stands in the fields."""
        fields = self.driver.find_elements(By.CSS_SELECTOR, "#fields [name]")
        return {field.get_attribute("name") or "": field.get_property("value") for field in fields}  # type: ignore[misc]

    def choose(self, name: str, value: str) -> None:
        """Take one of a list."""
        Select(self.wait(name)).select_by_value(value)

    def options(self, name: str) -> list[str]:
        """Values of a list."""
        return [option.get_attribute("value") or "" for option in Select(self.wait(name)).options]

    def hidden(self, name: str) -> str:
        """Text of an element that may be folded away."""
        return self.driver.find_element(By.ID, name).get_property("textContent")  # type: ignore[return-value]

    def complaints(self) -> list[str]:
        """What the browser's console has, but for the statuses of answers."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")  # type: ignore[no-untyped-call]
            if "the server responded with a status of" not in entry["message"]
        ]

    def asked(self) -> list[str]:
        """Every address that was asked for."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]  # type: ignore[no-untyped-call]
        return [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]

    def command(self, method: str, **parameters: Any) -> Any:
        """One of the browser's own commands."""
        return self.driver.execute_cdp_cmd(method, parameters)


@contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """A fresh browser with a profile in ``folder``."""
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    missing = [name for name, path in programs.items() if path is None]
    assert not missing, f"There is no {' and no '.join(missing)} here: apt-get install chromium chromium-driver."
    os.environ["SE_OFFLINE"] = "true"  # the driver is here: selenium has nothing to look for
    os.environ["SE_AVOID_STATS"] = "true"
    options = webdriver.ChromeOptions()
    options.binary_location = programs["chromium"] or ""
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}", "--window-size=1280,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(programs["chromedriver"]))
    try:
        yield Page(driver)
    finally:
        driver.quit()


def _shown(driver: webdriver.Chrome, name: str) -> WebElement | Literal[False]:
    found = driver.find_elements(By.ID, name)
    return found[0] if found and found[0].is_displayed() else False
