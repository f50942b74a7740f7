"""What a password costs whoever guesses; everywhere else tests hash at the least price."""

import importlib.util
from types import ModuleType
from typing import Literal

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type
from typing_extensions import override

from app.cashier import passwords


@pytest.fixture
def served() -> ModuleType:
    """The module as the service imports it, beside the one whose price the tests have lowered."""
    spec = importlib.util.spec_from_file_location("passwords_as_served", passwords.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_a_guess_costs_what_owasp_asks_for_and_more(served: ModuleType) -> None:
    price = extract_parameters(await served.hash_password("a password"))
    assert price.type is Type.ID
    assert price.memory_cost >= 64 * 1024
    assert price.time_cost >= 3


async def test_where_nobody_has_that_name_a_guess_costs_as_much(
    served: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert extract_parameters(served.NOBODYS) == extract_parameters(await served.hash_password("a"))
    asked: list[str] = []

    class Asked(PasswordHasher):
        @override
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
            asked.append(str(hash))
            return super().verify(hash, password)

    monkeypatch.setattr(served, "_hasher", Asked())
    assert await served.is_password(None, "a") is False
    assert asked == [served.NOBODYS]


async def test_a_password_is_known_again_and_no_other_one(served: ModuleType) -> None:
    made = await passwords.hash_password("a password")
    assert await served.is_password(made, "a password")
    assert not await served.is_password(made, "another")
