"""Outages: what counts as one, and the words in which it is told."""

import pytest

from services.delivery.ports import SendResult, Verdict
from services.domain.reasons import Reason
from services.senders.alerts.outages import (
    ENDPOINT_DISABLED,
    QUOTA_NEAR,
    AlertSettings,
    Kind,
    Outage,
    Phase,
    alert_of,
    event_types,
)
from services.senders.alerts.telling import pause_after
from services.senders.alerts.watch import is_trouble

AT_US = 1_760_000_000_000_000


def outage(kind: Kind = Kind.PROVIDER, **fields: object) -> Outage:
    """An outage of the tenant t1."""
    given: dict[str, object] = {
        "id": "o1",
        "kind": kind,
        "tenant_id": "t1",
        "object_id": "p1",
        "channel": 1,
        "name": "smtp",
        "reason": Reason.PROVIDER_CREDENTIALS.value,
        "detail": "535 no",
        "began_us": AT_US,
        "ended_us": AT_US + 60_000_000,
    }
    return Outage(**{**given, **fields})  # type: ignore[arg-type]


def test_an_alert_of_a_provider() -> None:
    """Whose it is, why, what it answered, since when, and where to look; the end tells how long it took."""
    alert = alert_of(outage(), Phase.BEGAN, "Walnut", "https://notify.example.com/")
    assert alert.title == "Provider down: smtp (email) of Walnut"
    assert alert.message == (
        "It is not called at the moment. The provider refuses the tenant's credentials. Its last answer: 535 no."
        " Since 2025-10-09 08:53 UTC. https://notify.example.com/console/providers/p1?tenant=t1"
    )
    assert (alert.event_type, alert.people_type) == ("clarion.provider_down", "global.alert")
    assert alert.variables["tenant_id"] == "t1"
    end = alert_of(outage(), Phase.ENDED, "", "")
    assert (end.title, end.event_type) == ("Provider works again: smtp (email) of t1", "clarion.provider_recovered")
    assert "2025-10-09 08:53 UTC to 2025-10-09 08:54 UTC" in end.message
    assert "link" not in end.variables
    assert end.key != alert.key


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("phase", list(Phase))
def test_every_kind_has_its_words_and_type(kind: Kind, phase: Phase) -> None:
    """Each of its own, among those that endpoints can subscribe to; hostile names stay text."""
    alert = alert_of(outage(kind), phase, "<b>Ada</b>", "")
    assert alert.event_type in event_types()
    assert "<b>Ada</b>" in alert.title
    assert alert.message


def test_a_disabled_endpoint_is_told_apart_from_one_that_is_down() -> None:
    """Both are told, each once."""
    is_down = alert_of(outage(Kind.ENDPOINT, reason="endpoint_down"), Phase.BEGAN, "", "")
    disabled = alert_of(outage(Kind.ENDPOINT, reason=ENDPOINT_DISABLED), Phase.BEGAN, "", "")
    assert is_down.title.startswith("Endpoint down")
    assert disabled.title.startswith("Endpoint disabled")
    assert is_down.key != disabled.key


def test_alerts_cause_no_alerts() -> None:
    """Of the alert tenant only outages of providers and endpoints are told, which are one each however many fail."""
    settings = AlertSettings("t1", ("ops@example.com",))
    assert settings.wants(outage(Kind.PROVIDER))
    assert settings.wants(outage(Kind.ENDPOINT))
    assert not settings.wants(outage(Kind.DEAD_LETTERS))
    assert not settings.wants(outage(Kind.QUOTA))
    assert settings.wants(outage(Kind.QUOTA, tenant_id="t2"))
    assert not AlertSettings("t1", (), (Kind.ENDPOINT,)).wants(outage(Kind.PROVIDER))
    assert not AlertSettings().wants(outage())


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [(Verdict.TRANSIENT, Reason.PROVIDER_TIMEOUT), (Verdict.CREDENTIALS, Reason.PROVIDER_QUOTA)],
)
def test_what_is_the_providers_own_trouble(verdict: Verdict, reason: Reason) -> None:
    """That it fails, or refuses the tenant's account."""
    assert is_trouble(SendResult(verdict, "smtp", reason))


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (Verdict.THROTTLED, Reason.PROVIDER_THROTTLED),
        (Verdict.PERMANENT, Reason.RECIPIENT_REFUSED),
        (Verdict.TRANSIENT, Reason.PROVIDER_DEFERRED),
    ],
)
def test_what_is_not(verdict: Verdict, reason: Reason) -> None:
    """That it asks to slow down, or refuses one message."""
    assert not is_trouble(SendResult(verdict, "smtp", reason))


def test_pauses_grow_with_jitter_up_to_a_bound() -> None:
    """From ten seconds to a quarter of an hour, never all at the same time."""
    for attempts, pause in ((0, 10), (1, 20), (6, 640), (7, 900), (99, 900)):
        found = {pause_after(attempts) for _ in range(50)}
        assert all(pause * 0.7 <= one <= pause * 1.3 for one in found)
        assert len(found) > 1


def test_a_quota_that_is_nearly_used_up() -> None:
    """It has a type of its own; that there is room again is told as for one that was used up."""
    near = alert_of(outage(Kind.QUOTA, reason=QUOTA_NEAR), Phase.BEGAN, "Walnut", "")
    assert (near.event_type, near.title) == ("clarion.quota_nearly_used_up", "The quota of Walnut is nearly used up")
    assert near.event_type in event_types()
    assert alert_of(outage(Kind.QUOTA, reason=QUOTA_NEAR), Phase.ENDED, "", "").event_type == "clarion.quota_free"


def test_an_endpoint_that_said_it_is_gone() -> None:
    """It did not fail for too long."""
    gone = alert_of(outage(Kind.ENDPOINT, reason=ENDPOINT_DISABLED, detail="gone"), Phase.BEGAN, "", "")
    assert gone.message.startswith("It answered that it is gone, and was disabled.")


def test_nobody_is_told_twice_of_the_alert_tenants_own_objects() -> None:
    """Its own settings add only whom the operator's settings do not name."""
    own = AlertSettings("t1", ("ada@example.com", "ops@example.com"))
    operators = AlertSettings("t1", ("ops@example.com",))
    assert own.beside(operators, outage()) == AlertSettings("t1", ("ada@example.com",), (), endpoints=False)
    assert own.beside(AlertSettings("t2", ("ops@example.com",)), outage()) == own
    assert own.beside(AlertSettings("t1", (), (Kind.ENDPOINT,)), outage()) == own
    assert not AlertSettings("t1", (), (), endpoints=False).wants(outage())
