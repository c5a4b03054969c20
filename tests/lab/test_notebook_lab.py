"""Track B stepped through in a real JupyterLab on a real cluster, as `launchbook notebook` opens it."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from environments import ROOT, lab_environment
from opened import opened
from playwright.sync_api import Page, expect, sync_playwright

pytestmark = [pytest.mark.lab, pytest.mark.browser]

SHORT = {"load.scenario.duration": "6s", "load.scenario.warmup": "2s", "logs.idle_window": "2s"}
LEFT = """
apiVersion: v1
kind: ConfigMap
metadata: {name: generator, namespace: default, labels: {launchbook.io/run: killed}}
"""


@pytest.fixture
def address(system: Any, tmp_path: Path) -> Iterator[str]:
    """The URL of JupyterLab on a run of its own, where a killed run left something."""
    system.apply(ROOT / "parameters" / "launchbook-role.yaml")
    system.apply(LEFT)
    environment = lab_environment(tmp_path, system.name, system.runbook, SHORT)
    options = ["--outputs", str(tmp_path / "outputs"), "--notebooks", str(ROOT / "notebooks")]
    command = [sys.executable, "-m", "launchbook", "notebook", str(environment), *options]
    try:
        with opened(command, tmp_path, {"TMPDIR": str(tmp_path)}) as url:
            assert "run killed is over and left ConfigMap/default/generator" in (tmp_path / "log").read_text()
            yield url
    finally:
        system.kubectl("delete", "configmap", "generator", "--ignore-not-found")
    assert not list(tmp_path.glob("launchbook-jupyter-*")), "connection files, with their keys, stay behind"


def test_track_b_is_stepped_through(address: str, tmp_path: Path) -> None:
    """Each cell is run by Shift+Enter: live figures, charts that are drawn, tables within the page, no box over them."""
    base, _, token = address.partition("/lab?token=")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(f"{base}/lab/tree/B-load-test.ipynb?token={token}")
        page.locator(".jp-Notebook .jp-CodeCell").first.click(timeout=60_000)
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=60_000)
        _step_through(page)
        expect(page.locator(".jp-Notebook .js-plotly-plot .main-svg").first).to_be_visible()
        assert page.locator("text=notified about official Jupyter news").count() == 0
        assert not page.locator("[data-mime-type='application/vnd.jupyter.stderr']").all_inner_texts()
        last = page.locator(".jp-CodeCell:has-text('run.finish()') .jp-RenderedHTMLCommon table")
        assert last.evaluate("table => table.scrollWidth <= table.closest('.jp-OutputArea-output').clientWidth")
        browser.close()
    verdict = json.loads((tmp_path / "outputs" / "latest" / "verdict.json").read_text())
    track = next(track for track in verdict["tracks"] if track["id"] == "B")
    assert track["status"] == "finished", track


def _step_through(page: Page) -> None:
    """Shift+Enter on each cell once the one before is done, until the last, finish(), has run."""
    live, deadline = set(), time.monotonic() + 100
    done = re.compile(r"\[\d+\]")
    finish = page.locator(".jp-CodeCell:has-text('run.finish()') .jp-InputPrompt")
    while not (finish.count() and done.search(finish.inner_text())):
        assert time.monotonic() < deadline, f"run.finish() did not run; live figures: {live}"
        live.update(text for text in page.locator(".widget-html").all_inner_texts() if "requests/s" in text)
        if not page.locator(".jp-InputPrompt", has_text="*").count():
            page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(100)
    assert len(live) > 1, "the figures did not move while the load ran"
