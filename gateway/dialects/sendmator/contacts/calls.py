"""/contacts: the handlers, but for preferences and lists."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from clarion.router.v1 import recipients_pb2
from gateway.clients import DEADLINE_S
from gateway.dialects.sendmator import lists
from gateway.dialects.sendmator.bodies import Fields
from gateway.dialects.sendmator.calls import Call
from gateway.dialects.sendmator.contacts import preferences, shapes
from gateway.dialects.sendmator.errors import ApiError, bad_request, message_of, not_found
from gateway.replies import json_reply
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid

MAX_BULK = 500
# As many as the router takes at a time.
_CHUNK = 100
# The router stores one after the other, and so many take longer than one, seconds.
_BULK_DEADLINE_S = 20.0


async def create(call: Call) -> web.Response:
    """Store a contact who is not stored yet."""
    body = await call.body()
    saved = await save(call, shapes.new(body), recipients_pb2.SAVE_MODE_CREATE)
    return json_reply(lists.both(shapes.shown(saved)), status=201)


async def get(call: Call) -> web.Response:
    """Return a contact by this API's id."""
    return _shown(await find(call))


async def get_external(call: Call) -> web.Response:
    """Return a contact by the caller's id."""
    return _shown(await find_external(call))


async def get_by_email(call: Call) -> web.Response:
    """Return the contact with an e-mail address."""
    wire = recipients_pb2.ListRecipientsRequest(tenant_id=call.caller.tenant_id, address=call.path("email"), limit=1)
    found = (await call.ask(call.clients.recipients.ListRecipients, wire)).recipients
    if not found:
        raise not_found("Contact")
    return _shown(found[0])


async def update(call: Call) -> web.Response:
    """Update the fields that the body has; of a PUT, custom fields that it leaves out are deleted."""
    person = await find(call)
    made = shapes.change(await call.body(), replaced=person if call.request.method == "PUT" else None)
    made.id = person.id
    return _shown(await save(call, made, recipients_pb2.SAVE_MODE_UPDATE))


async def upsert(call: Call) -> web.Response:
    """Store a contact by the caller's id, or update the one who has it."""
    made = shapes.change(await call.body())
    made.recipient_id = call.path("external_id")
    return _shown(await save(call, made, recipients_pb2.SAVE_MODE_UPSERT))


async def delete(call: Call) -> web.Response:
    """Make a contact inactive, or delete them with ?hard=true."""
    person = await find(call)
    if lists.flag(call.request, "hard"):
        wire = recipients_pb2.DeleteRecipientRequest(tenant_id=call.caller.tenant_id, id=person.id)
        await call.ask(call.clients.recipients.DeleteRecipient, wire)
        return json_reply({"success": True, "message": "Contact deleted permanently", "id": person.id})
    made = recipients_pb2.RecipientChange(id=person.id, inactive=True)
    saved = await save(call, made, recipients_pb2.SAVE_MODE_UPDATE)
    contact = shapes.shown(saved)
    return json_reply({"success": True, "message": "Contact deactivated", "id": saved.id, "data": contact})


async def bulk(call: Call) -> web.Response:
    """Store up to five hundred contacts, each with a result; with "upsert", those who are stored are updated."""
    body = await call.body()
    rows = body.rows("contacts", most=MAX_BULK)
    mode = recipients_pb2.SAVE_MODE_UPSERT if body.flag("upsert") else recipients_pb2.SAVE_MODE_CREATE
    results: list[Any] = [None] * len(rows)
    changes: list[tuple[int, recipients_pb2.RecipientChange]] = []
    for index, row in enumerate(rows):
        try:
            changes.append((index, shapes.new(row)))
        except ApiError as error:
            results[index] = error.message
    # One part after the other: of several rows for one contact the last one counts.
    for start in range(0, len(changes), _CHUNK):
        part = changes[start : start + _CHUNK]
        saved = await _save_all(call, [one for _, one in part], mode, deadline=_BULK_DEADLINE_S)
        for (index, _), result in zip(part, saved, strict=True):
            results[index] = result
    return json_reply(_bulk_result(call, rows, results), status=201)


async def add_tags(call: Call) -> web.Response:
    """Add tags to a contact."""
    return await _tag(call, adds=True)


async def remove_tags(call: Call) -> web.Response:
    """Remove tags from a contact; the request has a body, though its method is DELETE."""
    return await _tag(call, adds=False)


async def set_device_token(call: Call) -> web.Response:
    """Store what push notifications are sent to, as the vendor's server client or its mobile client has it."""
    body = await call.body()
    person = await find_external(call)
    made = recipients_pb2.RecipientChange(id=person.id, device_tokens=shapes.devices(body))
    if token := body.text("token", longest=4096):
        made.device_tokens.tokens.add(kind="fcm", token=token)
    if not made.device_tokens.tokens:
        raise bad_request("fcm_token or apns_token is required")
    return _shown(await save(call, made, recipients_pb2.SAVE_MODE_UPDATE))


async def unsubscribe(call: Call) -> web.Response:
    """Mute all channels of a contact."""
    return await _want(call, value=False)


async def resubscribe(call: Call) -> web.Response:
    """Unmute all channels of a contact."""
    return await _want(call, value=True)


async def find(call: Call) -> recipients_pb2.StoredRecipient:
    """Return the contact with the id in the path. Raises ApiError (404)."""
    if not is_uuid(call.path("contact_id")):
        raise not_found("Contact")
    wire = recipients_pb2.GetRecipientRequest(tenant_id=call.caller.tenant_id, id=call.path("contact_id"))
    return await _get(call, wire)


async def find_external(call: Call) -> recipients_pb2.StoredRecipient:
    """Return the contact with the caller's id in the path. Raises ApiError (404)."""
    wire = recipients_pb2.GetRecipientRequest(tenant_id=call.caller.tenant_id, recipient_id=call.path("external_id"))
    return await _get(call, wire)


async def save(
    call: Call, change: recipients_pb2.RecipientChange, mode: "recipients_pb2.SaveMode.ValueType"
) -> recipients_pb2.StoredRecipient:
    """Store one change and return the contact. Raises ClarionError, or ApiError (404, 409)."""
    result = (await _save_all(call, [change], mode))[0]
    if result.HasField("recipient"):
        return result.recipient
    error = ClarionError.from_proto(result.error)
    if error.code is Code.NOT_FOUND:
        raise not_found("Contact")
    if error.code is Code.CONFLICT:
        raise ApiError(409, _conflict(error))
    raise error


async def _save_all(
    call: Call,
    changes: Sequence[recipients_pb2.RecipientChange],
    mode: "recipients_pb2.SaveMode.ValueType",
    *,
    deadline: float = DEADLINE_S,
) -> Sequence[recipients_pb2.SaveResult]:
    wire = recipients_pb2.SaveRecipientsRequest(
        tenant_id=call.caller.tenant_id, mode=mode, changes=changes, unique_email=True
    )
    return (await call.ask(call.clients.recipients.SaveRecipients, wire, deadline=deadline)).results


async def _get(call: Call, wire: recipients_pb2.GetRecipientRequest) -> recipients_pb2.StoredRecipient:
    try:
        return (await call.ask(call.clients.recipients.GetRecipient, wire)).recipient
    except ClarionError as error:
        if error.code is Code.NOT_FOUND:
            raise not_found("Contact") from None
        raise


async def _tag(call: Call, *, adds: bool) -> web.Response:
    tags = (await call.body()).texts("tags", "tag")
    if not tags:
        raise bad_request("tags is required")
    person = await find(call)
    wire = recipients_pb2.ChangeTagsRequest(
        tenant_id=call.caller.tenant_id, id=person.id, add=tags if adds else (), remove=() if adds else tags
    )
    return _shown((await call.ask(call.clients.recipients.ChangeTags, wire)).recipient)


async def _want(call: Call, *, value: bool) -> web.Response:
    await call.body(optional=True)
    person = await find(call)
    made = recipients_pb2.RecipientChange(id=person.id)
    preferences.write(preferences.everything(value=value), made)
    return _shown(await save(call, made, recipients_pb2.SAVE_MODE_UPDATE))


def _bulk_result(call: Call, rows: Sequence[Fields], results: Sequence[Any]) -> dict[str, Any]:
    """Return what became of each row. results: a result of the router, or what is wrong with the row."""
    created: list[dict[str, Any]] = []
    skipped: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    shown: list[dict[str, Any]] = []
    for index, (row, result) in enumerate(zip(rows, results, strict=True)):
        named = {name: row.value(name) for name in ("email", "external_id") if name in row}
        if isinstance(result, str):
            errors.append({**named, "error": result})
            shown.append({"index": index, "status": "error", "error": result})
        elif result.HasField("recipient"):
            contact = shapes.shown(result.recipient)
            created.append(contact)
            status = "created" if result.is_new else "updated"
            shown.append({"index": index, "status": status, "contact": contact})
        else:
            error = ClarionError.from_proto(result.error)
            is_taken = error.code is Code.CONFLICT
            why = _conflict(error) if is_taken else message_of(error)
            if is_taken:
                skipped.append({**named, "reason": why})
            else:
                errors.append({**named, "error": why})
            shown.append({"index": index, "status": "skipped" if is_taken else "error", "error": why})
    counts = {"created_count": len(created), "skipped_count": len(skipped), "error_count": len(errors)}
    return {
        "success": True,
        "created": created,
        "skipped": skipped,
        "errors": errors,
        "results": shown,
        "user_id": call.caller.tenant_id,
        "total_processed": len(rows),
        "summary": counts,
    }


def _conflict(error: ClarionError) -> str:
    """Return which of the two that are unique is taken."""
    taken = "email" if any("email" in field for field, _ in error.fields) else "external_id"
    return f"A contact with this {taken} already exists"


def _shown(person: recipients_pb2.StoredRecipient) -> web.Response:
    return json_reply(lists.both(shapes.shown(person)))
