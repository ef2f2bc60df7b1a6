"""Checks of a tenant's own rules: channels, languages, suppressions, signatures, limits, tokens.

Part of `make smoke`, on a tenant of its own, which is deactivated at the end.
"""

import hashlib
import hmac
import secrets
from typing import Any

import msgspec

from checks.client import Answer, Client, Tenant, order
from checks.report import Report
from checks.waiting import expect, until

_EVENT = "parcel.sent"
_WITHIN_S = 30.0
_USER = "ada"
_MJML = "<mjml><mj-body><mj-section><mj-column><mj-text>{{orderId}}</mj-text></mj-column></mj-section></mj-body></mjml>"


class Rules:
    """The checks in order. Each may depend on earlier ones."""

    def __init__(self, client: Client, tenant: Tenant) -> None:
        self._operator = client.operator
        self._tenant = tenant
        self._path = f"/tenants/{tenant.id}"

    async def run(self, report: Report) -> None:
        """Run every check, then deactivate the tenant."""
        await report.check("three channels wanted, three sent: EMAIL, SMS, PUSH", self.every_channel)
        await report.check("a call for one channel narrows to it", self.narrowed)
        await report.check("without an address its channel is skipped, and says so", self.no_address)
        await report.check("a recipient's language chooses the text", self.language)
        await report.check("a suppressed number gets nothing, and gets it again once lifted", self.suppressed)
        await report.check("a global event reaches a tenant without templates for it", self.platform_template)
        await report.check("with a secret an unsigned event is 401, a signed one 200", self.signed)
        await report.check("over its limit a tenant receives the time to wait", self.limited)
        await report.check("a revoked token opens nothing", self.revoked)
        await report.check("an event is replayed, as a new one", self.replayed)
        await report.check("a recipient is erased: nothing of them is left to export", self.erased)
        await report.check("deactivated, it is refused with 401", self.deactivated)

    async def every_channel(self) -> None:
        """One template per channel."""
        for channel, body, more in (
            ("EMAIL", _MJML, {"subject": "Parcel {{orderId}}"}),
            ("SMS", "Parcel {{orderId}} is on its way", {}),
            ("PUSH", "It is on its way", {"subject": "Parcel {{orderId}}", "push_namespace": "orders"}),
        ):
            await self._operator.create_template(self._tenant, _EVENT, channel, body, **more)
        await self._expect({"EMAIL": "sent", "SMS": "sent", "PUSH": "sent"}, self._event())

    async def narrowed(self) -> None:
        """The other channels are skipped, because the event does not name them."""
        await self._expect({"EMAIL": "skipped", "SMS": "sent", "PUSH": "skipped"}, self._event(channels=["SMS"]))

    async def no_address(self) -> str:
        """Skipped, with a reason."""
        deliveries = await self._deliveries(self._event(recipientPhone=None))
        sms = deliveries["SMS"]
        expect(sms["status"] == "skipped" and sms["reason"], f"{sms}")
        expect(deliveries["EMAIL"]["status"] == "sent", f"{deliveries}")
        return str(sms["reason"])

    async def language(self) -> None:
        """A version in Swahili is used for recipients who read it."""
        await self._operator.create_template(
            self._tenant, _EVENT, "SMS", "Kifurushi {{orderId}} kiko njiani", locale="sw"
        )

        async def is_read() -> bool:
            event = self._event(channels=["SMS"], locale="sw-KE")
            event_id = await self._tenant.accept(event)
            await until(lambda: self._operator.finished(event_id), "the event's end", deadline=_WITHIN_S)
            texts = await self._texts(event_id)
            expect(texts == [f"Kifurushi {event['variables']['orderId']} kiko njiani"], f"{texts}")
            return True

        await until(is_read, "a text in Swahili", deadline=_WITHIN_S)

    async def suppressed(self) -> str:
        """An operator suppresses the address. A bounce has the same effect."""
        body = {"tenant_id": self._tenant.id, "channel": "SMS", "address": "+254712345678"}
        made = await self._operator.must("POST", "/suppressions", json=body)

        async def skipped() -> dict[str, Any] | None:
            sms = (await self._deliveries(self._event(channels=["SMS"])))["SMS"]
            return sms if sms["status"] == "skipped" else None

        sms = await until(skipped, "a skipped SMS", deadline=_WITHIN_S)
        await self._operator.must("DELETE", f"/suppressions/{made['id']}")

        async def sent() -> bool:
            return bool((await self._deliveries(self._event(channels=["SMS"])))["SMS"]["status"] == "sent")

        await until(sent, "an SMS after lifting", deadline=_WITHIN_S)
        return str(sms["reason"])

    async def platform_template(self) -> None:
        """The five global types need no setting up."""
        event = self._event()
        event["eventType"] = "global.success"
        event["variables"] = {"title": "Welcome", "message": "Your account is ready."}
        deliveries = await self._deliveries(event)
        expect(any(one["status"] == "sent" for one in deliveries.values()), f"{deliveries}")

    async def signed(self) -> None:
        """The HMAC is over the bytes as they are sent."""
        made = await self._operator.must("POST", f"{self._path}/webhook-secret", json={})
        raw = msgspec.json.encode(self._event(channels=["SMS"]))
        signature = hmac.new(made["webhook_secret"].encode(), raw, hashlib.sha256).hexdigest()

        async def unsigned() -> bool:
            return (await self._tenant.trigger(raw=raw)).status == 401

        await until(unsigned, "a refusal of what is not signed", deadline=_WITHIN_S)
        answer = await self._tenant.trigger(raw=raw, headers={"X-Orqestra-Signature": signature})
        expect(answer.status == 200, f"{answer.status} {answer.body}")
        await self._operator.must("DELETE", f"{self._path}/webhook-secret")

    async def limited(self) -> str:
        """With one event per minute, a repeat of the accepted event does not count."""
        await self._operator.must("PATCH", self._path, json={"rate_limit_per_minute": 1})

        async def refused() -> Answer | None:
            answer = await self._tenant.trigger(self._event(channels=["SMS"]))
            return answer if answer.status == 429 else None

        answer = await until(refused, "a refusal", deadline=_WITHIN_S)
        seconds = answer.body["retryAfter"]
        expect(0 < seconds <= 60 and answer.headers["Retry-After"] == str(seconds), f"{answer.headers} {answer.body}")
        await self._operator.must("PATCH", self._path, json={"rate_limit_per_minute": None})
        return f"in {seconds} s"

    async def revoked(self) -> None:
        """The old token is refused at the inbox, a new one is not."""
        old = (await self._tenant.token(_USER))["token"]
        await self._operator.must("POST", f"{self._path}/revoke-tokens", json={"user_id": _USER})

        async def shut() -> bool:
            return (await self._tenant.inbox(_USER, headers={"Authorization": f"Bearer {old}"})).status == 401

        await until(shut, "the end of the old token", deadline=_WITHIN_S)
        fresh = (await self._tenant.token(_USER))["token"]
        answer = await self._tenant.inbox(_USER, headers={"Authorization": f"Bearer {fresh}"})
        expect(answer.status == 200 and answer.body["success"], f"{answer.status} {answer.body}")

    async def replayed(self) -> None:
        """An operator replays the event."""
        event_id = await self._tenant.accept(self._event(channels=["SMS"]))
        await until(lambda: self._operator.finished(event_id), "the event's end", deadline=_WITHIN_S)
        again = (await self._operator.must("POST", f"/events/{event_id}/replay", json={}))["event_id"]
        expect(again != event_id, "it is the same event")
        await until(lambda: self._operator.finished(again), "the replay's end", deadline=_WITHIN_S)
        expect(len(await self._texts(again)) == 1, "the replay was not sent once")

    async def erased(self) -> str:
        """The recipient is erased from inbox, ledger and sandbox."""
        body = {"user_id": _USER}
        erased = await self._operator.must("POST", f"{self._path}/recipients/erase", json=body)
        expect(erased["complete"], f"{erased}")
        left = await self._operator.must("POST", f"{self._path}/recipients/export", json=body)
        expect(not left["inbox"] and not any(one["messages"] for one in left["events"]), f"{left}")
        return f"{sum(erased['erased'].values())} rows"

    async def deactivated(self) -> None:
        """A deactivated tenant is refused, and the operator still sees its data."""
        await self._operator.must("DELETE", self._path)

        async def refused() -> bool:
            return (await self._tenant.trigger(self._event())).status == 401

        await until(refused, "a refusal", deadline=_WITHIN_S)

    def _event(self, *, channels: list[str] | None = None, **payload: str | None) -> dict[str, Any]:
        """Return a new event; a payload's None leaves a field out."""
        event = order(f"R-{secrets.token_hex(4)}", _USER)
        event |= {"eventType": _EVENT, "channels": channels or []}
        event["payload"] = {key: value for key, value in (event["payload"] | payload).items() if value is not None}
        return event

    async def _deliveries(self, event: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Trigger an event and return its deliveries by channel once it is finished."""
        event_id = await self._tenant.accept(event)
        done = await until(lambda: self._operator.finished(event_id), "the event's end", deadline=_WITHIN_S)
        return {one["channel"]: one for one in done["deliveries"]}

    async def _expect(self, wanted: dict[str, str], event: dict[str, Any]) -> None:
        found = {channel: one["status"] for channel, one in (await self._deliveries(event)).items()}
        expect(found == wanted, f"{found}")

    async def _texts(self, event_id: str) -> list[str]:
        """Return the sandbox messages of an event from the recipient's export."""
        body = {"user_id": _USER}
        found = await self._operator.must("POST", f"{self._path}/recipients/export", json=body)
        return [message["text"] for one in found["events"] if one["id"] == event_id for message in one["messages"]]
