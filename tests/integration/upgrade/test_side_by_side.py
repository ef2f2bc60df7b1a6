"""Processes of the previous version and of this one side by side, readers first, while events flow.

The order is that of a rolling upgrade: `clarion migrate`; then senders and realtime, with render, which they ask; then
the router; then ingest; the gateways last. Each process of this version runs beside the one that it replaces.
"""

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from checks.client import Http, Operator, Tenant
from checks.sink import Sink
from checks.waiting import CheckError, until
from runtime import nats
from services.domain import topology
from stack.folder import Folder
from tests.integration.senders.mail_servers import Catcher, serving
from tests.integration.upgrade import recording
from tests.integration.upgrade.arrivals import arrivals, differences, report
from tests.integration.upgrade.calls import LARGE, call
from tests.integration.upgrade.installation import ROLES, TODAY, Installation, installation
from tests.streams import messages_of

pytestmark = [pytest.mark.slow]

# The roles of each step, and the processes of the previous version that end in it.
STEPS = (("render", "senders", "realtime"), ("router",), ("ingest",), ("gateway",))
_RETRIES = {"CLARION_RETRY_DELAYS_S": "0.5,0.5"}
_DEADLINE_S = 60.0
# How many events are under way at a time, and how many must go all the way in each part of a step.
_SIDES, _MORE = 4, 6
# So many that the hub, which keeps 50 publications of a channel, forgets none.
_USERS = 40
_AWAY = (CheckError, aiohttp.ClientError, ConnectionError, TimeoutError)
_MARKER = re.compile(rb"^Subject:[^\n]*?#([^#\n]+)#", re.MULTILINE)


@dataclass
class Moody(Catcher):
    """A mail server that refuses some mail at first: "-late" once, "-dead" until it relents."""

    relents: bool = False
    refused: Counter[str] = field(default_factory=Counter)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Answer the content."""
        found = _MARKER.search(envelope.original_content or b"")
        marker = found.group(1).decode() if found else ""
        if (marker.endswith("-late") and not self.refused[marker]) or (marker.endswith("-dead") and not self.relents):
            self.refused[marker] += 1
            return "451 4.7.1 Try again"
        return await super().handle_DATA(server, session, envelope)


@dataclass
class Sent:
    """An accepted event."""

    id: str
    marker: str
    body: bytes
    key: str
    ends: dict[str, str]
    step: int


@dataclass
class Flow:
    """Sends events one after the other from several sides: the next one when the one before is finished."""

    tenant: Tenant
    operator: Operator
    step: int = 0
    sent: list[Sent] = field(default_factory=list)
    finished: list[Sent] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _stopping: bool = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send for the length of a block, and until what was sent is finished."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_SIDES):
                group.create_task(self._side())
            try:
                yield
            finally:
                self._stopping = True

    def through(self, http: Http) -> None:
        """Send through other gateways from now on."""
        self.tenant = Tenant(http, self.tenant.id, self.tenant.api_key, self.tenant.name)
        self.operator = Operator(http, self.operator.admin_token)

    async def more(self, what: str) -> None:
        """Return when more events went all the way that were accepted after this call."""
        before = {one.id for one in self.sent}

        async def are_finished() -> bool:
            done = sum(one.id not in before for one in self.finished)
            if done < _MORE:
                left = [one.marker for one in self.sent if one not in self.finished]
                raise CheckError(f"{done} of {_MORE} events are finished, under way are {left}")
            return True

        await until(are_finished, f"LOST OR STUCK {what}", deadline=_DEADLINE_S)

    async def repeat(self, events: Sequence[Sent]) -> None:
        """Repeat calls; each must be answered with the first event."""
        for one in events:
            again = await self._accepted(one.body, one.key)
            assert again == one.id, f"event {one.marker} of step {one.step}, repeated in step {self.step}, is another"

    async def send(self, marker: str, body: dict[str, Any], ends: dict[str, str], *, key: str = "") -> Sent:
        """Send an event; return it when it is accepted."""
        raw = msgspec.json.encode(body)
        one = Sent(await self._accepted(raw, key), marker, raw, key, ends, self.step)
        self.sent.append(one)
        return one

    async def until_finished(self, one: Sent) -> None:
        """Return when an event is finished."""

        async def is_finished() -> bool:
            try:
                return bool(await self.operator.finished(one.id))
            except _AWAY as error:  # a gateway or ingest is being replaced
                raise CheckError(repr(error)) from error

        await until(is_finished, f"LOST OR STUCK: the end of event {one.marker}", deadline=_DEADLINE_S, every=0.1)

    async def _side(self) -> None:
        while not self._stopping:
            number = next(self._numbers)
            one = await self.send(*_event(number), key=f"key-{number}" if number % 2 else "")
            await self.until_finished(one)
            self.finished.append(one)

    async def _accepted(self, raw: bytes, key: str) -> str:
        """Return the event's id, from whichever gateway answers. A repeat after an unclear answer is the same event."""

        async def is_accepted() -> str:
            headers = {"X-Idempotency-Key": key} if key else {}
            try:
                answer = await self.tenant.trigger(raw=raw, headers=headers)
            except _AWAY as error:
                raise CheckError(repr(error)) from error
            if answer.status != 200:
                raise CheckError(f"{answer.status} {answer.body}")
            return answer.event_id

        return await until(is_accepted, "an accepted event", deadline=_DEADLINE_S, every=0.1)


def _event(number: int) -> tuple[str, dict[str, Any], dict[str, str]]:
    """Return the marker, body and ends of the next event."""
    ends = {"EMAIL": "sent", "SMS": "sent", "PUSH": "sent"}
    marker, kind = f"n-{number}", number % 5
    more: dict[str, Any] = {}
    if kind == 0:
        more["items"] = LARGE
    elif kind == 1:
        marker = f"n-{number}-late"
    elif kind == 2:
        marker, more["locale"] = f"n-{number}-de", "de"
    elif kind == 3:
        more["email"], ends["EMAIL"] = "", "skipped"
    return marker, call("order.placed", marker, f"user-{number % _USERS}", **more), ends


async def _tenant(operator: Operator, mail_port: int) -> Tenant:
    smtp = {"host": "127.0.0.1", "port": mail_port, "tls": "none", "from_email": "us@tenant.example"}
    tenant = await operator.create_tenant("Shop", providers={"EMAIL": ("smtp", smtp), "SMS": ("sandbox", {})})
    make = operator.create_template
    await make(tenant, "order.placed", "EMAIL", "<p>Items: {{items.length}}</p>", subject="#{{marker}}# placed")
    await make(tenant, "order.placed", "SMS", "#{{marker}}# placed")
    await make(tenant, "order.placed", "SMS", "#{{marker}}# bestellt", locale="de")
    await make(tenant, "order.placed", "PUSH", "Placed", subject="#{{marker}}# placed", push_namespace="orders")
    return tenant


async def _redeliver(running: Installation) -> None:
    """Put all of EVENTS there again, as the broker delivers what a router had routed and not acknowledged."""
    connection = await nats.connect(running.nats_url, name="test")
    try:
        jetstream = connection.jetstream()
        for message in await messages_of(jetstream, topology.EVENTS):
            await jetstream.publish(message.subject or "", message.data or b"")
    finally:
        await connection.close()


async def test_a_rolling_upgrade_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Each message arrives once, whichever version accepted, routed, retried and sent it."""
    previous = recording.unpacked_code(tmp_path / "previous")
    secrets = Folder(tmp_path / "secrets").secrets()
    mail = Moody()
    async with installation(tmp_path / "stack", secrets, replicas=2) as running, serving(mail) as mail_port:
        await running.start_servers()
        await running.command(previous, "migrate")
        await running.start(previous, *ROLES, environment=_RETRIES)
        operator = running.operator()
        flow = Flow(await _tenant(operator, mail_port), operator)
        token = (await flow.tenant.token("user-0"))["token"]
        letter = await flow.send(
            "d-dead", call("order.placed", "d-dead", "user-0", channels=["EMAIL"]), {"EMAIL": "sent"}
        )
        await flow.until_finished(letter)
        async with flow.running():
            await flow.more("of the previous version")
            await running.command(TODAY, "migrate")
            await flow.more("of the previous version on this version's tables")
            for step, roles in enumerate(STEPS, 1):
                flow.step = step
                names = [f"{role}-2" for role in roles]
                await running.start(TODAY, *names, environment=_RETRIES)
                if "gateway" in roles:
                    flow.through(running.http(["gateway", "gateway-2"]))
                if "router" in roles:
                    await _redeliver(running)
                await flow.more(f"while {', '.join(roles)} are of both versions")
                if "gateway" in roles:
                    flow.through(running.http(["gateway-2"]))
                if "router" in roles:
                    await running.kill("router")
                    await _redeliver(running)
                else:
                    await running.stop(*roles)
                await flow.more(f"with {', '.join(roles)} of this version")
                before = [one for one in flow.finished if one.step == step - 1]
                await flow.repeat(before[-5:])
                if "senders" in roles:
                    mail.relents = True
                    delivery = _delivery(await operator.event(letter.id) or {}, "EMAIL")
                    await operator.must("POST", f"/dead-letters/{delivery}/replay")
        operator = flow.operator
        sink = Sink(running.postgres_url, running.nats_url)
        await until(sink.quiet, f"LOST OR STUCK: the end of everything; logs: {running.logs}", deadline=_DEADLINE_S)
        await _check(running, flow, mail)
        headers = {"Authorization": f"Bearer {token}"}
        assert (await flow.tenant.inbox("user-0", headers=headers)).status == 200, "the token is not valid any more"


async def _check(running: Installation, flow: Flow, mail: Moody) -> None:
    users = [("Shop", f"user-{number}") for number in range(_USERS)]
    found = await arrivals(running, flow.operator, {"Shop": flow.tenant}, users, mail)
    expected = Counter(
        {(one.marker, channel): 1 for one in flow.sent for channel, end in one.ends.items() if end == "sent"}
    )
    steps = {one.marker: one.step for one in flow.sent}
    wrong = [
        f"{line} (accepted in step {steps.get(line.split()[2])})" for line in differences(expected, found.messages)
    ]
    german = {marker for (marker, channel), text in found.texts.items() if channel == "SMS" and "bestellt" in text}
    assert german == {one.marker for one in flow.sent if one.marker.endswith("-de")}
    pushes = Counter({key: number for key, number in expected.items() if key[1] == "PUSH"})
    wrong += [f"shown on open pages: {line}" for line in differences(pushes, found.shown)]
    for one in flow.sent:
        event = await flow.operator.event(one.id)
        assert event, f"LOST: event {one.marker} of step {one.step} is not in the ledger"
        ends = {delivery["channel"]: delivery["status"] for delivery in event["deliveries"]}
        wrong += [
            f"event {one.marker} of step {one.step}: {channel} is {ends.get(channel)} instead of {end}"
            for channel, end in one.ends.items()
            if ends.get(channel) != end
        ]
    assert not wrong, report(wrong)
    assert {one.step for one in flow.finished} == set(range(len(STEPS) + 1))
    assert any(marker.endswith("-late") for marker in mail.refused), "no mail was ever retried"


def _delivery(event: dict[str, Any], channel: str) -> str:
    return next(str(one["id"]) for one in event["deliveries"] if one["channel"] == channel)
