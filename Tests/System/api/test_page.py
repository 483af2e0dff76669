"""/docs in Chromium, headless: the page makes forms of the document, and breaks no rule of its own policy."""

import re
import shutil
import subprocess

import pytest

CHROMIUM = shutil.which("chromium")
# Of the page's time; it fetches one document.
MILLISECONDS = 5_000


@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
def test_the_page_shows_a_form_for_the_operation_that_is_asked_for(orders, tmp_path):
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", "--dump-dom"]
    command += [f"--virtual-time-budget={MILLISECONDS}", "--enable-logging=stderr", f"{orders.url}/docs#create_order"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60)
    operations = orders.get("/openapi.json").json()["paths"].values()
    names = {operation["operationId"] for methods in operations for operation in methods.values()}
    assert set(re.findall(r'<details id="(\w+)"', shown.stdout)) == names
    assert '<textarea id="create_order-body"' in shown.stdout and "curl -i -X POST" in shown.stdout
    assert "CONSOLE" not in shown.stderr, shown.stderr
