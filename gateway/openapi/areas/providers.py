"""The providers of each tenant."""

from typing import Annotated, Any

from msgspec import Meta

from gateway.admin.providers import NewProvider
from gateway.openapi.operations import Operation, Parameter, admin
from gateway.openapi.values import Channel, Id, Page, Shape, Text, Time

_TAG = "Providers"


class Provider(Shape):
    """Who carries a tenant's messages on one channel."""

    id: Id
    tenant_id: Id
    channel: Channel
    kind: str
    name: str
    priority: Annotated[int, Meta(description="Lower is asked first.")]
    settings: Annotated[dict[str, Any], Meta(description="Of each secret only its last four characters.")]
    created_at: Time


_NEW = {
    "tenant_id": "01a1fe7a-0000-7000-8000-000000000000",
    "channel": "EMAIL",
    "kind": "sandbox",
    "settings": {"from_email": "orders@acorn.example"},
}
_TENANT = Parameter("tenant_id", Text, required=True)

OPERATIONS: tuple[Operation, ...] = (
    admin(
        "POST",
        "/providers",
        "createProvider",
        "Add a provider",
        {201: Provider},
        tag=_TAG,
        faults=(404, 409),
        body=NewProvider,
        example=_NEW,
    ),
    admin(
        "GET",
        "/providers",
        "listProviders",
        "List a tenant's providers",
        {200: Page[Provider]},
        tag=_TAG,
        parameters=(_TENANT,),
    ),
    admin("DELETE", "/providers/{id}", "deleteProvider", "Take a provider away", {204: None}, tag=_TAG, faults=(422,)),
)
