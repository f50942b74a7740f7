"""`wallet dispute`: all that the ledger holds about an id, beside what was really said."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

import pytest
from typing_extensions import override

from tests.conftest import Database, sql
from tests.console.conftest import Console, Done
from tests.edges.callback.house import KEY, House, Reply, Seat, open_house, sign, unique


@pytest.fixture(scope="module")
def house(module_db: Database) -> Iterator[House]:
    with open_house(module_db) as opened:
        yield opened


@pytest.fixture
def seat(house: House) -> Seat:
    seat = house.seat()
    house.deposit(seat, "100.00")
    return seat


@pytest.fixture
def dispute(
    house: House, in_process: Console, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Console:
    """The command, in a folder of its own, with the key of the game side."""
    monkeypatch.setenv("WALLET_DATABASE_URL", house.database.service_url)
    monkeypatch.setenv("WALLET_CALLBACK_KEYS", KEY)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Done:
        return in_process("dispute", *arguments)

    return run


def answers(done: Done) -> list[tuple[int, str | None]]:
    assert done.code == 0, done.err
    return [(each["code"], each["body"]) for each in done.document["answers"]]


def body(reply: Reply) -> str:
    return reply.body.decode()


def test_an_answer_is_shown_to_the_byte_as_it_was_sent(
    house: House, seat: Seat, dispute: Console
) -> None:
    bet, event = unique("bet"), unique("event")
    said = house.move(seat, "BetPlacing", "10.00", transactionId=bet, eventId=event)
    house.move(seat, "Win", "3.00", eventId=event)
    assert answers(dispute(bet, "--json")) == [(0, body(said))]
    refused = unique("bet")
    declined = house.move(seat, "BetPlacing", "5000.00", transactionId=refused)
    assert answers(dispute(refused, "--json")) == [(402, body(declined))]


def test_every_refusal_is_told_before_what_was_decided_at_last(
    house: House, seat: Seat, dispute: Console
) -> None:
    win, event = unique("win"), unique("event")
    early = house.move(seat, "Win", "3.00", transactionId=win, eventId=event)
    house.move(seat, "BetPlacing", "1.00", eventId=event)
    paid = house.move(seat, "Win", "3.00", transactionId=win, eventId=event)
    other = house.move(seat, "Win", "4.00", transactionId=win, eventId=event)
    done = dispute(win, "--json")
    assert answers(done) == [(early.code, None), (0, body(paid)), (other.code, None)]
    assert [early.code, other.code] == [406, 409]
    assert [round_["event_id"] for round_ in done.document["rounds"]] == [event]
    (line,) = done.document["time_lines"]
    assert [each["event_type"] for each in line["movements"]] == ["Deposit", "BetPlacing", "Win"]
    assert len(line["beside"]) == 2


def test_a_declined_bet_that_comes_again_changed_hears_its_first_refusal(
    house: House, seat: Seat, dispute: Console
) -> None:
    bet = unique("bet")
    house.move(seat, "BetPlacing", "5000.00", transactionId=bet)
    again = house.move(seat, "BetPlacing", "1.00", transactionId=bet)
    assert again.code == 402
    assert [code for code, _ in answers(dispute(bet, "--json"))] == [402, 402]


def test_an_answer_of_the_operators_platform_is_that_contracts(
    seat: Seat, dispute: Console, in_process: Console
) -> None:
    deposit = unique("pay")
    assert in_process("deposit", seat.user_id, "1.00", "--id", deposit).code == 0
    ((code, said),) = answers(dispute(deposit, "--json"))
    assert code == 0
    assert json.loads(said or "")["message"] == "successful request"


def test_the_time_line_has_as_many_movements_as_asked_for(
    house: House, seat: Seat, dispute: Console
) -> None:
    ids = [unique("tip") for _ in range(7)]
    for transaction_id in ids:
        house.move(seat, "Tip", "1.00", transactionId=transaction_id)
    (line,) = dispute(ids[3], "--around", "2", "--json").document["time_lines"]
    assert [each["transaction_id"] for each in line["movements"]] == ids[1:6]


def test_a_refused_player_has_a_time_line_too(house: House, seat: Seat, dispute: Console) -> None:
    other, bet = house.seat(), unique("bet")
    house.deposit(other, "5.00")
    house.move(seat, "BetPlacing", "1.00", transactionId=bet)
    house.move(other, "BetPlacing", "1.00", transactionId=bet)
    lines = dispute(bet, "--json").document["time_lines"]
    assert [line["user_id"] for line in lines] == [seat.user_id, other.user_id]


def test_a_folder_has_a_document_and_a_page_that_loads_and_runs_nothing(
    house: House, seat: Seat, dispute: Console
) -> None:
    bet = f"<script>alert('{unique('x')}')</script>"
    event = '"><img src=x onerror=alert(1)>\u202e'.replace("\u202e", "")
    house.move(
        seat,
        "BetPlacing",
        "1.00",
        transactionId=bet,
        eventId=event,
        extraData="</td><iframe src='http://x.example'>\x1b[2J\u202e",
    )
    done = dispute(bet, "--out", "folder")
    assert (done.code, done.err) == (0, "")
    page = Path("folder/dispute.html").read_text(encoding="utf-8")

    class Tags(HTMLParser):
        seen: set[str] = set()  # noqa: RUF012 - one page only

        @override
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.seen.add(tag)
            assert not any(name.startswith(("on", "src", "href")) for name, _ in attrs)

    tags = Tags()
    tags.feed(page)
    assert tags.seen <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "br"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
    assert page.replace("\n", "").isprintable()
    assert "&lt;script&gt;" in page
    kept = json.loads(Path("folder/dispute.json").read_text(encoding="utf-8"))
    assert kept["transaction_id"] == bet
    assert kept["not_kept"]
    assert not Path("folder/proof.json").exists()
    assert "not sealed yet" in done.out


def test_a_sealed_movement_comes_with_its_proof(
    house: House,
    seat: Seat,
    dispute: Console,
    in_process: Console,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bet = unique("bet")
    house.move(seat, "BetPlacing", "1.00", transactionId=bet)
    public = in_process("seal", "key", "key.pem").out.strip()
    monkeypatch.setenv("WALLET_SEAL_KEY", "key.pem")
    monkeypatch.setenv("WALLET_SEAL_TO", "seals.jsonl")
    assert in_process("seal").code == 0
    assert dispute(bet, "--out", "folder").code == 0
    assert in_process("verify-proof", "folder/proof.json", "--key", public).code == 0
    assert f"signed by the key {public}" in dispute(bet).out


@pytest.mark.parametrize("content_type", [None, "application/json"])
def test_a_request_that_is_shown_has_its_signature_checked_again(
    house: House, seat: Seat, dispute: Console, content_type: str | None
) -> None:
    fields = house.fields(seat, "BetPlacing", "10.50", bonusCode="")
    if content_type is None:
        house.form(fields)
        sent = urlencode(fields)
    else:
        sent = json.dumps(fields)
        house.json(sent, fields)
    # As an editor saves it.
    Path("sent").write_text(sent + "\n", encoding="utf-8")
    shown = ("--request", "sent", "--signature", sign(fields), "--json")
    done = dispute(fields["transactionId"], *shown)
    assert done.code == 0, done.out
    request = done.document["request"]
    assert request["is_signed"]
    assert "token" not in request["fields"]
    assert seat.token not in done.out
    assert {each["same"] for each in request["compared"]} == {"yes"}


def test_a_request_that_was_altered_is_exit_code_1(
    house: House, seat: Seat, dispute: Console
) -> None:
    fields = house.fields(seat, "BetPlacing", "10.50")
    house.form(fields)
    altered = {**fields, "amount": "10.5000", "eventId": "other"}
    Path("sent").write_text(urlencode(altered), encoding="utf-8")
    shown = (fields["transactionId"], "--request", "sent", "--signature")
    for signature, is_signed in ((sign(fields), False), (sign(altered), True)):
        done = dispute(*shown, signature, "--json")
        assert done.code == 1
        request = done.document["request"]
        assert request["is_signed"] is is_signed
        differ = {each["field"] for each in request["compared"] if each["same"] == "no"}
        assert differ == {"eventId"}
    assert "WRONG" in dispute(*shown, "0" * 64).out


def test_a_row_that_was_tampered_with_is_exit_code_1(
    house: House, seat: Seat, dispute: Console
) -> None:
    bet = unique("bet")
    house.move(seat, "BetPlacing", "1.00", transactionId=bet)
    db = house.database
    sql(
        db.server,
        "BEGIN; SET LOCAL session_replication_role = replica;"
        f" UPDATE movements SET game_id = 1 WHERE transaction_id = '{bet}'; COMMIT",
        db.name,
    )
    done = dispute(bet)
    assert done.code == 1
    assert "DOES NOT HOLD" in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("nothing",), 1, "Nothing is known of the transaction id nothing"),
        (("x", "--request", "sent"), 2, "belong together"),
        (("x", "--request", "nowhere", "--signature", "0"), 2, "does not exist"),
        (("x", "--around", "-1"), 2, "--around"),
        (("x", "--out", "sent"), 2, "sent"),
        ((), 2, "Missing argument"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    dispute: Console, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    Path("sent").write_text("a=1", encoding="utf-8")
    done = dispute(*arguments)
    assert done.code == code
    assert sentence in done.complaint


def test_without_a_key_no_signature_is_believed(
    house: House, seat: Seat, dispute: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = house.fields(seat, "BetPlacing", "1.00")
    house.form(fields)
    Path("sent").write_text(urlencode(fields), encoding="utf-8")
    shown = (fields["transactionId"], "--request", "sent", "--signature", sign(fields))
    monkeypatch.delenv("WALLET_CALLBACK_KEYS")
    done = dispute(*shown)
    assert done.code == 1
    assert "set WALLET_CALLBACK_KEYS" in done.complaint
    monkeypatch.setenv("WALLET_CALLBACK_KEYS", KEY)
    Path("sent").write_bytes(b"a=%ff")
    assert "is no request of the game side" in dispute(*shown).complaint


def test_a_folder_that_cannot_be_is_one_sentence(
    house: House, seat: Seat, dispute: Console
) -> None:
    bet = unique("bet")
    house.move(seat, "BetPlacing", "1.00", transactionId=bet)
    Path("taken").write_text("", encoding="utf-8")
    done = dispute(bet, "--out", "taken/folder")
    assert done.code == 1
    assert "cannot be written" in done.complaint
