"""`docs/snippets.md`: each language's snippets make and check every vector of docs/vectors.json."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.edges.callback.auth import canonical
from app.edges.transfer.codes import RefusedError
from app.edges.transfer.envelope import Agent, Envelopes
from tests.edges.transfer.bank import unb64

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "snippets.md").read_text(encoding="utf-8")
VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (DOCS / "vectors.json").read_text(encoding="utf-8")
)

NODE, PHP, JAVAC = map(shutil.which, ("node", "php", "javac"))

LATE_SECONDS = 301
"""After a webhook's timestamp; a receiver refuses it."""


def example(name: str) -> str:
    match = re.search(rf"<!-- example: {name} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert match, name
    return match[1]


def cases() -> tuple[list[list[str]], list[str]]:
    """What the snippets are asked, a line each with tabs between, and what they shall say."""
    asked, wanted = [], []
    for each in VECTORS["callback_signatures"]:
        fields = [part for member in each["fields"].items() for part in member]
        asked.append(["sign", each["key"], *fields])
        wanted.append(each["signature"])
    for each in VECTORS["envelopes"]:
        asked.append(["seal", each["kid"], each["key"], each["plaintext"], each["iv"]])
        wanted.append(each["compact"])
        asked.append(["unseal", each["key"], each["compact"]])
        wanted.append(each["plaintext"])
    for each in VECTORS["webhooks"]:
        words = [each["secret"], each["id"], str(each["timestamp"]), each["signature"]]
        body, at = each["body"], each["timestamp"]
        for said, now, is_ours in (
            (body, at, "true"),
            (body, at + LATE_SECONDS, "false"),
            (f"{body} ", at, "false"),
        ):
            asked.append(["webhook", *words, said, str(now)])
            wanted.append(is_ours)
    return asked, wanted


def run(command: list[str], folder: Path) -> None:
    """Ask a program everything at once, and hold it to the vectors."""
    asked, wanted = cases()
    text = "".join("\t".join(words) + "\n" for words in asked)
    done = subprocess.run(
        command, input=text.encode(), cwd=folder, capture_output=True, check=False, timeout=50
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().splitlines() == wanted


PYTHON_MAIN = """
import sys

for line in sys.stdin.buffer.read().decode().splitlines():
    what, *words = line.split("\\t")
    if what == "sign":
        print(sign_callback(dict(zip(words[1::2], words[2::2])), words[0]))
    elif what == "seal":
        print(seal(words[0], words[1], words[2], decoded(words[3])))
    elif what == "unseal":
        sys.stdout.buffer.write((unseal(*words) + "\\n").encode())
    else:
        print(str(is_webhook(*words[:-1], now=int(words[-1]))).lower())
    sys.stdout.flush()
"""

JAVASCRIPT_MAIN = """
import { readFileSync } from "node:fs";

for (const line of readFileSync(0, "utf8").trimEnd().split("\\n")) {
  const [what, ...words] = line.split("\\t");
  if (what === "sign") {
    const fields = {};
    for (let i = 1; i < words.length; i += 2) fields[words[i]] = words[i + 1];
    console.log(signCallback(fields, words[0]));
  } else if (what === "seal") {
    console.log(seal(words[0], words[1], words[2], Buffer.from(words[3], "base64url")));
  } else if (what === "unseal") {
    console.log(unseal(words[0], words[1]));
  } else {
    console.log(isWebhook(...words.slice(0, -1), Number(words.at(-1))));
  }
}
"""

PHP_MAIN = """
foreach (file('php://stdin', FILE_IGNORE_NEW_LINES) as $line) {
    $words = explode("\\t", $line);
    $what = array_shift($words);
    if ($what === 'sign') {
        $key = array_shift($words);
        $fields = [];
        foreach (array_chunk($words, 2) as [$name, $value]) {
            $fields[$name] = $value;
        }
        echo signCallback($fields, $key), "\\n";
    } elseif ($what === 'seal') {
        echo seal($words[0], $words[1], $words[2], decoded($words[3])), "\\n";
    } elseif ($what === 'unseal') {
        echo unseal(...$words), "\\n";
    } else {
        $now = (int) array_pop($words);
        echo var_export(isWebhook(...[...$words, $now]), true), "\\n";
    }
}
"""

JAVA_MAIN = """
final class Main {
  public static void main(String[] arguments) throws Exception {
    String all = new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
    var out = new java.io.PrintStream(System.out, true, StandardCharsets.UTF_8);
    for (String line : all.split("\\n")) {
      String[] words = line.split("\\t", -1);
      switch (words[0]) {
        case "sign" -> {
          Map<String, String> fields = new TreeMap<>();
          for (int i = 2; i < words.length; i += 2) {
            fields.put(words[i], words[i + 1]);
          }
          out.println(Snippets.signCallback(fields, words[1]));
        }
        case "seal" -> out.println(
            Snippets.seal(words[1], words[2], words[3], Snippets.decoded(words[4])));
        case "unseal" -> out.println(Snippets.unseal(words[1], words[2]));
        default -> out.println(Snippets.isWebhook(
            words[1], words[2], words[3], words[4], words[5], Long.parseLong(words[6])));
      }
    }
  }
}
"""


def test_the_python_snippets_make_every_vector(tmp_path: Path) -> None:
    (tmp_path / "snippets.py").write_text(example("python") + PYTHON_MAIN, encoding="utf-8")
    run([sys.executable, "snippets.py"], tmp_path)


@pytest.mark.skipif(NODE is None, reason="there is no Node here")
def test_the_javascript_snippets_make_every_vector(tmp_path: Path) -> None:
    program = example("javascript") + JAVASCRIPT_MAIN
    (tmp_path / "snippets.mjs").write_text(program, encoding="utf-8")
    run([str(NODE), "snippets.mjs"], tmp_path)


@pytest.mark.skipif(PHP is None, reason="there is no PHP here")
def test_the_php_snippets_make_every_vector(tmp_path: Path) -> None:
    (tmp_path / "snippets.php").write_text(example("php") + PHP_MAIN, encoding="utf-8")
    run([str(PHP), "snippets.php"], tmp_path)


@pytest.mark.skipif(JAVAC is None, reason="there is no Java compiler here")
@pytest.mark.timeout(120)
def test_the_java_snippets_make_every_vector(tmp_path: Path) -> None:
    (tmp_path / "Snippets.java").write_text(example("java") + JAVA_MAIN, encoding="utf-8")
    compiling = [str(JAVAC), "-encoding", "UTF-8", "Snippets.java"]
    subprocess.run(compiling, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    run([str(Path(str(JAVAC)).with_name("java")), "-cp", ".", "Main"], tmp_path)


@pytest.mark.parametrize("vector", VECTORS["callback_signatures"], ids=lambda each: each["what"])
def test_the_wallet_hashes_what_the_vector_says(vector: dict[str, Any]) -> None:
    fields = {name: text for name, text in vector["fields"].items() if name != "extraData"}
    assert canonical(fields) == vector["hashed"]


@pytest.mark.parametrize("vector", VECTORS["envelopes"], ids=lambda each: each["what"])
def test_the_wallet_opens_the_envelope_of_the_vector(vector: dict[str, Any]) -> None:
    envelopes = Envelopes({vector["kid"]: Agent((unb64(vector["key"]),))})
    opened = envelopes.open(vector["compact"].encode())
    assert (opened.agent, opened.plaintext.decode()) == (vector["kid"], vector["plaintext"])


@pytest.mark.parametrize("part", [2, 3, 4])
def test_a_vector_that_was_changed_does_not_open(part: int) -> None:
    vector = VECTORS["envelopes"][0]
    envelopes = Envelopes({vector["kid"]: Agent((unb64(vector["key"]),))})
    parts = vector["compact"].split(".")
    parts[part] = ("B" if parts[part][0] == "A" else "A") + parts[part][1:]
    with pytest.raises(RefusedError):
        envelopes.open(".".join(parts).encode())
