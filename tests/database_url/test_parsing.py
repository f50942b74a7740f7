"""Database addresses mean what libpq means by them; errors contain no secret."""

import ssl
from pathlib import Path

import pytest

from app.database_url import DatabaseUrlError, connect_arguments, host_of

BASE = "postgresql://role:pa%40ss@db.example:6432/wallet"


def test_the_parts_of_an_address() -> None:
    assert connect_arguments(BASE) == {
        "host": ["db.example"],
        "port": [6432],
        "user": "role",
        "password": "pa@ss",
        "database": "wallet",
    }


@pytest.mark.parametrize(
    ("where", "hosts", "ports"),
    [
        ("a,b", ["a", "b"], [5432, 5432]),
        ("a:1,b:2", ["a", "b"], [1, 2]),
        ("[::1]:7,b", ["::1", "b"], [7, 5432]),
        ("[::1]", ["::1"], [5432]),
        ("%2Ftmp%2Fsocket", ["/tmp/socket"], [5432]),  # noqa: S108 - a name in an address
    ],
)
def test_several_hosts_each_with_its_port(where: str, hosts: list[str], ports: list[int]) -> None:
    arguments = connect_arguments(f"postgresql://role@{where}/wallet")
    assert (arguments["host"], arguments["port"]) == (hosts, ports)


def test_hosts_and_ports_may_be_parameters() -> None:
    arguments = connect_arguments("postgresql+asyncpg://role@/wallet?host=/a%20b,c&port=1,2")
    assert (arguments["host"], arguments["port"]) == (["/a b", "c"], [1, 2])
    arguments = connect_arguments("postgresql://role@/wallet?host=a,b&port=9")
    assert arguments["port"] == [9, 9]


def test_without_a_host_the_driver_looks_where_libpq_does() -> None:
    assert connect_arguments("postgresql:///wallet") == {"database": "wallet"}


def test_the_session_is_described_as_libpq_describes_it() -> None:
    arguments = connect_arguments(
        f"{BASE}?connect_timeout=3&application_name=till+1&options=-c%20jit%3Doff"
        "&target_session_attrs=read-write"
    )
    assert arguments["timeout"] == 3
    assert arguments["server_settings"] == {"application_name": "till+1", "options": "-c jit=off"}
    assert arguments["target_session_attrs"].value == "read-write"


def test_no_time_limit_leaves_the_wallets_own() -> None:
    assert "timeout" not in connect_arguments(f"{BASE}?connect_timeout=0")


@pytest.mark.parametrize(
    "ignored",
    ["channel_binding=prefer", "gssencmode=disable", "keepalives=1", "tcp_user_timeout=9",
     "client_encoding=UTF8", "sslsni=1", "krbsrvname=postgres", "load_balance_hosts=disable"],
)  # fmt: skip
def test_what_changes_nothing_is_ignored(ignored: str) -> None:
    assert connect_arguments(f"{BASE}?{ignored}") == connect_arguments(BASE)


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
def test_modes_that_verify_nothing_are_the_drivers(mode: str) -> None:
    assert connect_arguments(f"{BASE}?sslmode={mode}")["ssl"] == mode
    assert connect_arguments(f"{BASE}?ssl={mode}")["ssl"] == mode


def test_what_each_mode_verifies() -> None:
    def verified(parameters: str) -> tuple[ssl.VerifyMode, bool]:
        context = connect_arguments(f"{BASE}?{parameters}")["ssl"]
        assert isinstance(context, ssl.SSLContext)
        return context.verify_mode, context.check_hostname

    assert verified("sslmode=require") == (ssl.CERT_NONE, False)
    assert verified("ssl=true") == (ssl.CERT_NONE, False)
    assert verified("sslmode=verify-full") == (ssl.CERT_REQUIRED, True)
    assert verified("sslmode=verify-full&sslrootcert=system") == (ssl.CERT_REQUIRED, True)


def test_tls_that_begins_at_once() -> None:
    assert connect_arguments(f"{BASE}?sslmode=require&sslnegotiation=direct")["direct_tls"] is True


def test_a_version_of_tls_may_be_asked_for() -> None:
    context = connect_arguments(f"{BASE}?sslmode=require&ssl_min_protocol_version=TLSv1.3")["ssl"]
    assert isinstance(context, ssl.SSLContext)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"{BASE}?sslmode=secret", "sslmode"),
        (f"{BASE}?sslmode=verify-ca", "needs sslrootcert"),
        (f"{BASE}?sslmode=verify-ca&sslrootcert=system", "needs sslrootcert"),
        (f"{BASE}?sslmode=require&sslrootcert=/secret/ca", "sslrootcert with a file"),
        (f"{BASE}?sslmode=require&sslcert=/secret/c&sslkey=/secret/k", "sslkey with a file"),
        (f"{BASE}?sslmode=require&sslkey=/secret", "sslkey without sslcert"),
        (f"{BASE}?sslrootcert=/secret", "sslrootcert without sslmode"),
        (f"{BASE}?sslnegotiation=direct", "sslnegotiation=direct"),
        (f"{BASE}?sslnegotiation=secret", "sslnegotiation"),
        (f"{BASE}?sslmode=require&ssl_max_protocol_version=SSLv3", "ssl_max_protocol_version"),
        (f"{BASE}?channel_binding=require&sslmode=require", "channel_binding"),
        (f"{BASE}?gssencmode=require", "gssencmode"),
        (f"{BASE}?target_session_attrs=standby", "target_session_attrs"),
        (f"{BASE}?client_encoding=latin1", "UTF8"),
        (f"{BASE}?connect_timeout=1.5", "connect_timeout"),
        (f"{BASE}?connect_timeout=-1", "connect_timeout"),
        (f"{BASE}?connect_timeout={'9' * 5000}", "connect_timeout"),
        (f"{BASE}?search_path=x", "does not know: search_path"),
        (f"{BASE}?service=x", "does not know: service"),
        (f"{BASE}?sslmode", "without a value"),
        (f"{BASE}?sslmode=require&sslmode=disable", "twice"),
        (f"{BASE}?application_name=a%00b", "zero byte"),
        ("postgresql://role@host:port/wallet", "port"),
        ("postgresql://role@host:70000/wallet", "port"),
        ("postgresql://role@host:0/wallet", "port"),
        ("postgresql://role@[::1/wallet", "]"),
        ("postgresql://role@a,b,c/wallet?port=1,2", "one port"),
        ("postgresql://role:sec/ret@host/wallet", "%2F"),
        ("postgresql://role:sec?ret@host/wallet", "%2F"),
        ("no address at all", "must be an address"),
    ],
)
def test_what_cannot_be_done_is_one_clause_that_quotes_nothing(url: str, said: str) -> None:
    with pytest.raises(DatabaseUrlError) as told:
        connect_arguments(url)
    words = str(told.value)
    assert said in words
    assert "\n" not in words
    assert not any(secret in words for secret in ("pa@ss", "pa%40ss", "sec/ret", "ret@", "/secret"))


def test_files_that_are_not_what_they_should_be(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("rubbish", encoding="utf-8")
    for parameters in (f"sslrootcert={rubbish}", f"sslcert={rubbish}", f"sslcrl={rubbish}"):
        with pytest.raises(DatabaseUrlError, match=parameters.partition("=")[0]):
            connect_arguments(f"{BASE}?sslmode=verify-full&{parameters}")


def test_a_log_names_hosts_and_neither_role_nor_password() -> None:
    assert host_of(BASE) == "db.example:6432"
    assert host_of("postgresql://role:pw@a,[::1]:7/wallet") == "a:5432,[::1]:7"
    assert host_of("postgresql:///wallet") == "this machine"
    assert host_of("rubbish") == "the named database"
