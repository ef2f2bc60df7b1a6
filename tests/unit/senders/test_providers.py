"""Kinds of provider, and what is checked when one is made."""

import json
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from runtime.errors import ClarionError, Code
from services.senders import providers, registry
from tests.unit.senders.builders import TENANT

_SMTP = {"host": "smtp.example.org", "from_email": "noreply@example.org"}


def _check(settings: object, **changes: Any) -> providers.NewProvider:
    given = {
        "tenant_id": TENANT,
        "channel": event_pb2.CHANNEL_EMAIL,
        "kind": "smtp",
        "name": "",
        "priority": 0,
        "settings_json": settings if isinstance(settings, str) else json.dumps(settings),
    }
    return providers.check(**{**given, **changes})


def _faults(settings: object, **changes: Any) -> list[str]:
    with pytest.raises(ClarionError) as caught:
        _check(settings, **changes)
    assert caught.value.code is Code.INVALID
    return [field for field, _ in caught.value.fields]


def test_folders_are_the_kinds() -> None:
    """What stands in channels/ is what there is; push has none here."""
    assert registry.kind_names(event_pb2.CHANNEL_EMAIL) == ["resend", "sandbox", "sendgrid", "smtp"]
    assert registry.kind_names(event_pb2.CHANNEL_SMS) == ["africastalking", "sandbox", "twilio"]
    assert registry.kind_names(event_pb2.CHANNEL_PUSH) == []
    assert registry.secret_fields(registry.kinds()[event_pb2.CHANNEL_EMAIL, "smtp"]) == {"password"}


def test_secrets_are_kept_apart() -> None:
    """The password is in secrets, not in settings, and in no repr; the name defaults to the kind."""
    made = _check({**_SMTP, "username": "ada", "password": "correct horse"})
    assert made.name == "smtp"
    assert made.secrets == {"password": "correct horse"}
    assert made.settings == {**_SMTP, "username": "ada"}
    assert "correct horse" not in repr(made)


@pytest.mark.parametrize(
    ("secret", "shown"),
    [("correct horse battery", "…tery"), ("short", "…"), ("12345678901", "…"), ("123456789012", "…9012")],
)
def test_only_the_end_of_a_secret_is_shown(secret: str, shown: str) -> None:
    """And of a short one, nothing."""
    stored = providers.StoredProvider(_check(_SMTP), {"password": secret}, 0, 0)
    assert json.loads(stored.settings_json())["password"] == shown


@pytest.mark.parametrize(
    ("settings", "faults"),
    [
        ({}, ["settings.from_email", "settings.host"]),
        ({**_SMTP, "port": 0}, ["settings.port"]),
        ({**_SMTP, "port": "25"}, ["settings.port"]),
        ({**_SMTP, "tls": "maybe", "colour": 1}, ["settings.colour", "settings.tls"]),
        ({**_SMTP, "host": "a b"}, ["settings.host"]),
        ({**_SMTP, "host": "a..b"}, ["settings.host"]),
        ({**_SMTP, "host": f"{'a' * 64}.org"}, ["settings.host"]),
        ({**_SMTP, "host": "x\r\ny"}, ["settings.host"]),
        ({**_SMTP, "from_email": "nobody"}, ["settings.from_email"]),
        ({**_SMTP, "username": "ada"}, ["settings.password"]),
        ({**_SMTP, "password": "secret"}, ["settings.username"]),
        ({**_SMTP, "password": 5}, ["settings.password"]),
        ({**_SMTP, "ca_certificate": "no certificate"}, ["settings.ca_certificate"]),
        ({**_SMTP, "ehlo": "a b"}, ["settings.ehlo"]),
        ({**_SMTP, "max_connections": 1000}, ["settings.max_connections"]),
        ("[1]", ["settings"]),
        ("{", ["settings"]),
        ({**_SMTP, "from_name": "x" * 7000}, ["settings"]),
    ],
)
def test_wrong_settings_are_named(settings: object, faults: list[str]) -> None:
    """Every wrong field is told, by its path."""
    assert sorted(_faults(settings)) == faults


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"port": 0}, "It must be a whole number from 1 to 65,535."),
        ({"port": "25"}, "It must be a whole number from 1 to 65,535."),
        ({"tls": "maybe"}, "It must be one of none, starttls, tls."),
        ({"password": 5}, "It must be a string."),
        ({"from_name": None}, "It must be a string."),
    ],
)
def test_wrong_settings_are_explained(changes: dict[str, Any], text: str) -> None:
    """In words, without the names that the program has for types."""
    with pytest.raises(ClarionError) as caught:
        _check({**_SMTP, **changes})
    (setting,) = changes
    assert caught.value.fields == ((f"settings.{setting}", text),)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "smtp.example.org", "mail_1.internal", "localhost"])
def test_hosts(host: str) -> None:
    """Names and addresses of both families."""
    assert _check({**_SMTP, "host": host}).settings["host"] == host


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"tenant_id": ""}, ["tenant_id"]),
        ({"tenant_id": "a.b*"}, ["tenant_id"]),
        ({"tenant_id": "T1"}, ["tenant_id"]),
        ({"channel": event_pb2.CHANNEL_PUSH}, ["channel"]),
        ({"channel": event_pb2.CHANNEL_SMS}, ["kind"]),
        ({"kind": "twilio"}, ["kind"]),
        ({"name": "x" * 101, "priority": -1}, ["name", "priority"]),
    ],
)
def test_wrong_fields_are_named(changes: dict[str, Any], faults: list[str]) -> None:
    """Beside the settings, too."""
    assert _faults(_SMTP, **changes) == faults


def test_a_sandbox_needs_nothing() -> None:
    """Empty settings will do, on both channels."""
    assert _check("", kind="sandbox").settings == {}
    assert _check({}, kind="sandbox", channel=event_pb2.CHANNEL_SMS).settings == {}


def test_a_secret_is_never_in_the_error() -> None:
    """A password of the wrong type is not repeated."""
    with pytest.raises(ClarionError) as caught:
        _check({**_SMTP, "password": ["hunter2-hunter2"]})
    assert "hunter2" not in f"{caught.value.detail}{caught.value.fields}"
