"""WALLET_TOKEN_RENEWAL=sliding: a token lives on while it is used."""

from datetime import timedelta

import pytest

from tests.edges.transfer.bank import Bank, unique

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def choices() -> dict[str, object]:
    return {"token_renewal": "sliding", "token_life_seconds": 86400}


def live(bank: Bank, user_id: str, token: str) -> bool:
    return bool(bank.game("getBalance", token=token, userId=user_id)["status"])


@pytest.mark.parametrize("by_playing", [True, False])
def test_a_token_lives_on_while_it_is_used(bank: Bank, *, by_playing: bool) -> None:
    user_id = bank.player("1000")
    token, idle, given = (
        bank.token(user_id),
        bank.token(user_id),
        bank.token(user_id, ttl_seconds=86400),
    )
    for step in range(1, 5):
        bank.ahead = step * 20 * HOUR
        if by_playing:
            assert bank.play(user_id, token, "BetPlacing", "1", unique("on")) == 0
        else:
            assert live(bank, user_id, token)
        if step == 1:
            assert live(bank, user_id, given)
    assert not live(bank, user_id, idle)
    assert not live(bank, user_id, given), "a life that was given is not lengthened"
    bank.ahead += 23 * HOUR
    assert live(bank, user_id, token)
    bank.ahead += 25 * HOUR
    assert not live(bank, user_id, token)
    bank.ahead += HOUR
    assert not live(bank, user_id, token), "what has died stays dead"


def test_a_token_is_written_about_once_an_hour(bank: Bank) -> None:
    user_id = bank.player("1000")
    token = bank.token(user_id)

    def expires_at() -> object:
        (row,) = bank.sql(
            "SELECT max(expires_at) AS at FROM sessions JOIN players USING (player_id)"
            " WHERE user_id = $1",
            user_id,
        )
        return row["at"]

    first = expires_at()
    bank.ahead = timedelta(minutes=50)
    assert bank.play(user_id, token, "BetPlacing", "1") == 0
    assert live(bank, user_id, token)
    assert expires_at() == first
    bank.ahead = timedelta(minutes=70)
    assert bank.play(user_id, token, "BetPlacing", "1") == 0
    assert expires_at() != first
