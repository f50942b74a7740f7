"""Derives rows of rounds: their texts are read, what stands is found, amounts are printed."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from app.ledger.slips.reading import Round
from app.ledger.slips.writing import BetRow, Derived, FaultRow, LegRow, MismatchRow
from app.slips.reading import read_slip
from app.wallet.money import Currency, Minor
from app.wallet.slips import SlipFault
from app.wallet.sport_bets import SportBet, round_now

CURRENCIES_MAX: Final = 1_000
AMOUNTS_MAX: Final = 2_000


def derive(rounds: Sequence[Round], derived: Derived | None = None) -> Derived:
    """Return the rows that these rounds come to, after those of others."""
    derived = derived or Derived([], [], [], [], [])
    for round_ in rounds:
        if round_.is_too_long:
            _leave_out(round_, derived)
            continue
        readings = [read_slip(text) for text in round_.texts]
        now = round_now(round_.movements, readings)
        if now is None or not now.bets:
            derived.without_bets.append(round_.id)
        for movement, reading in zip(round_.movements, readings, strict=True):
            if isinstance(reading, SlipFault):
                derived.faults.append(
                    FaultRow(
                        movement.player_id,
                        movement.position,
                        movement.event_id,
                        reading.value,
                        movement.at,
                    )
                )
        if now is None:
            continue
        for bet in now.bets:
            derived.bets.append(_bet_row(bet))
            derived.legs.extend(_leg_rows(bet))
        derived.mismatches.extend(
            MismatchRow(
                round_.id.player_id,
                found.position,
                found.kind.value,
                round_.id.event_id,
                found.bet_position,
                found.expected,
                found.told,
                found.at,
            )
            for found in now.mismatches
        )
    return derived


def _leave_out(round_: Round, derived: Derived) -> None:
    """Count a round that has more movements than any bet, once."""
    first = round_.movements[0]
    derived.without_bets.append(round_.id)
    reason = SlipFault.TOO_MANY_MOVEMENTS.value
    derived.faults.append(
        FaultRow(first.player_id, first.position, first.event_id, reason, first.at)
    )


@lru_cache(CURRENCIES_MAX)
def _printing(code: str, scale: int) -> Callable[[Minor], str]:
    """Return what prints amounts of a currency, and remembers those that come again and again."""
    return lru_cache(AMOUNTS_MAX)(Currency(code, scale).text)


def _bet_row(bet: SportBet) -> BetRow:
    placed, slip = bet.placed, bet.slip
    text = _printing(placed.currency, placed.scale)
    return BetRow(
        placed.player_id,
        placed.position,
        placed.event_id,
        placed.source,
        placed.transaction_id,
        placed.game_id,
        placed.currency,
        placed.scale,
        slip.slip_id if slip else None,
        slip.shape.value if slip else None,
        bet.fault.value if bet.fault else None,
        slip.wins_needed if slip else None,
        slip.picks if slip else None,
        len(bet.legs),
        bet.live,
        slip.is_quick if slip else None,
        slip.free_bet if slip else None,
        slip.bonus_id if slip else None,
        text(placed.amount),
        text(placed.bonus_part),
        None if bet.told_stake is None else text(bet.told_stake),
        bet.total_odds,
        None if bet.potential_win is None else text(bet.potential_win),
        bet.status.value,
        bet.said,
        text(bet.turnover),
        text(bet.paid),
        text(bet.cash_out),
        text(bet.bonus_cost),
        bet.settlements,
        bet.reopenings,
        placed.at,
        bet.settled_at,
        bet.last_leg_at,
    )


def _leg_rows(bet: SportBet) -> list[LegRow]:
    player_id, position = bet.placed.player_id, bet.placed.position
    return [
        LegRow(player_id, position, number, *leg, result)
        for number, (leg, result) in enumerate(bet.legs, 1)
    ]
