"""A line shows the values of the contract, not how Python writes an enum."""

import secrets
from datetime import UTC, datetime

from structlog.testing import capture_logs

from app.edges.callback import log as callback_log
from app.edges.transfer import log as transfer_log
from app.edges.transfer.answers import Answer
from app.edges.transfer.codes import Code
from app.wallet.alarms import Alarm
from app.wallet.events import Direction, EventType
from app.wallet.movement import Key, Movement
from app.wallet.outcomes import Refused
from app.wallet.refusals import Refusal


def test_an_event_type_in_a_line_is_the_contracts_word() -> None:
    movement = Movement(
        delivery=secrets.token_bytes(16),
        key=Key("callback", "t-1", ""),
        user_id="u",
        event_type=EventType.PROMO_WIN,
        direction=Direction.CREDIT,
        amount="1.00",
        received_at=datetime.now(UTC),
    )
    with capture_logs() as lines:
        callback_log.outcome_unknown(movement, ValueError())
        callback_log._raise_alarm(Alarm.FLAGGED, movement)
        answer = Answer(Code.DONE, b"")
        transfer_log.decided(movement, Refused(Refusal.NO_MATCHING_MOVEMENT), answer)
    assert [line["event"] for line in lines] == ["outcome unknown", "alarm", "movement", "alarm"]
    for line in lines:
        assert type(line["event_type"]) is str
        assert line["event_type"] == EventType.PROMO_WIN.value
