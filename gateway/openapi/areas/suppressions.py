"""Suppressed addresses, and the callback URLs of providers."""

from typing import Annotated

from msgspec import Meta

from gateway.admin.suppressions import REASONS, NewSuppressionBody
from gateway.openapi.operations import PAGING, Operation, Parameter, admin, filters
from gateway.openapi.values import Id, PageSchema, Shape, Text, Time
from services.domain import channels

_TAG = "Suppressions"

Reason = Annotated[str, Meta(extra_json_schema={"enum": list(REASONS)})]
SuppressedChannel = Annotated[
    str, Meta(extra_json_schema={"enum": [channels.PUBLIC_NAMES[one] for one in channels.WITH_ADDRESS]})
]


class SuppressionSchema(Shape):
    """An address that gets no messages of a tenant on one channel; if unsubscribed, no subscribed mail."""

    id: Id
    tenant_id: Id
    channel: SuppressedChannel
    address: Annotated[str, Meta(description="Masked: Clarion stores only a digest of the address.")]
    reason: Reason
    source: Annotated[str, Meta(description='Who suppressed it: a kind of provider, "recipient" or "operator".')]
    detail: Annotated[str | None, Meta(description="An explanation by the provider or the operator.")]
    created_at: Time


class CallbackSchema(Shape):
    """The URL that a provider must send its delivery reports to."""

    url: Annotated[str, Meta(description="Without scheme and host if CLARION_PUBLIC_URL is not set.")]
    proof: Annotated[str, Meta(extra_json_schema={"enum": ["signature", "url"]})]
    ready: Annotated[
        bool, Meta(description="false: every report is refused, because `setting` is missing or is not a valid key.")
    ]
    setting: Annotated[
        str | None, Meta(description="The name of the provider's setting that signatures are verified with.")
    ]


_NEW = {
    "tenant_id": "01a1fe7a-0000-7000-8000-000000000000",
    "channel": "EMAIL",
    "address": "ada@example.com",
    "detail": "asked by telephone",
}

OPERATIONS: tuple[Operation, ...] = (
    admin(
        "POST",
        "/suppressions",
        "createSuppression",
        "Suppress an address",
        {201: SuppressionSchema},
        tag=_TAG,
        faults=(404,),
        body=NewSuppressionBody,
        example=_NEW,
    ),
    admin(
        "GET",
        "/suppressions",
        "listSuppressions",
        "List suppressions, newest first",
        {200: PageSchema[SuppressionSchema]},
        tag=_TAG,
        parameters=(
            *filters("tenant_id", "channel", "reason"),
            Parameter("address", Text, "Only this address, in full. Requires tenant_id."),
            *PAGING,
        ),
    ),
    admin("DELETE", "/suppressions/{id}", "liftSuppression", "Delete a suppression", {204: None}, tag=_TAG),
    admin(
        "GET",
        "/providers/{id}/callback",
        "getProviderCallback",
        "Get the callback URL of a provider",
        {200: CallbackSchema},
        tag="Providers",
    ),
)
