"""What the description says of webhooks: each type of events, as it is sent to an endpoint."""

from typing import Final

from app.edges.event_schemas import EVENT_DATA, EVENT_SCHEMAS, EXAMPLE_ID, example_of
from app.edges.openapi import JSON, Contract, Schema, ref

_HEADERS: Final = (
    ("webhook-id", "The event's id; a redelivery has the same.", EXAMPLE_ID),
    ("webhook-timestamp", "Unix seconds of this delivery.", "1795176000"),
    (
        "webhook-signature",
        "`v1,` and the base64 of HMAC-SHA-256 over `<webhook-id>.<webhook-timestamp>.<body>`.",
        "v1,B+bU/TNLbesOofDCFOssbG/nG5uyh7hBEpqpUWgPPyY=",
    ),
)

_SENT: Final[dict[str, Schema]] = {
    kind.value: {
        "operationId": f"webhook_{kind.value.replace('.', '_')}",
        "summary": what,
        "description": (
            "Sent to the endpoint of `WALLET_WEBHOOKS` with the headers of Standard Webhooks. "
            "Answer with any 2xx once the event is safe; anything else is tried again."
        ),
        "security": [],
        "parameters": [
            {
                "in": "header",
                "name": header,
                "required": True,
                "description": said,
                "schema": {"type": "string"},
                "example": example,
            }
            for header, said, example in _HEADERS
        ],
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": ref(name), "example": example_of(kind)}},
        },
        "responses": {
            "2XX": {"description": "The event is safe with you; the body is not read."},
            "410": {"description": "Nobody listens here any more: the endpoint is parked."},
            "default": {"description": "Tried again, ever later, for three days."},
        },
    }
    for kind, (name, what, _) in EVENT_DATA.items()
}

CONTRACT: Final = Contract(
    "webhooks",
    "What happens, sent to the operator's endpoint as it happens; docs/events.md says all of it.",
    {},
    EVENT_SCHEMAS,
    {},
    _SENT,
)
