"""`wallet dispute`: everything that the ledger holds about one transaction id, as one folder.

Exit code 0: told; 1: nothing is known of the id, a hash does not hold, or the request that was
shown is not signed or is not what was decided here; 2: the command line is at fault.
"""

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app.cashier.disputes import Contracts, Dispute, answers_told, gather
from app.cashier.proofs import NoProofError, prove
from app.cashier.request_archive import opened
from app.console.arguments import checked_text
from app.console.database import reach, ready_database
from app.console.errors import ConsoleError
from app.console.ledger_access import ask
from app.console.output.dispute import (
    Folder,
    Presented,
    Proof,
    Received,
    dispute_parts,
    dispute_record,
)
from app.console.output.pages import page
from app.console.output.printer import AsJson, outcome_stands, print_json, say, show
from app.proof.evidence import ProofFaultError, document_of, verify
from app.settings import load_console_settings, load_database_settings
from app.wallet.money import AMOUNT_PATTERN

if TYPE_CHECKING:
    from app.console.composition import Composition

AROUND: Final = 10
AROUND_MAX: Final = 1000
FORM: Final = "application/x-www-form-urlencoded"
REQUEST_BYTES_MAX: Final = 256 * 1024
"""The largest request that is read when it comes."""

TransactionId = Annotated[
    str, typer.Argument(metavar="ID", help="The transactionId.", callback=checked_text)
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FOLDER",
        help="Write dispute.json, dispute.html and proof.json there.",
        file_okay=False,
    ),
]
Around = Annotated[
    int,
    typer.Option(
        min=0, max=AROUND_MAX, metavar="N", help="Movements of the time line before and after it."
    ),
]
RequestFile = Annotated[
    Path | None,
    typer.Option(
        "--request",
        metavar="FILE",
        help="The request as somebody shows it: its body, or its query.",
        exists=True,
        dir_okay=False,
        readable=True,
    ),
]
Signature = Annotated[
    str | None,
    typer.Option(
        metavar="HEX", help="The Hash-Authorization of that request.", callback=checked_text
    ),
]
ContentType = Annotated[
    str | None,
    typer.Option(help="Its content type; else JSON if it looks so.", callback=checked_text),
]
WithTokens = Annotated[
    bool,
    typer.Option(
        "--with-tokens",
        help="Show archived requests to the byte, with the players' tokens in them.",
    ),
]


def dispute_command(
    context: typer.Context,
    transaction_id: TransactionId,
    out: Out = None,
    around: Around = AROUND,
    request: RequestFile = None,
    signature: Signature = None,
    content_type: ContentType = None,
    with_tokens: WithTokens = False,
    as_json: AsJson = False,
) -> None:
    """Gather all about one transaction id: request, answers, round, time line, proof."""
    if (request is None) is not (signature is None):
        raise typer.BadParameter("--request and --signature belong together")
    contracts = _contracts(context.obj)
    dispute = ask(lambda ledger: gather(ledger, transaction_id, around))
    if not dispute.is_known:
        raise ConsoleError(
            f"Nothing is known of the transaction id {transaction_id}: no request under it was "
            "decided or refused here."
        )
    presented = None
    if request is not None and signature is not None:
        presented = _presented(contracts, dispute, request, signature, content_type)
    folder = Folder(
        dispute,
        answers_told(dispute, contracts),
        _proof(dispute),
        presented,
        _received(contracts, dispute, with_tokens=with_tokens),
    )
    if out is not None:
        _write(out, folder)
    with outcome_stands():
        _tell(folder, out, as_json=as_json)
    holds = all(each.details.hash_holds for each in dispute.movements)
    if not holds or (presented is not None and not presented.holds):
        raise typer.Exit(1)


def _contracts(composition: "Composition") -> Contracts:
    return composition.contracts()


def _tell(folder: Folder, out: Path | None, *, as_json: bool) -> None:
    if as_json:
        print_json(dispute_record(folder))
        return
    if out is not None:
        proof = folder.proof.why_none or "`wallet verify-proof` checks the proof."
        say(f"{out} has everything about {folder.dispute.transaction_id}. {proof}")
        return
    for part in dispute_parts(folder):
        show(part, "")


def _proof(dispute: Dispute) -> Proof:
    """Prove the movements under the id, and check the proofs as others will."""
    transaction_id = dispute.transaction_id
    with ready_database(load_database_settings()) as database:
        try:
            proofs = reach(prove(database.service_url, transaction_id))
            proven = [verify(each, transaction_id, each.seal.key) for each in proofs]
        except (NoProofError, ProofFaultError) as error:
            return Proof(None, (), str(error))
    return Proof(document_of(transaction_id, proofs), proven, None)


def _received(contracts: Contracts, dispute: Dispute, *, with_tokens: bool) -> list[Received]:
    """Open the archived requests, and check each signature by the keys of today."""
    if not dispute.received:
        return []
    settings = load_console_settings()
    signed_by = [key.get_secret_value() for key in settings.callback_keys]
    opened_by = [key.get_secret_value() for key in settings.request_keys]
    received = []
    for kept in dispute.received:
        request, shown = opened(kept, opened_by), None
        if request is not None:
            # Without a body the query was read, whatever the content type.
            sent, content_type = (
                (request.body, request.content_type) if request.body else (request.query, FORM)
            )
            signature = request.signature or ""
            read = contracts.read_request(sent, content_type, signature, signed_by)
            shown = None if isinstance(read, str) else read
        received.append(Received(kept, request, shown, with_tokens))
    return received


def _presented(
    contracts: Contracts, dispute: Dispute, path: Path, signature: str, content_type: str | None
) -> Presented:
    keys = [key.get_secret_value() for key in load_console_settings().callback_keys]
    if not keys:
        raise ConsoleError(
            "No signature can be checked here: set WALLET_CALLBACK_KEYS, also to keys of the past."
        )
    try:
        # A device has no size, and may have no end.
        with path.open("rb") as file:
            sent = file.read(REQUEST_BYTES_MAX + 1)
    except OSError as error:
        raise ConsoleError(f"{path} cannot be read: {error.strerror or error}.") from error
    if len(sent) > REQUEST_BYTES_MAX:
        raise ConsoleError(f"{path} is larger than a request can be.")
    # An editor ends a file with a line feed that no request has.
    shown = contracts.read_request(sent.rstrip(b"\r\n"), content_type, signature, keys)
    if isinstance(shown, str):
        raise ConsoleError(f"{path} is no request of the game side: {shown}.")
    return Presented(shown, _compared(dispute, shown.fields))


def _compared(dispute: Dispute, fields: dict[str, str]) -> list[tuple[str, str, str, str]]:
    """Hold a request's fields against the movement under the id that has its type, or the first."""
    entries = [each.details.owned for each in dispute.movements]
    of_type = [each for each in entries if each.entry.event_type.value == fields.get("eventType")]
    if not entries:
        return [(name, text, "nothing was decided", "no") for name, text in fields.items()]
    owned = (of_type or entries)[0]
    entry = owned.entry
    kept: dict[str, str | None] = {
        "transactionId": entry.key.transaction_id,
        "userId": owned.user_id,
        "eventType": entry.event_type.value,
        "direction": entry.direction.value,
        "amount": entry.currency.text(entry.amount),
        "eventId": entry.event_id,
        "gameId": None if entry.game_id is None else str(entry.game_id),
        "bonusCode": entry.bonus_code,
        "extraData": entry.extra_data,
    }
    return [
        (name, fields.get(name, ""), text or "", "yes" if _same(name, fields, text) else "no")
        for name, text in kept.items()
        if name in fields or text is not None
    ]


def _same(name: str, fields: dict[str, str], kept: str | None) -> bool:
    shown = fields.get(name)
    if name == "amount" and shown is not None and kept is not None:
        return AMOUNT_PATTERN.fullmatch(shown) is not None and Decimal(shown) == Decimal(kept)
    return shown == kept


def _write(out: Path, folder: Folder) -> None:
    title = f"Dispute: {folder.dispute.transaction_id}"
    files = {
        "dispute.json": _json(dispute_record(folder)),
        "dispute.html": "".join(page(title, dispute_parts(folder))),
    }
    if folder.proof.document is not None:
        files["proof.json"] = _json(folder.proof.document)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (out / name).write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name cannot be a file's"
        raise ConsoleError(f"{out} cannot be written: {reason}.") from error


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
