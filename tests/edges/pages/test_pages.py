"""The API pages in a real browser: they show every operation, and load nothing from elsewhere."""

import contextlib
import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Self

import pytest
from typing_extensions import override

from tests.browser import NO_SANDBOX, chromium_here
from tests.conftest import Database
from tests.edges.callback.house import House, open_house

BROWSER_SECONDS = 50
VIRTUAL_MILLISECONDS = 15_000
"""How long the page may wait, by the browser's virtual clock, which skips idle time."""

QUIET = (
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
)
BROWSERS_OWN = re.compile(
    r"(?:https?://)?(?!fonts\.)[a-z0-9.-]+\.(?:google|googleapis|gvt1)\.com[:/].*"
)
"""Requests of Chromium itself to Google, for the time, updates and the like, which no flag turns
off altogether. Fonts are not among them: a page would load those."""


class Elsewhere:
    """A proxy that gets every request for another host, notes it and refuses it."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(0.2)
        self._is_over = False
        self._thread = threading.Thread(target=self._listen)
        self.port = self._listening.getsockname()[1]
        self.asked: list[str] = []

    def _listen(self) -> None:
        while not self._is_over:
            with contextlib.suppress(OSError):
                connection, _ = self._listening.accept()
                with connection:
                    connection.settimeout(2)
                    line = connection.recv(4096).split(b"\r\n")[0]
                    self.asked.append(line.decode("latin-1"))
                    connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self._thread.join()
        self._listening.close()


class Browsed:
    """A page as the browser rendered it, its console messages, and its requests to other hosts."""

    def __init__(self, url: str, folder: Path) -> None:
        with Elsewhere() as elsewhere:
            ran = subprocess.run(
                [
                    chromium_here(),
                    "--headless",
                    "--disable-gpu",
                    "--disable-dev-shm-usage",
                    *NO_SANDBOX,
                    *QUIET,
                    "--enable-logging=stderr",
                    f"--user-data-dir={folder}",
                    f"--proxy-server=http://127.0.0.1:{elsewhere.port}",
                    f"--virtual-time-budget={VIRTUAL_MILLISECONDS}",
                    "--dump-dom",
                    url,
                ],
                capture_output=True,
                check=True,
                timeout=BROWSER_SECONDS,
                env={**os.environ, "HOME": str(folder)},
            )
        self.html = ran.stdout.decode()
        self.complaints = re.findall(r"CONSOLE.*?\] \"(.*)\", source", ran.stderr.decode())
        asked = [line.split(" ")[1] for line in elsewhere.asked if " " in line]
        self.elsewhere = [url for url in asked if not BROWSERS_OWN.fullmatch(url)]

    @property
    def words(self) -> str:
        """The text on it."""
        reader = _Reader()
        reader.feed(self.html)
        return "".join(reader.words)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._is_hidden = False

    @override
    def handle_starttag(self, tag: str, _attrs: object) -> None:
        self._is_hidden = tag in {"script", "style"}

    @override
    def handle_endtag(self, _tag: str) -> None:
        self._is_hidden = False

    @override
    def handle_data(self, data: str) -> None:
        if not self._is_hidden:
            # A path is broken into parts, with marks where a line may end.
            self.words.append(data.replace("\u200b", ""))


@pytest.fixture(scope="module")
def house(module_db: Database) -> Iterator[House]:
    with open_house(module_db) as house:
        yield house


def operations(house: House) -> dict[str, str]:
    """Path and summary of every operation."""
    paths = house.client.get("/openapi.json").json()["paths"]
    return {
        path: operation["summary"] for path, item in paths.items() for operation in item.values()
    }


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_a_page_shows_every_operation_and_asks_nobody_else(
    house: House, path: str, tmp_path: Path
) -> None:
    page = Browsed(f"http://127.0.0.1:{house.port}{path}", tmp_path)
    shown = page.words
    described = operations(house)
    assert len(described) > 15
    for operation, summary in described.items():
        assert operation in shown, operation
        assert summary in shown, operation
    assert page.elsewhere == []
    # The only request that the policy has to block is that for Redoc's logo.
    allowed = [complaint for complaint in page.complaints if "/redoc/logo-mini.svg" in complaint]
    assert page.complaints == allowed
    assert len(allowed) == (path == "/redoc")


def test_a_request_elsewhere_would_be_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    text = '<link rel="stylesheet" href="http://fonts.googleapis.com/css"><img src="http://elsewhere.test/mark.png">'
    page.write_text(text, encoding="utf-8")
    browsed = Browsed(page.as_uri(), tmp_path / "profile")
    assert sorted(browsed.elsewhere) == [
        "http://elsewhere.test/mark.png",
        "http://fonts.googleapis.com/css",
    ]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_a_page_s_policy_trusts_no_script_but_ours(house: House, path: str) -> None:
    reply = house.call("GET", path)
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(
        rule.split(" ", 1) for rule in reply.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert "unsafe" not in reply.headers["content-security-policy"]
    assert "//" not in reply.headers["content-security-policy"]
    html = reply.body.decode()
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", html)
    assert re.findall(r"<script[^>]*>([^<]*)</script>", html)[0] == ""
    for named in re.findall(r"(?:src|href)=\"(pages/[^\"]+)\"", html):
        asset = house.call("GET", f"/{named}")
        assert asset.status == 200, named
        assert asset.headers["x-content-type-options"] == "nosniff"
        etag = {"If-None-Match": asset.headers["etag"]}
        assert house.call("GET", f"/{named}", headers=etag).status == 304


def test_the_root_leads_to_the_pages(house: House) -> None:
    reply = house.call("GET", "/")
    assert (reply.status, reply.headers["location"]) == (307, "docs")


def test_the_pages_are_read_only(house: House) -> None:
    for path in ("/", "/docs", "/redoc", "/pages/docs.js"):
        assert house.call("HEAD", path).status in {200, 307}
        reply = house.call("POST", path)
        assert (reply.status, reply.code) == (405, 400)


LINK = re.compile(r"^- \[[^\]]+\]\(([^)]+)\): \S", re.MULTILINE)
LLMS = Path(__file__).parents[3] / "docs" / "llms.txt"


def test_what_is_told_to_language_models_leads_to_what_is_there(house: House) -> None:
    reply = house.call("GET", "/llms.txt")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    text = reply.body.decode()
    assert re.match(r"# Wallet\n\n> .+\n", text)
    links = LINK.findall(text)
    assert len(links) == text.count("](") == 3
    for link in links:
        assert house.call("GET", f"/{link}").status == 200, link


def test_the_page_for_language_models_leads_to_pages_that_are_there() -> None:
    text = LLMS.read_text(encoding="utf-8")
    links = LINK.findall(text)
    assert len(links) == text.count("](")
    assert len(links) > 10
    missing = [link for link in links if not (LLMS.parent / link).is_file()]
    assert missing == []
