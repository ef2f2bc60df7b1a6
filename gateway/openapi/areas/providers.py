"""The providers of each tenant."""

from typing import Annotated, Any

from msgspec import Meta

from gateway.admin.providers import ChangedProviderBody, NewProviderBody
from gateway.openapi.operations import Operation, Parameter, admin
from gateway.openapi.values import Id, PageSchema, PeopleChannel, Shape, Time

_TAG = "Providers"


class ProviderSchema(Shape):
    """A service that sends a tenant's messages on one channel."""

    id: Id
    tenant_id: Id
    channel: PeopleChannel
    kind: str
    name: str
    priority: Annotated[int, Meta(description="The provider with the lowest number is tried first.")]
    settings: Annotated[dict[str, Any], Meta(description="Secrets are masked except for their last four characters.")]
    created_at: Time
    updated_at: Time


class ReencryptedSchema(Shape):
    """The result of re-encrypting one kind of secret."""

    renewed: Annotated[int, Meta(ge=0)]
    unreadable: Annotated[
        list[Id], Meta(description="The ids of the providers, tenants or endpoints whose secrets no key can decrypt.")
    ]


class RenewedSchema(Shape):
    """The result of re-encrypting all secrets."""

    providers: ReencryptedSchema
    webhook_secrets: ReencryptedSchema
    endpoints: ReencryptedSchema


_NEW = {
    "tenant_id": "01a1fe7a-0000-7000-8000-000000000000",
    "channel": "EMAIL",
    "kind": "sandbox",
    "settings": {"from_email": "orders@acorn.example"},
}
_TENANT = Parameter("tenant_id", Id, required=True)

OPERATIONS: tuple[Operation, ...] = (
    admin(
        "POST",
        "/providers",
        "createProvider",
        "Create a provider",
        {201: ProviderSchema},
        tag=_TAG,
        faults=(404, 409),
        body=NewProviderBody,
        example=_NEW,
    ),
    admin(
        "GET",
        "/providers",
        "listProviders",
        "List a tenant's providers",
        {200: PageSchema[ProviderSchema]},
        tag=_TAG,
        parameters=(_TENANT,),
    ),
    admin(
        "POST",
        "/encryption/renew",
        "renewEncryption",
        "Re-encrypt all credentials and webhook secrets with the first key",
        {200: RenewedSchema},
        tag=_TAG,
    ),
    admin("GET", "/providers/{id}", "getProvider", "Get a provider", {200: ProviderSchema}, tag=_TAG, faults=(404,)),
    admin(
        "PATCH",
        "/providers/{id}",
        "changeProvider",
        "Update a provider or its credentials",
        {200: ProviderSchema},
        tag=_TAG,
        body=ChangedProviderBody,
        example={"priority": 10, "settings": {"from_name": "Acorn"}},
    ),
    admin("DELETE", "/providers/{id}", "deleteProvider", "Delete a provider", {204: None}, tag=_TAG),
)
