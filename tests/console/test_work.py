"""Daily work at the console: the inbox, adjustments, the state of it all, and following along."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from app.console.commands.tail import _in_width
from tests.conftest import Database, sql
from tests.console.conftest import Console, Done
from tests.console.console import ENVIRONMENT, WALLET, Serving, wallet
from tests.ports import free_port

PLAYER = ("--agent", "house", "--currency", "USD", "--nickname", "Anna")


@pytest.fixture
def anna(console: Console, module_db: Database) -> Console:
    """A player with 100.00 USD, and one credit that was refused."""
    if console("player", "open", "anna", *PLAYER).out.startswith("Opened"):
        assert console("deposit", "anna", "100").code == 0
        refuse(module_db, "w-1")
    return console


def refuse(db: Database, transaction_id: str, event_type: str = "Win") -> None:
    sql(
        db.server,
        "INSERT INTO refusals (user_id, source, operation, transaction_id, event_id, event_type,"
        " direction, amount, refusal, reason, delivery, event_time, ledger_time)"
        f" VALUES ('anna', 'callback', 'moveFunds', '{transaction_id}', 'e-1', '{event_type}',"
        " 'credit', '7.00', 'NO_MATCHING_MOVEMENT', 'no matching movement in this event',"
        " gen_random_uuid(), now(), now())",
        db.name,
    )


class TestInbox:
    def test_what_went_astray_is_listed_taken_and_resolved(
        self, anna: Console, module_db: Database
    ) -> None:
        refuse(module_db, "w-list")
        listed = anna("inbox", "list", "--kind", "expected_credit", "--user", "anna")
        assert listed.code == 0
        assert "a credit was refused" in listed.out
        found = anna("inbox", "list", "--json").document["exceptions"]
        number = str(
            next(each["exception_id"] for each in found if each["transaction_id"] == "w-list")
        )
        taken = anna("inbox", "take", number)
        assert re.fullmatch(rf"The exception {number} is taken by [a-z0-9._-]+\.\n", taken.out)
        assert anna("inbox", "release", number).code == 0
        done = anna("inbox", "resolve", number, "--note", "the supplier withdrew it")
        assert f"The exception {number} is resolved by" in done.out
        shown = anna("inbox", "show", number)
        assert "the supplier withdrew it" in shown.out
        assert "(not verified)" in shown.out
        again = anna("inbox", "take", number)
        assert again.code == 1
        assert again.complaint.startswith(f"The exception {number} was resolved by")
        assert "w-list" in anna("inbox", "list", "--closed").out

    def test_bad_input_is_one_sentence(self, anna: Console) -> None:
        assert anna("inbox", "show", "999").complaint.startswith("There is no exception 999;")
        for words in (
            ("list", "--kind", "nothing"),
            ("take", "x"),
            ("take", "0"),
            ("resolve", "1"),
        ):
            done = anna("inbox", *words)
            assert done.code == 2
            assert "\n" not in done.complaint

    def test_an_empty_inbox_says_so(self, anna: Console) -> None:
        assert anna("inbox", "list", "--user", "nobody").out == "The inbox is empty.\n"


class TestAdjust:
    def propose(self, console: Console, amount: str = "5.00", *more: str) -> str:
        words = ("propose", "anna", "credit", amount, "--reason", "goodwill", "--ticket", "T-1")
        done = console("adjust", *words, *more, "--json")
        assert done.code == 0, done.err
        return str(done.document["adjustment"])

    def test_a_preview_shows_the_balance_after(self, anna: Console) -> None:
        done = anna(
            "adjust", "propose", "anna", "debit", "1.00", "--reason", "paid_twice", "--ticket", "T"
        )
        assert "balance now" in done.out
        assert "balance after" in done.out
        too_much = anna(
            "adjust", "propose", "anna", "debit", "999", "--reason", "chargeback", "--ticket", "T",
            "--pocket", "bonus",
        )  # fmt: skip
        assert "it would be refused: not enough money" in too_much.out

    def test_who_has_not_signed_in_approves_nothing(self, anna: Console) -> None:
        number = self.propose(anna)
        done = anna("adjust", "approve", number)
        assert done.code == 1
        assert "another person has to approve it" in done.complaint
        assert number in anna("adjust", "list").out

    def test_a_small_amount_is_approved_by_one_where_the_setting_says_so(
        self, anna: Console, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WALLET_ADJUST_SOLO_MAX", "USD:5.00,JPY:500")
        number = self.propose(anna, "5.00", "--for", "w-1")
        done = anna("adjust", "approve", number, "--note", "checked")
        assert done.code == 0, done.err
        assert done.out.startswith("Done: 5.00 USD to real. The balance is ")
        assert done.out.endswith("Transaction id: w-1\n")
        shown = anna("adjust", "show", number).out
        assert "w-1 (Win:credit)" in shown
        assert "checked" in shown
        assert "adjustment" in anna("movement", "show", "w-1").out
        assert anna("audit").code == 0
        larger = self.propose(anna, "5.01")
        assert anna("adjust", "approve", larger).code == 1

    def test_a_rejected_one_is_not_open_any_more(self, anna: Console) -> None:
        number = self.propose(anna)
        assert anna("adjust", "reject", number, "--note", "no").out == (
            f"The adjustment {number} is rejected; nothing moved.\n"
        )
        listed = anna("adjust", "list", "--all", "--json").document["adjustments"]
        states = {str(each["adjustment"]): each["state"] for each in listed}
        assert states[number] == "rejected"
        assert anna("adjust", "approve", number).code == 1

    @pytest.mark.parametrize(
        "words",
        [
            ("anna", "credit", "0", "--reason", "goodwill", "--ticket", "T"),
            ("anna", "sideways", "1", "--reason", "goodwill", "--ticket", "T"),
            ("anna", "credit", "1", "--reason", "because", "--ticket", "T"),
            ("anna", "credit", "1", "--reason", "goodwill"),
            ("anna", "credit", "1", "--reason", "goodwill", "--ticket", ""),
            ("anna", "credit", "1", "--reason", "goodwill", "--ticket", "T", "--pocket", "x"),
        ],
    )
    def test_bad_input_is_one_sentence(self, anna: Console, words: tuple[str, ...]) -> None:
        done = anna("adjust", "propose", *words)
        assert done.code == 2
        assert "\n" not in done.complaint

    def test_a_setting_that_is_not_understood_stops_it(
        self, anna: Console, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WALLET_ADJUST_SOLO_MAX", "5")
        done = anna("adjust", "list")
        assert done.code == 2
        assert "WALLET_ADJUST_SOLO_MAX" in done.complaint


class TestStatus:
    @pytest.fixture
    def fresh(self, in_process: Console, db: Database, monkeypatch: pytest.MonkeyPatch) -> Console:
        monkeypatch.setenv("WALLET_DATABASE_URL", db.service_url)
        return in_process

    @staticmethod
    def problems(done: Done) -> list[str]:
        """What is wrong, but for the server of the tests, which waits for no disk."""
        told: list[str] = done.document["problems"]
        return [words for words in told if "could be lost" not in words]

    def test_a_server_that_could_lose_money_is_not_well(self, fresh: Console) -> None:
        done = fresh("status", "--ledger-only")
        assert done.code == 1
        assert "Committed money could be lost: fsync is off on this server." in done.out
        assert "PostgreSQL" in done.out

    def test_secrets_are_masked(self, fresh: Console, monkeypatch: pytest.MonkeyPatch) -> None:
        secret = "a-secret-that-nobody-may-see"
        monkeypatch.setenv("WALLET_CALLBACK_KEYS", secret)
        monkeypatch.setenv("WALLET_AGENTS", json.dumps({"house": ["QUJD" * 10 + "QUE"]}))
        for done in (
            fresh("status", "--ledger-only"),
            fresh("status", "--ledger-only", "--json"),
        ):
            assert secret not in done.out
            assert "QUJD" not in done.out
            assert os.environ["WALLET_DATABASE_URL"] not in done.out
            assert "house" in done.out
            assert "WALLET_CALLBACK_KEYS" in done.out

    def test_what_is_wrong_is_named_and_the_exit_code_says_it(
        self, fresh: Console, db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fresh("player", "open", "anna", *PLAYER)
        sql(
            db.server,
            "SET session_replication_role = replica;"
            " UPDATE players SET created_at = created_at - interval '3 days';"
            " UPDATE decision_settings SET rule_version = 1, stake_order = 'bonus_first'",
            db.name,
        )
        refuse(db, "w-9")
        assert fresh("inbox", "list").code == 0
        sql(
            db.server,
            "UPDATE exceptions SET opened_at = now() - interval '2 days',"
            " happened_at = now() - interval '30 days'",
            db.name,
        )
        monkeypatch.setenv("WALLET_PRIVATE_PORT", "1")
        done = fresh("status", "--json")
        assert done.code == 1
        told = "\n".join(done.document["problems"])
        for words in (
            "run `wallet migrate --finish`",
            "No audit was run for more than a day",
            "WALLET_STAKE_ORDER is real_first here, and the ledger decides with bonus_first",
            "The inbox has waited 2 days: a credit was refused (1 open",
            "No process serves here: nothing answers at 127.0.0.1:1.",
        ):
            assert words in told

    def test_an_audit_is_remembered_and_a_breach_makes_it_unwell(
        self, fresh: Console, db: Database
    ) -> None:
        fresh("player", "open", "anna", *PLAYER)
        assert fresh("deposit", "anna", "5").code == 0
        assert fresh("audit").code == 0
        last = fresh("status", "--ledger-only", "--json").document["ledger"]["last_audit"]
        assert (last["breaches"], last["movements"], last["since"]) == (0, 1, None)
        sql(
            db.server,
            "SET session_replication_role = replica; UPDATE movements SET extra_data = '{}'",
            db.name,
        )
        assert fresh("audit", "--since", "2020-01-01").code == 1
        done = fresh("status", "--ledger-only")
        assert done.code == 1
        assert "found 1 breaches." in done.out

    def test_a_backup_that_was_told_of_is_shown_and_an_old_one_is_wrong(
        self, fresh: Console
    ) -> None:
        assert fresh("backup", "note", "full, in the vault", "--at", "2026-01-01").code == 0
        done = fresh("status", "--ledger-only")
        assert done.code == 1
        assert "The last backup ended at 2026-01-01 00:00Z." in done.out
        told = fresh("backup", "note", "full, in the vault", "--json")
        assert (told.code, told.document["note"]) == (0, "full, in the vault")
        assert self.problems(fresh("status", "--ledger-only", "--json")) == []
        assert fresh("backup", "note", "x", "--at", "2199-01-01").code == 2

    def test_a_seal_is_shown_and_an_old_one_is_wrong(
        self, fresh: Console, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert fresh("status", "--ledger-only", "--json").document["ledger"]["last_seal"] is None
        assert fresh("seal", "key", str(tmp_path / "key.pem")).code == 0
        monkeypatch.setenv("WALLET_SEAL_KEY", str(tmp_path / "key.pem"))
        monkeypatch.setenv("WALLET_SEAL_TO", str(tmp_path / "seals.jsonl"))
        assert fresh("seal").code == 0
        assert self.problems(fresh("status", "--ledger-only", "--json")) == []
        sql(
            db.server,
            "SET session_replication_role = replica; UPDATE seals SET sealed_at = '2026-01-01Z'",
            db.name,
        )
        done = fresh("status", "--ledger-only")
        assert done.code == 1
        assert "The ledger was last sealed at 2026-01-01 00:00Z" in done.out

    def test_a_database_that_is_away_is_a_problem_and_no_traceback(
        self, in_process: Console, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WALLET_DATABASE_URL", "postgresql://nobody:x@127.0.0.1:1/nowhere")
        done = in_process("status", "--ledger-only")
        assert done.code == 1
        assert "not well" in done.out

    def test_a_wallet_that_is_well_is_told_so_with_its_processes(self, tmp_path: Path) -> None:
        settings = {
            "WALLET_CALLBACK_KEYS": "a-callback-key-of-this-test",
            "WALLET_PRIVATE_PORT": str(free_port()),
        }
        with Serving(tmp_path, settings=settings):
            shown = wallet(tmp_path, "status", **settings)
            assert shown.returncode == 0, shown.stdout
            assert shown.stdout.rstrip().endswith("well")
            done = wallet(tmp_path, "status", "--json", **settings)
            (process,) = json.loads(done.stdout)["processes"]
            assert process["state"] == "ready"
            assert process["pool_max"] == 8
            assert process["queue"] == 0


class TestTail:
    def test_what_was_decided_is_followed_once_each(
        self, anna: Console, module_db: Database
    ) -> None:
        anna("deposit", "anna", "1.23", "--id", "tail-1")
        refuse(module_db, "tail-2")
        done = anna("tail", "--back", "60", "--seconds", "1")
        assert done.code == 0
        assert len(re.findall("tail-1", done.out)) == 1
        assert "anna deposit +1.23 = " in done.out
        assert "anna Win credit 7.00: no matching movement in this event" in done.out

    def test_filters_leave_the_others_out(self, anna: Console, module_db: Database) -> None:
        anna("player", "open", "bert", *PLAYER)
        anna("deposit", "bert", "1.00", "--id", "filter-1")
        anna("grant", "anna", "1.00", "--id", "filter-2")
        refuse(module_db, "filter-3")

        def shown(*words: str) -> set[str]:
            out = anna("tail", "--back", "60", "--seconds", "0", *words).out
            return set(re.findall(r"filter-\d", out))

        assert shown() == {"filter-1", "filter-2", "filter-3"}
        assert shown("--user", "bert") == {"filter-1"}
        assert shown("--type", "BonusGrant", "--type", "Win") == {"filter-2", "filter-3"}
        assert shown("--refusals") == {"filter-3"}
        lines = anna("tail", "--back", "60", "--seconds", "0", "--user", "bert", "--json").out
        assert [json.loads(line)["transaction_id"] for line in lines.splitlines()] == ["filter-1"]

    def test_hostile_texts_stay_within_their_line(self, anna: Console, module_db: Database) -> None:
        sql(
            module_db.server,
            "INSERT INTO refusals (user_id, source, operation, transaction_id, event_type,"
            " direction, amount, refusal, reason, delivery, event_time, ledger_time) VALUES"
            " (E'a\\nb\\x1b[2J', 'callback', 'moveFunds', U&'\\202Egnp', '<script>', 'credit',"
            " '1.00', 'FORMAT', 'why', gen_random_uuid(), now(), now())",
            module_db.name,
        )
        out = anna("tail", "--back", "60", "--seconds", "0").out
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert r"a\nb\x1b[2J" in out
        listed = anna("inbox", "list", "--kind", "expected_credit").out
        assert "\x1b" not in listed
        assert "\u202e" not in listed

    def test_ctrl_c_ends_it_without_a_word(
        self, anna: Console, module_db: Database, tmp_path: Path
    ) -> None:
        anna("deposit", "anna", "1.00", "--id", "watched")
        process = subprocess.Popen(
            [*WALLET, "tail", "--back", "60"],
            cwd=tmp_path,
            env={**ENVIRONMENT, "WALLET_DATABASE_URL": module_db.service_url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            if "watched" in line:
                break
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (0, "")

    def test_on_a_terminal_of_80_columns_a_long_id_stands_whole_below(self) -> None:
        told, transaction_id = "12:00:00  anna bet -10.00 = 90.00 USD", "x" * 60
        shown = _in_width((told, transaction_id), 80)
        assert all(len(line) <= 80 for line in shown.splitlines())
        assert transaction_id in shown
        assert _in_width((told, "t-1"), 80) == f"{told}  t-1"
