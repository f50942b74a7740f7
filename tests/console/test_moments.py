"""`--until` and `--since`: the same bounds for both, and old stored values can be read."""

import pytest

from tests.conftest import Database, sql
from tests.console.conftest import Console


@pytest.fixture
def player(console: Console) -> Console:
    house = ("--agent", "house", "--currency", "USD")
    console("player", "open", "timed", *house, "--nickname", "Tim")
    return console


@pytest.mark.parametrize(
    "moment",
    [
        "2020-01-01",
        "1969-12-31",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+05:00",
        "9000-01-01T00:00:01Z",
        "9999-12-31T23:59:59.999999",
        "9999-12-31T23:59:59-14:00",
        "tomorrow",
    ],
)
def test_nobody_is_excluded_until_a_moment_that_passed_or_cannot_be(
    player: Console, moment: str
) -> None:
    done = player("player", "block", "timed", "--until", moment)
    assert done.code == 2
    assert "'--until'" in done.complaint
    assert player("player", "show", "timed", "--json").document["excluded_until"] is None


@pytest.mark.parametrize("moment", ["0001-01-01", "9999-12-31", "x"])
def test_an_audit_begins_at_a_moment_that_can_be(player: Console, moment: str) -> None:
    done = player("audit", "--since", moment)
    assert done.code == 2
    assert "'--since'" in done.complaint
    assert player("audit", "--since", "1970-01-01T00:00:00Z").code == 0


@pytest.mark.parametrize(
    ("stored", "shown", "may_play"),
    [
        ("infinity", "forever", False),
        ("9999-12-31 23:59:59.999999+00", "forever", False),
        ("-infinity", "1970-01-01 00:00:00.000000Z", True),
        ("0001-01-01 00:00:00+00", "1970-01-01 00:00:00.000000Z", True),
    ],
)
def test_an_account_with_a_moment_beyond_the_bounds_can_be_shown_and_changed(
    player: Console, module_db: Database, stored: str, shown: str, may_play: object
) -> None:
    statement = (
        f"UPDATE wallets SET excluded_until = '{stored}', revision = revision + 1 FROM players p"
        " WHERE p.player_id = wallets.player_id AND user_id = 'timed'"
    )
    sql(module_db.server, statement, module_db.name)
    account = player("player", "show", "timed", "--json").document
    assert (account["excluded_until"], account["may_play"]) == (shown, may_play)
    assert player("player", "limits", "timed", "stake_day=5").code == 0
    assert player("player", "block", "timed").code == 0
    assert player("player", "unblock", "timed").code == (0 if may_play else 1)
    # Nobody lifts an exclusion, and the player is shared.
    reset = statement.replace(f"'{stored}'", "NULL").replace("SET", "SET blocked = false,")
    sql(module_db.server, reset, module_db.name)
