"""Checks a running stack through its public APIs only: `python -m checks.smoke`.

One event in over HTTP; an e-mail, an SMS and an in-app push out; an inbox that remembers; a timeline that
tells all of it; and the refusals that clients rely on.
"""

import argparse
import asyncio
import contextlib
import os
import secrets
import sys
import time
from collections.abc import Callable
from typing import Any

from checks import listener
from checks.client import CHANNELS, Answer, Client, connect, order, steps
from checks.report import Report
from checks.rules import Rules
from checks.waiting import CheckError, expect, until
from runtime.ids import is_uuid
from stack.client import Running
from stack.faults import StackError
from stack.local import Options

# How soon an open page must have the push, seconds after the trigger was sent; a crowded machine may be given more.
PUSH_WITHIN_S = 1.0
DELIVERED_WITHIN_S = 30.0
_REFUSAL_KEYS = {"statusCode", "error", "message"}


class Smoke:
    """The checks, in the order of an event's steps. Each may depend on earlier ones."""

    def __init__(self, client: Client, *, push_within_s: float = PUSH_WITHIN_S) -> None:
        self._client = client
        self._push_within_s = push_within_s
        self._tenant = client.tenant
        self._operator = client.operator
        self._user = client.user_id
        self._order = f"S-{secrets.token_hex(4)}"
        self._event = order(self._order, self._user)
        self._page: listener.Connection | None = None
        self._unread = 0
        self._sent_at = 0.0
        self._answer = Answer(0, {}, None)
        self._notification: dict[str, Any] = {}

    @property
    def _event_id(self) -> str:
        expect(self._answer.event_id, "there is no event: the trigger was not accepted")
        return self._answer.event_id

    async def run(self, report: Report) -> None:
        """Run every check."""
        await report.check("healthz: every dependency serves", self.health)
        async with contextlib.AsyncExitStack() as pages:
            await report.check("a page connects and subscribes to its channels", lambda: self.open_page(pages))
            await report.check("the trigger answers 200 with the literal body and X-Event-Id", self.trigger)
            await report.check(f"the push is in the open page within {self._push_within_s:g} s", self.push)
        await report.check("the e-mail is in the outbox, with HTML made of MJML and a text part", self.email)
        await report.check("the SMS is in the outbox", self.sms)
        await report.check("the inbox lists it as UNREAD", self.inbox)
        await report.check("the unread count grew by one", self.unread)
        await report.check("marked as read, it is READ and no longer counted", self.mark_read)
        await report.check("the timeline shows every step", self.timeline)
        await report.check("the same curl again: the same answer, one delivery per channel", self.again)
        await report.check("an unknown key is refused with 401", self.unknown_key)
        await report.check("a missing field is refused with 422", self.missing_field)

    async def health(self) -> None:
        """/healthz."""
        answer = await self._operator.health()
        expect(answer.status == 200 and answer.body["status"] == "ok", f"{answer.status} {answer.body}")
        needed = {"ingest", "router", "render", "senders", "realtime", "postgres", "nats", "hub"}
        dependencies = answer.body["dependencies"]
        expect(needed <= set(dependencies), f"healthz does not tell {sorted(needed - set(dependencies))}")
        expect(all(state == "serving" for state in dependencies.values()), f"{dependencies}")

    async def open_page(self, pages: contextlib.AsyncExitStack) -> None:
        """Connect like a browser: a token, a connection, and a subscription per channel."""
        granted = await self._tenant.token(self._user)
        session, url = self._client.http.session, self._client.http.url
        page = await pages.enter_async_context(listener.connected(session, url, granted["token"]))
        expect(len(granted["channels"]) >= 2, f"channels: {granted['channels']}")
        for channel in granted["channels"]:
            reply = await page.subscribe(channel)
            expect("subscribe" in reply, f"{channel} is refused: {reply}")
        self._unread = await self._tenant.unread(self._user)
        self._page = page

    async def trigger(self) -> None:
        """Trigger an event like the printed curl command."""
        self._sent_at = time.monotonic()
        answer = await self._tenant.trigger(self._event)
        wanted = {"success": True, "message": f"Event order.confirmed dispatched securely for {self._tenant.name}"}
        expect(answer.status == 200 and answer.body == wanted, f"{answer.status} {answer.body}")
        expect(is_uuid(answer.event_id), f"X-Event-Id is {answer.event_id!r}")
        expect(answer.headers.get("X-Trace-Id"), "there is no X-Trace-Id")
        self._answer = answer

    async def push(self) -> str:
        """The push arrives over the WebSocket."""
        if self._page is None:
            raise CheckError("there is no open page")
        publication = await self._next(self._page, self._sent_at + self._push_within_s)
        after_ms = (publication.at - self._sent_at) * 1000
        expect(publication.channel.startswith("orders#"), f"it came on {publication.channel}")
        data = publication.data
        expect(data["title"] == f"Order {self._order} confirmed", f"its title is {data['title']!r}")
        expect(data["eventType"] == "order.confirmed" and data["referenceId"], f"{data}")
        return f"after {after_ms:.0f} ms"

    async def _next(self, page: listener.Connection, end: float) -> listener.Publication:
        """Return the publication of this order. Others may arrive if the user is active."""
        while True:
            try:
                async with asyncio.timeout(max(end - time.monotonic(), 0.001)):
                    publication = await page.on_push.get()
            except TimeoutError:
                raise CheckError("nothing arrived") from None
            if self._order in str(publication.data.get("title")):
                return publication

    async def email(self) -> None:
        """There is one complete e-mail."""
        mail = await self._message("EMAIL")
        expect(mail["subject"] == f"Order {self._order} is confirmed", f"its subject is {mail['subject']!r}")
        expect(mail["recipient"] == "ada@example.com", f"it went to {mail['recipient']!r}")
        expect(
            "Acorn Shop" in mail["sender"] and mail["reply_to"], f"from {mail['sender']!r}, reply {mail['reply_to']!r}"
        )
        html, text = mail["html"], mail["text"]
        expect("<!doctype html>" in html.lower()[:200] and "<table" in html, "the HTML is no document")
        expect("<mj" not in html and "{{" not in html, "the HTML holds what should have been rendered")
        for word in ("Thank you, Ada.", "Walnut desk lamp", "Linen shade", "KES 4,200"):
            expect(word in html, f"{word!r} is not in the HTML")
            expect(word in text, f"{word!r} is not in the text part: {text[:200]!r}")
        expect("<" not in text, f"the text part holds markup: {text[:200]!r}")

    async def sms(self) -> None:
        """There is one SMS."""
        message = await self._message("SMS")
        wanted = f"Acorn Shop: order {self._order} is confirmed, total KES 4,200. Thank you, Ada!"
        expect(message["text"] == wanted, f"it says {message['text']!r}")
        expect(message["recipient"] == "+254712345678", f"it went to {message['recipient']!r}")

    async def _message(self, channel: str) -> dict[str, Any]:
        async def ask() -> dict[str, Any] | None:
            messages = await self._operator.outbox(self._event_id)
            return next((message for message in messages if message["channel"] == channel), None)

        return await until(ask, f"the {channel} in the outbox", deadline=DELIVERED_WITHIN_S)

    async def inbox(self) -> None:
        """The inbox contains the unread notification."""

        async def ask() -> dict[str, Any] | None:
            answer = await self._tenant.inbox(self._user)
            expect(answer.status == 200 and answer.body["success"], f"{answer.status} {answer.body}")
            return next((kept for kept in answer.body["data"] if self._order in kept["title"]), None)

        kept = self._notification = await until(ask, "the notification", deadline=DELIVERED_WITHIN_S)
        expect(set(kept) == {"id", "type", "title", "body", "status", "created_at"}, f"{kept}")
        expect(kept["status"] == "UNREAD", f"it is {kept['status']}")
        expect(kept["type"] == "order.confirmed" and kept["body"].startswith("Thank you, Ada."), f"{kept}")

    async def unread(self) -> None:
        """The unread count is right."""
        count = await self._tenant.unread(self._user)
        expect(count == self._unread + 1, f"it went from {self._unread} to {count}")

    async def mark_read(self) -> None:
        """Mark as read."""
        answer = await self._tenant.mark_read(self._user, self._notification["id"])
        expect(answer.status == 200 and answer.body == {"success": True}, f"{answer.status} {answer.body}")
        data = (await self._tenant.inbox(self._user)).body["data"]
        status = next(kept["status"] for kept in data if kept["id"] == self._notification["id"])
        expect(status == "READ", f"it is {status}")
        count = await self._tenant.unread(self._user)
        expect(count == self._unread, f"{count} are unread, not {self._unread}")

    async def timeline(self) -> str:
        """The timeline has every step with its time, duration and outcome."""
        event = await until(
            lambda: self._operator.finished(self._event_id), "the event's end", deadline=DELIVERED_WITHIN_S
        )
        seen = steps(event)
        wanted: list[tuple[str, str | None]] = [("accepted", None), ("routed", None)]
        wanted += [(step, channel) for step in ("queued", "rendered", "sent") for channel in CHANNELS]
        expect(sorted(seen, key=str) == sorted(wanted, key=str), f"the steps are {seen}")
        for step in event["timeline"]:
            expect(step["time"] and step["service"] and step["outcome"] == "ok", f"{step}")
            expect(step["duration_ms"] >= 0, f"{step}")
        return f"{len(seen)} steps"

    async def again(self) -> None:
        """A repeat creates nothing. A later event that is finished proves it."""
        answer = await self._tenant.trigger(self._event)
        expect((answer.status, answer.body) == (self._answer.status, self._answer.body), f"{answer.body}")
        expect(answer.event_id == self._event_id, f"it is another event: {answer.event_id}")
        later = await self._tenant.accept(order(f"{self._order}-later", self._user))
        await until(lambda: self._operator.finished(later), "a later event's end", deadline=DELIVERED_WITHIN_S)
        channels = sorted(message["channel"] for message in await self._operator.outbox(self._event_id))
        expect(channels == ["EMAIL", "SMS"], f"the outbox has {channels}")
        title = f"Order {self._order} confirmed"
        kept = [kept for kept in await self._tenant.whole_inbox(self._user) if kept["title"] == title]
        expect(len(kept) == 1, f"the inbox has it {len(kept)} times")

    async def unknown_key(self) -> None:
        """A wrong key gets 401."""
        answer = await self._tenant.trigger(self._event, headers={"x-api-key": "0" * 64})
        _expect_refusal(answer, 401, "Unauthorized")

    async def missing_field(self) -> None:
        """An invalid field gets 422 with its name."""
        answer = await self._tenant.trigger({"eventType": "order.confirmed", "payload": {}})
        _expect_refusal(answer, 422, "Validation Error")
        expect("payload.userId" in answer.body["message"], f"it does not name the field: {answer.body}")


def _expect_refusal(answer: Answer, status: int, error: str) -> None:
    expect(answer.status == status, f"it was answered {answer.status}: {answer.body}")
    expect(set(answer.body) == _REFUSAL_KEYS and answer.body["statusCode"] == status, f"{answer.body}")
    expect(answer.body["error"] == error, f"{answer.body}")


async def run(
    running: Running, write: Callable[[str], None] | None = None, *, push_within_s: float = PUSH_WITHIN_S
) -> Report:
    """Run all checks against a running stack. push_within_s: the deadline for a push on an open page."""
    report = Report(write)
    async with connect(running.state) as client:
        await Smoke(client, push_within_s=push_within_s).run(report)
        await Rules(client, await client.operator.create_tenant("Smoke Test")).run(report)
    return report


def main() -> None:
    """Find the running stack and check it. Exit with status 1 if a check fails."""
    parser = argparse.ArgumentParser(prog="checks.smoke", description="Check a running stack.")
    parser.add_argument("--push-within", type=float, default=PUSH_WITHIN_S, metavar="SECONDS")
    push_within_s = parser.parse_args().push_within
    try:
        running = Running(Options.from_environment(os.environ).data)
        if not running.state.ready:
            raise StackError(f"The stack on {running.data} is not ready yet: wait until `make run` says so.")
        report = asyncio.run(run(running, push_within_s=push_within_s))
    except StackError as error:
        print(f"make smoke: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    raise SystemExit(report.end())


if __name__ == "__main__":
    main()
