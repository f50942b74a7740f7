"""`wallet reconcile`, as finance and its scripts call it."""

import csv
from html.parser import HTMLParser
from pathlib import Path

import pytest

from app.simulator import faulty, write_report
from tests.conftest import sql
from tests.console.conftest import Console, Done
from tests.reconciliation.conftest import Played


class Books:
    """The command on the journal that was played."""

    def __init__(self, console: Console, played: Played, folder: Path) -> None:
        self.console = console
        self.played = played
        self.folder = folder

    def report(self, faults: int = 0) -> Path:
        path = self.folder / "report.csv"
        records, injected = faulty(self.played.records, 1, faults)
        write_report(path, records, injected, 1)
        return path

    def run(self, path: Path, *arguments: str, profile: str = "fungamess") -> Done:
        period = ("--from", self.played.since.isoformat(), "--to", self.played.until.isoformat())
        return self.console(
            *("reconcile", str(path), "--profile", profile, "--grace", "0", *period, *arguments)
        )


@pytest.fixture
def books(
    in_process: Console, played: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Books:
    monkeypatch.setenv("WALLET_DATABASE_URL", played.db.service_url)
    monkeypatch.chdir(tmp_path)
    return Books(in_process, played, tmp_path)


def test_a_report_that_agrees_is_exit_code_0(books: Books) -> None:
    done = books.run(books.report())
    assert (done.code, done.err) == (0, "")
    assert f"agrees: {len(books.played.records)} lines, and both books say the same" in done.out
    assert "Who owes whom" not in done.out


def test_a_difference_is_exit_code_1_and_money_comes_first(books: Books) -> None:
    done = books.run(books.report(24))
    assert done.code == 1
    assert done.out.lstrip().startswith("Who owes whom")
    assert "differs: 24 differences" in done.out
    assert "owed to us" in done.out


def test_a_program_reads_everything(books: Books) -> None:
    done = books.run(books.report(24), "--json")
    assert done.code == 1
    document = done.document
    assert (document["agrees"], document["differences"]) == (False, 24)
    assert document["profile"] == "fungamess"
    assert document["journal"]["movements"] > document["lines"] - 100
    assert len(document["first_differences"]) == 24
    again = books.run(books.report(24), "--json").document
    assert again["same_file_as"] == document["run_id"]


def test_the_files_hold_every_difference(books: Books) -> None:
    files = {name: books.folder / name for name in ("d.csv", "p.html", "r.csv")}
    done = books.run(
        books.report(24),
        *("--csv", str(files["d.csv"]), "--html", str(files["p.html"])),
        *("--repairs", str(files["r.csv"])),
    )
    assert done.code == 1
    with files["d.csv"].open(encoding="utf-8", newline="") as file:
        differences = list(csv.DictReader(file))
    assert len(differences) == 24
    with files["r.csv"].open(encoding="utf-8", newline="") as file:
        repairs = list(csv.DictReader(file))
    assert 0 < len(repairs) < 24
    assert {each["stands_for_source"] for each in repairs} == {"callback"}
    page = files["p.html"].read_text(encoding="utf-8")
    HTMLParser().feed(page)
    assert "24 differences" in page
    for foreign in ("<script", "http://", "https://", "<link", "<img"):
        assert foreign not in page


def test_a_page_shows_foreign_text_and_does_not_become_it(books: Books) -> None:
    path = books.report()
    text = path.read_text(encoding="utf-8")
    first = text.splitlines()[1].split(",")[0]
    path.write_text(text.replace(f"{first},", "<b>=1+1</b>,", 1), encoding="utf-8")
    done = books.run(path, "--html", "page.html", "--csv", "d.csv")
    assert done.code == 1
    page = Path("page.html").read_text(encoding="utf-8")
    assert "<b>" not in page
    assert "&lt;b&gt;=1+1" in page


def test_bad_lines_are_exit_code_2_and_say_where(books: Books) -> None:
    path = books.report()
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[2] = lines[2].rpartition(",")[0]
    path.write_text("\n".join(lines), encoding="utf-8")
    kept = "SELECT count(*) FROM reconciliation_runs"
    before = sql(books.played.db.server, kept, books.played.db.name)
    done = books.run(path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Line 3 has 8 cells, and the header has 9")
    assert "nothing was compared" in done.err
    assert sql(books.played.db.server, kept, books.played.db.name) == before
    skipped = books.run(path, "--skip-bad")
    assert "Skipped: line 3 has 8 cells" in skipped.err
    assert "1 skipped" in skipped.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("report.csv", "--profile", "nobody"), "There is no profile nobody"),
        (("nothing.csv", "--profile", "generic"), "does not exist"),
        (("report.csv",), "Missing option '--profile'"),
        (("report.csv", "--profile", "generic"), "no column transaction_id"),
        (("report.csv", "--profile", "fungamess", "--from", "soon"), "must be such as"),
        (
            ("report.csv", "--profile", "fungamess", "--from", "2026-01-02", "--to", "2026-01-01"),
            "ends before it begins",
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    books: Books, arguments: tuple[str, ...], sentence: str
) -> None:
    books.report()
    done = books.console("reconcile", *arguments)
    assert done.code == 2
    assert sentence in done.complaint


def test_a_file_that_cannot_be_written_says_that_the_run_is_kept(books: Books) -> None:
    done = books.run(books.report(12), "--csv", "/nowhere/d.csv")
    assert done.code == 1
    assert "cannot be written" in done.complaint


def test_repairs_are_asked_for_once_and_nothing_moves(books: Books) -> None:
    moved = "SELECT count(*) FROM movements"
    before = sql(books.played.db.server, moved, books.played.db.name)
    first = books.run(books.report(24), "--propose", "--json")
    again = books.run(books.report(24), "--propose", "--json")
    assert first.code == again.code == 1
    states = [{each["state"] for each in done.document["proposals"]} for done in (first, again)]
    assert "proposed" in states[0]
    assert "proposed" not in states[1]
    asked = [[each["adjustment"] for each in done.document["proposals"]] for done in (first, again)]
    assert asked[0] == asked[1]
    assert sql(books.played.db.server, moved, books.played.db.name) == before
    shown = books.run(books.report(24), "--propose").out
    assert "Adjustments asked for: 0 of" in shown


def test_a_trial_leaves_the_inbox_as_it_is(books: Books) -> None:
    assert books.run(books.report(24), "--no-inbox", "--json").document["new_in_inbox"] == 0


def test_a_run_is_for_ever(books: Books) -> None:
    books.run(books.report(12))
    for change in ("UPDATE reconciliation_runs SET lines = 0", "DELETE FROM reconciliation_runs"):
        with pytest.raises(AssertionError, match="append-only"):
            sql(books.played.db.server, change, books.played.db.name)


def test_operations_read_what_was_found(books: Books) -> None:
    run = books.run(books.report(24), "--json").document
    found = sql(
        books.played.db.server,
        "SELECT count(*) FROM ops.reconciliation_differences"
        f" WHERE run_id = {run['run_id']} AND is_difference",
        books.played.db.name,
    )
    assert found == "24"


def test_a_run_asks_for_so_many_repairs_and_says_that_there_are_more(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.console.commands.reconcile.PROPOSED_MAX", 2)
    done = books.run(books.report(24), "--propose", "--json")
    assert len(done.document["proposals"]) == 2
    assert done.err.startswith("The first 2 of ")
