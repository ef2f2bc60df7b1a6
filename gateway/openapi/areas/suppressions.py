"""Addresses that get nothing more, and where providers report to."""

from typing import Annotated

from msgspec import Meta

from gateway.admin.suppressions import REASONS, NewSuppression
from gateway.openapi.operations import PAGING, Operation, Parameter, admin, filters
from gateway.openapi.values import Id, Page, Shape, Text, Time
from services.domain import channels

_TAG = "Suppressions"

Reason = Annotated[str, Meta(extra_json_schema={"enum": list(REASONS)})]
SuppressedChannel = Annotated[
    str, Meta(extra_json_schema={"enum": [channels.PUBLIC_NAMES[one] for one in channels.WITH_ADDRESS]})
]


class Suppression(Shape):
    """An address that gets nothing more of a tenant on one channel; unsubscribed: no more subscribed mail."""

    id: Id
    tenant_id: Id
    channel: SuppressedChannel
    address: Annotated[str, Meta(description="Most of it is hidden: only its digest is kept.")]
    reason: Reason
    source: Annotated[str, Meta(description='A kind of provider, "recipient" or "operator".')]
    detail: Annotated[str | None, Meta(description="In their own words.")]
    created_at: Time


class Callback(Shape):
    """Where a provider is to send its delivery reports."""

    url: Annotated[str, Meta(description="Without scheme and host while CLARION_PUBLIC_URL is not set.")]
    proof: Annotated[str, Meta(extra_json_schema={"enum": ["signature", "url"]})]
    ready: Annotated[bool, Meta(description="False: every report is refused, for the setting is missing or no key.")]
    setting: Annotated[str | None, Meta(description="The provider's setting that its signature is checked with.")]


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
        {201: Suppression},
        tag=_TAG,
        faults=(404,),
        body=NewSuppression,
        example=_NEW,
    ),
    admin(
        "GET",
        "/suppressions",
        "listSuppressions",
        "List suppressions, newest first",
        {200: Page[Suppression]},
        tag=_TAG,
        parameters=(
            *filters("tenant_id", "channel", "reason"),
            Parameter("address", Text, "Exactly this one; needs tenant_id."),
            *PAGING,
        ),
    ),
    admin("DELETE", "/suppressions/{id}", "liftSuppression", "Lift a suppression", {204: None}, tag=_TAG),
    admin(
        "GET",
        "/providers/{id}/callback",
        "getProviderCallback",
        "Where a provider sends its delivery reports",
        {200: Callback},
        tag="Providers",
    ),
)
