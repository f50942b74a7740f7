"""`wallet seal`, `wallet prove` and `wallet verify-proof`: proof that needs no trust in us."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app.cashier.proofs import NoProofError, prove
from app.cashier.sealing import Sealer, SealingError, read_seals, seal
from app.console.arguments import checked_text
from app.console.database import reach, ready_database
from app.console.errors import ConsoleError
from app.console.output.layout import Facts
from app.console.output.printer import AsJson, print_json, say, show, tell
from app.proof.evidence import ProofFaultError, Proven, document_of, proofs_from_text, verify
from app.proof.keys import KeyFaultError, make_key, private_key, public_key, public_text
from app.proof.seal import SignedSeal
from app.settings import DatabaseSettings, load_database_settings
from app.wallet.words import moment

seals: Final = typer.Typer(
    name="seal",
    help="Seal the ledger, so that nobody can rewrite it unnoticed.",
    pretty_exceptions_enable=False,
)

PROOF_BYTES_MAX: Final = 100_000_000
"""A proof has some hundred bytes for each movement of a player's day."""

TransactionId = Annotated[
    str, typer.Argument(metavar="ID", help="The transactionId.", callback=checked_text)
]


@seals.callback(invoke_without_command=True)
def seal_command(context: typer.Context, as_json: AsJson = False) -> None:
    """Seal the ledger now; `wallet serve` does it once a day by itself."""
    if context.invoked_subcommand is not None:
        return
    settings = load_database_settings()
    sealer = sealer_of(settings)
    with ready_database(settings) as database:
        try:
            made = reach(seal(database.service_url, sealer))
        except SealingError as error:
            raise ConsoleError(str(error)) from error
    if made is None:
        raise ConsoleError("Another process is sealing the ledger at this moment.")
    if as_json:
        print_json({"number": made.number, "chains": made.chains, "root": made.root})
    else:
        say(f"Seal {made.number} covers {made.chains} chains: {made.root}")


@seals.command("key")
def make_seal_key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that is not there yet.")],
    as_json: AsJson = False,
) -> None:
    """Make a key that seals: the private key goes into FILE, the public key is printed."""
    try:
        public = public_text(make_key(_checked(file)).public_key())
    except KeyFaultError as error:
        raise ConsoleError(str(error)) from error
    if as_json:
        print_json({"file": str(file), "public_key": public})
    else:
        say(public)


def prove_command(
    transaction_id: TransactionId,
    to: Annotated[
        Path | None, typer.Option("--to", help="A file that is not there yet; else it is printed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a proof of a movement that others can check without us."""
    with ready_database(load_database_settings()) as database:
        try:
            proofs = reach(prove(database.service_url, transaction_id))
        except NoProofError as error:
            raise ConsoleError(str(error)) from error
    document = document_of(transaction_id, proofs)
    if to is None:
        print_json(document)
        return
    try:
        with _checked(to).open("x", encoding="utf-8") as file:
            file.write(json.dumps(document, indent=2) + "\n")
    except OSError as error:
        raise ConsoleError(f"The file {to} cannot be made: {error.strerror}.") from error
    sentence = f"{to} proves {len(proofs)} movement{'s' if len(proofs) > 1 else ''}."
    tell(sentence, {"file": str(to), "movements": len(proofs)}, as_json=as_json)


def verify_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `wallet prove` made.")],
    key: Annotated[
        str, typer.Option("--key", help="The public key that sealed, or a file that has it.")
    ],
    as_json: AsJson = False,
) -> None:
    """Check a proof, without database or network; exit code 1 if it does not hold."""
    public = _public(key)
    try:
        transaction_id, proofs = proofs_from_text(_content(file))
        proven = [verify(proof, transaction_id, public) for proof in proofs]
    except ProofFaultError as error:
        raise ConsoleError(f"Not proven. {error}") from error
    if as_json:
        print_json({"proven": True, "movements": [_record(each) for each in proven]})
        return
    for each in proven:
        record = _record(each)
        title = f"Proven: {transaction_id}"
        show(Facts(title, {**record["movement"], "sealed by": record["seal"]}))


def sealer_of(settings: DatabaseSettings) -> Sealer:
    """Return who seals by the settings, or say what is missing."""
    if settings.seal_key is None or settings.seal_to is None:
        raise ConsoleError(
            "Nothing is sealed here: `wallet seal key FILE` makes a key; then set WALLET_SEAL_KEY "
            "to that file and WALLET_SEAL_TO to one outside the database."
        )
    try:
        return Sealer(private_key(settings.seal_key), settings.seal_to)
    except KeyFaultError as error:
        raise ConsoleError(str(error)) from error


def known_keys(settings: DatabaseSettings, more: Iterable[str]) -> list[str]:
    """Return the public keys whose seals are believed."""
    keys = [*settings.seal_keys_known, *map(_public, more)]
    if settings.seal_key is not None:
        keys.append(public_text(sealer_of(settings).key.public_key()))
    return keys


def seals_of(path: Path) -> list[SignedSeal]:
    """Return the seals of a file, which must be there."""
    if not _checked(path).is_file():
        raise ConsoleError(f"There is no file {path}.")
    try:
        return read_seals(path)
    except SealingError as error:
        raise ConsoleError(str(error)) from error


def _record(proven: Proven) -> dict[str, Any]:
    seal = proven.seal
    return {
        "movement": proven.movement,
        "seal": f"seal {seal.number} of {moment(seal.sealed_at)}",
        "root": seal.root,
        "key": proven.key,
    }


def _public(text: str) -> str:
    """Return a public key that is written here, or in the file of this name."""
    try:
        return public_text(public_key(text))
    except KeyFaultError as error:
        fault = str(error)
    path = _checked(Path(text))
    if not path.is_file():
        raise typer.BadParameter(f"{fault} There is no file of that name either.")
    try:
        return public_text(public_key(_content(path)))
    except KeyFaultError as error:
        raise typer.BadParameter(str(error)) from error


def _content(path: Path) -> str:
    try:
        # A device has no size, and may have no end.
        with _checked(path).open("rb") as file:
            content = file.read(PROOF_BYTES_MAX + 1)
        if len(content) > PROOF_BYTES_MAX:
            raise ConsoleError(f"The file {path} is larger than a proof can be.")
        return content.decode("utf-8")
    except OSError as error:
        raise ConsoleError(f"The file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConsoleError(f"The file {path} is not text in UTF-8.") from error


def _checked(path: Path) -> Path:
    """Refuse a name that no file can have."""
    try:
        name = os.fsencode(path)
    except UnicodeEncodeError:
        name = b"\0"
    if b"\0" in name:
        raise typer.BadParameter("must be the name of a file")
    return path
