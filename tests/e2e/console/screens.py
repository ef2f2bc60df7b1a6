"""The screens of the console, for tests and pictures of all of them.

Whoever adds a screen adds it here. A screen about one object gets an id of it from `known`, whose entries
`find_objects()` takes from a running stack.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from checks.client import Client, order

Known = Mapping[str, str]


@dataclass(frozen=True)
class Screen:
    """name: of its picture. path: below /console, made with the ids of `known`."""

    name: str
    path: Callable[[Known], str]


def _at(path: str) -> Callable[[Known], str]:
    return lambda known: path.format_map(known)


SCREENS = (
    Screen("messages", _at("/messages")),
    Screen("message", _at("/messages/{event}")),
    Screen("overview", _at("/overview")),
    Screen("dead-letters", _at("/dead-letters")),
    Screen("refused", _at("/refused")),
    Screen("templates", _at("/templates?tenant={tenant}")),
    Screen("template", _at("/templates/{template}")),
    Screen("template-editor", _at("/templates/{template}/edit")),
    Screen("template-new", _at("/templates/new?tenant={tenant}")),
    Screen("layouts-and-partials", _at("/templates/parts?tenant={tenant}")),
    Screen("layout", _at("/templates/parts/{layout}")),
    Screen("layout-new", _at("/templates/parts/new?tenant={tenant}")),
    Screen("test-send", _at("/test-send?tenant={tenant}")),
    Screen("providers", _at("/providers")),
    Screen("endpoints", _at("/endpoints")),
    Screen("recipients", _at("/recipients")),
    Screen("suppressions", _at("/suppressions")),
    Screen("tenants", _at("/tenants")),
    Screen("settings", _at("/settings")),
    Screen("not-found", _at("/no-such-page")),
)


async def find_objects(client: Client) -> dict[str, str]:
    """Return ids of objects of a stack, by what they are; makes those that a new stack lacks."""
    event = await client.tenant.accept(order("S-1", client.user_id, ("PUSH",)))
    mail = await client.operator.must("GET", f"/templates?tenant_id={client.tenant.id}&channel=EMAIL&limit=1")
    return {
        **{"tenant": client.tenant.id, "event": event},
        "template": mail["data"][0]["id"],
        "layout": await _layout(client),
    }


async def _layout(client: Client) -> str:
    """Return the id of a layout; makes one if there is none."""
    found = await client.operator.must("GET", f"/template-parts?tenant_id={client.tenant.id}&kind=LAYOUT&limit=1")
    if found["data"]:
        return str(found["data"][0]["id"])
    new = {
        **{"tenant_id": client.tenant.id, "kind": "LAYOUT", "name": "base"},
        "body": "<mjml><mj-body>{{{content}}}</mj-body></mjml>",
    }
    return str((await client.operator.must("POST", "/template-parts", json=new))["id"])
