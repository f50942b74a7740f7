"""The archive of requests, around the method that moves money: what was asked, what was told.

Only signed requests are kept: whatever else arrives is nobody's word.
"""

from collections.abc import Awaitable, Callable

from app.cashier.request_archive import ArchivedRequest, RequestArchive
from app.edges.callback.answers import Answer
from app.edges.callback.decoding import read_fields
from app.edges.callback.errors import EncodingError, SignatureError
from app.edges.callback.handlers import Request
from app.edges.callback.parsing import CALLBACK_SOURCE, truncated

Method = Callable[[Request], Awaitable[Answer]]


def archived(method: Method, archive: RequestArchive) -> Method:
    """Return the method, with each of its requests put aside for the archive."""

    async def kept(request: Request) -> Answer:
        try:
            answer = await method(request)
        except (EncodingError, SignatureError):
            raise
        except BaseException:
            # Answered "ask again"; or its caller hung up, and the task is cancelled.
            _keep(archive, request, None)
            raise
        _keep(archive, request, answer)
        return answer

    return kept


def _keep(archive: RequestArchive, request: Request, answer: Answer | None) -> None:
    content_type, signature = (
        None if header is None else header.decode("latin-1")
        for header in (request.content_type, request.signature)
    )
    status, body = (None, None) if answer is None else answer[:2]
    archive.keep(
        ArchivedRequest(content_type, signature, request.query, request.body, status, body),
        received_at=request.received_at,
        delivery=request.delivery,
        source=CALLBACK_SOURCE,
        transaction_id=_transaction_id(request, answer),
    )


def _transaction_id(request: Request, answer: Answer | None) -> str | None:
    if answer is not None and answer.decided is not None:
        return answer.decided[0].key.transaction_id
    fields = read_fields(request.content_type, request.body, request.query)
    return truncated(fields.texts, "transactionId")
