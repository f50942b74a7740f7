"""`wallet simulate` plays against a server whose buckets are on several nodes."""

import json
from pathlib import Path

import pytest

from app.cashier.audit import audit
from app.console.betby_demo import demo_keys, setting_of
from tests.citus.cluster import Citus
from tests.conftest import apart
from tests.console.console import Serving, wallet

pytestmark = pytest.mark.timeout(180)


@pytest.mark.parametrize("door", ["fungamess", "both"])
def test_no_cent_differs_and_the_audit_is_clean(citus: Citus, tmp_path: Path, door: str) -> None:
    keys = demo_keys(tmp_path)
    theirs = tmp_path / "betby.pem"
    theirs.write_text(keys.theirs, encoding="utf-8")
    settings = {
        "WALLET_DATABASE_URL": citus.service_url,
        "WALLET_OWNER_DATABASE_URL": citus.owner_url,
        "WALLET_OPS_DATABASE_URL": citus.url_for("wallet_ops"),
        "WALLET_BUCKETS": "4",
        "WALLET_CALLBACK_KEYS": "a key of thirty-two characters..",
        "WALLET_SANDBOX": "on",
        "WALLET_BETBY": setting_of(keys),
    }
    with Serving(tmp_path, (), settings) as served:
        here = {**settings, "WALLET_PORT": str(served.port)}
        played = wallet(
            tmp_path,
            *("simulate", "--players", "12", "--events", "80", "--json"),
            *("--door", door, "--betby-key", str(theirs)),
            **here,
        )
        assert played.returncode == 0, played.stderr
        verdict = json.loads(played.stdout)
        assert verdict["clean"] is True
        assert len(verdict["players"]) == 12
        for each in verdict["players"][:4]:
            assert apart(audit(citus.service_url, user_id=each["user_id"])).breaches == []
