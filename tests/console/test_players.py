"""Accounts at the console: opened, shown, blocked, limited; tokens."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import Database, sql
from tests.console.conftest import Console

OPEN = ("--agent", "house", "--currency", "USD", "--nickname", "Someone")


def opened(console: Console, user_id: str, *arguments: str) -> str:
    done = console("player", "open", user_id, *(arguments or OPEN))
    assert done.code == 0, done.err
    return user_id


def test_an_account_is_opened_once_and_then_stays_as_it_is(console: Console) -> None:
    first = console("player", "open", "once", *OPEN, "--email", "a@example.test", "--json")
    assert first.code == 0
    assert first.document["created"] is True
    assert first.document["balance"] == "0.00"
    assert first.document["email"] == "a@example.test"
    again = console("player", "open", "once", *OPEN[:4], "--nickname", "Another", "--json")
    assert again.code == 0
    assert (again.document["created"], again.document["nickname"]) == (False, "Someone")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--agent", "house", "--currency", "EUR", "--nickname", "Zoe"), "EUR is not a currency"),
        (("--currency", "USD", "--nickname", "Zoe"), "Name the agent with --agent"),
        (("--agent", "other", "--currency", "USD", "--nickname", "Zoe"), "another agent, house"),
        (("--agent", "house", "--currency", "JPY", "--nickname", "Zoe"), "has an account in USD"),
    ],
)
def test_an_account_that_cannot_be_opened_is_refused_in_words(
    console: Console, arguments: tuple[str, ...], words: str
) -> None:
    opened(console, "taken")
    done = console("player", "open", "taken", *arguments)
    assert done.code == 1
    assert words in done.complaint


@pytest.mark.parametrize(
    "arguments",
    [
        ("x" * 251, *OPEN),
        ("bad\nid", *OPEN),
        ("bad-\udcff", *OPEN),
        ("ok", "--agent", "house", "--currency", "USD", "--nickname", "ab"),
        ("ok", *OPEN, "--language", "so so"),
    ],
)
def test_what_no_account_can_have_is_a_mistake_in_the_command_line(
    console: Console, arguments: tuple[str, ...]
) -> None:
    done = console("player", "open", *arguments)
    assert done.code == 2
    assert "Traceback" not in done.err


def test_a_player_is_shown_with_his_money_and_his_last_movements(console: Console) -> None:
    opened(console, "shown")
    for amount in ("10", "20.50", "30"):
        assert console("deposit", "shown", amount).code == 0
    done = console("player", "show", "shown", "--movements", "2")
    assert done.code == 0
    assert "60.50 USD (60.50 real)" in done.out
    assert "deposit 30.00" in done.out
    assert "deposit 10.00" not in done.out
    document = console("player", "show", "shown", "--json").document
    assert (document["balance"], document["real"], document["bonus"]) == ("60.50", "60.50", "0.00")
    assert [m["amount"] for m in document["movements"]] == ["30.00", "20.50", "10.00"]


def test_a_player_nobody_knows_is_a_sentence_that_says_what_to_do(console: Console) -> None:
    for arguments in (
        ("player", "show", "nobody"),
        ("player", "block", "nobody"),
        ("player", "limits", "nobody", "stake_day=1"),
        ("token", "issue", "nobody"),
        ("deposit", "nobody", "1"),
    ):
        done = console(*arguments)
        assert done.code == 1
        assert "`wallet player open nobody …`" in done.complaint


def test_a_name_that_looks_like_another_one_opens_no_account(console: Console) -> None:
    done = console("player", "open", " anna", *OPEN)
    assert (done.code, done.complaint[:31]) == (1, "The player's name must have no ")


def test_a_block_holds_until_it_is_lifted(console: Console) -> None:
    opened(console, "blocked")
    done = console("player", "block", "blocked", "--json")
    assert (done.document["status"], done.document["may_play"]) == ("blocked", False)
    refused = console("token", "issue", "blocked")
    assert refused.code == 1
    assert refused.complaint == "Refused: the player is blocked."
    assert console("deposit", "blocked", "1").code == 1
    done = console("player", "unblock", "blocked", "--json")
    assert (done.code, done.document["may_play"]) == (0, True)
    assert console("deposit", "blocked", "1").code == 0


def test_an_exclusion_only_grows_and_outlives_an_unblocking(console: Console) -> None:
    opened(console, "excluded")
    until = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    done = console("player", "exclude", "excluded", until, "--json")
    assert done.document["excluded_until"] == f"{until} 00:00:00.000000Z"
    still = console("player", "unblock", "excluded")
    assert still.code == 1
    assert "nobody lifts that" in still.err
    sooner = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    refused = console("player", "exclude", "excluded", sooner)
    assert refused.code == 1
    assert "never shorter or lifted" in refused.complaint
    for_ever = console("player", "exclude", "excluded", "forever", "--json")
    assert for_ever.document["excluded_until"] == "forever"
    assert console("player", "exclude", "excluded", until).code == 1
    assert console("player", "exclude", "excluded", "tomorrow").code == 2
    assert console("player", "exclude", "excluded", "2020-01-01").code == 2
    assert console("deposit", "excluded", "1").code == 1
    assert "excluded for ever" in console("player", "show", "excluded").out


def test_a_lowered_limit_holds_at_once_and_a_raised_one_waits(console: Console) -> None:
    opened(console, "limited")
    lowered = console("player", "limits", "limited", "stake_day=100", "loss_week=5.50", "--json")
    assert lowered.document["limits"] == {"stake_day": "100.00", "loss_week": "5.50"}
    raised = console("player", "limits", "limited", "stake_day=200", "loss_week=none", "--json")
    assert raised.document["limits"] == {"stake_day": "100.00", "loss_week": "5.50"}
    assert raised.document["limits_later"]["stake_day"]["amount"] == "200.00"
    assert raised.document["limits_later"]["loss_week"]["amount"] is None
    shown = console("player", "limits", "limited")
    assert "stake_day 100.00 USD, 200.00 USD asked for, to be confirmed from 20" in shown.out
    early = console("player", "limits", "limited", "--confirm", "stake_day")
    assert early.code == 1
    assert "cannot be confirmed yet" in early.complaint
    none = console("player", "limits", "limited", "--confirm", "deposit_day")
    assert none.code == 1
    assert "no raise of this limit was asked for" in none.complaint
    assert console("player", "limits", "limited", "--confirm", "stake_year").code == 2


def test_the_limit_that_refused_stands_beside_the_refusal(console: Console) -> None:
    opened(console, "stopped")
    assert console("player", "limits", "stopped", "deposit_day=50").code == 0
    assert console("deposit", "stopped", "30").code == 0
    refused = console("deposit", "stopped", "20.01", "--id", "beyond", "--json")
    assert refused.code == 1
    limit = {"name": "deposit_day", "value": "50.00", "used": "30.00", "remaining": "20.00"}
    assert refused.document["limit"] == limit
    words = "deposit_day is 50.00 USD, 30.00 were used, 20.00 were left"
    assert words in console("deposit", "stopped", "20.01", "--id", "beyond").out
    movement = console("player", "show", "stopped", "--json").document["movements"][0]
    assert movement["limit"] == limit
    assert words in " ".join(console("movement", "show", "beyond").out.split())


def test_a_withdrawal_under_way_is_settled_or_given_back_by_hand(console: Console) -> None:
    opened(console, "leaving")
    console("deposit", "leaving", "100")
    assert console("hold", "open", "leaving", "60", "--id", "w-1").code == 0
    assert console("hold", "open", "leaving", "40", "--id", "w-2").code == 0
    assert console("withdraw", "leaving", "1").code == 1
    settled = console("hold", "settle", "leaving", "w-1", "--id", "s-1")
    assert (settled.code, "60.00 USD paid out" in settled.out) == (0, True)
    assert console("hold", "settle", "leaving", "w-1", "--id", "s-1").code == 0, "a repeat"
    closed = console("hold", "release", "leaving", "w-1")
    assert closed.code == 1
    assert "settled or released already" in closed.complaint
    back = console("hold", "release", "leaving", "w-2", "--json")
    assert back.document["balance"] == "40.00"
    unknown = console("hold", "settle", "leaving", "w-9")
    assert unknown.code == 1
    assert "has no hold w-9" in unknown.complaint


def test_a_game_is_named_for_limits_of_products(console: Console) -> None:
    assert console("game", "set", "17", "--product", "casino").code == 0
    assert "is casino already" in console("game", "set", "17", "--product", "casino").out
    assert "was casino and is live" in console("game", "set", "17", "--product", "live").out
    games = console("game", "show", "--json").document["games"]
    assert [(game["game_id"], game["product"]) for game in games] == [(17, "live")]
    assert console("game", "set", "17", "--product", "Live").code == 2
    assert console("game", "set", "-1", "--product", "live").code == 2


def test_limits_count_in_another_zone_from_now_on(console: Console) -> None:
    assert console("limits", "rezone", "Mars/Olympus").code == 2
    moved = console("limits", "rezone", "Europe/London")
    assert moved.code == 0
    assert "WALLET_LIMIT_ZONE" in moved.out
    assert "already" in console("limits", "rezone", "Europe/London").out
    shown = console("settings", "show", "--json").document
    assert shown["limit_zone"] == "Europe/London"


@pytest.mark.parametrize("limit", ["stake_year=1", "stake_day=-1", "stake_day=", "stake_day"])
def test_a_limit_that_is_not_understood_changes_nothing(console: Console, limit: str) -> None:
    opened(console, "unlimited")
    done = console("player", "limits", "unlimited", limit)
    assert done.code == 2
    assert "100.50" in done.err or "stake_month" in done.err
    too_fine = console("player", "limits", "unlimited", "stake_day=0.001")
    assert too_fine.code == 1
    assert console("player", "limits", "unlimited", "--json").document["limits"] == {}


def test_a_token_is_shown_once_and_kept_as_a_hash(console: Console, module_db: Database) -> None:
    opened(console, "tokened")
    done = console("token", "issue", "tokened", "--life", "60")
    assert done.code == 0
    token = done.out.strip()
    assert len(token) == 43
    assert "It lives until" in done.err
    kept = sql(
        module_db.server,
        "SELECT origin, extract(epoch FROM expires_at - issued_at)::int FROM sessions"
        f" WHERE token_hash = sha256('{token}')",
        module_db.name,
    )
    assert kept == "console|60"
    assert console("token", "issue", "tokened", "--life", "0").code == 2


def test_every_change_is_listed_with_who_sat_at_the_console(
    console: Console, module_db: Database
) -> None:
    opened(console, "listed")
    console("player", "block", "listed")
    console("player", "unblock", "listed")
    console("token", "issue", "listed")
    listed = sql(
        module_db.server,
        "SELECT string_agg(operation, ' ' ORDER BY change_id), bool_and(source LIKE 'console:%')"
        " FROM account_changes JOIN players USING (player_id) WHERE user_id = 'listed'",
        module_db.name,
    )
    assert listed == "account/init account/update account/update account/session|t"


def test_a_key_for_an_agent_is_one_that_the_settings_take(
    in_process: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = in_process("agent", "key", "casino")
    assert done.code == 0
    key = done.out.strip()
    assert len(key) == 43
    assert key not in in_process("agent", "key", "casino").out
    assert f"WALLET_AGENTS='{json.dumps({'casino': [key]})}'" in done.err
    monkeypatch.setenv("WALLET_AGENTS", json.dumps({"casino": [key, "A" * 43]}))
    assert in_process("agent", "key", "callback").code == 1
    assert set(in_process("agent", "key", "--json").document) == {"agent", "key"}
