"""An address led to another node of its cluster."""

import pytest

from app.database_url import DatabaseUrlError, connect_arguments, node_url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://wallet_service:s%40crt@coordinator/wallet",
        "postgresql://wallet_service:s%40crt@a:5432,b:5433/wallet?target_session_attrs=read-write",
        "postgresql:///wallet?host=a,b&port=1,2&user=wallet_service&password=s%40crt",
    ],
)
def test_only_the_host_is_another(url: str) -> None:
    arguments = connect_arguments(node_url(url, "node1", 6543))
    assert (arguments["host"], arguments["port"]) == (["node1"], [6543])
    assert arguments["user"] == "wallet_service"
    assert arguments["password"] == "s@crt"
    assert arguments["database"] == "wallet"
    assert "target_session_attrs" not in arguments


def test_what_else_an_address_says_is_kept() -> None:
    url = node_url("postgresql://r@h/w?connect_timeout=3&application_name=x&host=y", "::1", 5432)
    arguments = connect_arguments(url)
    assert arguments["host"] == ["::1"]
    assert arguments["timeout"] == 3
    assert arguments["server_settings"] == {"application_name": "x"}


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(DatabaseUrlError):
        node_url("coordinator", "node1", 5432)
