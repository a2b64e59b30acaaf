"""The page to try a model, in a real browser: what a person sees, and that nothing leaves the server's origin."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from trivet.serving.http import page as files

from .browser import Page, chromium
from .conftest import Running
from .exact import ROWS, scorecard, truth

COLUMNS = ["amount", "income", "term", "purpose"]
FRONTS = ["v2", "v1", "vertex", "azure", "sagemaker", "lines", "csv"]
CONTRAST = """
const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const light = (rgb) => 0.2126 * channel(rgb[0]) + 0.7152 * channel(rgb[1]) + 0.0722 * channel(rgb[2]);
const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
const ground = (element) => {
  for (; element; element = element.parentElement) {
    const colour = numbers(getComputedStyle(element).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const found = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const element = walk.currentNode.parentElement;
  if (!walk.currentNode.textContent.trim() || !element.checkVisibility() || element.tagName === "NOSCRIPT") continue;
  const [one, other] = [light(numbers(getComputedStyle(element).color)), light(ground(element))].sort((a, b) => b - a);
  found.push([(one + 0.05) / (other + 0.05), walk.currentNode.textContent.trim().slice(0, 40)]);
}
return found;
"""
UNNAMED = """
return [...document.querySelectorAll("input, select, button, pre, summary")]
  .filter((one) => one.checkVisibility() && !one.labels?.length && !one.ariaLabel && !one.textContent.trim())
  .map((one) => one.outerHTML);
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One browser for all."""
    with chromium(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def server(start, tmp_path) -> Running:
    """The scorecard, whose every score is known."""
    return start(scorecard(tmp_path / "card"))


@pytest.fixture
def opened(page, server) -> Iterator[Page]:
    """The page, open; in the end the browser had nothing to complain of and asked nobody else."""
    page.asked()
    page.complaints()
    page.open(f"{server.url}/docs")
    yield page
    assert page.complaints() == []
    asked = [url for url in page.asked() if not url.startswith(("data:", "chrome:", "about:"))]
    assert asked
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(server.url).netloc}


def told(page: Page, row: dict) -> None:
    """The page shows what the scorecard says of the row."""
    right = truth(row)
    assert page.text("decision") == right.decision
    assert f"is {right.score:.4g}" in page.text("score")


def test_a_person_fills_in_a_row_and_reads_the_decision(opened, server):
    row = ROWS[5]
    opened.fill(**{name: str(value) for name, value in row.items()})
    opened.send()
    told(opened, row)
    names = [one.text for one in opened.driver.find_elements(By.CSS_SELECTOR, "#reasons th")]
    parts = dict(zip(COLUMNS, truth(row).contributions, strict=True))
    assert names == sorted(COLUMNS, key=lambda name: -abs(parts[name]))
    for bar in opened.driver.find_elements(By.CSS_SELECTOR, "#reasons tr"):
        name, value = bar.text.split()
        assert (value[0] == "\u2212") == (parts[name] < 0)
        assert abs(parts[name]) == pytest.approx(float(value.lstrip("+\u2212")), abs=0.0006)
    assert opened.text("fact-Model") == "loan/1"
    assert opened.text("fact-Package").startswith("sha256:")
    assert opened.text("fact-Round trip").endswith(" ms")
    assert opened.text("fact-Request") in [line["id"] for line in server.lines("request")]


def test_an_example_is_at_hand_and_the_next_one_after_it(opened):
    opened.click("example")
    first = opened.values()
    assert first == {name: str(value).removesuffix(".0") for name, value in ROWS[0].items()}
    opened.send()
    told(opened, ROWS[0])
    opened.click("example")
    opened.send()
    told(opened, ROWS[1])
    for _ in range(len(ROWS) - 1):
        opened.click("example")
    assert opened.values() == first


def test_an_empty_field_is_a_missing_value_where_it_may_be(opened):
    opened.fill(amount="256", term="36", purpose="car")
    opened.send()
    told(opened, ROWS[3])


@pytest.mark.parametrize("front", FRONTS)
def test_every_protocol_shows_the_same_decision(opened, front):
    assert opened.options("front") == FRONTS
    opened.choose("front", front)
    opened.click("example")
    opened.send()
    told(opened, ROWS[0])
    shown = len(opened.driver.find_elements(By.CSS_SELECTOR, "#reasons tr"))
    assert shown == len(COLUMNS)
    opened.click("contributions")
    opened.send()
    told(opened, ROWS[0])
    assert opened.driver.find_elements(By.CSS_SELECTOR, "#reasons tr") == []
    opened.click("contributions")


def test_what_is_wrong_is_shown_as_the_server_said_it_and_at_its_field(opened, server):
    opened.click("example")
    opened.fill(amount="5000")
    opened.send()
    body = json.dumps({"instances": [ROWS[0] | {"amount": 5000}]})
    said = httpx.post(f"{server.url}/v1/models/loan:predict", content=body, trust_env=False).json()["error"]
    assert opened.text("sentence") == said
    assert "Status 400" in opened.text("refusal")
    assert opened.field("amount").get_attribute("aria-invalid") == "true"
    assert opened.field("term").get_attribute("aria-invalid") is None
    opened.fill(amount="500")
    opened.send()
    assert opened.field("amount").get_attribute("aria-invalid") is None
    opened.click("clear")
    opened.send()
    assert "has no value" in opened.text("sentence")


def test_letters_in_a_number_are_not_sent(opened):
    opened.click("example")
    opened.fill(income="e")
    opened.send()
    assert opened.text("sentence") == "What stands in income is no number."


def test_the_command_says_the_same_in_a_shell(opened):
    for front in FRONTS:
        opened.choose("front", front)
        opened.click("example")
        opened.send()
        opened.driver.execute_script("document.getElementById('as-curl').open = true")
        opened.click("copy")
        assert opened.text("copied") in ("Copied.", "Selected: copy it with the keyboard.")
        command = opened.hidden("curl")
        assert shlex.split(command)[0] == "curl"
        result = subprocess.run(
            ["/bin/sh", "-c", command.replace("curl ", "curl --noproxy '*' ", 1)],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert result.returncode == 0, result.stderr
        assert opened.text("decision") in result.stdout
        assert '"error"' not in result.stdout


def test_the_raw_request_and_response_can_be_read(opened):
    opened.click("example")
    opened.send()
    request, response = opened.hidden("request"), opened.hidden("response")
    assert request.startswith("POST /v2/models/loan/infer\nContent-Type: application/json\n")
    assert json.loads(request.partition("\n\n")[2])["inputs"][0]["name"] == "amount"
    assert response.startswith("HTTP 200\n")
    assert "trivet-model: loan/1" in response
    assert json.loads(response.partition("\n\n")[2])["outputs"][0]["name"] == "score"


def test_it_works_by_keyboard_alone(opened):
    driver = opened.driver
    opened.field("amount").click()
    for value in ("100.5", "48", "12", "car"):
        driver.switch_to.active_element.send_keys(value, Keys.TAB)
    visited = []
    while not visited or visited[-1] != "send":
        visited.append(driver.switch_to.active_element.get_attribute("id"))
        driver.switch_to.active_element.send_keys(Keys.ENTER if visited[-1] == "send" else Keys.TAB)
    assert visited == ["front", "contributions", "send"]
    told(opened, ROWS[0])
    assert driver.switch_to.active_element.get_attribute("id") == "send"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 768, 1280])
def test_everything_is_named_legible_and_in_the_window(opened, scheme, width):
    opened.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    opened.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    try:
        for amount in ("5000", "500"):
            opened.click("example")
            opened.fill(amount=amount)
            opened.send()
            opened.driver.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
            found = opened.driver.execute_script(CONTRAST)
            assert len(found) > 20
            assert [text for contrast, text in found if contrast < 4.5] == []
            assert opened.driver.execute_script(UNNAMED) == []
            assert opened.driver.execute_script("return document.documentElement.scrollWidth - innerWidth") <= 0
    finally:
        opened.command("Emulation.clearDeviceMetricsOverride")


def test_another_model_has_another_form(page, start, made, tmp_path):
    card = scorecard(tmp_path / "card")
    models = [
        {"name": "first", "version": "1", "package": str(made.folder)},
        {"name": "second", "version": "7", "package": str(card.folder)},
    ]
    page.open(f"{start(made, models=models).url}/docs")
    assert page.options("model") == ["first", "second"]
    assert page.options("front") == ["v2", "v1", "sagemaker", "lines", "csv"]
    page.choose("model", "second")
    assert page.text("title") == "Try second"
    for front in page.options("front"):
        page.choose("front", front)
        page.click("example")
        page.send()
        assert page.text("fact-Model") == "second/7"
    assert page.complaints() == []


def test_a_server_that_records_says_so(page, start, made, tmp_path):
    page.open(f"{start(made, records=str(tmp_path / 'records')).url}/docs")
    assert "recorded" in page.text("recorded")


def test_a_server_that_is_gone_is_told_from_one_that_refuses(page, start, made):
    running = start(made)
    page.open(f"{running.url}/docs")
    page.click("example")
    running.stop()
    running.listener.close()
    page.send()
    assert "could not be reached" in page.text("sentence")


def test_the_page_trusts_nobody(start, made):
    url = start(made).url
    with httpx.Client(base_url=url, trust_env=False) as client:
        for path in files.PATHS:
            response = client.get(path)
            assert response.status_code == 200
            policy = response.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert response.headers["x-content-type-options"] == "nosniff"
            for text in ("http://", "https://", "onclick", "innerHTML", " style=", "eval("):
                assert text not in response.text.replace("http://www.w3.org/2000/svg", ""), (path, text)
    closed = start(made, docs=False).url
    assert httpx.get(f"{closed}/docs", trust_env=False).status_code == 404
