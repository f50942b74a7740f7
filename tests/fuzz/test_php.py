"""The signature's text against PHP's own functions, wherever `php` is installed."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.edges.callback.auth import canonical
from app.edges.callback.decoding import read_form
from app.edges.callback.errors import EncodingError

PHP = shutil.which("php")
SCRIPT = Path(__file__).parent / "php.php"

pytestmark = pytest.mark.skipif(PHP is None, reason="php is not installed (Debian: php-cli)")


class Verifier:
    """PHP, kept running: a body in, the text that it would hash out."""

    def __init__(self) -> None:
        assert PHP is not None
        self._php = subprocess.Popen(
            [PHP, "-n", "-d", "max_input_vars=1000", "-d", "display_errors=stderr", str(SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
        )

    def canonical(self, body: bytes) -> str | None:
        """Return the text; None where PHP cannot encode what it read."""
        assert self._php.stdin is not None
        assert self._php.stdout is not None
        self._php.stdin.write(f"{body.hex()}\n")
        self._php.stdin.flush()
        said = self._php.stdout.readline().strip()
        return None if said == "-" else bytes.fromhex(said).decode()

    def close(self) -> None:
        self._php.communicate(timeout=10)


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    verifier = Verifier()
    yield verifier
    verifier.close()


WORDS = ("token", "userId", "amount", "extraData", "a", "A", "_", "__Host-", "0x1", "1a", "-", "é")
SIGNS = ("[", "]", "[]", "[a]", "[0]", ".", " ", "+", "%00", "%5B", "%5D", "[ ", "=", "%", "\t")
names = st.lists(st.sampled_from(WORDS + SIGNS), min_size=1, max_size=6).map("".join)
texts = st.text(max_size=8).map(lambda text: quote_from_bytes(text.encode("utf-8", "ignore")))
values = st.one_of(
    texts,
    st.sampled_from(("", "1", "1.50", "a/b", "%2F", "<b>", "'\"", "%F0%9F%8E%B0", "x+y", "%c3%a9")),
    st.binary(max_size=6).map(quote_from_bytes),
    st.text(st.characters(codec="latin-1", exclude_characters="&"), max_size=5),
)
pairs = st.tuples(names, st.sampled_from(("=", "=", "=", "")), values).map("".join)
forms = st.lists(pairs, max_size=8).map(lambda words: "&".join(words).encode("utf-8"))


@example(b"")
@example(b"extraData[gameName]=x&token=t")
@example(b"a[=1&a.b=2&a%20b=3")
@given(forms | st.binary(max_size=40))
def test_the_text_that_is_signed_is_phps_own(verifier: Verifier, body: bytes) -> None:
    try:
        ours = canonical(read_form(body).texts)
    except EncodingError:
        return  # What PHP would hash in ways that can be foreseen is refused before hashing.
    assert verifier.canonical(body) == ours


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30))
def test_every_text_is_encoded_as_php_does(verifier: Verifier, text: str) -> None:
    body = b"value=" + quote_from_bytes(text.encode()).encode()
    assert verifier.canonical(body) == canonical(read_form(body).texts)
