"""Where the two pages are silent: what a client that errs, or means harm, is told. A clear answer in their shape."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.conformance.orqestra.conftest import EMAIL, PHONE, TRIGGER, Shop, assert_refused, event

KNOWN = '"eventType":"order.confirmed","payload":{"userId":"u","recipientPhone":"+254712345678"}'


def with_variable(text: str) -> bytes:
    """Return an event's body with one variable of this JSON text."""
    return f'{{{KNOWN},"variables":{{"a":{text}}}}}'.encode("utf-8", "surrogatepass")


EMAIL_ADDRESSES = {
    "a@example.com": "sent",
    "A.b+c@Mail.Example.co.uk": "sent",
    "o'neil@example.com": "sent",
    "jürgen@example.com": "sent",
    "a@müller.example": "sent",
    " a@example.com ": "sent",
    "a@example.com\n": "sent",
    "a@example.com\u2028": "sent",
    "\u202aa@example.com\u202c": "sent",
    "a@example.com.": "sent",
    "a": "malformed_email",
    "@example.com": "malformed_email",
    "a@": "malformed_email",
    "a@b@example.com": "malformed_email",
    "a b@example.com": "malformed_email",
    "a@example..com": "malformed_email",
    ".a@example.com": "malformed_email",
    "a@-example.com": "malformed_email",
    "a@[192.0.2.1]": "malformed_email",
    "Ada <a@example.com>": "malformed_email",
    "a@example.com,b@example.com": "malformed_email",
    "a@example.com\r\nBcc: b@example.com": "malformed_email",
    "a\u200b@example.com": "malformed_email",
    "l" * 65 + "@example.com": "malformed_email",
    "a@" + "d" * 64 + ".com": "malformed_email",
    "a@" + "long." * 80 + "com": "malformed_email",
    " ": "malformed_email",
}


async def test_email_address(shop: Shop) -> None:
    """Accepted whatever it is; a malformed one is skipped with that reason."""
    await shop.template("order.confirmed", "EMAIL")

    async def decision(address: str) -> str | None:
        answer = await shop.tenant.trigger(event(payload={"userId": "u", "recipientEmail": address}))
        return (await shop.decisions(answer))["EMAIL"]

    decisions = await asyncio.gather(*[decision(address) for address in EMAIL_ADDRESSES])
    assert dict(zip(EMAIL_ADDRESSES, decisions, strict=True)) == EMAIL_ADDRESSES


PHONE_NUMBERS = {
    "+254712345678": "sent",
    "+123456789012345": "sent",
    "+254 712 345 678": "sent",
    "+254712345678\n": "sent",
    "+254 (712) 345-678": "sent",
    "+254\u00a0712\u202f345\u2009678": "sent",
    "\u202a+254712345678\u202c": "sent",
    "+\u0662\u0665\u0664\u0667\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668": "sent",
    "tel:+254712345678": "sent",
    "00254712345678": "malformed_phone",
    "254712345678": "malformed_phone",
    "0712345678": "malformed_phone",
    "+0712345678": "malformed_phone",
    "+1234567890123456": "malformed_phone",
    "+12345": "malformed_phone",
    "+254712345678,+254712345679": "malformed_phone",
}


async def test_phone_number(shop: Shop) -> None:
    """Accepted whatever it is; what is not E.164, with or without marks for reading, is skipped with that reason."""
    await shop.template("order.confirmed", "SMS")

    async def decision(number: str) -> str | None:
        answer = await shop.tenant.trigger(event(payload={"userId": "u", "recipientPhone": number}))
        return (await shop.decisions(answer))["SMS"]

    decisions = await asyncio.gather(*[decision(number) for number in PHONE_NUMBERS])
    assert dict(zip(PHONE_NUMBERS, decisions, strict=True)) == PHONE_NUMBERS


@pytest.mark.parametrize("event_id", ["order-1", "ord/1 ü😀", "01990000-0000-7000-8000-000000000000", "x" * 255])
async def test_event_id_of_the_callers_own(shop: Shop, event_id: str) -> None:
    """Any text, a UUID too, is kept and found; not by another tenant's search; and it is no key."""
    first = await shop.tenant.trigger(event(eventId=event_id))
    second = await shop.tenant.trigger(event(eventId=event_id))
    assert first.event_id != second.event_id
    await shop.end(first)
    await shop.end(second)
    other = await shop.operator.create_tenant("Another shop")
    for tenant, ids in ((shop.tenant, {first.event_id, second.event_id}), (other, set())):
        query = {"tenant_id": tenant.id, "event_id": event_id}
        found = await shop.operator.must("GET", "/events?" + urlencoded(query))
        assert {item["id"] for item in found["data"]} == ids


def urlencoded(query: Mapping[str, str]) -> str:
    """Return a query string in which everything odd is percent-encoded."""
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b"nonsense",
        b'{"eventType":"x"}{}',
        b"{'eventType':'x'}",
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b'{"eventType":"\xff"}',
        with_variable("NaN"),
        with_variable("Infinity"),
        with_variable("-Infinity"),
        with_variable('"\\ud800"'),
        with_variable('"\ud800"'),
        with_variable("01"),
        with_variable('"\t"'),
        with_variable("[1,]"),
        b"[" * 100_000,
        b'{"a":' * 40_000,
        with_variable("[" * 5_000 + "]" * 4_999),
        with_variable("[" * 5_000 + "]" * 5_000),
    ],
    ids=lambda raw: repr(raw[:24]),
)
async def test_no_json(common: Shop, raw: bytes) -> None:
    """400."""
    assert_refused(await common.tenant.trigger(raw=raw or b" "), 400, "Bad Request", "JSON")


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"[]", "object"),
        (b"null", "object"),
        (b'"text"', "object"),
        (b"7", "object"),
        (with_variable("1e999"), "number"),
        (with_variable("-1e400"), "number"),
        (with_variable("9" * 5_000), "number"),
        (with_variable("[" * 65 + "]" * 65), "levels"),
        (with_variable("[" * 900 + "]" * 900), "levels"),
        (b'{"eventType":"a\\u0000","payload":{"userId":"u"}}', "eventType"),
        (b'{"eventType":"x","payload":{"userId":"\\u0000"}}', "payload.userId"),
        (b'{"eventType":"x","eventId":"\\u0000","payload":{"userId":"u"}}', "eventId"),
        (b'{"eventType":"x","payload":{"userId":"u","recipientEmail":"\\u0000"}}', "payload.recipientEmail"),
        (b'{"eventType":"x","payload":{"userId":"u","recipientEmail":7}}', "payload.recipientEmail"),
        (b'{"eventType":"x","payload":{"userId":"u","recipientPhone":254712345678}}', "payload.recipientPhone"),
        (b'{"eventType":"x","payload":[]}', "payload"),
        (b'{"eventType":"x","eventId":7,"payload":{"userId":"u"}}', "eventId"),
        (b'{"eventType":"x","eventId":"","payload":{"userId":"u"}}', "eventId"),
        (b'{"eventType":"' + b"x" * 256 + b'","payload":{"userId":"u"}}', "eventType"),
        (b'{"eventType":"x","payload":{"userId":"' + b"u" * 256 + b'"}}', "payload.userId"),
        (
            b'{"eventType":"x","payload":{"userId":"u","recipientEmail":"' + b"u" * 1025 + b'"}}',
            "payload.recipientEmail",
        ),
    ],
    ids=lambda value: repr(value[:32]),
)
async def test_not_valid(common: Shop, raw: bytes, word: str) -> None:
    """422, naming what is wrong."""
    assert_refused(await common.tenant.trigger(raw=raw), 422, "Validation Error", word)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("18446744073709551616", "18446744073709551616"),
        ("123456789012345678901234567890", "123456789012345680000000000000"),
        ("-0", "0"),
        ("1e3", "1000"),
        ("0.1", "0.1"),
        ('"\\ud83d\\ude00"', "😀"),
        ('"\\u0000"', None),
        ('""', ""),
        ("null", ""),
        ("[1,[2]]", "1,2"),
    ],
)
async def test_odd_but_valid(shop: Shop, text: str, shown: str | None) -> None:
    """Accepted, and it comes to an end: sent as it can be shown, or failed with a reason."""
    await shop.template("order.confirmed", "SMS", "[{{a}}]")
    answer = await shop.tenant.trigger(raw=with_variable(text))
    status = await shop.decisions(answer)
    assert status["SMS"] in {"sent", "failed"}
    if shown is not None and status["SMS"] == "sent":
        sent = (await shop.messages(answer))["SMS"].text
        assert sent == f"[{shown}]" or text.lstrip("-").isdigit(), sent


async def test_deep_as_allowed(common: Shop) -> None:
    """64 levels in all are accepted."""
    assert (await common.tenant.trigger(raw=with_variable("[" * 62 + "]" * 62))).status == 200


async def test_large_as_allowed(common: Shop) -> None:
    """256 KiB are accepted, a byte more is 413."""
    head = f'{{{KNOWN},"variables":{{"a":"'.encode()
    raw = head + b"x" * (256 * 1024 - len(head) - 3) + b'"}}'
    assert (await common.tenant.trigger(raw=raw)).status == 200
    assert_refused(await common.tenant.trigger(raw=raw + b" "), 413, "Payload Too Large")


async def test_large_numbers_as_allowed(common: Shop) -> None:
    """256 KiB are accepted also where they are longer once they are written anew."""
    head, tail = f'{{{KNOWN},"variables":{{"a":['.encode(), b"0]}}"
    numbers = b"1e15," * ((256 * 1024 - len(head) - len(tail)) // 5)
    assert (await common.tenant.trigger(raw=head + numbers + tail)).status == 200


@pytest.mark.parametrize("key", ["", "a b", "é", "k" * 256, "tab\tbed"])
async def test_odd_idempotency_key(common: Shop, key: str) -> None:
    """422: visible ASCII, 1 to 255 of it; nothing is sent under a key that was not meant."""
    answer = await common.tenant.trigger(event(), headers={"X-Idempotency-Key": key})
    assert_refused(answer, 422, "Validation Error", "X-Idempotency-Key")


@pytest.mark.parametrize("trace", ["", "é\u200b", "t" * 5_000, "a b", "<script>"])
async def test_odd_trace_id(common: Shop, trace: str) -> None:
    """Accepted: what cannot be kept of it is left out; there always is one."""
    answer = await common.tenant.trigger(event(), headers={"X-Trace-Id": trace})
    assert answer.status == 200
    assert 0 < len(answer.headers["X-Trace-Id"]) <= 128


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "identity, gzip", "x"])
async def test_content_encoding(common: Shop, encoding: str) -> None:
    """415: bodies come as they are."""
    answer = await common.tenant.trigger(event(), headers={"Content-Encoding": encoding})
    assert_refused(answer, 415, "Unsupported Media Type", "compressed")


@pytest.mark.parametrize("user_id", ["{}", "a{b}c", "{user_id}"])
async def test_braces_in_a_user_id(shop: Shop, user_id: str) -> None:
    """An id that events take is one in a path as well: all of an inbox works for it."""
    await shop.template("order.confirmed", "PUSH")
    await shop.end(await shop.tenant.trigger(event(payload={"userId": user_id})))
    (entry,) = await shop.inbox(user_id)
    assert await shop.tenant.unread(user_id) == 1
    assert (await shop.tenant.mark_read(user_id, entry["id"])).body == {"success": True}
    assert (await shop.inbox(user_id))[0]["status"] == "READ"


async def raw_exchange(shop: Shop, lines: list[str], body: bytes) -> tuple[int, dict[str, Any]]:
    """Send a request byte by byte as given; return the answer's status and body."""
    url = urlsplit(shop.tenant.http.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + body)
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    head, _, rest = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(rest)


@pytest.mark.parametrize(
    ("name", "first", "second", "status"),
    [
        ("x-api-key", "right", "wrong", 400),
        ("x-api-key", "wrong", "right", 400),
        ("X-Idempotency-Key", "one", "two", 400),
        ("Content-Type", "application/json", "text/plain", 400),
        ("X-Orqestra-Signature", "0", "1", 400),
        ("X-Trace-Id", "one", "two", 200),
    ],
)
async def test_a_header_twice(common: Shop, name: str, first: str, second: str, status: int) -> None:
    """With two values, nobody can tell which was meant: refused where it decides something."""
    body = json.dumps(event()).encode()
    pairs = {"x-api-key": [common.tenant.api_key], "Content-Type": ["application/json"]}
    pairs[name] = [common.tenant.api_key if value == "right" else value for value in (first, second)]
    lines = [f"POST {TRIGGER} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += [f"{header}: {value}" for header, values in pairs.items() for value in values]
    answered, shown = await raw_exchange(common, lines, body)
    assert answered == status, shown
    if status != 200:
        assert (shown["statusCode"], set(shown)) == (status, {"statusCode", "error", "message"})


@pytest.mark.parametrize(
    ("lines", "statuses"),
    [
        (["Content-Length: 2", "Content-Length: 3"], {400}),
        (["Content-Length: 2", "Transfer-Encoding: chunked"], {400}),
        (["Content-Length: -1"], {400}),
        (["Content-Length: 99999999999999999999"], {400, 413}),
        (["Transfer-Encoding: gzip"], {400, 411, 415, 501}),
        (["Bad Header: x", "Content-Length: 2"], {400}),
    ],
    ids=["two lengths", "length and chunks", "negative", "endless", "unknown encoding", "blank in a name"],
)
async def test_smuggling(common: Shop, lines: list[str], statuses: set[int]) -> None:
    """What two parsers could read in two ways is refused, and the next request is a fresh one."""
    head = [f"POST {TRIGGER} HTTP/1.1", "Host: localhost", f"x-api-key: {common.tenant.api_key}"]
    status, shown = await raw_exchange(common, [*head, "Content-Type: application/json", *lines], b"{}")
    assert status in statuses
    assert shown["statusCode"] == status
    assert (await common.tenant.trigger(event())).status == 200


@pytest.mark.parametrize(
    ("start", "header", "status"),
    [
        (f"POST {TRIGGER} HTTP/1.1", "Expect: 100-continue", 200),
        (f"POST {TRIGGER} HTTP/1.1", "Expect: a miracle", 417),
        (f"POST {TRIGGER} HTTP/1.1", "X-Odd: " + "x" * 20_000, 431),
        (f"POST {TRIGGER}?{'x' * 20_000} HTTP/1.1", "X-Odd: x", 431),
        (f"POST http://localhost{TRIGGER} HTTP/1.1", "X-Odd: x", 200),
        (f"POST {TRIGGER} HTTP/1.0", "X-Odd: x", 200),
        (f"POST {TRIGGER} HTTP/9.9", "X-Odd: x", 400),
        (f"PO ST {TRIGGER} HTTP/1.1", "X-Odd: x", 400),
        ("\x16\x03\x01\x02", "X-Odd: x", 400),
    ],
    ids=["continue", "expect", "long header", "long path", "absolute", "1.0", "9.9", "method", "TLS"],
)
async def test_odd_http(common: Shop, start: str, header: str, status: int) -> None:
    """Understood, or a 4xx in the common shape."""
    body = json.dumps(event()).encode()
    lines = [start, "Host: localhost", f"x-api-key: {common.tenant.api_key}", "Content-Type: application/json"]
    answered, shown = await raw_exchange(common, [*lines, header, f"Content-Length: {len(body)}"], body)
    assert answered == status, shown
    assert shown["success"] if status == 200 else set(shown) == {"statusCode", "error", "message"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", TRIGGER, 405),
        ("PUT", TRIGGER, 405),
        ("OPTIONS", TRIGGER, 405),
        ("POST", TRIGGER + "/", 404),
        ("POST", TRIGGER.upper(), 404),
        ("POST", "/api/v1//events/trigger", 404),
        ("GET", "/api/v1/auth/realtime-token", 405),
        ("POST", "/api/v1/notifications/t/u", 405),
        ("GET", "/api/v1/notifications/t", 404),
        ("DELETE", "/api/v1/notifications/t/u/n/read", 405),
        ("POST", "/api/v1/events/trigger%00", 404),
    ],
)
async def test_no_such_route(common: Shop, method: str, path: str, status: int) -> None:
    """404 and 405 in the same shape."""
    answer = await common.tenant.http.call(method, path, headers={"x-api-key": common.tenant.api_key})
    assert answer.status == status
    assert set(answer.body) == {"statusCode", "error", "message"}
    assert answer.body["statusCode"] == status


async def test_unknown_fields_are_ignored(shop: Shop) -> None:
    """What a later version of a client may send does no harm."""
    await shop.template("order.confirmed", "SMS")
    body = event(payload={"userId": "u", "recipientEmail": EMAIL, "recipientPhone": PHONE}, tenantId="x", priority=9)
    assert await shop.decisions(await shop.tenant.trigger(body)) == {"SMS": "sent"}


@pytest.mark.parametrize("query", ["limit=0", "limit=-5", "limit=101", "limit=999999999999999999", "limit=2&limit=x"])
async def test_limit_is_brought_into_range(common: Shop, query: str) -> None:
    """1 to 100; of two the first counts."""
    key = {"x-api-key": common.tenant.api_key}
    answer = await common.tenant.http.call("GET", f"{common.tenant.inbox_path('u')}?{query}", headers=key)
    assert (answer.status, answer.body) == (200, {"success": True, "data": []})


@pytest.mark.parametrize("offset", ["-1", "10001", "99999999999", "999999999999999999"])
async def test_offset_out_of_range(common: Shop, offset: str) -> None:
    """Below 0 is 0; past the end of what can be asked for it is a validation error, not a fault."""
    key = {"x-api-key": common.tenant.api_key}
    answer = await common.tenant.http.call("GET", f"{common.tenant.inbox_path('u')}?offset={offset}", headers=key)
    assert answer.status in {200, 422}
    assert answer.status == 200 or "offset" in answer.body["message"]
