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
    Screen("providers", "/providers"),
    Screen("endpoints", "/endpoints"),
    Screen("recipients", "/recipients"),
    Screen("suppressions", "/suppressions"),
    Screen("tenants", "/tenants"),
    Screen("tenant", "/tenants/{tenant}"),
    Screen("tenant-settings", "/tenants/{tenant}/settings"),
    Screen("tenant-keys", "/tenants/{tenant}/keys"),
    Screen("tenant-security", "/tenants/{tenant}/security"),
    Screen("tenant-retention", "/tenants/{tenant}/retention"),
    Screen("tenant-environments", "/tenants/{tenant}/environments"),
    Screen("settings", "/settings"),
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
    users = (await client.operator.must("GET", "/users?search=screens@"))["data"]
    user = users[0] if users else await client.operator.must("POST", "/users", json={"email": "screens@example.com"})
    return {"tenant": client.tenant.id, "event": event, "user": user["id"]}
