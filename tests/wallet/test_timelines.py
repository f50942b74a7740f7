"""Which time line has begun: a standby that took over, or a restore that needs a yes."""

from datetime import UTC, datetime, timedelta

from app.wallet.timelines import Beginning, Known, Server, TimelineKind, beginning

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
KNOWN = Known(3, TimelineKind.FIRST, 77, 1)
SAME = Server(77, 1, NOON, NOON + MINUTE)
PROMOTED = Server(77, 2, NOON, NOON + MINUTE)
"""It ran a minute longer than the last movement that it has is old."""
STARTED_LATER = Server(77, 2, NOON + MINUTE, NOON)


def begun(
    server: Server, known: Known | None = KNOWN, *, lost: int = 0, is_all_there: bool = False
) -> TimelineKind | None:
    found: Beginning | None = beginning(server, known, lost=lost, is_all_there=is_all_there)
    return None if found is None else found.kind


def test_a_ledger_without_time_lines_begins_its_first() -> None:
    assert begun(SAME, None) is TimelineKind.FIRST


def test_a_server_that_is_started_again_goes_on() -> None:
    assert begun(SAME) is None
    assert begun(SAME._replace(started_at=NOON + 9 * MINUTE)) is None


def test_a_standby_that_followed_until_the_end_takes_over() -> None:
    assert begun(PROMOTED) is TimelineKind.TAKEN_OVER


def test_a_server_that_was_started_after_its_last_movement_was_restored() -> None:
    assert begun(STARTED_LATER) is TimelineKind.RESTORED
    assert begun(STARTED_LATER._replace(alive_at=None)) is TimelineKind.RESTORED
    # Two clocks agree only so far.
    soon = NOON + timedelta(seconds=1)
    assert begun(PROMOTED._replace(alive_at=soon)) is TimelineKind.RESTORED


def test_what_was_answered_a_moment_ago_and_is_there_proves_the_same() -> None:
    assert begun(STARTED_LATER, is_all_there=True) is TimelineKind.TAKEN_OVER


def test_what_was_answered_and_is_missing_is_a_restore_whatever_else_is_seen() -> None:
    assert begun(PROMOTED, lost=1) is TimelineKind.RESTORED
    assert begun(SAME, lost=1) is TimelineKind.RESTORED


def test_another_cluster_is_a_restore() -> None:
    assert begun(PROMOTED._replace(system_identifier=78)) is TimelineKind.RESTORED
