"""The tools that read."""

from collections.abc import Callable
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import ToolAnnotations
from pydantic import Field

from cli.api import AdminClient, segment
from cli.assistant.callers import Callers
from cli.assistant.explain import explanation

_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)

AnyContext = Context[Any, Any]
Limit = Annotated[int, Field(ge=1, le=100, description="At most so many.")]
TenantId = Annotated[str, Field(description="A tenant's id, from list_tenants.")]
MaybeTenantId = Annotated[str, Field(description="Only of this tenant: its id. Empty: all that the token may see.")]
EventType = Annotated[str, Field(description="Such as order.confirmed.")]
Channel = Annotated[str, Field(description="EMAIL, SMS or PUSH.")]


class ReadingTools:
    """What an assistant may call; the docstrings and descriptions are what it reads."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    def add_to(self, server: MCPServer[Any]) -> None:
        """Offer all of them."""
        offered: tuple[tuple[Callable[..., Any], ToolAnnotations], ...] = (
            (self.list_tenants, _READS),
            (self.find_events, _READS),
            (self.explain_event, _READS),
            (self.explain_route, _READS),
            (self.list_templates, _READS),
            (self.get_template, _READS),
            (self.preview_template, _READS),
            (self.lint_template, _READS),
            (self.list_suppressions, _READS),
            (self.list_dead_letters, _READS),
            (self.list_providers, _READS),
        )
        for tool, annotations in offered:
            server.add_tool(tool, annotations=annotations)

    async def _rows(self, context: AnyContext, path: str, query: dict[str, str | int | None]) -> list[dict[str, Any]]:
        async with self._callers.client(context) as client:
            return list((await client.get(path, query))["data"])

    async def list_tenants(self, context: AnyContext, limit: Limit = 50) -> list[dict[str, Any]]:
        """List the tenants that the token may see, newest first: id, name, and whether each is active."""
        found = await self._rows(context, "/tenants", {"limit": limit})
        return [{name: row[name] for name in ("id", "name", "active", "created_at")} for row in found]

    async def find_events(
        self,
        context: AnyContext,
        tenant_id: MaybeTenantId = "",
        recipient: Annotated[str, Field(description="A user id, an e-mail address or a phone number, in full.")] = "",
        event_type: EventType = "",
        status: Annotated[str, Field(description="Events with a delivery in this status, such as dead.")] = "",
        since: Annotated[str, Field(description="Accepted since, in RFC 3339.")] = "",
        until: Annotated[str, Field(description="Accepted before, in RFC 3339.")] = "",
        event_id: Annotated[str, Field(description="Clarion's id, or the id that the caller gave.")] = "",
        limit: Limit = 20,
    ) -> list[dict[str, Any]]:
        """Find events, newest first, with the status and reason of each delivery. Then use explain_event."""
        query: dict[str, str | int | None] = {"tenant_id": tenant_id, "recipient": recipient, "event_type": event_type}
        query |= {"status": status, "since": since, "until": until, "event_id": event_id, "limit": limit}
        return [_short(event) for event in await self._rows(context, "/events", query)]

    async def explain_event(
        self, context: AnyContext, event_id: Annotated[str, Field(description="Clarion's id of the event.")]
    ) -> str:
        """Explain what became of an event: what was sent, skipped or failed on each channel, and why."""
        async with self._callers.client(context) as client:
            return explanation(await client.get(f"/events/{segment(event_id)}"))

    async def explain_route(
        self,
        context: AnyContext,
        tenant_id: TenantId,
        event_type: EventType,
        user_id: str = "",
        email: str = "",
        phone: str = "",
    ) -> dict[str, Any]:
        """Explain what would be sent for an event, on which channels, and why not. Nothing is sent."""
        query: dict[str, str | int | None] = {"tenant_id": tenant_id, "event_type": event_type}
        async with self._callers.client(context) as client:
            return _object(
                await client.get("/route-explain", {**query, "user_id": user_id, "email": email, "phone": phone})
            )

    async def list_templates(
        self, context: AnyContext, tenant_id: TenantId, event_type: EventType = "", limit: Limit = 50
    ) -> list[dict[str, Any]]:
        """List the active templates of a tenant, without their bodies. Then use get_template."""
        query: dict[str, str | int | None] = {"tenant_id": tenant_id, "event_type": event_type}
        query |= {"active": "true", "limit": limit}
        return [
            {name: value for name, value in row.items() if name != "body"}
            for row in await self._rows(context, "/templates", query)
        ]

    async def get_template(
        self, context: AnyContext, template_id: Annotated[str, Field(description="The id of a version.")]
    ) -> dict[str, Any]:
        """Get a version of a template with its body."""
        async with self._callers.client(context) as client:
            return _object(await client.get(f"/templates/{segment(template_id)}"))

    async def preview_template(
        self,
        context: AnyContext,
        channel: Channel,
        body: Annotated[str, Field(description="MJML or HTML for EMAIL, else text; with Handlebars.")],
        tenant_id: Annotated[str, Field(description="Whose layouts and partials to use.")] = "",
        subject: str = "",
        layout: str = "",
        variables: Annotated[dict[str, Any] | None, Field(description="Sample data.")] = None,
    ) -> dict[str, Any]:
        """Render an unsaved template with sample data as a real message would be: content, or errors by line."""
        async with self._callers.client(context) as client:
            return await _preview(client, channel, body, tenant_id, subject, layout, variables)

    async def lint_template(
        self,
        context: AnyContext,
        channel: Channel,
        body: str,
        tenant_id: str = "",
        subject: str = "",
        layout: str = "",
        variables: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Check an unsaved template: errors with their lines, and variables that the sample lacks."""
        async with self._callers.client(context) as client:
            found = await _preview(client, channel, body, tenant_id, subject, layout, variables)
        return {name: found[name] for name in ("failure", "report") if name in found}

    async def list_suppressions(
        self,
        context: AnyContext,
        tenant_id: TenantId,
        address: Annotated[str, Field(description="An address in full.")] = "",
        limit: Limit = 50,
    ) -> list[dict[str, Any]]:
        """List the addresses of a tenant that get no more messages, and why."""
        return await self._rows(context, "/suppressions", {"tenant_id": tenant_id, "address": address, "limit": limit})

    async def list_dead_letters(
        self, context: AnyContext, tenant_id: MaybeTenantId = "", limit: Limit = 50
    ) -> list[dict[str, Any]]:
        """List deliveries whose last attempt failed, newest first, with the reason. They can be replayed."""
        return await self._rows(context, "/dead-letters", {"tenant_id": tenant_id, "limit": limit})

    async def list_providers(self, context: AnyContext, tenant_id: TenantId) -> list[dict[str, Any]]:
        """List the providers of a tenant in the order of failover. Secrets are masked."""
        return await self._rows(context, "/providers", {"tenant_id": tenant_id})


async def _preview(
    client: AdminClient,
    channel: str,
    body: str,
    tenant_id: str,
    subject: str,
    layout: str,
    variables: dict[str, Any] | None,
) -> dict[str, Any]:
    wanted: dict[str, Any] = {"channel": channel, "body": body, "variables": variables or {}}
    given = {"tenant_id": tenant_id, "subject": subject, "layout": layout}
    return _object(await client.post("/templates/preview", wanted | {name: one for name, one in given.items() if one}))


def _object(body: Any) -> dict[str, Any]:
    found: dict[str, Any] = body
    return found


def _short(event: dict[str, Any]) -> dict[str, Any]:
    kept = ("id", "tenant_id", "event_type", "recipient", "accepted_at", "finished_at", "reason", "counts")
    deliveries = [
        {name: one[name] for name in ("id", "channel", "status", "reason", "provider", "attempts")}
        for one in event["deliveries"]
    ]
    return {name: event[name] for name in kept} | {"deliveries": deliveries}
