"""`wallet show` finds what Betby knows by our ids, by its own, and by the slip's number."""

import pytest

from app.ledger.citus.ledger import PlacedLedger
from app.slips.projector import Projector
from tests.conftest import Database
from tests.console.conftest import Console
from tests.edges.betby.bookmaker import making, open_bookmaker


class Played:
    """A bet of Betby's that was won, and its slip."""

    def __init__(self, database: Database) -> None:
        with open_bookmaker(database) as betby:
            seat = betby.seat()
            self.made = making(seat, betslip={"id": "Slip-7", "type": "1/1", "bets": []})
            self.bet = betby.call("make", self.made)
            self.win = betby.win(self.bet, 700)
            ledger = PlacedLedger(database.service_url, pool_size=1)
            betby.house.run(Projector(ledger).look())
            betby.house.run(ledger.close())


@pytest.fixture(scope="module")
def played(module_db: Database) -> Played:
    return Played(module_db)


def test_show_finds_an_operation_of_betbys_by_our_id_of_it(
    console: Console, played: Played
) -> None:
    for told, kind in ((played.bet, "BetbyMake"), (played.win, "BetbyWin")):
        document = console("show", told.id, "--json").document
        (found,) = document["transactions"]
        assert found["transaction_id"] == told.said["ext_transaction_id"]
        assert [each["event_type"] for each in found["movements"]] == [kind]
        assert kind in console("show", told.id).out


def test_show_finds_a_bet_by_betbys_id_and_by_its_slip(console: Console, played: Played) -> None:
    transaction_id = played.made["transaction"]["id"]
    (found,) = console("show", transaction_id, "--json").document["transactions"]
    assert found["transaction_id"] == transaction_id
    for slip in ("Slip-7", "slip-7"):
        (round_,) = console("show", slip, "--json").document["rounds"]
        assert round_["event_id"] == f"betby:{transaction_id}"
        assert [each["slip_id"] for each in round_["slips"]] == ["Slip-7"]


@pytest.mark.parametrize("found_id", ["999999-1", "0-1", "17-", "no-slip"])
def test_an_id_of_nothing_is_said_to_be_one(
    console: Console, played: Played, found_id: str
) -> None:
    assert played.bet.id != found_id
    done = console("show", found_id)
    assert done.code == 1
    assert done.complaint.startswith(f"Nothing here has the id {found_id}")


def test_a_place_of_another_contracts_movement_is_no_id_of_betbys(
    console: Console, played: Played
) -> None:
    """Its caller was never told such an id."""
    player_id = played.bet.id.partition("-")[0]
    assert console("show", f"{player_id}-1").code == 1
