"""Manual movements: exact, at most once, and refused with a reason."""

import pytest

from tests.conftest import Database, sql
from tests.console.conftest import Console


@pytest.fixture
def rich(console: Console) -> Console:
    """A player with 100.00 USD of real money and 10.00 of bonus."""
    done = console(
        "player", "open", "rich", "--agent", "house", "--currency", "USD", "--nickname", "Rich"
    )
    if done.out.startswith("Opened"):
        assert console("deposit", "rich", "100").code == 0
        assert console("grant", "rich", "10").code == 0
    return console


def balance(console: Console, user_id: str = "rich") -> tuple[str, str]:
    document = console("player", "show", user_id, "--json").document
    return document["real"], document["bonus"]


def test_money_goes_in_and_out_to_the_cent(rich: Console) -> None:
    real, bonus = balance(rich)
    done = rich("deposit", "rich", "0.07")
    assert done.code == 0
    assert done.out.startswith("Done: 0.07 USD in. The balance is ")
    assert rich("withdraw", "rich", "0.07").code == 0
    assert rich("grant", "rich", "1.01", "--reason", "a birthday").code == 0
    assert rich("revoke", "rich", "1.01").code == 0
    assert balance(rich) == (real, bonus)


def test_the_agent_of_the_player_is_who_asked(rich: Console, module_db: Database) -> None:
    done = rich(
        "deposit", "rich", "1", "--id", "asked-by-hand", "--reason", "found: a cent", "--json"
    )
    assert done.document["source"] == "house"
    extra = sql(
        module_db.server,
        "SELECT extra_data::json ->> 'reason', extra_data::json ->> 'by' LIKE 'console:%'"
        " FROM movements WHERE source = 'house' AND transaction_id = 'asked-by-hand'",
        module_db.name,
    )
    assert extra == "found: a cent|t"


def test_a_transaction_id_that_is_given_happens_once(rich: Console) -> None:
    before = balance(rich)
    first = rich("deposit", "rich", "5", "--id", "once", "--json")
    again = rich("deposit", "rich", "5.00", "--id", "once", "--json")
    assert (first.code, again.code) == (0, 0)
    assert (first.document["repeat"], again.document["repeat"]) == (False, True)
    assert again.document["balance"] == first.document["balance"]
    other = rich("deposit", "rich", "6", "--id", "once")
    assert other.code == 1
    assert "(amount). `wallet movement show once` shows what it was." in other.complaint
    other = rich("withdraw", "rich", "5", "--id", "once")
    assert other.code == 1
    assert rich("withdraw", "rich", "5").code == 0
    assert balance(rich) == before


def test_money_that_is_not_there_is_refused_for_ever(rich: Console) -> None:
    done = rich("withdraw", "rich", "999", "--id", "too-much")
    assert done.code == 1
    assert done.out.startswith("Refused: not enough money. 999.00 USD were asked for; there are ")
    again = rich("withdraw", "rich", "999", "--id", "too-much", "--json")
    assert again.code == 1
    document = again.document
    assert (document["accepted"], document["repeat"]) == (False, True)
    assert document["refusal"] == "INSUFFICIENT_FUNDS"


def test_an_amount_too_fine_for_its_currency_is_refused_in_words(rich: Console) -> None:
    done = rich("deposit", "rich", "0.001")
    assert done.code == 1
    assert done.complaint == "Refused: USD has 2 decimals, and the amount is finer."
    rich("player", "open", "coin", "--agent", "house", "--currency", "BTC", "--nickname", "Coin")
    assert rich("deposit", "coin", "0.00000001").code == 0
    assert balance(rich, "coin") == ("0.00000001", "0.00000000")


def test_the_largest_amount_is_kept_to_the_last_digit(rich: Console) -> None:
    rich("player", "open", "king", "--agent", "house", "--currency", "USD", "--nickname", "King")
    assert rich("deposit", "king", "999999999999999999.99").code == 0
    assert balance(rich, "king") == ("999999999999999999.99", "0.00")
    full = rich("deposit", "king", "0.01")
    assert full.code == 1
    assert full.complaint == "Refused: the balance would not fit the currency's digits."


@pytest.mark.parametrize(
    "amount", ["0", "0.00", "1e3", "1,5", "+1", "NaN", "1.", ".5", "١", "1 ", "9" * 19]
)
def test_what_is_no_amount_moves_nothing(rich: Console, amount: str) -> None:
    before = balance(rich)
    done = rich("deposit", "rich", amount)
    assert done.code == 2
    assert "must be" in done.err
    assert balance(rich) == before


def test_a_negative_amount_is_no_amount(rich: Console) -> None:
    assert rich("deposit", "rich", "-5").code == 2
    assert rich("deposit", "rich", "--", "-5").code == 2
