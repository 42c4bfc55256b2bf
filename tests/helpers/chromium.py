"""Debian's Chromium, in which pages are opened from files as a reader would."""

import importlib.util
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

PATH = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"


def missing():
    """Return in words what a test in a browser lacks here; empty for nothing."""
    if not Path(PATH).is_file():
        return f"no Chromium at {PATH}: install the package `chromium`, or set CHROMIUM"
    if importlib.util.find_spec("playwright") is None:
        return "the package playwright isn't installed"
    return ""


@contextmanager
def launched():
    """Start the browser; it ends with the block."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PATH, args=["--no-sandbox"])
        yield browser
        browser.close()
