"""The interfaces that finding an event's endpoints needs."""

from typing import NamedTuple, Protocol


class OwnedEndpoint(NamedTuple):
    """What the owner of the endpoints says of one."""

    environment_id: str
    active: bool


class EndpointOwner(Protocol):
    """The service that stores endpoints."""

    async def endpoint(self, tenant_id: str, endpoint_id: str) -> OwnedEndpoint | None:
        """Return an endpoint of a tenant; None: it has no such endpoint.

        Raises UNAVAILABLE if the owner does not answer, OVERLOADED if too many questions wait.
        """
