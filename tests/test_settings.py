import ast
import base64
import json
from datetime import timedelta
from decimal import Decimal
from ipaddress import ip_network
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import ValidationError

import app.settings
from app.settings import (
    DEMO_AGENT_ID,
    DEMO_AGENT_KEY,
    DEMO_CALLBACK_KEY,
    Settings,
    load_console_settings,
    load_settings,
    setting_names,
)
from app.settings_parsing import SettingsError

SECRET = "a-secret-of-the-callback"
KEY = base64.urlsafe_b64encode(bytes(range(32))).decode().rstrip("=")
OTHER_KEY = base64.urlsafe_b64encode(bytes(range(32, 64))).decode()


@pytest.fixture(autouse=True)
def _one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLET_CALLBACK_KEYS", SECRET)


def refusal(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    sentence = str(refused.value)
    assert "\n" not in sentence
    assert sentence.endswith((".", "?"))
    return sentence


def test_only_the_callback_key_has_no_default() -> None:
    settings = load_settings()
    assert settings.database_url is None
    assert settings.data_dir == Path(".wallet")
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert (settings.private_host, settings.private_port) == ("127.0.0.1", 8081)
    assert settings.agents == {}
    assert settings.duplicate_reply == "conflict"
    assert settings.key_scope == "transaction"
    assert settings.stake_order == "real_first"
    assert settings.fast_path == "on"
    assert settings.sport_game_id is None
    assert settings.trusted_networks == settings.proxy_networks == ()
    assert settings.deadline == timedelta(seconds=10)
    assert settings.currencies == {}


def test_a_missing_secret_stops_the_start_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = refusal(monkeypatch, "WALLET_CALLBACK_KEYS", "")
    assert sentence.startswith("WALLET_CALLBACK_KEYS is missing")


def test_several_callback_keys_are_valid_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLET_CALLBACK_KEYS", "first-long-enough-key, second-long-enough-key")
    keys = load_settings().callback_keys
    assert [key.get_secret_value() for key in keys] == [
        "first-long-enough-key",
        "second-long-enough-key",
    ]


def test_a_blank_callback_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "empty" in refusal(monkeypatch, "WALLET_CALLBACK_KEYS", "old-key,")


def test_an_unknown_name_is_refused_and_the_near_one_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sentence = refusal(monkeypatch, "WALLET_DEADLINE_SECOND", "5")
    assert "WALLET_DEADLINE_SECOND is not a setting" in sentence
    assert "WALLET_DEADLINE_SECONDS" in sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WALLET_PORT", "65536"),
        ("WALLET_PORT", "http"),
        ("WALLET_DUPLICATE_REPLY", "ignore"),
        ("WALLET_KEY_SCOPE", "everything"),
        ("WALLET_STAKE_ORDER", "bonus"),
        ("WALLET_TOKEN_RENEWAL", "never"),
        ("WALLET_SPORT_GAME_ID", "football"),
        ("WALLET_TRUSTED_NETWORKS", "10.0.0.1/8"),
        ("WALLET_TRUSTED_NETWORKS", "somewhere"),
        ("WALLET_PROXY_NETWORKS", "10.0.0.0/33"),
        ("WALLET_DEADLINE_SECONDS", "0"),
        ("WALLET_DEADLINE_SECONDS", "60.1"),
        ("WALLET_DEADLINE_SECONDS", "1e1"),
        ("WALLET_DEADLINE_SECONDS", "NaN"),
        ("WALLET_CURRENCIES", "BTC"),
        ("WALLET_CURRENCIES", "BTC:9"),
        ("WALLET_CURRENCIES", "BTC:8,BTC:6"),
        ("WALLET_WORKERS", "0"),
        ("WALLET_LANES", "0"),
        ("WALLET_DATABASE_URL", "mysql://somewhere/wallet"),
        ("WALLET_AGENTS", "{"),
        ("WALLET_AGENTS", "[]"),
        ("WALLET_AGENTS", "[" * 100_000),
        ("WALLET_AGENTS", json.dumps({"a": []})),
        ("WALLET_AGENTS", json.dumps({"a": [KEY, OTHER_KEY, KEY]})),
        ("WALLET_AGENTS", json.dumps({"a": ["short-key"]})),
        ("WALLET_AGENTS", json.dumps({"a": [KEY + "A"]})),
        ("WALLET_AGENTS", json.dumps({"a": [KEY[:-1] + "9"]})),
        ("WALLET_AGENTS", json.dumps({"a": [KEY[:-1] + "!"]})),
        ("WALLET_AGENTS", json.dumps({"a": [7]})),
        ("WALLET_AGENTS", json.dumps({"a": {"keys": [KEY], "network": []}})),
        ("WALLET_AGENTS", json.dumps({"a": {"keys": [KEY], "networks": ["x"]}})),
        ("WALLET_AGENTS", json.dumps({"": [KEY]})),
        ("WALLET_AGENTS", json.dumps({"a" * 65: [KEY]})),
        ("WALLET_AGENTS", json.dumps({"a b": [KEY]})),
        ("WALLET_AGENTS", json.dumps({"callback": [KEY]})),
        ("WALLET_AGENTS", json.dumps({"Callback": [KEY]})),
        ("WALLET_AGENTS", f'{{"a": ["{KEY}"], "a": ["{OTHER_KEY}"]}}'),
    ],
)
def test_a_value_that_is_not_understood_is_refused_by_name_and_never_quoted(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    sentence = refusal(monkeypatch, name, value)
    assert sentence.startswith(name + " ")
    assert KEY not in sentence
    assert "short-key" not in sentence


def test_agents_have_one_or_two_keys_of_256_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    agents = {
        "casino-1": [KEY],
        "casino.2": {"keys": [KEY, OTHER_KEY], "networks": ["10.0.0.0/8", "::1/128"]},
    }
    monkeypatch.setenv("WALLET_AGENTS", json.dumps(agents))
    read = load_settings().agents
    assert [key.get_secret_value() for key in read["casino-1"].keys] == [bytes(range(32))]
    assert read["casino-1"].networks == ()
    assert len(read["casino.2"].keys) == 2
    assert read["casino.2"].networks == (ip_network("10.0.0.0/8"), ip_network("::1/128"))


def test_lists_are_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLET_TRUSTED_NETWORKS", "10.0.0.0/8, 2001:db8::/32")
    monkeypatch.setenv("WALLET_CURRENCIES", "BTC:8,USDT:6")
    settings = load_settings()
    assert settings.trusted_networks == (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
    assert settings.currencies == {"BTC": 8, "USDT": 6}


def test_the_deadline_may_be_a_fraction_and_stays_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLET_DEADLINE_SECONDS", "0.25")
    settings = load_settings()
    assert settings.deadline_seconds == Decimal("0.25")
    assert settings.deadline == timedelta(milliseconds=250)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_a_database_is_named_in_any_usual_spelling(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("WALLET_DATABASE_URL", f"{scheme}://role:pass%40word@host:5432/wallet")
    url = load_settings().database_url
    assert url is not None
    assert url.get_secret_value() == "postgresql+asyncpg://role:pass%40word@host:5432/wallet"


@pytest.mark.parametrize("name", ["WALLET_DATABASE_URL", "WALLET_OWNER_DATABASE_URL"])
def test_an_address_that_cannot_be_connected_to_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    sentence = refusal(monkeypatch, name, "postgresql://r:s3cret@h/db?gssencmode=require")
    assert sentence.startswith(f"{name} asks for gssencmode=require")
    assert "s3cret" not in sentence


@pytest.mark.parametrize(
    "asked", ["sslmode=require", "sslmode=verify-full&connect_timeout=3", "options=-cjit=off"]
)
def test_what_managed_postgresql_hands_out_is_accepted(
    monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setenv("WALLET_DATABASE_URL", f"postgresql://r:s3cret@h1,h2:6432/db?{asked}")
    url = load_settings().database_url
    assert url is not None
    assert url.get_secret_value().endswith(asked)


def test_the_lanes_leave_a_connection_for_enquiries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLET_LANES", "4")
    sentence = refusal(monkeypatch, "WALLET_POOL_SIZE", "8")
    assert sentence == "WALLET_POOL_SIZE must be larger than twice WALLET_LANES."


def platform_key(**changes: object) -> dict[str, object]:
    """A public key on Ed25519 (RFC 8037, appendix A)."""
    key: dict[str, object] = {
        "kty": "OKP",
        "crv": "Ed25519",
        "kid": "2026",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }
    key.update(changes)
    return {name: value for name, value in key.items() if value is not None}


def test_the_platform_signs_with_public_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLET_PLATFORM_ISSUER", "https://platform.example.test")
    monkeypatch.setenv("WALLET_PLATFORM_AUDIENCE", "wallet")
    monkeypatch.setenv("WALLET_PLATFORM_KEYS", json.dumps({"keys": [platform_key(use="sig")]}))
    assert load_settings().platform_keys == (platform_key(),)


@pytest.mark.parametrize(
    "keys",
    [
        "",
        "x",
        "[]",
        "{}",
        '{"keys": 5}',
        '{"keys": [5]}',
        '{"keys": [], "keys": []}',
        *(
            json.dumps({"keys": [platform_key(**changes)]})
            for changes in (
                {"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"},
                {"kty": "oct", "k": KEY},
                {"kty": "RSA"},
                {"kty": None},
                {"crv": "Ed448"},
                {"crv": "X25519"},
                {"x": "AAAA"},
                {"x": None},
                {"x": 5},
                {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
                {"kty": "EC", "crv": "P-521", "x": "AAAA", "y": "AAAA"},
            )
        ),
    ],
    ids=range(18),
)
def test_other_keys_than_the_platforms_are_refused(
    monkeypatch: pytest.MonkeyPatch, keys: str
) -> None:
    monkeypatch.setenv("WALLET_PLATFORM_ISSUER", "https://platform.example.test")
    monkeypatch.setenv("WALLET_PLATFORM_AUDIENCE", "wallet")
    sentence = refusal(monkeypatch, "WALLET_PLATFORM_KEYS", keys)
    assert sentence.startswith("WALLET_PLATFORM_")
    assert "nWGxne" not in sentence


@pytest.mark.parametrize("name", ["ISSUER", "AUDIENCE", "KEYS"])
def test_the_platform_is_named_in_full_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    value = json.dumps({"keys": [platform_key()]}) if name == "KEYS" else "something"
    sentence = refusal(monkeypatch, f"WALLET_PLATFORM_{name}", value)
    assert sentence.endswith("must be set together.")


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLET_AGENTS", json.dumps({"casino": [KEY]}))
    monkeypatch.setenv("WALLET_DATABASE_URL", "postgresql://role:a-password@host/wallet")
    settings = load_settings()
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    for secret in (SECRET, KEY, repr(bytes(range(32)))[2:20], "a-password"):
        assert secret not in shown


def test_settings_do_not_change() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError):
        settings.port = 9  # type: ignore[misc]


def test_no_file_is_read_beside_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("WALLET_PORT=9999\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_settings().port == 8080


def test_the_demo_needs_no_secret_and_has_known_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WALLET_CALLBACK_KEYS")
    settings = load_settings(demo=True)
    assert settings.demo
    assert [key.get_secret_value() for key in settings.callback_keys] == [DEMO_CALLBACK_KEY]
    assert list(settings.agents) == [DEMO_AGENT_ID]
    assert settings.currencies == {"BTC": 8}


def test_currencies_that_are_named_are_the_demos_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLET_CURRENCIES", "USDT:6")
    assert load_settings(demo=True).currencies == {"USDT": 6}


def test_where_nothing_is_named_the_console_works_for_the_demo(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WALLET_CALLBACK_KEYS")
    assert load_console_settings() == load_settings(demo=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WALLET_CALLBACK_KEYS", SECRET),
        ("WALLET_AGENTS", json.dumps({"casino": [KEY]})),
        ("WALLET_DATABASE_URL", "postgresql://role@host/wallet"),
    ],
)
def test_where_a_key_or_a_database_is_named_the_console_knows_no_demo(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.delenv("WALLET_CALLBACK_KEYS")
    monkeypatch.setenv(name, value)
    settings = load_console_settings()
    assert not settings.demo
    assert DEMO_AGENT_ID not in settings.agents
    assert settings.currencies == {}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_the_demo_listens_to_this_machine(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("WALLET_HOST", host)
    assert load_settings(demo=True).host == host


@pytest.mark.parametrize("name", ["WALLET_HOST", "WALLET_PRIVATE_HOST"])
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.test"])  # noqa: S104
def test_the_demo_refuses_to_listen_beyond_loopback(
    monkeypatch: pytest.MonkeyPatch, name: str, host: str
) -> None:
    monkeypatch.setenv(name, host)
    with pytest.raises(SettingsError, match=f"{name} must be a loopback address"):
        load_settings(demo=True)


def test_the_demo_refuses_a_database_that_somebody_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLET_DATABASE_URL", "postgresql://role@host/wallet")
    with pytest.raises(SettingsError, match="WALLET_DATABASE_URL must not be set"):
        load_settings(demo=True)


def test_the_demo_keys_do_not_work_outside_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--demo only" in refusal(monkeypatch, "WALLET_CALLBACK_KEYS", DEMO_CALLBACK_KEY)
    monkeypatch.setenv("WALLET_CALLBACK_KEYS", SECRET)
    assert "--demo only" in refusal(
        monkeypatch, "WALLET_AGENTS", json.dumps({"casino": [DEMO_AGENT_KEY]})
    )


def test_every_setting_is_described() -> None:
    """In a docstring beside it; reading those at run time would cost each start some 30 ms."""
    assert len(setting_names()) == len(Settings.model_fields)
    described = {
        setting.target.id
        for path in Path(app.settings.__file__).parent.glob("*.py")
        for group in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(group, ast.ClassDef)
        for setting, words in pairwise(group.body)
        if isinstance(setting, ast.AnnAssign)
        and isinstance(setting.target, ast.Name)
        and isinstance(words, ast.Expr)
        and isinstance(words.value, ast.Constant)
    }
    assert set(Settings.model_fields) - described == set()


LONG = "0123456789abcdef"


@pytest.mark.parametrize(
    "key",
    [
        *("change-me", "change-me-change-me", "CHANGE_ME_0123456789", "your-callback-key-here"),
        *("k1", LONG[:15], "a" * 40, "abababababababab", "replace-with-the-key-of-the-office"),
    ],
)
def test_a_placeholder_or_a_short_key_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    for keys in (key, f"{LONG},{key}"):
        sentence = refusal(monkeypatch, "WALLET_CALLBACK_KEYS", keys)
        assert sentence.startswith("WALLET_CALLBACK_KEYS must not have a key that")
        assert key not in sentence


def test_a_key_of_sixteen_characters_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLET_CALLBACK_KEYS", LONG)
    assert load_settings().callback_keys[0].get_secret_value() == LONG


def test_a_placeholder_for_an_agents_key_or_a_password_stops_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sentence = refusal(monkeypatch, "WALLET_AGENTS", json.dumps({"house": ["A" * 43]}))
    assert sentence.startswith("WALLET_AGENTS must not have a key that is a placeholder")
    monkeypatch.delenv("WALLET_AGENTS")
    address = "postgresql://wallet_service:{}@postgres/wallet"
    for name in ("WALLET_DATABASE_URL", "WALLET_OWNER_DATABASE_URL"):
        sentence = refusal(monkeypatch, name, address.format("change-me"))
        assert sentence.startswith(f"{name} must not have a password")
        monkeypatch.setenv(name, address.format("a-password-of-ours"))
        assert load_settings().callback_keys
        monkeypatch.delenv(name)


def test_the_demo_needs_no_key_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLET_CALLBACK_KEYS", "k1")
    assert load_settings(demo=True).demo
