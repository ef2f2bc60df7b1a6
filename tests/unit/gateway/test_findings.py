"""What a tenant lacks, from what its services say."""

from typing import Any

import pytest

from clarion.common.v1 import error_pb2, event_pb2
from clarion.ingest.v1 import refusals_pb2, tenants_pb2, usage_pb2
from clarion.render.v1 import templates_pb2
from clarion.router.v1 import endpoints_pb2
from clarion.senders.v1 import alerts_pb2, senders_pb2
from gateway.admin.findings import BLOCKS, WARNS, Facts, Finding, findings
from services.domain.reasons import Reason
from services.domain.refused import Refused

EMAIL, SMS = event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS
TENANT = "01a1fe7a-0000-7000-8000-000000000000"


def found(**facts: Any) -> list[Finding]:
    """Return the findings for a tenant that is well, but for these facts."""
    tenant = tenants_pb2.Tenant(
        id=TENANT, active=True, key_last4="abcd", sender_email="a@b.example", **facts.pop("tenant", {})
    )
    well: dict[str, Any] = {
        "usage": usage_pb2.GetUsageResponse(),
        "shortfalls": usage_pb2.ListShortfallsResponse(),
        "refusals": [],
        "providers": [smtp()],
        "outages": [],
        "templates": [template()],
        "endpoints": [],
        "dead_letters": 0,
    }
    return findings(Facts(tenant, **{**well, **facts}))


def smtp(id_: str = "p1", settings: str = '{"from_email": "a@b.example"}') -> senders_pb2.Provider:
    """A provider that sends mail."""
    return senders_pb2.Provider(id=id_, channel=EMAIL, kind="smtp", settings_json=settings)


def template(channel: event_pb2.Channel.ValueType = EMAIL) -> templates_pb2.TemplateVersion:
    """An active template."""
    return templates_pb2.TemplateVersion(event_type="order.paid", channel=channel, active=True)


def down(kind: alerts_pb2.OutageKind.ValueType, object_id: str) -> alerts_pb2.Outage:
    """An outage that goes on."""
    return alerts_pb2.Outage(
        kind=kind, object_id=object_id, channel=EMAIL, reason=Reason.PROVIDER_TLS, detail="No STARTTLS."
    )


def test_nothing_is_missing() -> None:
    """Of a tenant that is well; and what is not known is not missing."""
    assert found() == []
    nothing = dict.fromkeys(
        ("usage", "shortfalls", "refusals", "providers", "outages", "templates", "endpoints", "dead_letters")
    )
    assert found(**nothing) == []


def test_a_provider_is_missing_where_something_needs_it() -> None:
    """A template, or an event that was skipped; not for a channel that the tenant does not use."""
    (one,) = found(templates=[template(), template(SMS)])
    assert (one.code, one.severity) == ("no_provider", BLOCKS)
    assert "channel=SMS" in one.link
    assert found(templates=[template(), template(SMS)], tenant={"delivery_channels": [EMAIL]}) == []
    skipped = usage_pb2.Shortfall(event_type="global.info", channel=SMS, reason=Reason.NO_PROVIDER, count=1)
    (other,) = found(shortfalls=usage_pb2.ListShortfallsResponse(shortfalls=[skipped]))
    assert other.code == "no_provider"


def test_somebody_who_begins_is_told_of_providers() -> None:
    """While there is no template and no endpoint; for the channels that the tenant may use; said once."""
    bare: dict[str, Any] = {"providers": [], "templates": []}
    first, second = found(**bare)
    assert (first.code, first.severity, second.code) == ("no_provider", WARNS, "no_templates")
    assert first.detail.endswith("nothing is sent by EMAIL or SMS.")
    only_mail, _ = found(**bare, tenant={"delivery_channels": [EMAIL]})
    assert only_mail.detail.endswith("nothing is sent by EMAIL.")
    push, endpoint = event_pb2.CHANNEL_PUSH, endpoints_pb2.Endpoint(id="e1", active=True)
    assert found(providers=[], templates=[template(push)]) == []
    for fact in ({"tenant": {"delivery_channels": [push]}}, {"endpoints": [endpoint]}):
        assert [one.code for one in found(**bare, **fact)] == ["no_templates"]
    skipped = usage_pb2.Shortfall(event_type="global.info", channel=SMS, reason=Reason.NO_PROVIDER, count=1)
    told = found(**bare, shortfalls=usage_pb2.ListShortfallsResponse(shortfalls=[skipped]))
    assert [(one.code, one.severity) for one in told] == [("no_provider", BLOCKS), ("no_templates", WARNS)]


def test_mail_without_a_sender() -> None:
    """Neither the tenant nor a provider has an address; settings that cannot be read are not guessed at."""
    bare = {"tenant": {}, "providers": [smtp(settings="{}")]}
    assert found(**bare) == []
    tenant = tenants_pb2.Tenant(id=TENANT, active=True, key_last4="abcd")
    facts = Facts(tenant, providers=[smtp(settings="{}")], templates=[template()])
    assert [one.code for one in findings(facts)] == ["no_sender"]
    assert findings(Facts(tenant, providers=[smtp(settings="?")], templates=[template()])) == []


def test_a_provider_that_is_down_blocks_unless_there_is_another() -> None:
    """With what it answered last, one sentence after the other."""
    outages = [down(alerts_pb2.OUTAGE_KIND_PROVIDER, "p1"), down(alerts_pb2.OUTAGE_KIND_PROVIDER, "another tenant's")]
    (only,) = found(outages=outages)
    assert (only.code, only.severity) == ("provider_down", BLOCKS)
    assert only.detail.endswith("Its last answer: No STARTTLS.")
    (one,) = found(outages=outages, providers=[smtp(), smtp("p2")])
    assert one.severity == WARNS


def test_an_endpoint_that_was_disabled_is_told_once() -> None:
    """Not a second time for its outage, and not if the operator did it."""
    gone = endpoints_pb2.Endpoint(id="e1", active=False, disabled_reason="gone")
    byhand = endpoints_pb2.Endpoint(id="e2", active=False, disabled_reason="operator")
    outages = [down(alerts_pb2.OUTAGE_KIND_ENDPOINT, "e1"), down(alerts_pb2.OUTAGE_KIND_ENDPOINT, "e3")]
    assert [one.code for one in found(endpoints=[gone, byhand], outages=outages)] == [
        "endpoint_disabled",
        "endpoint_down",
    ]


def test_an_endpoint_that_is_down_is_named_as_its_tenant_calls_it() -> None:
    """By its description; by its id if it has none, or is beyond the endpoints that were read."""
    outages = [down(alerts_pb2.OUTAGE_KIND_ENDPOINT, id_) for id_ in ("e1", "e2", "e3")]
    endpoints = [
        endpoints_pb2.Endpoint(id="e1", active=True, description="Warehouse"),
        endpoints_pb2.Endpoint(id="e2", active=True),
    ]
    named = [one.detail.partition(" fails")[0] for one in found(endpoints=endpoints, outages=outages)]
    assert named == ["The endpoint Warehouse", "The endpoint e2", "The endpoint e3"]


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (Reason.NO_ACTIVE_TEMPLATE, "no_active_template"),
        (Reason.NO_TEMPLATE_FOR_LOCALE, "no_template_for_locale"),
        (Reason.TENANT_POLICY, "channel_off"),
        (Reason.NO_SUBSCRIBER, "no_subscriber"),
    ],
)
def test_what_events_lacked(reason: Reason, code: str) -> None:
    """Named with its event type and how many there were, in the reason's own words."""
    one = usage_pb2.Shortfall(event_type="order.lost", channel=EMAIL, reason=reason, count=1_200)
    (finding,) = found(shortfalls=usage_pb2.ListShortfallsResponse(shortfalls=[one]))
    assert finding.code == code
    assert finding.detail == f"order.lost: 1,200 events sent nothing by EMAIL lately. {reason.text}"


def test_limits_refusals_and_dead_letters() -> None:
    """A limit from 90 %; what is used up blocks, and comes first."""
    limits = [
        error_pb2.LimitState(kind=error_pb2.LIMIT_KIND_UNFINISHED, bound=100, remaining=11),
        error_pb2.LimitState(kind=error_pb2.LIMIT_KIND_SCHEDULED, bound=100, remaining=10),
        error_pb2.LimitState(kind=error_pb2.LIMIT_KIND_SLIDING, window_s=60, bound=5, remaining=0),
    ]
    refusals = [
        refusals_pb2.Refusals(reason=Refused.KEY_REVOKED, count=3),
        refusals_pb2.Refusals(reason=Refused.KEY_REVOKED, count=4),
        refusals_pb2.Refusals(reason="of a later version", count=1),
    ]
    all_of_them = found(usage=usage_pb2.GetUsageResponse(limits=limits, keys=1), refusals=refusals, dead_letters=10_001)
    assert [(one.code, one.severity) for one in all_of_them] == [
        ("limit_reached", BLOCKS),
        ("limit_reached", WARNS),
        ("requests_refused", WARNS),
        ("requests_refused", WARNS),
        ("dead_letters", WARNS),
    ]
    assert all_of_them[0].detail.startswith("The rate per minute is used up: 5 of 5.")
    assert all_of_them[2].detail.startswith("7 requests were refused")
    assert all_of_them[4].detail.startswith("More than 10,000")


def test_one_fault_does_not_hide_the_others() -> None:
    """Of one code at most twenty are told."""
    endpoints = [endpoints_pb2.Endpoint(id=str(n), active=False, disabled_reason="failing") for n in range(100)]
    assert len(found(endpoints=endpoints, dead_letters=1)) == 21
