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
    Screen("templates", _at("/templates")),
    Screen("test-send", _at("/test-send")),
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
    return {"tenant": client.tenant.id, "event": event}
