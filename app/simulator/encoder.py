"""Encodes and signs a request; the only module of the simulator that sees tokens and the key.

1. The fields are filled in: names of tokens and players become the texts they stand for.
2. The style is applied: the order of fields, extraData, a field unknown to the contract.
3. One of three encodings is written: a form, JSON, or an empty body and a query.
4. The request is signed over exactly the fields that the handler will read.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from app.simulator.moves import (
    Delivery,
    Flaw,
    Move,
    Notice,
    Question,
    Style,
    Token,
    WrongMethod,
)
from app.simulator.signature import sign
from app.simulator.slips import slip_text

# extraData is never signed and never refused: as JSON, absent, blank, and as no JSON at all. Sports
# bets carry their slips instead.
_EXTRA_DATA = (
    "{}",
    None,
    "",
    '{"gameName": "Zoë & Co/7", "odds": 1.50}',
    "not json at all",
    '{"selections": [{"id": 1}, {"id": 2}]}',
)
_REQUIRED = (
    "amount",
    "direction",
    "eventId",
    "eventType",
    "gameId",
    "token",
    "transactionId",
    "userId",
)
_BARE_NUMBER = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?", re.ASCII)
_FORM = "application/x-www-form-urlencoded"
_CONTENT_TYPES = (_FORM, f"{_FORM}; charset=UTF-8", None, "text/plain")


@dataclass(frozen=True, slots=True)
class EncodedRequest:
    """An HTTP request, ready to be sent as often as needed."""

    method: str
    #: The path below the base address, with its query.
    target: str
    headers: tuple[tuple[str, str], ...] = field(repr=False, default=())
    body: bytes = field(repr=False, default=b"")


@dataclass(frozen=True, slots=True)
class Encoding:
    """What is needed to encode a player's requests."""

    callback_key: str = field(repr=False)
    user_id: str
    nobody_id: str
    tokens: Mapping[Token, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Field:
    """A field: its text as it is signed, and as a JSON member unless that is a plain string."""

    name: str
    text: str
    json: str | None = None

    @property
    def member(self) -> str:
        """The field as a JSON member."""
        value = json.dumps(self.text, ensure_ascii=False) if self.json is None else self.json
        return f"{json.dumps(self.name)}:{value}"


def encode_request(delivery: Delivery, encoding: Encoding) -> EncodedRequest:
    """Put a delivery into bytes."""
    match delivery.content:
        case Move() as move:
            return _move(move, delivery.style, encoding)
        case Question() as question:
            return _question(question, delivery.style, encoding)
        case Notice() as notice:
            return _notice(notice, delivery.style, encoding)
        case WrongMethod() as wrong:
            body = b"a=b" if wrong.http_method == "POST" else b""
            return EncodedRequest(wrong.http_method, _path(wrong.path, delivery.style), (), body)


def _path(method: str, style: Style) -> str:
    return f"/{method}/" if style.slash else f"/{method}"


def _move(move: Move, style: Style, encoding: Encoding) -> EncodedRequest:
    as_json = style.encoding == "json"
    fields = _move_fields(move, style, encoding)
    if as_json:
        fields += _json_unknown_fields(style.unknown_field)
    else:
        fields += _form_unknown_fields(style)
    turn = style.turn % len(fields)
    fields = fields[turn:] + fields[:turn]
    if move.flaw == "repeated_json_key":
        fields.append(_Field("amount", move.amount))
    headers = _signed(fields, encoding, move.flaw)
    path = _path("moveFunds", style)
    if style.encoding == "query":
        return EncodedRequest("POST", f"{path}?{_urlencoded(fields)}", headers)
    if style.beside:
        path += "?amount=999&from=beside"
    if as_json:
        body = "{" + ", ".join(each.member for each in fields) + "}"
        return EncodedRequest(
            "POST", path, (*headers, ("content-type", "application/json")), body.encode()
        )
    content_type = _CONTENT_TYPES[style.content_type % len(_CONTENT_TYPES)]
    if content_type is not None:
        headers = (*headers, ("content-type", content_type))
    return EncodedRequest("POST", path, headers, _urlencoded(fields).encode())


def _move_fields(move: Move, style: Style, encoding: Encoding) -> list[_Field]:
    game = str(move.event.game_id)
    event_id = move.event.event_id
    # The variant without the field may have it in another form, as one of its parts.
    slip = None if _EXTRA_DATA[style.extra_data % len(_EXTRA_DATA)] is None else slip_text(move)
    extra = _EXTRA_DATA[style.extra_data % len(_EXTRA_DATA)] if slip is None else slip
    texts: dict[str, str | None] = {
        "token": encoding.tokens[move.token],
        "userId": encoding.user_id if move.user == "own" else encoding.nobody_id,
        "gameId": game,
        "extraData": extra,
        "eventId": f"{event_id}\0" if move.flaw == "nul" else event_id,
        "bonusCode": move.bonus_code,
        "direction": move.direction,
        "transactionId": move.transaction_id,
        "eventType": move.event_type,
        "amount": move.amount,
    }
    if move.flaw == "missing_field":
        texts[_REQUIRED[style.turn % len(_REQUIRED)]] = None
    numbers = {"gameId", "amount"} if style.bare_numbers else set()
    fields = []
    for name, text in texts.items():
        if text is None:
            continue
        bare = name in numbers and _BARE_NUMBER.fullmatch(text) is not None
        as_object = name == "extraData" and style.bare_numbers and text.startswith("{")
        fields.append(_Field(name, text, text if bare or as_object else None))
    return fields


def _form_unknown_fields(style: Style) -> list[_Field]:
    """Fields the contract does not know, as PHP would fold them."""
    variants: tuple[tuple[_Field, ...], ...] = (
        (),
        (_Field("zone", "Åland/🎰"),),
        (_Field("client.version", "1.2"), _Field("first name", "")),
        (_Field("tags[]", "a"), _Field("tags[]", "b")),
        (_Field("zone", "first"), _Field("zone", 'last "of" \\ two')),
        (_Field("extraData[gameName]", "x"),) if style.extra_data == 1 else (),
    )
    return list(variants[style.unknown_field % len(variants)])


def _json_unknown_fields(variant: int) -> list[_Field]:
    """Members the contract does not know, with the text each is hashed as."""
    variants: tuple[tuple[_Field, ...], ...] = (
        (),
        (_Field("zone", "Åland/🎰"),),
        (_Field("live", "1", "true"), _Field("dead", "", "false"), _Field("gone", "", "null")),
        (_Field("tags", "Array", '["a", "b"]'),),
        (_Field("odds", "1.20", "1.20"), _Field("max", "-1e3", "-1e3")),
        (_Field("device", "Array", '{"os": "x"}'),),
    )
    return list(variants[variant % len(variants)])


def _question(question: Question, style: Style, encoding: Encoding) -> EncodedRequest:
    user_id = encoding.user_id if question.user == "own" else encoding.nobody_id
    fields = [_Field("userId", user_id)]
    if question.method != "getUserToken":
        fields.append(_Field("token", encoding.tokens[question.token]))
    if question.flaw == "missing_field":
        del fields[0]
    fields += _form_unknown_fields(style)
    turn = style.turn % len(fields)
    fields = fields[turn:] + fields[:turn]
    target = f"{_path(question.method, style)}?{_urlencoded(fields)}"
    return EncodedRequest("GET", target, _signed(fields, encoding, question.flaw))


def _notice(notice: Notice, style: Style, encoding: Encoding) -> EncodedRequest:
    games = json.dumps(notice.game_ids)
    fields = [
        _Field("status", notice.status),
        _Field("batchId", notice.batch_id),
        _Field("gameIds", "Array", games),
        _Field("additions", "planned work"),
        _Field("brandName", "simulated"),
        _Field("countries", "Array", "[]"),
        _Field("currencies", "Array", '["USD"]'),
        _Field("providerIds", "Array", "[12]"),
    ]
    body = "{" + ",".join(each.member for each in fields) + "}"
    headers = _signed([] if notice.signed_empty else fields, encoding, None)
    return EncodedRequest(
        "POST",
        _path("notification/maintenance", style),
        (*headers, ("content-type", "application/json")),
        body.encode(),
    )


def _urlencoded(fields: Sequence[_Field]) -> str:
    """Encode as PHP's ``http_build_query`` does."""
    return urlencode([(each.name, each.text) for each in fields])


def _signed(
    fields: Sequence[_Field], encoding: Encoding, flaw: Flaw | None
) -> tuple[tuple[str, str], ...]:
    """Sign the fields, or spoil the signature."""
    if flaw == "no_signature":
        return ()
    key = f"not-{encoding.callback_key}" if flaw == "other_key" else encoding.callback_key
    signature = sign(((each.name, each.text) for each in fields), key)
    if flaw == "wrong_signature":
        signature = signature[::-1] if signature != signature[::-1] else "0" * 64
    return (("Hash-Authorization", signature),)
