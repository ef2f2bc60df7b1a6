"""The screens of the console, for tests and pictures of all of them.

Whoever adds a screen adds it here, and the object that it shows to find_objects().
"""

from dataclasses import dataclass

from checks.client import Client, order


@dataclass(frozen=True)
class Screen:
    """name: of its picture. path: below /console; {words} stand for ids that find_objects() returns."""

    name: str
    path: str


SCREENS = (
    Screen("messages", "/messages"),
    Screen("message", "/messages/{event}"),
    Screen("overview", "/overview"),
    Screen("dead-letters", "/dead-letters"),
    Screen("refused", "/refused"),
    Screen("templates", "/templates"),
    Screen("test-send", "/test-send"),
    Screen("providers", "/providers?tenant={tenant}"),
    Screen("provider-new", "/providers/new?tenant={tenant}"),
    Screen("provider", "/providers/{provider}"),
    Screen("endpoints", "/endpoints?tenant={tenant}"),
    Screen("endpoint-new", "/endpoints/new?tenant={tenant}"),
    Screen("endpoint", "/endpoints/{endpoint}?tenant={tenant}"),
    Screen("event-types", "/endpoints/event-types?tenant={tenant}"),
    Screen("applications", "/endpoints/applications?tenant={tenant}"),
    Screen("recipients", "/recipients?tenant={tenant}"),
    Screen("recipient", "/recipients/{recipient}?tenant={tenant}"),
    Screen("suppressions", "/suppressions?tenant={tenant}"),
    Screen("tenants", "/tenants"),
    Screen("tenant", "/tenants/{tenant}"),
    Screen("tenant-settings", "/tenants/{tenant}/settings"),
    Screen("tenant-keys", "/tenants/{tenant}/keys"),
    Screen("tenant-security", "/tenants/{tenant}/security"),
    Screen("tenant-retention", "/tenants/{tenant}/retention"),
    Screen("tenant-environments", "/tenants/{tenant}/environments"),
    Screen("settings", "/settings"),
    Screen("not-found", "/no-such-page"),
)


async def find_objects(client: Client) -> dict[str, str]:
    """Return ids of objects of a stack, by what they are; makes those that a new stack lacks."""
    event = await client.tenant.accept(order("S-1", client.user_id, ("PUSH",)))
    await client.operator.must("PUT", f"/tenants/{client.tenant.id}/recipients/stored", json={"name": "Ada"})
    tenant = client.tenant.id
    return {
        "tenant": tenant,
        "event": event,
        "provider": await _first(client, f"/providers?tenant_id={tenant}&limit=1"),
        "endpoint": await _endpoint(client),
        "recipient": "stored",
    }


async def _first(client: Client, path: str) -> str:
    """Return the id of the first object of a list; empty if there is none."""
    found = await client.operator.must("GET", path)
    return str(found["data"][0]["id"]) if found["data"] else ""


async def _endpoint(client: Client) -> str:
    path = f"/tenants/{client.tenant.id}/endpoints"
    if found := await _first(client, f"{path}?limit=1"):
        return found
    return str((await client.operator.must("POST", path, json={"url": "https://receiver.example/hook"}))["id"])
