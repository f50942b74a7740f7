"""The journal entry: its canonical text, and the hash that chains it to the one before."""

import dataclasses
import hashlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wallet.balance import Pockets
from app.wallet.events import Direction, EventType, HouseAccount
from app.wallet.journal import CHAIN_START, Flag, JournalEntry, Reversal, microseconds
from app.wallet.money import Currency
from app.wallet.movement import Key
from app.wallet.refusals import Refusal
from tests.wallet.story import Story, movement

ENTRY = JournalEntry(
    player_id=7,
    position=3,
    version=2,
    key=Key("callback", "tx|1", "PromoWin:debit"),
    delivery=bytes(range(16)),
    event_type=EventType.SPORT_BET_CANCEL,
    direction=Direction.DEBIT,
    refusal=None,
    amount=1050,
    currency=Currency("USD", 2),
    before=Pockets(1000, 25),
    delta=Pockets(-1025, -25),
    contra=HouseAccount.GAMES,
    event_id="événement",
    game_id=None,
    bonus_code="",
    extra_data='{"a":"b|c"}',
    reverses=(Reversal(1, 500, 25), Reversal(2, 525, 0)),
    flags=(Flag.UNCOVERED, Flag.OTHER_GAME),
    event_time=datetime(2026, 11, 20, 13, 0, 0, 1, tzinfo=UTC),
    ledger_time=datetime(2026, 11, 20, 13, 0, 1, tzinfo=UTC),
    chain=b"",
)


def test_the_canonical_text_is_this_to_the_letter() -> None:
    assert ENTRY.canonical() == (
        "v1|7|3|2|000102030405060708090a0b0c0d0e0f|SportBetCancel|debit|ACCEPTED|USD|2"
        "|1050|1000|25|-1025|-25|house:games|-|1/500/25,2/525/0|remainder,other_game"
        "|1795179600000001|1795179601000000"
        '|8:callback|4:tx|1|14:PromoWin:debit|9:événement|0:|11:{"a":"b|c"}'
    )


def test_an_entry_is_chained_by_sha256_of_the_one_before_and_its_text() -> None:
    first = ENTRY.chained(CHAIN_START)
    digest = hashlib.sha256(bytes(32) + ENTRY.canonical().encode()).digest()
    assert first.chain == digest
    second = ENTRY._replace(position=4).chained(first.chain)
    assert second.chain == hashlib.sha256(digest + second.canonical().encode()).digest()


def test_the_chain_does_not_depend_on_the_link_that_was_there() -> None:
    assert ENTRY._replace(chain=b"x" * 32).chained(CHAIN_START) == ENTRY.chained(CHAIN_START)


CHANGES: dict[str, object] = {
    "player_id": 8,
    "position": 4,
    "version": 3,
    "key": ENTRY.key._replace(facet=""),
    "delivery": bytes(16),
    "event_type": EventType.BET_PAYED_ABORT,
    "direction": Direction.CREDIT,
    "refusal": Refusal.INSUFFICIENT_FUNDS,
    "amount": 1051,
    "currency": Currency("USD", 3),
    "before": Pockets(1001, 24),
    "delta": Pockets(-1024, -26),
    "contra": HouseAccount.TIPS,
    "event_id": None,
    "game_id": 0,
    "bonus_code": None,
    "extra_data": "",
    "reverses": (Reversal(1, 500, 25),),
    "flags": (Flag.UNCOVERED,),
    "event_time": ENTRY.event_time + timedelta(microseconds=1),
    "ledger_time": ENTRY.ledger_time + timedelta(microseconds=1),
}


@pytest.mark.parametrize("name", CHANGES)
def test_no_field_can_be_changed_without_breaking_the_chain(name: str) -> None:
    changed = ENTRY._replace(**{name: CHANGES[name]})  # type: ignore[arg-type]
    assert changed.chained(CHAIN_START).chain != ENTRY.chained(CHAIN_START).chain


def test_every_field_but_the_chain_itself_is_chained() -> None:
    assert {*CHANGES, "chain"} == set(JournalEntry._fields)


free_texts = st.none() | st.text("|:-0123456789ab", max_size=8)


@given(st.lists(free_texts, min_size=6, max_size=6), st.lists(free_texts, min_size=6, max_size=6))
def test_two_entries_of_different_text_never_read_the_same(
    one: list[str | None], other: list[str | None]
) -> None:
    def entry(texts: list[str | None]) -> JournalEntry:
        source, transaction_id, facet, event_id, bonus_code, extra_data = texts
        return ENTRY._replace(
            key=Key(source or "", transaction_id or "", facet or ""),
            event_id=event_id,
            bonus_code=bonus_code,
            extra_data=extra_data,
        )

    same = entry(one) == entry(other)
    assert (entry(one).canonical() == entry(other).canonical()) is same


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001
def test_a_moment_is_whole_microseconds_in_any_zone(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC)
    east = moment.astimezone(timezone(timedelta(hours=9)))
    assert microseconds(east) == microseconds(moment)
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds(moment)) == moment


def test_remembered_refusals_are_links_while_the_version_counts_what_was_accepted() -> None:
    story = Story().player()
    story.tell(
        movement("Deposit", "10"),
        movement("BetPlacing", "100"),
        movement("BetPlacing", "10"),
        movement("Win", "5", event_id="unknown"),
        movement("Tip", "1"),
    )
    places = [(e.position, e.version, e.refusal is None) for e in story.entries]
    assert places == [(1, 1, True), (2, 1, False), (3, 2, True), (4, 2, False)]
    chain = CHAIN_START
    for entry in story.entries:
        assert entry == entry.chained(chain)
        chain = entry.chain
    assert story.wallets["anna"].chain == chain


def test_an_entry_keeps_what_was_asked() -> None:
    story = Story().player(real=1000)
    told = movement("BetPlacing", "10", game_id=42, bonus_code="FREE", extra_data="not json")
    story.one(told)
    (entry,) = story.entries
    assert (entry.key, entry.delivery, entry.event_id) == (told.key, told.delivery, "event")
    assert (entry.game_id, entry.bonus_code, entry.extra_data) == (42, "FREE", "not json")
    assert (entry.event_time, entry.ledger_time) == (told.received_at, story.now)
    assert (entry.before, entry.after) == ((1000, 0), (0, 0))


def test_the_story_knows_every_fact_there_is() -> None:
    """The driver of these tests would pass a field over in silence."""
    from app.wallet.facts import Facts  # noqa: PLC0415

    assert {f.name for f in dataclasses.fields(Facts)} == {
        "now",
        "wallets",
        "sessions",
        "rounds",
        "taken",
        "limit_hits",
        "games",
        "holds",
        "money_until",
    }
