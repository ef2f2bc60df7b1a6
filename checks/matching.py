"""How events match workflows, on real channels: `python -m checks.matching`. A stack of its own.

The example of Sendmator's page on events, over its API: two events of a sign-up, by a contact with the tag and one
without it, and one of a purchase. E-mails go over SMTP to a mail server, text messages over HTTP to what stands for the
API of Africa's Talking, push messages to open pages, and a webhook to a receiver that checks the signature.
"""

import asyncio
import contextlib
import sys
from collections.abc import Mapping
from typing import Any

from checks import listener
from checks.catcher import EGRESS_TO_LOOPBACK, Catcher, catching
from checks.client import Answer, Client, Tenant, connect
from checks.local_apis import LocalApis, local_apis
from checks.own_stack import own_stack
from checks.report import Report
from checks.waiting import CheckError, expect, until
from stack.faults import StackError

_WITHIN_S = 30.0
# The plan Starter of the published page.
_PLAN = {"window_s": 3_600, "bound": 1_000, "kind": "sliding"}
_SIGN_UP, _PURCHASE = "user_signup", "purchase_completed"
_WELCOME, _ONBOARDING, _THANKS = "Welcome Email", "Onboarding Series", "Purchase Thank You"
_TAG = "new_users"
# By their ids: with the tag, without it, and a buyer.
_TAGS = {"ada": [_TAG, "vip"], "bob": ["vip"], "eve": [_TAG]}
_PHONES = {"ada": "+254712345601", "bob": "+254712345602", "eve": "+254712345603"}
_SENT_BY_ADA = {"welcome", "sms", "push", "crm"}


class Matching:
    """The checks, in order. Each may depend on earlier ones."""

    def __init__(self, client: Client, mails: Catcher, smtp_port: int, apis: LocalApis) -> None:
        self._client = client
        self._operator = client.operator
        self._mails = mails
        self._smtp_port = smtp_port
        self._apis = apis
        self._tenant: Tenant
        self._headers: dict[str, str] = {}
        self._secret = ""
        self._pages: dict[str, listener.Connection] = {}
        self._triggers: dict[str, str] = {}

    async def run(self, report: Report) -> None:
        """Run every check."""
        async with contextlib.AsyncExitStack() as pages:
            prepared = (
                await report.check("an account and its key, with the plan of 1,000 events an hour", self.account)
                and await report.check("three workflows and three contacts, stored over the API", self.store)
                and await report.check("a page is open for each contact", lambda: self.open_pages(pages))
                and await report.check("three events are accepted: two sign-ups, a purchase", self.send)
            )
            if not prepared:
                return
            await report.check(
                "with the tag: the welcome e-mail arrives over SMTP", lambda: self.mail("welcome", "ada")
            )
            await report.check("with the tag: the SMS arrives at the provider's API", self.text)
            await report.check("with the tag: the push arrives in the open page", self.push)
            await report.check("with the tag: the webhook arrives, signed with its secret", self.webhook)
            await report.check("with the tag: both workflows are completed, nothing is filtered", self.with_tag)
            await report.check("without it: the welcome e-mail arrives over SMTP", lambda: self.mail("welcome", "bob"))
            await report.check("without it: the series is filtered, with its reason", self.without_tag)
            await report.check("purchase: the thank-you e-mail arrives over SMTP", lambda: self.mail("thanks", "eve"))
            await report.check("purchase: no workflow of the sign-up is started", self.purchase)
            await report.check("nothing else arrived anywhere", self.nothing_else)

    async def account(self) -> str:
        """Create a tenant whose messages leave over real protocols, and a key for the API."""
        smtp: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": self._smtp_port,
            "tls": "none",
            "from_email": "us@tenant.example",
        }
        sms: dict[str, Any] = {"username": "acorn", "api_key": "atsk_0123456789abcdef"}
        providers = {"EMAIL": ("smtp", smtp), "SMS": ("africastalking", sms)}
        self._tenant = await self._operator.create_tenant("Matching", providers=providers)
        path = f"/tenants/{self._tenant.id}"
        key = await self._operator.must(
            "POST", f"{path}/keys", json={"name": "servers", "kind": "sendmator", "rates": [_PLAN]}
        )
        teams = (await self._operator.must("GET", f"{path}/environments"))["data"]
        self._headers = {"X-API-Key": key["api_key"], "X-Team-ID": teams[0]["id"]}
        answer = await self._call("GET", "/workflows")
        limit = answer.headers.get("X-RateLimit-Limit")
        expect(limit == str(_PLAN["bound"]), f"X-RateLimit-Limit is {limit}")
        return f"X-RateLimit-Limit {limit}"

    async def store(self) -> None:
        """Store templates, an endpoint, the workflows of the page, and contacts."""
        text = "<p>Hello {{contact_first_name}}</p>"
        for key, channel, body, more in (
            ("welcome", "EMAIL", text, {"subject": "Welcome #welcome-{{contact_external_id}}#"}),
            ("thanks", "EMAIL", text, {"subject": "Thank you #thanks-{{contact_external_id}}#"}),
            ("onboarding", "SMS", "Hi {{contact_first_name}}, your code is {{code}}", {}),
            (
                "onboarding",
                "PUSH",
                "Take the tour",
                {"subject": "Hi {{contact_first_name}}", "push_namespace": "orders"},
            ),
        ):
            await self._operator.create_template(self._tenant, key, channel, body, **more)
        endpoint = await self._operator.must(
            "POST", f"/tenants/{self._tenant.id}/endpoints", json={"url": self._apis.webhook_url}
        )
        self._secret = endpoint["secret"]
        for name, event_type, content in (
            (_WELCOME, _SIGN_UP, {"steps": [_email("welcome")]}),
            (_ONBOARDING, _SIGN_UP, {"document": _series(endpoint["id"])}),
            (_THANKS, _PURCHASE, {"steps": [_email("thanks")]}),
        ):
            await self._must("POST", "/workflows", {"name": name, "event_type": event_type, **content})
        for name, tags in _TAGS.items():
            contact = {"external_id": name, "email": f"{name}@example.com", "phone": _PHONES[name], "tags": tags}
            await self._must("POST", "/contacts", {**contact, "first_name": name.title()})

    async def open_pages(self, pages: contextlib.AsyncExitStack) -> None:
        """Connect like a browser for each contact, and subscribe to all channels."""
        http = self._client.http
        for name in _TAGS:
            granted = await self._tenant.token(name)
            page = await pages.enter_async_context(listener.connected(http.session, http.url, granted["token"]))
            for channel in granted["channels"]:
                reply = await page.subscribe(channel)
                expect("subscribe" in reply, f"{channel} is refused: {reply}")
            self._pages[name] = page

    async def send(self) -> None:
        """Send the events as the page has them."""
        for name, event_name in (("ada", _SIGN_UP), ("bob", _SIGN_UP), ("eve", _PURCHASE)):
            user = {"contact_external_id": name, "email": f"{name}@example.com"}
            event = {"event_name": event_name, "user_info": user, "variables": {"code": f"CODE-{name}"}}
            accepted = await self._must("POST", "/events/send", event)
            expect(accepted["message"] == "Event queued successfully", f"{accepted}")
            self._triggers[name] = accepted["trigger_id"]

    async def mail(self, template: str, name: str) -> None:
        """One e-mail of a template arrives, for this contact."""
        id_ = f"{template}-{name}"

        async def is_there() -> bool:
            return self._mails.mails[id_] > 0

        await until(is_there, "the e-mail", deadline=_WITHIN_S)
        recipients = self._mails.recipients[id_]
        expect(recipients == [f"{name}@example.com"], f"it is for {recipients}")

    async def text(self) -> str:
        """One text message arrives, with the event's variables."""

        async def found() -> Mapping[str, str] | None:
            return self._apis.texts[0] if self._apis.texts else None

        form = await until(found, "the text message", deadline=_WITHIN_S)
        expect((form["to"], form["message"]) == (_PHONES["ada"], "Hi Ada, your code is CODE-ada"), f"{form}")
        return form["message"]

    async def push(self) -> None:
        """One message is published for the page."""
        try:
            async with asyncio.timeout(_WITHIN_S):
                publication = await self._pages["ada"].on_push.get()
        except TimeoutError:
            raise CheckError("nothing arrived") from None
        expect(publication.data["title"] == "Hi Ada", f"{publication.data}")

    async def webhook(self) -> str:
        """The endpoint is called, with the event's variables; only its secret makes the signature."""

        async def found() -> bool:
            return bool(self._apis.calls)

        await until(found, "the call", deadline=_WITHIN_S)
        call = self._apis.calls[0]
        expect(call.is_signed_with(self._secret), f"the signature is wrong: {dict(call.headers)}")
        expect(not call.is_signed_with("whsec_b3RoZXI="), "any secret makes the signature")
        expect(call.body == b'{"code":"CODE-ada"}', f"it has {call.body!r}")
        return call.headers["webhook-id"]

    async def with_tag(self) -> None:
        """The trigger, its workflows and their steps say what arrived."""
        trigger, workflows = await self._over("ada")
        wanted = {"total_contacts": 1, "sent": len(_SENT_BY_ADA), "failed": 0, "filtered": 0}
        expect((trigger["status"], trigger["summary"]) == ("completed", wanted), f"{trigger}")
        found = {name: one["status"] for name, one in workflows.items()}
        expect(found == {_WELCOME: "completed", _ONBOARDING: "completed"}, f"{found}")
        sent = {step["id"] for one in workflows.values() for step in one["steps"] if step["jobs"]["sent"] == 1}
        expect(sent == _SENT_BY_ADA, f"steps that sent: {sent}")

    async def without_tag(self) -> str:
        """Nobody failed: the contact is filtered, and the job says why."""
        trigger, workflows = await self._over("bob")
        wanted = {"total_contacts": 1, "sent": 1, "failed": 0, "filtered": 1}
        expect((trigger["status"], trigger["summary"]) == ("completed", wanted), f"{trigger}")
        found = {name: one["status"] for name, one in workflows.items()}
        expect(found == {_WELCOME: "completed", _ONBOARDING: "filtered"}, f"{found}")
        [step] = [step for step in workflows[_ONBOARDING]["steps"] if step["jobs"]["filtered"]]
        path = step["execution_details_endpoint"].removeprefix("/api/v1")
        [job] = (await self._must("GET", f"{path}?status=filtered"))["data"]
        seen = (job["contact_external_id"], job["status"], job["reason"])
        expect(seen == ("bob", "filtered", "filtered_tags"), f"{job}")
        return str(job["filter_reason"])

    async def purchase(self) -> None:
        """The trigger has one workflow, though the contact has the tag."""
        trigger, workflows = await self._over("eve")
        wanted = {"total_contacts": 1, "sent": 1, "failed": 0, "filtered": 0}
        expect((trigger["status"], trigger["summary"]) == ("completed", wanted), f"{trigger}")
        expect(set(workflows) == {_THANKS}, f"{set(workflows)}")

    async def nothing_else(self) -> str:
        """All three triggers are over, so what has not arrived does not arrive any more."""
        expect(self._mails.mails == {"welcome-ada": 1, "welcome-bob": 1, "thanks-eve": 1}, f"{self._mails.mails}")
        expect(len(self._apis.texts) == 1, f"text messages: {self._apis.texts}")
        expect(len(self._apis.calls) == 1, f"{len(self._apis.calls)} calls of the webhook")
        more = {name: page.on_push.qsize() for name, page in self._pages.items()}
        expect(not any(more.values()), f"further push messages: {more}")
        return "3 e-mails, 1 SMS, 1 push, 1 webhook"

    async def _over(self, name: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Return a contact's trigger at its end, and its workflows by their names."""
        path = f"/triggers/{self._triggers[name]}"

        async def found() -> dict[str, Any] | None:
            trigger = await self._must("GET", path)
            return dict(trigger) if trigger["completed_at"] else None

        trigger = await until(found, "the end of the trigger", deadline=_WITHIN_S)
        details = await self._must("GET", f"{path}/workflow")
        return trigger, {one["name"]: one for one in details["workflows"]}

    async def _call(self, method: str, path: str, json: object = None) -> Answer:
        return await self._client.http.call(method, f"/api/v1{path}", headers=self._headers, json=json)

    async def _must(self, method: str, path: str, json: object = None) -> Any:
        """Call the API and return the body. Raises CheckError for a status of 300 and above."""
        answer = await self._call(method, path, json)
        expect(answer.status < 300, f"{method} {path} was answered {answer.status}: {answer.body}")
        return answer.body


def _email(template: str) -> dict[str, Any]:
    return {"id": template, "channel_type": "email", "configuration": {"template_id": template}}


def _series(endpoint_id: str) -> dict[str, Any]:
    """Return the series: for contacts with the tag, over three channels, with a wait between them."""

    def send(id_: str, channel: str) -> dict[str, Any]:
        return {"id": id_, "kind": "send", "channel": channel, "template": {"key": "onboarding"}}

    return {
        "filters": {"tags": [_TAG]},
        "steps": [
            send("sms", "SMS"),
            {"id": "pause", "kind": "delay", "for_s": 1},
            send("push", "PUSH"),
            {"id": "crm", "kind": "webhook", "endpoint_id": endpoint_id},
        ],
    }


async def _main() -> int:
    report = Report()
    async with local_apis() as apis, catching() as (mails, port):
        environment = {
            **EGRESS_TO_LOOPBACK,
            "CLARION_EGRESS_WEBHOOK_ALLOW": "127.0.0.1:*",
            "CLARION_PROVIDER_URLS": f"africastalking={apis.url}",
        }
        async with (
            own_stack(report, "matching", replicas={}, environment=environment) as running,
            connect(running.state) as client,
        ):
            await Matching(client, mails, port, apis).run(report)
    return report.end()


def main() -> None:
    """Run the checks. Exit with status 1 if one fails."""
    try:
        status = asyncio.run(_main())
    except (StackError, CheckError) as error:
        print(f"checks.matching: {error}", file=sys.stderr)
        status = 1
    raise SystemExit(status)


if __name__ == "__main__":
    main()
