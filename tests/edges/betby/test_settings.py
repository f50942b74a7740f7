"""The setting of Betby's contract: each mistake is one sentence, which quotes no value."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from app.cashier.policy import LedgerUnfitError, PolicyInForce
from app.composition.betby import check_upgrade
from app.settings import Settings, load_settings
from app.settings_parsing import SettingsError
from app.wallet.facts import Policy, RuleVersion
from tests.edges.betby.bookmaker import EC_KEY, OUR_KEY, pem_of, private_jwk, setting

SECRET = private_jwk(OUR_KEY)["d"]
WEAK = pem_of(rsa.generate_private_key(public_exponent=65537, key_size=1024))  # noqa: S505 - it must be refused
P384 = pem_of(ec.generate_private_key(ec.SECP384R1()))
KEYS = "must have keys with alg RS256 or ES256 and a public key of that kind"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("WALLET_CALLBACK_KEYS", "a-key-of-some-length-123")
    return monkeypatch


def key(**changes: object) -> list[object]:
    return [{"kid": "a", "alg": "ES256", "pem": pem_of(EC_KEY), **changes}]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("{", "must be a JSON object"),
        ("[]", "must be a JSON object"),
        ('{"brands": ["1"], "brands": ["2"]}', "must be a JSON object"),
        (setting(unheard_of=1), "knows no member of this name"),
        (setting(brands=[]), "must have brands"),
        (setting(brands=[1]), "must have brands"),
        (setting(keys=[]), "must have keys, a list"),
        (setting(keys=key(alg="HS256")), KEYS),
        (setting(keys=key(alg="none")), KEYS),
        (setting(keys=key(alg="RS256")), KEYS),
        (setting(keys=key(pem="x")), KEYS),
        (setting(keys=key(pem=P384)), KEYS),
        (setting(keys=[{"kid": "a", "alg": "RS256", "pem": WEAK}]), KEYS),
        (setting(keys=[{"alg": "ES256", **private_jwk(OUR_KEY)}]), KEYS),
        (setting(keys=[*key(), *key()]), "must have keys of different kid"),
        (setting(signing_key=None), "must have a signing_key"),
        (setting(signing_key={"kty": "EC", "crv": "P-256", "d": "x"}), "must have a signing_key"),
        (setting(clock_tolerance_seconds=301), "must have clock_tolerance_seconds"),
        (setting(clock_tolerance_seconds=True), "must have clock_tolerance_seconds"),
        (setting(scales={"btc": 8}), "must have scales"),
        (setting(scales={"BTC": 19}), "must have scales"),
        (setting(jwt_status=500), "must have a jwt_status of 400, 401 or 403"),
        (setting(bonus_wins_to="both"), "must have bonus_wins_to that is real or bonus"),
        (setting(no_debit="all"), "must have no_debit"),
        (setting(issuer=1), "must have an issuer"),
    ],
)
def test_a_mistake_is_one_sentence_that_quotes_no_value(
    environment: pytest.MonkeyPatch, value: str, says: str
) -> None:
    environment.setenv("WALLET_BETBY", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    said = str(caught.value)
    assert said.startswith(f"WALLET_BETBY {says}")
    assert said.endswith(".")
    assert "\n" not in said
    assert SECRET not in said


def test_no_agent_is_named_betby_beside_it(environment: pytest.MonkeyPatch) -> None:
    agents = json.dumps({"Betby": ["q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s"]})
    environment.setenv("WALLET_AGENTS", agents)
    environment.setenv("WALLET_BETBY", setting())
    with pytest.raises(SettingsError, match="must not name an agent betby"):
        load_settings()


def test_what_is_not_said_has_its_default_and_no_secret_is_shown(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("WALLET_BETBY", setting())
    settings = load_settings()
    betby = settings.betby
    assert betby is not None
    assert (betby.clock_tolerance_seconds, betby.jwt_status) == (15, 400)
    assert betby.no_debit == ("freebet_refund", "freebet_freemoney")
    assert SECRET not in repr(settings)
    assert SECRET not in settings.model_dump_json()


def test_it_is_not_served_while_an_upgrade_is_unfinished() -> None:
    policy = PolicyInForce(Policy(rule_version=RuleVersion.LAST_RELEASE))
    open_, closed = (
        Settings.model_validate({"callback_keys": "k", "betby": value})
        for value in (setting(), None)
    )
    with pytest.raises(LedgerUnfitError, match="wallet migrate --finish"):
        check_upgrade(open_, policy)
    check_upgrade(closed, policy)
    check_upgrade(open_, PolicyInForce(Policy()))
