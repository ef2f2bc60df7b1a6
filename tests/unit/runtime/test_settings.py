"""Settings from the environment."""

import msgspec
import pytest

from runtime.settings import Secret, SettingsError, load


class _Settings(msgspec.Struct, frozen=True, kw_only=True):
    address: str
    token: Secret
    limit: int = 3
    delays: tuple[float, ...] = ()


def test_types() -> None:
    """Text becomes what the field says; lists are comma-separated."""
    settings = load(
        _Settings, {"CLARION_ADDRESS": "a:1", "CLARION_TOKEN": "s", "CLARION_LIMIT": "7", "CLARION_DELAYS": "1, 2.5"}
    )
    assert (settings.address, settings.token.reveal(), settings.limit) == ("a:1", "s", 7)
    assert settings.delays == (1.0, 2.5)


def test_every_fault_is_named() -> None:
    """One message lists all that is missing or malformed."""
    with pytest.raises(SettingsError) as error:
        load(_Settings, {"CLARION_LIMIT": "many"})
    text = str(error.value)
    assert "CLARION_ADDRESS is not set" in text
    assert "CLARION_TOKEN is not set" in text
    assert "CLARION_LIMIT" in text


def test_a_secret_does_not_show() -> None:
    """Neither repr nor str gives it away."""
    settings = load(_Settings, {"CLARION_ADDRESS": "a", "CLARION_TOKEN": "hidden"})
    assert "hidden" not in repr(settings)
    assert "hidden" not in str(settings.token)
