"""A real browser, where one is installed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NO_SANDBOX = ("--no-sandbox",) if os.getuid() == 0 else ()


def chromium_here() -> str:
    """Return the program's path, or skip the test."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed here")
    return CHROMIUM


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start it until the block ends; meanwhile no other event loop runs in this thread."""
    path = chromium_here()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(NO_SANDBOX))
        yield chromium
        chromium.close()
