"""/contacts/{id}/preferences: the handlers."""

from collections.abc import Iterable

from aiohttp import web

from clarion.router.v1 import recipients_pb2
from gateway.dialects.sendmator import lists
from gateway.dialects.sendmator.calls import Call
from gateway.dialects.sendmator.contacts import preferences, shapes
from gateway.dialects.sendmator.contacts.calls import find, save
from gateway.dialects.sendmator.errors import bad_request
from gateway.replies import json_reply

# All channels with all categories.
_MAX = len(preferences.CHANNELS) * len(preferences.CATEGORIES)


async def get(call: Call) -> web.Response:
    """Return what a contact wants, with its counts."""
    return json_reply(preferences.summary(preferences.of(await find(call))))


async def change(call: Call) -> web.Response:
    """Change what a contact wants of several categories."""
    changes = []
    for row in (await call.body()).rows("preferences", most=_MAX):
        wanted = row.flag("subscribed")
        if wanted is None:
            raise bad_request("subscribed of each preference is required")
        changes.append((row.text("channel"), row.text("category"), wanted))
    if not all(category for _, category, _ in changes):
        raise bad_request("category of each preference is required")
    return await _write(call, changes)


async def change_one(call: Call) -> web.Response:
    """Change what a contact wants of one category of a channel."""
    wanted = (await call.body()).flag("subscribed")
    if wanted is None:
        raise bad_request("subscribed is required")
    return await _write(call, [(call.path("channel"), call.path("category"), wanted)])


async def refuse_all(call: Call) -> web.Response:
    """Want nothing of any channel."""
    return await _write(call, preferences.everything(value=False))


async def refuse_channel(call: Call) -> web.Response:
    """Want nothing of one channel."""
    channel = call.path("channel")
    preferences.check(channel)
    return await _write(call, preferences.everything(value=False, channels=(channel,)))


async def want_all(call: Call) -> web.Response:
    """Want everything of all channels."""
    return await _write(call, preferences.everything(value=True))


async def _write(call: Call, changes: Iterable[tuple[str, str, bool]]) -> web.Response:
    person = await find(call)
    made = recipients_pb2.RecipientChange(id=person.id)
    preferences.write(changes, made)
    saved = await save(call, made, recipients_pb2.SAVE_MODE_UPDATE)
    return json_reply(lists.both(shapes.shown(saved)))
