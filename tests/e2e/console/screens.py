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
    Screen("templates", "/templates?tenant={tenant}"),
    Screen("template", "/templates/{template}"),
    Screen("template-editor", "/templates/{template}/edit"),
    Screen("template-new", "/templates/new?tenant={tenant}"),
    Screen("layouts-and-partials", "/templates/parts?tenant={tenant}"),
    Screen("layout", "/templates/parts/{layout}"),
    Screen("layout-new", "/templates/parts/new?tenant={tenant}"),
    Screen("test-send", "/test-send?tenant={tenant}"),
    Screen("providers", "/providers"),
    Screen("providers-of-tenant", "/providers?tenant={tenant}"),
    Screen("provider", "/providers/{provider}?tenant={tenant}"),
    Screen("provider-kinds", "/providers/new?tenant={tenant}"),
    Screen("provider-new", "/providers/new?tenant={tenant}&kind=EMAIL.smtp"),
    Screen("endpoints", "/endpoints"),
    Screen("endpoints-of-tenant", "/endpoints?tenant={tenant}"),
    Screen("endpoint", "/endpoints/{endpoint}?tenant={tenant}"),
    Screen("endpoint-subscriptions", "/endpoints/{endpoint}?tenant={tenant}&tab=subscriptions"),
    Screen("endpoint-waiting", "/endpoints/{endpoint}?tenant={tenant}&tab=waiting"),
    Screen("endpoint-receiver", "/endpoints/{endpoint}?tenant={tenant}&tab=receiver"),
    Screen("endpoint-settings", "/endpoints/{endpoint}?tenant={tenant}&tab=settings"),
    Screen("endpoint-new", "/endpoints/new?tenant={tenant}"),
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
    Screen("alerts", "/settings/alerts"),
    Screen("users", "/settings/users"),
    Screen("user", "/settings/users/{user}"),
    Screen("sessions", "/settings/sessions"),
    Screen("audit", "/settings/audit"),
    Screen("sign-in", "/sign-in"),
    Screen("join", "/join"),
    Screen("not-found", "/no-such-page"),
)


async def find_objects(client: Client) -> dict[str, str]:
    """Return ids of objects of a stack, by what they are; makes those that a new stack lacks."""
    event = await client.tenant.accept(order("S-1", client.user_id, ("PUSH",)))
    await client.operator.must("PUT", f"/tenants/{client.tenant.id}/recipients/stored", json={"name": "Ada"})
    return {
        "tenant": client.tenant.id,
        "event": event,
        "provider": await _first(client, f"/providers?tenant_id={client.tenant.id}"),
        "endpoint": await _endpoint(client),
        "recipient": "stored",
        "template": await _first(client, f"/templates?tenant_id={client.tenant.id}&channel=EMAIL&limit=1"),
        "layout": await _layout(client),
        "user": await _user(client),
    }


async def _first(client: Client, path: str) -> str:
    """Return the id of the first object of a list; empty if there is none."""
    page = await client.operator.must("GET", path)
    return str(page["data"][0]["id"]) if page["data"] else ""


async def _layout(client: Client) -> str:
    if found := await _first(client, f"/template-parts?tenant_id={client.tenant.id}&kind=LAYOUT&limit=1"):
        return found
    body = "<mjml><mj-body>{{{content}}}</mj-body></mjml>"
    new = {"tenant_id": client.tenant.id, "kind": "LAYOUT", "name": "base", "body": body}
    return str((await client.operator.must("POST", "/template-parts", json=new))["id"])


async def _endpoint(client: Client) -> str:
    """Return the first endpoint of the tenant, a new one with a subscription if it has none."""
    base, type_name = f"/tenants/{client.tenant.id}", "order.shipped"
    if found := await _first(client, f"{base}/endpoints"):
        return found
    types = await client.operator.must("GET", f"{base}/event-types")
    if type_name not in [one["name"] for one in types["data"]]:
        await client.operator.must("POST", f"{base}/event-types", json={"name": type_name})
    body = {"url": "https://shop.example.com/webhooks", "description": "Shop"}
    made = await client.operator.must("POST", f"{base}/endpoints", json=body)
    subscription = {"event_types": [type_name], "filter": {">": [{"var": "payload.total"}, 100]}}
    await client.operator.must("POST", f"{base}/endpoints/{made['id']}/subscriptions", json=subscription)
    return str(made["id"])


async def _user(client: Client) -> str:
    if found := await _first(client, "/users?search=screens@"):
        return found
    return str((await client.operator.must("POST", "/users", json={"email": "screens@example.com"}))["id"])
