"""Languages: tags, fallbacks, and which template a recipient's leads to."""

import msgspec
import pytest

from clarion.common.v1 import event_pb2
from services import locales
from services.router import languages
from services.router.route import Circumstances, Template, route

EMAIL, SMS = event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pt-BR", "pt-BR"),
        ("pt_br", "pt-BR"),
        (" EN ", "en"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("ca-ES-valencia", "ca-ES-valencia"),
        ("", ""),
        ("english", ""),
        ("e", ""),
        ("en-", ""),
        ("en US", ""),
        ("../en", ""),
        ("en\n", "en"),
        ("pt-BR" * 20, ""),
    ],
)
def test_tags_are_kept_in_one_form(text: str, expected: str) -> None:
    """Language small, script titled, region large; what is no tag is none."""
    assert locales.normal(text) == expected


@pytest.mark.parametrize(
    ("wanted", "default", "expected"),
    [
        ("pt-BR", "en-GB", ["pt-BR", "pt", "en-GB", "en", ""]),
        ("zh-Hant-TW", "", ["zh-Hant-TW", "zh-Hant", "zh", ""]),
        ("en", "en", ["en", ""]),
        ("", "fr", ["fr", ""]),
        ("", "", [""]),
    ],
)
def test_fallbacks(wanted: str, default: str, expected: list[str]) -> None:
    """The wanted locale, its parents, the tenant's default and its parents, the version for all."""
    assert locales.chain(wanted, default) == expected


@pytest.mark.parametrize(
    ("wanted", "template", "expected"),
    [("pt-BR", "pt", "pt-BR"), ("de", "en", "en"), ("de", "", "de"), ("", "en", "en"), ("", "", "")],
)
def test_customs_follow_the_text(wanted: str, template: str, expected: str) -> None:
    """No German dates in an English mail."""
    assert locales.culture(wanted, template) == expected


@pytest.mark.parametrize(
    ("payload", "variables", "expected"),
    [
        ({"locale": "pt_BR"}, {"locale": "fr"}, "pt-BR"),
        ({}, {"locale": "fr"}, "fr"),
        ({"locale": 7}, {"locale": "fr"}, "fr"),
        ({"locale": "nonsense!"}, {}, ""),
        ({"user": {"locale": "fr"}}, {}, ""),
        ({}, {}, ""),
    ],
)
def test_the_recipient_says_which(payload: dict[str, object], variables: dict[str, object], expected: str) -> None:
    """The payload's comes before the variables'; what is no locale is not there."""
    event = event_pb2.Event(payload_extra=msgspec.json.encode(payload), variables=msgspec.json.encode(variables))
    assert languages.wanted(event) == expected


def test_broken_data_say_nothing() -> None:
    """Nobody's event is held up by it."""
    assert languages.wanted(event_pb2.Event(payload_extra=b'{"locale":', variables=b"")) == ""


@pytest.mark.parametrize(
    ("locale", "default", "chosen"),
    [
        ("pt-BR", "", "pt"),
        ("pt-PT", "", "pt"),
        ("fr", "en", "en"),
        ("fr", "", ""),
        ("", "", ""),
    ],
)
def test_one_template_per_channel(locale: str, default: str, chosen: str) -> None:
    """A channel with several gives the best one, and the plan says which."""
    found = [Template(SMS, f"sms-{tag}", locale=tag) for tag in ("", "en", "pt")]
    event = _event(locale)
    plan = route(event, Circumstances(frozenset(), found, {SMS: ["p"]}, default, is_localised=True), 1)
    assert [(one.template_version_id, one.locale) for one in plan.routed.deliveries] == [(f"sms-{chosen}", chosen)]
    assert [delivery.template_version_id for delivery in plan.deliveries] == [f"sms-{chosen}"]


def test_no_template_for_this_language() -> None:
    """Where no version is for the recipient the channel is skipped with that reason, the others are not."""
    found = [Template(EMAIL, "mail-fr", locale="fr"), Template(SMS, "sms")]
    circumstances = Circumstances(frozenset(), found, {SMS: ["p"], EMAIL: ["p"]}, "", is_localised=True)
    plan = route(_event("de"), circumstances, 1)
    assert [(one.channel, one.reason) for one in plan.routed.deliveries] == [
        (EMAIL, "no_template_for_locale"),
        (SMS, ""),
    ]


def _event(locale: str) -> event_pb2.Event:
    return event_pb2.Event(
        id="e",
        recipient=event_pb2.Recipient(user_id="u", email="a@example.com", phone="+254712345678"),
        payload_extra=msgspec.json.encode({"locale": locale}),
    )
