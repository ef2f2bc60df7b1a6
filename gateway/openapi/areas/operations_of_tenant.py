"""What a tenant lacks and uses, and the alerts to the operator."""

from typing import Annotated

from msgspec import Meta

from gateway.admin.alerts import Kind, NewAlertSettingsBody
from gateway.admin.findings import SEVERITIES
from gateway.admin.tenant_alerts import Kind as KindOfTenant
from gateway.admin.tenant_alerts import NewTenantAlertsBody
from gateway.openapi.operations import PAGING, Operation, Parameter, admin, filters
from gateway.openapi.values import Channel, Flag, Id, PageSchema, Shape, Time

_TENANTS = "Tenants"
_ALERTS = "Alerts"

Unanswered = Annotated[list[str], Meta(description="Parts that did not answer within two seconds: this may lack more.")]


class LimitSchema(Shape):
    """A limit, and what is used of it."""

    name: Annotated[
        str,
        Meta(
            extra_json_schema={
                "enum": [
                    "unfinished_events",
                    "unfinished_bytes",
                    "scheduled_events",
                    "keys",
                    "recipients",
                    "groups",
                    "endpoints",
                    "event_types",
                    "applications",
                    "subscriptions",
                    "workflows",
                    "segments",
                    "schedules",
                    "providers",
                    "parked_for_one_endpoint",
                ]
            }
        ),
    ]
    used: int
    bound: int
    endpoint_id: Annotated[Id | None, Meta(description="The endpoint for which most messages wait.")]


class RateUsageSchema(Shape):
    """A rate, and what is used of it in its window."""

    scope: str | None
    key_id: Annotated[Id | None, Meta(description="Of a rate of a key.")]
    window_s: int
    kind: Annotated[str, Meta(extra_json_schema={"enum": ["sliding", "fixed"]})]
    bound: int
    used: int
    remaining: int
    reset_s: Annotated[int, Meta(description="Seconds until some of it is free again. 0: nothing is used.")]


class UsageSchema(Shape):
    """What a tenant uses of its limits now."""

    tenant_id: Id
    limits: list[LimitSchema]
    rates: list[RateUsageSchema]
    parked: Annotated[int | None, Meta(description="Messages that wait for endpoints. null: not known.")]
    unanswered: Unanswered


class FindingSchema(Shape):
    """Something that is missing for a tenant to deliver."""

    code: Annotated[str, Meta(examples=["no_provider"])]
    severity: Annotated[
        str,
        Meta(
            description="`blocks`: something is not delivered. `warns`: it may not be. `tells`: good to know.",
            extra_json_schema={"enum": list(SEVERITIES)},
        ),
    ]
    detail: str
    fix: str
    link: Annotated[str, Meta(description="The page of the console where it can be fixed.")]


class ReadinessSchema(Shape):
    """What is missing for a tenant to deliver, what blocks first."""

    tenant_id: Id
    ready: Annotated[bool, Meta(description="true: nothing blocks, as far as is known.")]
    findings: list[FindingSchema]
    unanswered: Unanswered


class AlertSettingsSchema(Shape):
    """Where alerts go."""

    tenant_id: Annotated[Id | None, Meta(description="Alerts are events of this tenant. null: there are none.")]
    recipients: list[str]
    kinds: Annotated[list[Kind], Meta(description="Empty: all.")]


class TenantAlertsSchema(Shape):
    """Where a tenant's own alerts go, about its providers and endpoints."""

    recipients: list[str]
    kinds: Annotated[list[KindOfTenant], Meta(description="Empty: both.")]
    endpoints: Annotated[
        bool, Meta(description="Whether the tenant's endpoints get them that subscribe to their types.")
    ]


class TestedAlertSchema(Shape):
    """The events of the alert tenant, or of the tenant whose alerts they are."""

    event_ids: list[Id]


class OutageSchema(Shape):
    """A provider or endpoint that does not work, or a tenant in trouble."""

    id: Id
    kind: Kind
    tenant_id: Id
    object_id: Annotated[str, Meta(description="The provider's or endpoint's id; else the tenant's.")]
    channel: Channel | None
    name: Annotated[str | None, Meta(description="The kind of a provider.")]
    reason: str
    text: Annotated[str, Meta(description="The reason in plain words.")]
    detail: Annotated[str | None, Meta(description="What was answered last, without addresses and numbers.")]
    began_at: Time
    ended_at: Annotated[Time | None, Meta(description="null: it goes on.")]


OPERATIONS: tuple[Operation, ...] = (
    admin(
        "GET",
        "/tenants/{id}/usage",
        "getUsage",
        "Get what a tenant uses of its limits",
        {200: UsageSchema},
        tag=_TENANTS,
    ),
    admin(
        "GET",
        "/tenants/{id}/readiness",
        "getReadiness",
        "Get what is missing for a tenant to deliver",
        {200: ReadinessSchema},
        tag=_TENANTS,
    ),
    admin("GET", "/alerts", "getAlertSettings", "Get where alerts go", {200: AlertSettingsSchema}, tag=_ALERTS),
    admin(
        "PUT",
        "/alerts",
        "setAlertSettings",
        "Set where alerts go",
        {200: AlertSettingsSchema},
        tag=_ALERTS,
        faults=(404,),
        body=NewAlertSettingsBody,
        example={
            "tenant_id": "01a1fe7a-0000-7000-8000-000000000000",
            "recipients": ["ops@example.com"],
            "kinds": ["provider", "endpoint"],
        },
    ),
    admin("POST", "/alerts/test", "testAlert", "Send a test alert", {202: TestedAlertSchema}, tag=_ALERTS),
    admin(
        "GET",
        "/tenants/{id}/alerts",
        "getTenantAlerts",
        "Get where a tenant's own alerts go",
        {200: TenantAlertsSchema},
        tag=_ALERTS,
    ),
    admin(
        "PUT",
        "/tenants/{id}/alerts",
        "setTenantAlerts",
        "Set where a tenant's own alerts go",
        {200: TenantAlertsSchema},
        tag=_ALERTS,
        body=NewTenantAlertsBody,
        description="About outages of its providers and endpoints that begin from now on. They are events of the"
        " tenant, so its own providers send them.",
        example={"recipients": ["ops@walnut.example"], "kinds": ["provider", "endpoint"], "endpoints": True},
    ),
    admin(
        "POST",
        "/tenants/{id}/alerts/test",
        "testTenantAlert",
        "Send a test alert of a tenant",
        {202: TestedAlertSchema},
        tag=_ALERTS,
    ),
    admin(
        "GET",
        "/outages",
        "listOutages",
        "List outages, newest first",
        {200: PageSchema[OutageSchema]},
        tag=_ALERTS,
        parameters=(
            *filters("tenant_id"),
            Parameter("open", Flag, "true: only those that go on.", default="false"),
            *PAGING,
        ),
    ),
)
