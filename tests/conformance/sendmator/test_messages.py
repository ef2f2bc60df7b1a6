"""Messages without a workflow, their executions, and one-time codes."""

import re
from typing import Any
from urllib.parse import quote

import pytest

from checks.waiting import until
from tests.conformance.sendmator.conftest import END_S, Account, assert_refused


async def contacts(account: Account) -> None:
    """Store three contacts."""
    for name, tags in (("a", ["vip", "new"]), ("b", ["vip"]), ("c", [])):
        body = {
            "external_id": name,
            "email": f"{name}@example.com",
            "phone": f"+1234567890{ord(name) % 10}",
            "first_name": name.upper(),
            "tags": tags,
        }
        await account.must("POST", "/contacts", body)


async def sent(account: Account, path: str, body: dict[str, Any]) -> str:
    """Send a message; it must be accepted. Return the trigger's id."""
    answer = await account.must("POST", path, body, status=201)
    assert (answer["success"], answer["message"], answer["status"]) == (True, "Message queued successfully", "queued")
    assert answer["execution_id"] == answer["trigger_id"] == answer["data"]["execution_id"]
    return str(answer["trigger_id"])


async def test_email_to_an_address(account: Account) -> None:
    """With content of its own, and a sender of its own; nobody is stored."""
    trigger_id = await sent(
        account,
        "/messages/send",
        {
            "recipient_type": "direct_email",
            "direct_email": "user@example.com",
            "direct_first_name": "John",
            "subject": "Hi {{contact_first_name}}",
            "content": "<p>Order {{order_id}} for {{contact_email}}</p>",
            "plain_text_content": "Order {{order_id}}",
            "from_email": "sales@tenant.example",
            "from_name": "Sales",
            "reply_to": "help@tenant.example",
            "variables": {"order_id": "ORD-456"},
            "metadata": {"campaign": "x"},
        },
    )
    message = (await account.messages(trigger_id))["EMAIL"]
    assert (message.recipient, message.subject) == ("user@example.com", "Hi John")
    assert "Order ORD-456 for user@example.com" in message.html
    assert ("sales@tenant.example" in message.sender, message.reply_to) == (True, "help@tenant.example")
    assert (await account.must("GET", "/contacts"))["total"] == 0


async def test_a_sender_of_another_domain(account: Account) -> None:
    """Filtered: the tenant's provider may be another tenant's, too."""
    body = {
        "recipient_type": "direct_email",
        "direct_email": "user@example.com",
        "subject": "Hi",
        "content": "<p>x</p>",
    }
    trigger_id = await sent(account, "/messages/send", {**body, "from_email": "ceo@bank.example"})
    assert (await account.over(trigger_id))["summary"] == {"total_contacts": 1, "sent": 0, "failed": 0, "filtered": 1}
    [job] = (await account.must("GET", f"/messages/executions/{trigger_id}/jobs?status=filtered"))["data"]
    assert job["reason"] == "sender_not_allowed"


@pytest.mark.parametrize(
    ("audience", "people"),
    [
        ({"recipient_type": "contact", "contact_external_id": "a"}, ["a"]),
        ({"recipient_type": "tag", "tag": ["vip", "new"]}, ["a"]),
        ({"recipient_type": "tag", "tags": ["vip"]}, ["a", "b"]),
        ({"recipient_type": "all"}, ["a", "b", "c"]),
    ],
)
async def test_sms_by_template(account: Account, audience: dict[str, Any], people: list[str]) -> None:
    """To a contact, to those with all tags, and to all; each of them is a job of the execution."""
    await contacts(account)
    await account.template("alert", "SMS", "Hi {{contact_first_name}}")
    trigger_id = await sent(account, "/sms/send", {"template_key": "alert", **audience})
    trigger = await account.over(trigger_id)
    assert (trigger["flow_type"], trigger["details_endpoint"]) == ("direct", f"/triggers/{trigger_id}/direct")
    details = await account.must("GET", f"/triggers/{trigger_id}/direct")
    assert details["jobs"] == {"total": len(people), "pending": 0, "sent": len(people), "failed": 0, "filtered": 0}
    assert details["execution_details_endpoint"] == f"/api/v1/sms/executions/{trigger_id}/jobs"
    jobs = await account.must("GET", details["execution_details_endpoint"].removeprefix("/api/v1"))
    assert sorted(one["contact_external_id"] for one in jobs["data"]) == people
    execution = await account.must("GET", f"/sms/executions/{trigger_id}")
    assert (execution["data"]["status"], execution["data"]["template_key"]) == ("completed", "alert")


async def test_jobs_page_by_page(account: Account) -> None:
    """By number and by cursor, of each status: with the number of all, and no page after the last one."""
    await contacts(account)
    await account.template("alert", "SMS", "Hi {{contact_first_name}}")
    trigger_id = await sent(account, "/sms/send", {"template_key": "alert", "recipient_type": "all"})
    await account.over(trigger_id)
    path = f"/sms/executions/{trigger_id}/jobs"
    first, second, third, none = [
        await account.must("GET", f"{path}?status=sent&limit=1&page={number}") for number in (1, 2, 3, 4)
    ]
    assert sorted(one["data"][0]["contact_external_id"] for one in (first, second, third)) == ["a", "b", "c"]
    assert [one["has_more"] for one in (first, second, third, none)] == [True, True, False, False]
    assert [(one["total"], one["totalPages"], len(one["data"])) for one in (third, none)] == [(3, 3, 1), (3, 3, 0)]
    again = await account.must("GET", f"{path}?status=sent&limit=1&cursor={quote(first['next_cursor'])}")
    assert (again["data"], again["total"]) == (second["data"], 3)
    failed = await account.must("GET", f"{path}?status=failed")
    assert (failed["total"], failed["data"], failed["has_more"]) == (0, [], False)
    both = await account.call("GET", f"{path}?page=2&cursor={quote(first['next_cursor'])}")
    assert_refused(both, 400, "Bad Request", "page cannot be combined with a cursor")


async def test_email_to_a_segment(account: Account) -> None:
    """Whoever its filter matches; one that does not exist is not found."""
    await contacts(account)
    body = {"key": "vips", "name": "VIPs", "filter": {"field": "tags", "op": "has_all", "value": ["vip"]}}
    made = await account.client.operator.must("POST", f"/tenants/{account.tenant.id}/segments", json=body)
    content = {"subject": "s", "content": "c", "recipient_type": "segment"}
    trigger_id = await sent(account, "/messages/send", {**content, "segment_id": made["id"]})
    assert (await account.over(trigger_id))["summary"]["sent"] == 2
    for unknown in ("none", account.team):
        answer = await account.call("POST", "/messages/send", {**content, "segment_id": unknown})
        assert_refused(answer, 404, "Not Found", "Segment not found")


async def test_without_a_template(account: Account) -> None:
    """It is filtered, with the reason, and not failed."""
    trigger_id = await sent(
        account,
        "/messages/send",
        {"recipient_type": "direct_email", "direct_email": "a@b.example", "template_key": "no"},
    )
    assert (await account.over(trigger_id))["summary"]["sent"] == 0


async def test_scheduled(account: Account) -> None:
    """Either spelling of the time."""
    body = {"recipient_type": "direct_sms", "direct_sms": "+14155552671", "content": "Hi"}
    for name in ("trigger_at", "triggerAt"):
        answer = await account.must("POST", "/sms/send", {**body, name: "2090-01-01T10:00:00Z"}, status=201)
        assert answer["scheduled_for"] == "2090-01-01T10:00:00.000Z"


async def test_lists(account: Account) -> None:
    """Newest first, each channel's own."""
    for number in range(3):
        body = {
            "recipient_type": "direct_email",
            "direct_email": f"u{number}@b.example",
            "subject": "s",
            "content": "c",
        }
        last = await sent(account, "/messages/send", body)
        await account.over(last)
    told = await account.must("GET", "/messages?page=1&limit=2")
    assert (told["total"], told["totalPages"], told["has_more"], len(told["data"])) == (3, 2, True, 2)
    assert told["messages"][0]["execution_id"] == last
    assert (await account.must("GET", "/sms/executions"))["total"] == 0


_NO_WHATSAPP = "WhatsApp is not available on this server"


async def test_whatsapp(account: Account) -> None:
    """There is no such channel: every call of the vendor's client for it is refused, and told what to use instead."""
    body = {"template_key": "t", "recipient_type": "direct_whatsapp", "direct_whatsapp": "+14155552671"}
    why = f"{_NO_WHATSAPP}: use POST /api/v1/sms/send or POST /api/v1/messages/send"
    for method, path, sent in (
        ("POST", "/whatsapp/send", body),
        ("GET", "/whatsapp/executions?page=1&limit=20", None),
        ("GET", f"/whatsapp/executions/{account.team}", None),
        ("GET", f"/whatsapp/executions/{account.team}/jobs?status=filtered&limit=50", None),
    ):
        assert_refused(await account.call(method, path, sent), 400, "Bad Request", why)
    code = {"channels": ["whatsapp"], "recipients": {"whatsapp": "+14155552671"}}
    refused = await account.call("POST", "/otp/send", code)
    assert_refused(refused, 400, "Bad Request", f"channels must be one of email, sms; {_NO_WHATSAPP}")


@pytest.mark.parametrize(("channel", "address"), [("email", "user@example.com"), ("sms", "+14155552671")])
async def test_code(account: Account, channel: str, address: str) -> None:
    """It is sent, checked once, and then good for nothing."""
    body = {"channels": [channel], "recipients": {channel: address}}
    data = (await account.must("POST", "/otp/send", body, status=201))["data"]
    assert (data["channels"], data["recipients"], "otps" in data) == ([channel], {channel: address}, False)
    code = await _received(account, channel)
    wrong = await _verified(account, data["session_token"], {channel: "0000"})
    assert (wrong["verified"], wrong["verification_results"][channel]["success"]) == (False, False)
    assert wrong["verification_results"][channel]["attempts_left"] == 4
    assert (await _verified(account, data["session_id"], {channel: code}))["verified"]
    again = await _verified(account, data["session_token"], {channel: code})
    assert again["verification_results"][channel]["message"] == "OTP was used already"


async def test_codes_of_two_channels(account: Account) -> None:
    """Each has its own. In sandbox mode nothing is sent, and the answer has them."""
    body = {
        "channels": ["email", "sms"],
        "recipients": {"email": "user@example.com", "sms": "+14155552671"},
        "config": {"otp_length": 8, "max_attempts": 1},
        "sandbox_mode": True,
    }
    data = (await account.must("POST", "/otp/send", body))["data"]
    assert all(len(code) == 8 for code in data["otps"].values())
    found = await _verified(account, data["session_token"], {"email": data["otps"]["email"], "sms": "1" * 8})
    assert {name: one["success"] for name, one in found["verification_results"].items()} == {
        "email": True,
        "sms": data["otps"]["sms"] == "1" * 8,
    }
    locked = await _verified(account, data["session_token"], {"sms": data["otps"]["sms"]})
    assert locked["verification_results"]["sms"]["message"] == "Too many failed attempts"
    assert (await account.must("GET", "/messages"))["total"] == 0


async def test_who_enters_a_code_becomes_a_contact(account: Account) -> None:
    """With add_contact: once, by the addresses of the right codes. Who is a contact already keeps what is stored."""
    addresses = {"email": "Ada@example.com", "sms": "+14155552671"}
    body = {"channels": ["email", "sms"], "recipients": addresses, "add_contact": True}
    token = (await account.must("POST", "/otp/send", body))["data"]["session_token"]
    assert "contact_external_id" not in await _verified(account, token, {"email": "0000", "sms": "0000"})
    assert (await account.must("GET", "/contacts"))["total"] == 0
    codes = {channel: await _received(account, channel) for channel in addresses}
    external_id = (await _verified(account, token, codes))["contact_external_id"]
    contact = await account.must("GET", f"/contacts/external/{external_id}")
    assert (contact["email"], contact["phone"]) == ("Ada@example.com", "+14155552671")
    await account.must("PATCH", f"/contacts/{contact['id']}", {"first_name": "Ada"})
    body = {"channels": ["sms"], "recipients": {"sms": "+1 415 555 2671"}, "add_contact": True}
    token = (await account.must("POST", "/otp/send", body))["data"]["session_token"]
    again = await _verified(account, token, {"sms": await _received(account, "sms", of=2)})
    assert (again["verified"], again["contact_external_id"]) == (True, external_id)
    [listed] = (await account.must("GET", "/contacts"))["data"]
    assert (listed["first_name"], listed["email"]) == ("Ada", "Ada@example.com")


@pytest.mark.parametrize("fields", [{}, {"add_contact": False}, {"add_contact": True, "sandbox_mode": True}])
async def test_who_enters_a_code_is_not_stored_otherwise(account: Account, fields: dict[str, bool]) -> None:
    """Not without being asked for, nor if nothing was sent: then nobody has shown that the address is theirs."""
    body = {"channels": ["email"], "recipients": {"email": "user@example.com"}, **fields}
    data = (await account.must("POST", "/otp/send", body))["data"]
    codes = data["otps"] if fields.get("sandbox_mode") else {"email": await _received(account, "email")}
    found = await _verified(account, data["session_token"], codes)
    assert (found["verified"], "contact_external_id" in found) == (True, False)
    assert (await account.must("GET", "/contacts"))["total"] == 0


async def test_resending_too_soon(account: Account) -> None:
    """429, with the time to wait; an unknown session is not found."""
    body = {"channels": ["email"], "recipients": {"email": "user@example.com"}, "sandbox_mode": True}
    data = (await account.must("POST", "/otp/send", body))["data"]
    answer = await account.call("POST", "/otp/resend", {"session_token": data["session_token"]})
    assert_refused(answer, 429, "Too Many Requests")
    assert int(answer.headers["Retry-After"]) >= 1
    for token in ("nothing", "otp_e30"):
        unknown = await account.call("POST", "/otp/resend", {"session_token": token})
        assert_refused(unknown, 404, "Not Found", "OTP session not found")


async def test_a_code_is_kept_nowhere(account: Account) -> None:
    """Not with the event, nor with what was sent."""
    await account.must("POST", "/otp/send", {"channels": ["email"], "recipients": {"email": "user@example.com"}})
    await _received(account, "email")
    [event] = (await account.client.operator.must("GET", f"/events?tenant_id={account.tenant.id}"))["data"]
    content = await account.client.operator.must("GET", f"/events/{event['id']}/body")
    assert not content["stored"]


async def _verified(account: Account, token: str, codes: dict[str, str]) -> dict[str, Any]:
    answer = await account.must("POST", "/otp/verify", {"session_token": token, "otps": codes}, status=200)
    return dict(answer["data"])


async def _received(account: Account, channel: str, *, of: int = 1) -> str:
    """Return the code of the newest message, once so many were sent."""

    async def found() -> str | None:
        listed = await account.must("GET", "/messages" if channel == "email" else "/sms/executions")
        if len(listed["data"]) < of:
            return None
        message = (await account.messages(listed["data"][0]["trigger_id"]))[channel.upper()]
        match = re.search(r"\b\d{6}\b", message.text)
        assert match is not None, message.text
        return match[0]

    return await until(found, "the code", deadline=END_S)
