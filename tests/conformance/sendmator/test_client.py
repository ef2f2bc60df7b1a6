"""The calls of the vendor's Node client, as they were recorded: its path, headers and body, with `tag` and with `tags`.

No package of it is published. Its base is /api, and each path begins with /v1.
"""

import re
from typing import Any

import pytest

from tests.conformance.sendmator.conftest import Account
from tests.conformance.sendmator.test_messages import contacts

_TEMPLATE = {"template_key": "greeting", "variables": {"name": "Ada"}}

# (method of the client, HTTP method, path, body). {id}: the contact's id.
_CALLS: list[tuple[str, str, str, dict[str, Any] | None]] = [
    (
        "email.sendTo",
        "POST",
        "/messages/send",
        {"recipient_type": "direct_email", "direct_email": "x@b.example", **_TEMPLATE},
    ),
    (
        "email.sendToContact",
        "POST",
        "/messages/send",
        {"recipient_type": "contact", "contact_external_id": "a", **_TEMPLATE},
    ),
    ("email.sendToAll", "POST", "/messages/send", {"recipient_type": "all", **_TEMPLATE}),
    ("email.sendToTags", "POST", "/messages/send", {"recipient_type": "tag", "tags": ["vip"], **_TEMPLATE}),
    ("email.send", "POST", "/messages/send", {"recipient_type": "tag", "tag": ["vip"], **_TEMPLATE}),
    ("email.listExecutions", "GET", "/messages?page=1&limit=20", None),
    ("sms.sendTo", "POST", "/sms/send", {"recipient_type": "direct_sms", "direct_sms": "+14155552671", **_TEMPLATE}),
    ("sms.sendToTags", "POST", "/sms/send", {"recipient_type": "tag", "tags": ["vip"], **_TEMPLATE}),
    ("sms.send", "POST", "/sms/send", {"recipient_type": "tag", "tag": ["vip"], "channel": ["sms"], **_TEMPLATE}),
    ("sms.listExecutions", "GET", "/sms/executions?page=1&limit=20", None),
    (
        "contacts.list",
        "GET",
        "/contacts?page=1&limit=20&search=a&is_active=true&sort_by=email&sort_order=ASC&tags=vip%2Cnew",
        None,
    ),
    ("contacts.get", "GET", "/contacts/{id}", None),
    ("contacts.getByExternalId", "GET", "/contacts/external/a", None),
    ("contacts.update", "PATCH", "/contacts/{id}", {"first_name": "Jane", "tags": ["premium", "vip"]}),
    ("contacts.addTags", "POST", "/contacts/{id}/tags", {"tags": ["early-adopter"]}),
    ("contacts.removeTags", "DELETE", "/contacts/{id}/tags", {"tags": ["trial"]}),
    ("contacts.unsubscribe", "POST", "/contacts/{id}/unsubscribe", None),
    ("contacts.getPreferences", "GET", "/contacts/{id}/preferences", None),
    (
        "contacts.updatePreferences",
        "PATCH",
        "/contacts/{id}/preferences",
        {"preferences": [{"channel": "email", "category": "promotional", "subscribed": False}]},
    ),
    ("contacts.updateSinglePreference", "PATCH", "/contacts/{id}/preferences/email/promotional", {"subscribed": False}),
    ("contacts.unsubscribeAll", "DELETE", "/contacts/{id}/preferences", None),
    ("contacts.unsubscribeChannel", "DELETE", "/contacts/{id}/preferences/email", None),
    ("contacts.subscribeAll", "POST", "/contacts/{id}/preferences/subscribe-all", None),
    ("contacts.updateDeviceToken", "PATCH", "/contacts/external/a/device-token", {"fcm_token": "firebase-token-here"}),
    ("contacts.bulkCreate", "POST", "/contacts/bulk", {"contacts": [{"email": "u1@b.example", "first_name": "U"}]}),
    ("contacts.create", "POST", "/contacts", {"email": "new@b.example", "custom_fields": {"plan": "pro"}}),
    (
        "otp.send",
        "POST",
        "/otp/send",
        {"channels": ["email"], "recipients": {"email": "x@b.example"}, "sandbox_mode": True, "add_contact": False},
    ),
    ("contacts.delete", "DELETE", "/contacts/{id}?hard=true", None),
]


@pytest.mark.parametrize("with_team", [False, True])
async def test_every_call(account: Account, *, with_team: bool) -> None:
    """Each is answered as the client expects: 2xx, and what it reads is there. It sends the team only if it is set."""
    await account.template()
    await account.template(channel="SMS")
    await contacts(account)
    contact_id = (await account.must("GET", "/contacts/external/a"))["id"]
    headers = {
        "Accept": "application/json, text/plain, */*",
        "User-Agent": "sendmator-node/1.0.0",
        # Also of requests without a body.
        "Content-Type": "application/json",
        "X-API-Key": account.key,
        **({"X-Team-ID": account.team} if with_team else {}),
    }
    refused = {}
    for name, method, path, body in _CALLS:
        answer = await account.call(method, path.format(id=contact_id), body, headers=headers)
        if answer.status >= 300 or not isinstance(answer.body, dict):
            refused[name] = (answer.status, answer.body)
        elif name.endswith(("list", "listExecutions")):
            assert {"data", "pagination", "success", "total", "totalPages", "has_more"} <= set(answer.body), name
        elif name not in ("contacts.getPreferences", "contacts.bulkCreate"):
            assert answer.body["success"], name
    assert refused == {}


async def test_execution_status_and_codes(account: Account) -> None:
    """What the client reads of an answer is what its next call takes."""
    await account.template()
    body = {"recipient_type": "direct_email", "direct_email": "x@b.example", **_TEMPLATE}
    made = await account.must("POST", "/messages/send", body)
    told = await account.must("GET", f"/messages/executions/{made['data']['execution_id']}")
    assert told["data"]["status"] in {"pending", "processing", "completed"}
    code: dict[str, Any] = {"channels": ["email"], "recipients": {"email": "x@b.example"}, "sandbox_mode": True}
    data = (await account.must("POST", "/otp/send", code))["data"]
    assert re.fullmatch(r"\d{6}", data["otps"]["email"])
    # The client's type has no session_token in this answer: its callers take the session_id.
    verified = await account.must("POST", "/otp/verify", {"session_token": data["session_id"], "otps": data["otps"]})
    assert verified["data"]["verified"]
    assert verified["data"]["verification_results"]["email"]["success"]
