"""Why a step is not sent to somebody: each policy, and their order."""

from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from services.domain.reasons import Reason
from services.router import policies
from services.router.definitions import Step, Template
from services.router.policies import Candidate
from services.router.ports import Person
from tests.unit.router.planning import EMAIL, PUSH, SMS, an_event, definition, ordered

_TEMPLATE = Template("v")


def _candidate(channel: event_pb2.Channel.ValueType = EMAIL, **changes: Any) -> Candidate:
    """A candidate that nothing is against."""
    event = changes.pop("event", an_event())
    fields = {
        "event": event,
        "definition": definition(),
        "step": Step("s", channel, [_TEMPLATE]),
        "person": Person(event.recipient, "u"),
        "template": _TEMPLATE,
        "provider_id": "p",
    }
    return Candidate(**{**fields, **changes})


_STRANGER = Person(event_pb2.Recipient(user_id="x"), "x", is_unknown=True)


def _unstored(**fields: Any) -> Person:
    """A contact who could not be stored."""
    return Person(event_pb2.Recipient(user_id="x", **fields), "x", is_unknown=True)


_WITHOUT_ADDRESS = Person(event_pb2.Recipient(user_id="u"), "u")
_WITHOUT_ID = Person(event_pb2.Recipient(email="u@example.com"), "#0")


@pytest.mark.parametrize(
    ("policy", "changes", "reason"),
    [
        (policies.tenant_channels, {"definition": definition(allowed=[SMS])}, Reason.TENANT_POLICY),
        (policies.requested_channels, {"event": an_event(channels=[SMS])}, Reason.NOT_REQUESTED),
        (policies.known_recipient, {"person": _STRANGER}, Reason.RECIPIENT_UNKNOWN),
        (policies.known_recipient, {"person": _unstored(email="not an address")}, Reason.MALFORMED_EMAIL),
        (policies.known_recipient, {"person": _unstored(phone="12")}, Reason.MALFORMED_PHONE),
        (policies.known_recipient, {"person": _unstored(email="u@example.com")}, Reason.RECIPIENT_UNKNOWN),
        (policies.template_present, {"template": None}, Reason.NO_TEMPLATE_FOR_LOCALE),
        (
            policies.template_present,
            {"template": None, "step": Step("s", EMAIL, [])},
            Reason.NO_ACTIVE_TEMPLATE,
        ),
        (
            policies.muted_channels,
            {"person": Person(an_event().recipient, "u", frozenset({EMAIL}))},
            Reason.CHANNEL_MUTED,
        ),
        (
            policies.wanted_category,
            {
                "person": Person(an_event().recipient, "u", unwanted=frozenset({(EMAIL, "news")})),
                "step": Step("s", EMAIL, [], category="news"),
            },
            Reason.CATEGORY_MUTED,
        ),
        (policies.usable_address, {"person": _WITHOUT_ADDRESS}, Reason.MISSING_EMAIL),
        (policies.usable_address, {"person": _WITHOUT_ADDRESS, "channel": SMS}, Reason.MISSING_PHONE),
        (policies.usable_address, {"person": _WITHOUT_ID, "channel": PUSH}, Reason.MISSING_RECIPIENT),
        (policies.provider_present, {"provider_id": ""}, Reason.NO_PROVIDER),
    ],
)
def test_each_policy(policy: policies.Policy, changes: dict[str, Any], reason: Reason) -> None:
    """It has its own reason, and nothing against any other candidate."""
    assert policy(_candidate(**changes)) == reason
    for channel in (EMAIL, SMS, PUSH):
        assert not policy(_candidate(channel))


@pytest.mark.parametrize(
    ("channel", "category"), [(SMS, "news"), (EMAIL, "security"), (EMAIL, "")], ids=["channel", "category", "none"]
)
def test_a_category_that_is_not_refused(channel: Any, category: str) -> None:
    """On another channel, another category, or none."""
    person = Person(an_event().recipient, "u", unwanted=frozenset({(EMAIL, "news")}))
    candidate = _candidate(channel, person=person, step=Step("s", channel, [], category=category))
    assert not policies.wanted_category(candidate)


def test_what_a_channel_does_not_need() -> None:
    """Push reaches a user by their id, without a provider."""
    candidate = _candidate(PUSH, provider_id="", person=_WITHOUT_ADDRESS)
    assert not policies.refusal(candidate, ordered())


def test_suppressed_addresses() -> None:
    """The suppression list is asked about the channel's address, and whether people may unsubscribe from the mail."""
    asked = []

    def suppression(tenant_id: str, channel: int, recipient: event_pb2.Recipient, *, subscribed: bool) -> str:
        asked.append((tenant_id, channel, recipient.email, subscribed))
        return Reason.SUPPRESSED_UNSUBSCRIBED if subscribed else ""

    policy = policies.not_suppressed(suppression)
    assert not policy(_candidate())
    assert policy(_candidate(template=Template("v", subscribed=True))) == "suppressed_unsubscribed"
    assert asked == [("t", EMAIL, "a@example.com", False), ("t", EMAIL, "a@example.com", True)]


def test_of_several_reasons_the_first_is_recorded() -> None:
    """The order is a promise: what is skipped today for one reason is not skipped for another one tomorrow."""
    nobody = event_pb2.Recipient()
    changes: dict[str, Any] = {
        "definition": definition(allowed=[SMS]),
        "provider_id": "",
        "event": an_event(channels=[SMS]),
        "person": Person(nobody, "u", frozenset({EMAIL}), is_unknown=True),
        "template": None,
    }
    # What is taken away next, after which the next policy decides.
    amends: list[dict[str, Any]] = [
        {"definition": definition()},
        {"event": an_event()},
        {"person": Person(nobody, "u", frozenset({EMAIL}))},
        {"template": _TEMPLATE},
        {"person": Person(nobody, "u")},
        {"person": Person(an_event().recipient, "u")},
        {"provider_id": "p"},
    ]
    suppressed = ordered(lambda *_, **__: "suppressed_manual")
    everything = [
        ordered(lambda *_, **__: "suppressed_manual", erased="recipient_erased", canceled=is_canceled)
        for is_canceled in (True, False)
    ]
    found = [policies.refusal(_candidate(**changes), order) for order in everything]
    for amend in ({}, *amends):
        changes |= amend
        found.append(policies.refusal(_candidate(**changes), suppressed))
    assert found == [
        "canceled",
        "recipient_erased",
        "tenant_policy",
        "not_requested",
        "recipient_unknown",
        "no_template_for_locale",
        "channel_muted",
        "missing_email",
        "no_provider",
        "suppressed_manual",
    ]
