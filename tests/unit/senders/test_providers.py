"""Kinds of provider, and what is checked when one is made."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from clarion.common.v1 import event_pb2
from runtime.errors import ClarionError, Code
from services.domain.channels import NAMES
from services.senders import channels, provider_settings, providers, registry
from tests.unit.senders.builders import TENANT, guard

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


@pytest.mark.parametrize("channel", event_pb2.Channel.values())
def test_the_table_names_each_folder(channel: event_pb2.Channel.ValueType) -> None:
    """Each kind's folder under channels/ is in the table, and what the table names can be loaded."""
    names = registry.kind_names(channel)
    folder = Path(channels.__path__[0]) / NAMES.get(channel, "none")
    assert sorted(one.parent.name for one in folder.glob("*/__init__.py")) == list(names)
    assert all(registry.kind(channel, name).settings for name in names)
    assert not names or registry.composer(channel)


def test_an_unknown_kind() -> None:
    """It is no kind of another channel's, either."""
    for name in ("twilio", "../sms/twilio", ""):
        with pytest.raises(KeyError):
            registry.kind(event_pb2.CHANNEL_EMAIL, name)


def test_the_password_is_a_secret() -> None:
    """By the type of its field."""
    smtp = registry.kind(event_pb2.CHANNEL_EMAIL, "smtp")
    assert provider_settings.secret_fields(smtp) == {"password"}


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
    """And nothing of a short one."""
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
    """Each wrong field is named by its path."""
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
    """In plain words, without the names of Python types."""
    with pytest.raises(ClarionError) as caught:
        _check({**_SMTP, **changes})
    (setting,) = changes
    assert caught.value.fields == ((f"settings.{setting}", text),)


@pytest.mark.parametrize("host", ["8.8.8.8", "2620:fe::fe", "smtp.example.org", "mail_1.internal", "smtp.example.org."])
def test_hosts(host: str) -> None:
    """Names and addresses of both families."""
    made = _check({**_SMTP, "host": host})
    providers.check_address(made, guard())
    assert made.settings["host"] == host


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "::1", "0x7f.1", "2130706433", "::ffff:127.0.0.1", "169.254.169.254", "localhost", "10.1.2.3"]
)
def test_addresses_that_are_not_allowed_are_not_saved(host: str) -> None:
    """The error says what is wrong, and what to do."""
    made = _check({**_SMTP, "host": host})
    with pytest.raises(ClarionError) as caught:
        providers.check_address(made, guard())
    assert caught.value.code is Code.INVALID
    [(field, sentence)] = caught.value.fields
    assert field == "settings.host"
    assert "CLARION_EGRESS_ALLOW" in sentence or "four decimal numbers" in sentence


def test_ports_that_are_not_allowed_are_not_saved() -> None:
    """The error names the known ones."""
    with pytest.raises(ClarionError) as caught:
        providers.check_address(_check({**_SMTP, "port": 6379}), guard())
    [(field, sentence)] = caught.value.fields
    assert (field, sentence.startswith("Port 6379 is none of 25, ")) == ("settings.port", True)


def test_what_the_operator_allows_is_saved() -> None:
    """By address and port."""
    allowed = {**_SMTP, "host": "127.0.0.1", "port": 1025}
    providers.check_address(_check(allowed), guard("127.0.0.0/8:1025"))
    with pytest.raises(ClarionError):
        providers.check_address(_check({**allowed, "port": 1026}), guard("127.0.0.0/8:1025"))


def test_what_connects_to_no_server_of_its_settings_is_not_asked() -> None:
    """The sandbox, and APIs, whose hosts are not settings."""
    providers.check_address(_check("", kind="sandbox"), guard())


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


_RESEND = {"api_key": "re_123456789", "from_email": "us@acorn.example"}
_SENDGRID = {"api_key": "SG.123456789", "from_email": "us@acorn.example"}
_TWILIO = {"account_sid": "AC" + "0" * 32, "auth_token": "f" * 32, "sender": "+15005550006"}
_AFRICASTALKING = {"username": "acorn", "api_key": "atsk_123456789"}
_WHSEC = "whsec_" + base64.b64encode(b"k" * 24).decode()
_RSA = rsa.generate_private_key(65537, 2048)
_ED25519 = ed25519.Ed25519PrivateKey.generate()
_EC = ec.generate_private_key(ec.SECP256R1())


def _public(key: Any) -> str:
    return str(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def _private(key: Any) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def _channel_of(kind: str) -> event_pb2.Channel.ValueType:
    return event_pb2.CHANNEL_SMS if kind in {"twilio", "africastalking"} else event_pb2.CHANNEL_EMAIL


@pytest.mark.parametrize(
    ("kind", "settings", "setting", "written"),
    [
        pytest.param("resend", _RESEND, "webhook_secret", "junk!!", id="resend-junk"),
        pytest.param("resend", _RESEND, "webhook_secret", "whsec_", id="resend-prefix-alone"),
        pytest.param("resend", _RESEND, "webhook_secret", "v1,", id="resend-version-alone"),
        pytest.param("resend", _RESEND, "webhook_secret", "whsec_abcd", id="resend-cut"),
        pytest.param("resend", _RESEND, "webhook_secret", f"{_WHSEC[:20]}…", id="resend-shown-cut"),
        pytest.param("resend", _RESEND, "webhook_secret", f'"{_WHSEC}"', id="resend-in-quotes"),
        pytest.param("resend", _RESEND, "webhook_secret", f"{_WHSEC} {_WHSEC}", id="resend-two"),
        pytest.param("resend", _RESEND, "webhook_secret", "re_123456789_abcdefghijklmnopqrstuv", id="resend-api-key"),
        pytest.param("resend", _RESEND, "api_key", "re_123 456789", id="resend-api-key-with-a-blank"),
        pytest.param("sendgrid", _SENDGRID, "webhook_public_key", "abc", id="sendgrid-junk"),
        pytest.param("sendgrid", _SENDGRID, "webhook_public_key", "bm90IGEga2V5", id="sendgrid-no-der"),
        pytest.param("sendgrid", _SENDGRID, "webhook_public_key", _public(_EC)[:80], id="sendgrid-cut"),
        pytest.param("sendgrid", _SENDGRID, "webhook_public_key", _public(_RSA), id="sendgrid-rsa"),
        pytest.param("sendgrid", _SENDGRID, "webhook_public_key", _public(_ED25519), id="sendgrid-ed25519"),
        pytest.param("sendgrid", _SENDGRID, "webhook_public_key", _private(_EC), id="sendgrid-private-key"),
        pytest.param("sendgrid", _SENDGRID, "webhook_public_key", "SG.123456789", id="sendgrid-api-key"),
        pytest.param("twilio", _TWILIO, "auth_token", "abc def", id="twilio-token-with-a-blank"),
        pytest.param("twilio", _TWILIO, "auth_token", "…abcd", id="twilio-token-as-shown-elsewhere"),
        pytest.param("twilio", _TWILIO, "shared_key", "ключ", id="twilio-shared-key"),
        pytest.param("twilio", _TWILIO, "account_sid", "AC123", id="twilio-account"),
        pytest.param(
            "twilio", {**_TWILIO, "api_key_sid": "SK" + "0" * 32}, "api_key_secret", "a b", id="twilio-api-key-secret"
        ),
        pytest.param("africastalking", _AFRICASTALKING, "api_key", "a\nb", id="africastalking-key-in-two-lines"),
    ],
)
def test_what_is_no_key_is_refused(kind: str, settings: dict[str, str], setting: str, written: str) -> None:
    """When a provider is created or changed; the error does not repeat the value."""
    channel = _channel_of(kind)
    with pytest.raises(ClarionError) as made:
        _check({**settings, setting: written}, kind=kind, channel=channel)
    other = {"api_key_secret": "s3cret"} if "api_key_sid" in settings else {}
    old = providers.StoredProvider(_check({**settings, **other}, kind=kind, channel=channel), {}, 0, 0)
    with pytest.raises(ClarionError) as changed:
        providers.changed(
            replace(old, secrets=old.provider.secrets),
            name=None,
            priority=None,
            settings_json=json.dumps({setting: written}),
        )
    for caught in (made, changed):
        assert caught.value.code is Code.INVALID
        assert [field for field, _ in caught.value.fields] == [f"settings.{setting}"]
        assert written not in f"{caught.value.detail}{caught.value.fields}"


@pytest.mark.parametrize(
    ("kind", "settings", "verbatim"),
    [
        pytest.param("resend", {**_RESEND, "webhook_secret": _WHSEC}, "", id="resend"),
        pytest.param("sendgrid", {**_SENDGRID, "region": "eu"}, "", id="sendgrid"),
        pytest.param(
            "twilio",
            {
                **_TWILIO,
                "api_key_sid": "SK" + "0" * 32,
                "api_key_secret": "s3cret",
                "shared_key": "k3y",
                "messaging_service_sid": "MG" + "0" * 32,
                "status_callback": "https://notify.example.com/c",
                "region": "ie1",
            },
            "",
            id="twilio",
        ),
        pytest.param("africastalking", {**_AFRICASTALKING, "sender": "ACORN"}, "", id="africastalking"),
        pytest.param("smtp", {**_SMTP, "username": "ada", "password": " correct horse "}, "password", id="smtp"),
    ],
)
@pytest.mark.parametrize("around", ["\n", "\r\n", " ", "\t", "\u00a0", "\u200b", "\ufeff", "\u2028"])
def test_blanks_around_a_setting_are_cut_off(kind: str, settings: dict[str, str], verbatim: str, around: str) -> None:
    """Of all settings, keys and ids too; of a password only line ends, because blanks may be part of it."""
    written = {
        name: f"{around}{value}{around}" if name != verbatim or around in {"\n", "\r\n"} else value
        for name, value in settings.items()
    }
    made = _check(written, kind=kind, channel=_channel_of(kind))
    assert {**made.settings, **made.secrets} == settings


def test_a_password_keeps_its_blanks() -> None:
    """They may be part of it."""
    made = _check({**_SMTP, "username": "ada", "password": " correct horse \u00a0\n"})
    assert made.secrets == {"password": " correct horse \u00a0"}


def test_a_key_of_an_earlier_version_is_no_obstacle() -> None:
    """A provider that was stored with an invalid key sends and can be changed; the key can be removed."""
    stored = providers.StoredProvider(
        _check(_RESEND, kind="resend"), {"api_key": "re_1\n", "webhook_secret": "junk"}, 0, 0
    )
    resend = registry.kind(event_pb2.CHANNEL_EMAIL, "resend")
    opened = provider_settings.read_settings(
        resend, provider_settings.cleaned(resend, {**stored.provider.settings, **stored.secrets})
    )
    assert opened.api_key.reveal() == "re_1"
    changed = providers.changed(stored, name="main", priority=None, settings_json='{"api_key": "re_2"}')
    assert changed.secrets == {"api_key": "re_2", "webhook_secret": "junk"}
    changed = providers.changed(stored, name=None, priority=None, settings_json='{"webhook_secret": null}')
    assert changed.secrets == {"api_key": "re_1"}


def test_a_secret_that_comes_as_it_was_shown_is_left_alone() -> None:
    """Also with a line end behind it."""
    stored = providers.StoredProvider(_check(_RESEND, kind="resend"), {"api_key": "re_123456789"}, 0, 0)
    shown = json.loads(stored.settings_json())["api_key"]
    changed = providers.changed(stored, name=None, priority=None, settings_json=json.dumps({"api_key": f"{shown}\n"}))
    assert changed.secrets == {"api_key": "re_123456789"}


def test_a_sandbox_needs_nothing() -> None:
    """Empty settings are enough, on both channels."""
    assert _check("", kind="sandbox").settings == {}
    assert _check({}, kind="sandbox", channel=event_pb2.CHANNEL_SMS).settings == {}


def test_a_secret_is_never_in_the_error() -> None:
    """A password of the wrong type is not repeated."""
    with pytest.raises(ClarionError) as caught:
        _check({**_SMTP, "password": ["hunter2-hunter2"]})
    assert "hunter2" not in f"{caught.value.detail}{caught.value.fields}"
