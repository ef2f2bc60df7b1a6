"""The kinds of provider, how a tenant's providers are doing, and trying them."""

from typing import Annotated

from msgspec import Meta

from gateway.admin.provider_health import STATES, ProviderOrderBody, ProviderTestBody
from gateway.admin.provider_kinds import SETTING_TYPES
from gateway.openapi.areas.providers import ProviderSchema
from gateway.openapi.operations import Operation, admin
from gateway.openapi.values import Id, PageSchema, PeopleChannel, Reason, Shape, Time

_TAG = "Providers"

Count = Annotated[int, Meta(ge=0)]


class ProviderSettingSchema(Shape):
    """A setting of a kind of provider, as a form asks for it."""

    name: Annotated[str, Meta(description="Its name in `settings`.")]
    label: str
    help: str
    type: Annotated[str, Meta(extra_json_schema={"enum": list(SETTING_TYPES.values())})]
    required: bool
    secret: Annotated[bool, Meta(description="It is stored encrypted, and shown masked.")]
    default: Annotated[str | int | bool | None, Meta(description="null if it is required.")]
    choices: Annotated[list[str], Meta(description="The values of a `choice`.")]
    minimum: int | None
    maximum: int | None
    example: str | None
    multiline: bool
    verifies_reports: Annotated[
        bool, Meta(description="Delivery reports are verified with it; sending does not need it.")
    ]


class ProviderReportsSchema(Shape):
    """How a kind's delivery reports are set up at the vendor."""

    setup: str
    proof: Annotated[str, Meta(extra_json_schema={"enum": ["signature", "url"]})]
    setting: Annotated[str | None, Meta(description="The setting that signatures are verified with.")]


class ProviderKindSchema(Shape):
    """A kind of provider that this installation can send through."""

    channel: PeopleChannel
    kind: str
    title: str
    purpose: str
    setup: str
    settings: Annotated[list[ProviderSettingSchema], Meta(description="The required ones first.")]
    reports: Annotated[
        ProviderReportsSchema | None, Meta(description="null: it sends no delivery reports, and has no callback URL.")
    ]


class ProviderFailureSchema(Shape):
    """Why a call to a provider failed, and what to do."""

    at: Time
    reason: Reason
    text: Annotated[str, Meta(description="What the reason means.")]
    advice: Annotated[str | None, Meta(description="What to do about it.")]
    detail: Annotated[str | None, Meta(description="The provider's own words.")]


class ProviderCountsSchema(Shape):
    """Calls to a provider within the last hour."""

    calls: Count
    failures: Annotated[int, Meta(ge=0, description="Calls that failed because of the provider or its account.")]
    refusals: Annotated[int, Meta(ge=0, description="Calls that were refused because of their message.")]


class ProviderStateSchema(Shape):
    """The circuit breakers of a provider in all processes, and its last failure."""

    provider_id: Id
    tenant_id: Id
    channel: PeopleChannel
    state: Annotated[str, Meta(extra_json_schema={"enum": list(STATES.values())})]
    since: Annotated[Time | None, Meta(description="null while the state is `closed`.")]
    next_try_at: Annotated[Time | None, Meta(description="null while the state is `closed`.")]
    reason: Annotated[Reason | None, Meta(description="Why it is paused.")]
    paused_processes: Annotated[int, Meta(ge=0, description="How many processes do not call it.")]
    last_call_at: Annotated[
        Time | None,
        Meta(description="To five minutes, the calls of the last seconds left out. null: it was never called."),
    ]
    last_failure: Annotated[ProviderFailureSchema | None, Meta(description="Of the last seven days.")]
    last_hour: ProviderCountsSchema


class ProviderTestResultSchema(Shape):
    """What came of a test message."""

    sent: bool
    provider_message_id: str | None
    failure: ProviderFailureSchema | None
    duration_ms: float
    delivery_id: Annotated[Id, Meta(description="Names the message, such as in the outbox of the sandbox.")]


_STATE_HELP = (
    "`closed`: messages are sent. `open`: it failed, and is not called before `next_try_at`. `testing`: the pause is "
    "over, and the next message tests it. Each process has its own breaker; the worst one is shown."
)

OPERATIONS: tuple[Operation, ...] = (
    admin(
        "GET",
        "/provider-kinds",
        "listProviderKinds",
        "List the kinds of provider with their settings",
        {200: PageSchema[ProviderKindSchema]},
        tag=_TAG,
    ),
    admin(
        "GET",
        "/providers/{id}/state",
        "getProviderState",
        "Get how a provider is doing",
        {200: ProviderStateSchema},
        tag=_TAG,
        description=_STATE_HELP,
    ),
    admin(
        "GET",
        "/tenants/{id}/provider-states",
        "listProviderStates",
        "Get how all providers of a tenant are doing",
        {200: PageSchema[ProviderStateSchema]},
        tag=_TAG,
        description=_STATE_HELP,
    ),
    admin(
        "POST",
        "/providers/{id}/test",
        "testProvider",
        "Send a test message through one provider",
        {200: ProviderTestResultSchema},
        tag=_TAG,
        body=ProviderTestBody,
        example={"recipient": "ada@example.com"},
        description=(
            "Sends one real message, whether the provider is paused or not, and waits for its answer. No other "
            "provider is tried. A tenant may send 10 a minute and 200 a day."
        ),
    ),
    admin(
        "PUT",
        "/tenants/{id}/provider-order",
        "orderProviders",
        "Set the order in which a channel's providers are tried",
        {200: PageSchema[ProviderSchema]},
        tag=_TAG,
        faults=(409,),
        body=ProviderOrderBody,
        example={
            "channel": "EMAIL",
            "provider_ids": ["01a1fe7a-0000-7000-8000-000000000002", "01a1fe7a-0000-7000-8000-000000000001"],
            "expected_ids": ["01a1fe7a-0000-7000-8000-000000000001", "01a1fe7a-0000-7000-8000-000000000002"],
        },
        description="Sets all priorities of the channel in one transaction. 409: the providers or their order changed.",
    ),
)
