"""What forms are told of each kind of provider: the same declarations validate the settings."""

import msgspec
import pytest

from clarion.common.v1 import event_pb2
from runtime.errors import ClarionError
from runtime.settings import Secret
from services.senders import provider_settings, registry
from services.senders.described import settings_of
from services.senders.reports.kinds import REPORT_READERS

_KINDS = [(channel, name) for channel in registry.CHANNELS for name in registry.kind_names(channel)]


@pytest.mark.parametrize(("channel", "name"), _KINDS)
def test_each_kind_says_all_that_a_form_needs(channel: event_pb2.Channel.ValueType, name: str) -> None:
    """Each setting once, with a label and help; required and secret as its declaration has it."""
    kind = registry.kind(channel, name)
    described = settings_of(kind)
    assert {one.name for one in described} == {field.name for field in msgspec.structs.fields(kind.settings)}
    for one in described:
        assert one.label != one.name, one.name
        assert one.help.endswith("."), one.name
        assert one.is_secret == (one.name in provider_settings.secret_fields(kind))
        assert one.verifies_reports == (one.name in kind.keys)
    # The port of a mail server stands beside its name, although it has a default.
    ordered = [one.is_required for one in described if (name, one.name) != ("smtp", "port")]
    assert ordered == sorted(ordered, reverse=True)
    assert name != "smtp" or [one.name for one in described[:3]] == ["host", "port", "from_email"]
    assert kind.title
    assert all(text.endswith(".") for text in (kind.purpose, kind.setup))


@pytest.mark.parametrize(("channel", "name"), _KINDS)
def test_a_kind_with_reports_says_how_they_are_set_up(channel: event_pb2.Channel.ValueType, name: str) -> None:
    """And what verifies them is a setting of its own."""
    kind = registry.kind(channel, name)
    assert kind.reports == bool(kind.report_setup) == (name in REPORT_READERS)
    setting = REPORT_READERS[name].setting if kind.reports else ""
    assert not setting or setting in kind.keys


@pytest.mark.parametrize(("channel", "name"), _KINDS)
def test_defaults_choices_and_bounds_are_those_that_are_checked(
    channel: event_pb2.Channel.ValueType, name: str
) -> None:
    """The default is accepted by the setting's type; one more than the largest number, and another word, are not."""
    kind = registry.kind(channel, name)
    for one in settings_of(kind):
        wrong: list[object] = [one.most + 1] if one.most is not None else []
        wrong += [one.least - 1] if one.least is not None else []
        wrong += ["another"] if one.type == "choice" else []
        for value in wrong:
            with pytest.raises(ClarionError) as refused:
                provider_settings.read_settings(kind, {one.name: value})
            assert f"settings.{one.name}" in {field for field, _ in refused.value.fields}
        if one.type == "choice":
            assert one.default in one.choices
        if not one.is_required:
            assert isinstance(one.default, {"text": str, "choice": str, "number": int, "boolean": bool}[one.type])


def test_an_annotated_secret_stays_secret() -> None:
    """What describes a setting changes nothing of how it is read."""
    kind = registry.kind(event_pb2.CHANNEL_EMAIL, "resend")
    read = provider_settings.read_settings(kind, {"api_key": "re_123", "from_email": "a@acorn.example"})
    assert isinstance(read.api_key, Secret)
    assert "re_123" not in repr(read)
    with pytest.raises(ClarionError) as refused:
        provider_settings.read_settings(kind, {"api_key": "", "from_email": "a@acorn.example"})
    assert refused.value.fields == (("settings.api_key", "This setting is needed."),)


def test_the_secret_itself_is_no_default() -> None:
    """A kind's own default for a secret is the empty text: no credential stands in the code."""
    for channel, name in _KINDS:
        assert all(one.default in (None, "") for one in settings_of(registry.kind(channel, name)) if one.is_secret)
