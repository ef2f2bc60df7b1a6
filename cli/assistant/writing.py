"""The tools that change something. The role of the caller's token decides, and the audit log names the token."""

from collections.abc import Callable
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import ToolAnnotations
from pydantic import Field

from cli.api import segment
from cli.assistant.callers import Callers

_SENDS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True)
_ADDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
_DELETES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)

AnyContext = Context[Any, Any]


class WritingTools:
    """What an assistant may call; the docstrings and descriptions are what it reads."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    def add_to(self, server: MCPServer[Any]) -> None:
        """Offer all of them."""
        offered: tuple[tuple[Callable[..., Any], ToolAnnotations], ...] = (
            (self.send_event, _SENDS),
            (self.replay_event, _SENDS),
            (self.replay_dead_letter, _SENDS),
            (self.add_suppression, _ADDS),
            (self.delete_suppression, _DELETES),
        )
        for tool, annotations in offered:
            server.add_tool(tool, annotations=annotations)

    async def _post(self, context: AnyContext, path: str, body: dict[str, Any]) -> dict[str, Any]:
        async with self._callers.client(context) as client:
            found: dict[str, Any] = await client.post(path, body)
            return found

    async def send_event(
        self,
        context: AnyContext,
        tenant_id: Annotated[str, Field(description="The tenant's id.")],
        event_type: Annotated[str, Field(description="Such as order.confirmed; global.success needs no template.")],
        idempotency_key: Annotated[
            str, Field(min_length=1, description="Any text of your own: the same key within 24 hours is sent once.")
        ],
        user_id: str = "",
        email: str = "",
        phone: str = "",
        recipient_id: Annotated[str, Field(description="The id of a stored recipient, in place of the others.")] = "",
        variables: Annotated[dict[str, Any] | None, Field(description="The data for the templates.")] = None,
        channels: Annotated[list[str] | None, Field(description="EMAIL, SMS, PUSH; empty: all that have one.")] = None,
    ) -> dict[str, Any]:
        """Send an event to one person. This really sends messages: ask the user before."""
        person = {"user_id": user_id, "email": email, "phone": phone}
        described = {"recipient": {name: value for name, value in person.items() if value}}
        body: dict[str, Any] = {
            "event_type": event_type,
            "audience": [{"recipient_id": recipient_id} if recipient_id else described],
            "variables": variables or {},
            "idempotency_key": idempotency_key,
        }
        body |= {"channels": channels} if channels else {}
        return await self._post(context, f"/tenants/{segment(tenant_id)}/events", body)

    async def replay_event(
        self,
        context: AnyContext,
        event_id: str,
        channels: Annotated[list[str] | None, Field(description="Only on these; empty: as it was sent.")] = None,
    ) -> dict[str, Any]:
        """Send a whole event again, as a new event. This really sends messages: ask the user before."""
        return await self._post(
            context, f"/events/{segment(event_id)}/replay", {"channels": channels} if channels else {}
        )

    async def replay_dead_letter(
        self, context: AnyContext, delivery_id: Annotated[str, Field(description="From list_dead_letters.")]
    ) -> dict[str, Any]:
        """Try a delivery again whose last attempt failed. This really sends a message: ask the user before."""
        return await self._post(context, f"/dead-letters/{segment(delivery_id)}/replay", {})

    async def add_suppression(
        self,
        context: AnyContext,
        tenant_id: str,
        channel: Annotated[str, Field(description="EMAIL or SMS.")],
        address: str,
        detail: Annotated[str, Field(description="The reason, shown in the list of suppressions.")] = "",
    ) -> dict[str, Any]:
        """Stop all messages of a tenant to an address."""
        body = {"tenant_id": tenant_id, "channel": channel, "address": address}
        return await self._post(context, "/suppressions", body | ({"detail": detail} if detail else {}))

    async def delete_suppression(
        self, context: AnyContext, suppression_id: Annotated[str, Field(description="From list_suppressions.")]
    ) -> str:
        """Let an address get messages again. If it complained, sending to it again harms the sender's reputation."""
        async with self._callers.client(context) as client:
            await client.delete(f"/suppressions/{segment(suppression_id)}")
        return "The address gets messages again."
