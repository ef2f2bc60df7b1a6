"""Settings from the environment."""

import importlib

import msgspec
import pytest

from runtime.settings import Secret, Servers, SettingsError, load


class _Settings(msgspec.Struct, frozen=True, kw_only=True):
    address: str
    token: Secret
    limit: int = 3
    delays: tuple[float, ...] = ()


def test_types() -> None:
    """Text is converted to the field's type; lists are comma-separated."""
    settings = load(
        _Settings, {"CLARION_ADDRESS": "a:1", "CLARION_TOKEN": "s", "CLARION_LIMIT": "7", "CLARION_DELAYS": "1, 2.5"}
    )
    assert (settings.address, settings.token.reveal(), settings.limit) == ("a:1", "s", 7)
    assert settings.delays == (1.0, 2.5)


def test_every_mistake_is_named() -> None:
    """One message lists everything that is missing or malformed."""
    with pytest.raises(SettingsError) as error:
        load(_Settings, {"CLARION_LIMIT": "many"})
    text = str(error.value)
    assert "CLARION_ADDRESS is not set" in text
    assert "CLARION_TOKEN is not set" in text
    assert "CLARION_LIMIT" in text


def test_a_secret_is_hidden() -> None:
    """It is in neither its repr nor its str."""
    settings = load(_Settings, {"CLARION_ADDRESS": "a", "CLARION_TOKEN": "hidden"})
    assert "hidden" not in repr(settings)
    assert "hidden" not in str(settings.token)


class _Caller(msgspec.Struct, frozen=True, kw_only=True):
    ingest_address: Servers


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("ingest:7000", "ingest:7000"),
        ("10.0.0.1:7000", "10.0.0.1:7000"),
        ("10.0.0.1:7000, 10.0.0.2:7000,", "10.0.0.1:7000,10.0.0.2:7000"),
        ("[::1]:7000", "[::1]:7000"),
    ],
)
def test_servers_are_one_name_or_addresses(given: str, kept: str) -> None:
    """The forms of which gRPC reaches every server."""
    assert load(_Caller, {"CLARION_INGEST_ADDRESS": given}).ingest_address == kept


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("ingest-1:7000,ingest-2:7000", "ingest-1:7000"),
        ("10.0.0.1:7000,ingest:7000", "ingest:7000"),
        ("10.0.0.1:7000,10.0.0.2", "10.0.0.2"),
        ("[::1]:7000,[::2]:7000", "[::1]:7000"),
        ("10.0.0.1:7000,10.0.0.2:x", "10.0.0.2:x"),
    ],
)
def test_a_list_of_names_is_refused(given: str, named: str) -> None:
    """At the start, by a sentence that says what to do: with such a list every call would fail."""
    with pytest.raises(SettingsError) as error:
        load(_Caller, {"CLARION_INGEST_ADDRESS": given})
    assert str(error.value).startswith(f"CLARION_INGEST_ADDRESS: {named} cannot stand in a list")
    assert "DNS" in str(error.value)


@pytest.mark.parametrize("settings", ["gateway", "services.realtime", "services.router", "services.senders"])
def test_addresses_of_services_are_checked(settings: str) -> None:
    """In the settings of every process that calls services."""
    read = importlib.import_module(f"{settings}.settings").Settings
    own = {"http_address", "grpc_address", "metrics_address"}
    names = (field for field in msgspec.structs.fields(read) if not field.name.endswith("_per_address"))
    addresses = {field.name: field.type for field in names if field.name.endswith("_address")}
    assert {name for name, kind in addresses.items() if kind != Servers} <= own
    assert len(addresses.keys() - own) >= 2
