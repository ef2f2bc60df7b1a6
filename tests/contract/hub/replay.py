"""Replay the recorded transcript against a server.

`transcript.jsonl` was recorded from a real Centrifugo v6.9.1 started with `config.json`. Each line
is one case. Most WebSocket cases stand alone: they run at once, on a server of their own, so that
the long waits (a ping after up to 25 s) overlap. The others are one story about two channels and
run in the recorded order on a second server: the frames of "live publication" are answers to the
API cases recorded just before it, one frame each.

Tolerated, and nothing else: a version and a client id of any value; an epoch of any value, but
within a server the same one for a channel; `ttl` 30 s less or 2 s more; no `epoch` in a publication.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Iterator
from typing import Any, Final

import aiohttp

from tests.waiting import eventually

from .servers import API_KEY, HERE, SECRET, Server
from .wire import Closed, Wire, token_for

SILENCE: Final = 0.3
PING_WAIT: Final = 60
RECORDED_EPOCH: Final = "VhLDsRly"
ORIGINS: Final = {
    "connect: origin allowed": "http://page.test",
    "connect: origin refused": "http://elsewhere.test",
}
_TOKEN: Final = re.compile(
    r"<token sub=(?P<sub>\S*) exp=(?P<exp>none|[+-]\d+s)"
    r"(?P<other> other secret)?(?: channels=\['(?P<channel>[^']*)'\])?>"
)

Case = dict[str, Any]


class Deviation(AssertionError):
    """The server did something else than what was recorded."""


def recorded() -> list[Case]:
    """Return the transcript's cases in order."""
    lines = (HERE / "transcript.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def case_id(index: int, case: Case) -> str:
    """Name a case for people: line, kind and its own name (not unique by itself)."""
    return f"{index + 1:02d} {case['kind']} {case['case']}"


def in_story(case: Case) -> bool:
    """Tell the cases that build on each other from those that stand alone."""
    return case["kind"] == "api" or any(channel.startswith(("live#", "rec#")) for channel in _channels(case))


def _channels(case: Case) -> Iterator[str]:
    for frame in case.get("frames", []):
        sent = frame.get("send")
        for command in sent if isinstance(sent, list) else []:
            if "subscribe" in command:
                yield command["subscribe"]["channel"]


class Replay:
    """One pass over the transcript; `outcomes` holds what went wrong in each case, or None."""

    def __init__(self, alone: Server, story: Server) -> None:
        """Take two fresh servers with the recorded configuration."""
        self.alone = alone
        self.story = story
        self.cases = recorded()
        self.outcomes: dict[int, Exception | None] = {}
        self._epochs: dict[str, str] = {}

    async def run(self) -> None:
        """Replay everything."""
        async with aiohttp.ClientSession() as session:
            alone = [
                self._noting(index, self._alone(session, case))
                for index, case in enumerate(self.cases)
                if not in_story(case)
            ]
            await asyncio.gather(self._tell(session), *alone)

    async def _noting(self, index: int, replay: Awaitable[None]) -> None:
        try:
            await replay
        except (AssertionError, KeyError, OSError, aiohttp.ClientError, TimeoutError) as problem:
            self.outcomes[index] = problem
        else:
            self.outcomes[index] = None

    async def _alone(self, session: aiohttp.ClientSession, case: Case) -> None:
        if case["kind"] == "http":
            async with session.get(self.alone.http_url + case["path"]) as answer:
                compare(case["status"], answer.status, "status")
                compare(case["response"], await answer.text(), "response")
            return
        await self._websocket(session, self.alone, case)

    async def _tell(self, session: aiohttp.ClientSession) -> None:
        """Replay the story: in order, but for the case that listens to the ones before it."""
        told = [index for index, case in enumerate(self.cases) if in_story(case)]
        live = next(index for index in told if self.cases[index]["case"] == "live publication")
        before = [index for index in told if index < live]
        await self._noting(live, self._live(session, self.cases[live], before))
        for index in told:
            if index > live:
                await self._noting(index, self._told(session, self.cases[index]))

    async def _told(self, session: aiohttp.ClientSession, case: Case) -> None:
        if case["kind"] == "api":
            await self._api(session, case)
        else:
            await self._websocket(session, self.story, case)

    async def _live(self, session: aiohttp.ClientSession, case: Case, causes: list[int]) -> None:
        """Let the frames after the two opening exchanges answer one API case each."""
        opening, answers = case["frames"][:4], case["frames"][4:]
        compare(len(answers), len(causes), "answers")
        async with session.ws_connect(self.story.ws_url) as socket:
            wire = Wire(socket)
            for frame in opening:
                await self._frame(wire, frame)
            for index, frame in zip(causes, answers, strict=True):
                await self._noting(index, self._api(session, self.cases[index]))
                await self._frame(wire, frame)

    async def _websocket(self, session: aiohttp.ClientSession, server: Server, case: Case) -> None:
        origin = ORIGINS.get(case["case"])
        refused = case["frames"][0].get("handshake")
        try:
            async with session.ws_connect(server.ws_url, origin=origin) as socket:
                compare(refused, None, "handshake")
                wire = Wire(socket)
                for frame in case["frames"]:
                    await self._frame(wire, frame)
        except aiohttp.WSServerHandshakeError as refusal:
            compare(refused, refusal.status, "handshake")

    async def _frame(self, wire: Wire, frame: Case) -> None:
        match frame:
            case {"send": commands}:
                await wire.send(*(self._filled(command) for command in commands))
            case {"send_text": text}:
                await wire.socket.send_str(text)
            case {"recv": "nothing"}:
                compare(None, await wire.silent(SILENCE), "silence")
            case {"recv": frames}:
                for expected in frames:
                    self._same(expected, await wire.next(30 if expected else PING_WAIT))
            case {"close": code, "reason": reason}:
                compare(Closed(code, reason), await wire.next(), "close")
            case {"type": "257"}:  # aiohttp's number for: nothing comes after the close
                compare(aiohttp.WSMsgType.CLOSED, (await wire.socket.receive(10)).type, "end")
            case _:
                message = f"the transcript has a frame this replay does not know: {frame}"
                raise Deviation(message)

    async def _api(self, session: aiohttp.ClientSession, case: Case) -> None:
        body = case.get("request_text") or json.dumps(case["request"])
        headers = case.get("headers", {"X-API-Key": API_KEY})
        url = f"{self.story.api_url}/{case['method']}"

        async def call() -> bool:
            async with session.post(url, data=body, headers=headers) as answer:
                compare(case["status"], answer.status, "status")
                text = await answer.text()
            channel = case.get("request", {}).get("channel")
            expected = case["response"]
            self._same(expected, text if isinstance(expected, str) else json.loads(text), channel)
            return True

        if case["method"] == "channels":
            # A socket's end reaches the server a moment after it was closed here.
            agreed: bool = await eventually(call, 30)
        else:
            agreed = await call()
        assert agreed

    def _same(self, expected: Any, actual: Any, channel: str | None = None) -> None:
        """Compare, and hold every channel to one epoch."""
        compare(expected, actual, "frame")
        for place, epoch in _epochs(expected, actual, channel):
            compare(self._epochs.setdefault(place, epoch), epoch, f"epoch of {place}")

    def _filled(self, command: Case) -> Case:
        """Return a recorded command with a fresh token and this run's epoch."""
        filled: Case = {}
        for key, value in command.items():
            if isinstance(value, dict):
                filled[key] = self._filled(value)
            elif key == "token":
                filled[key] = _token(value)
            elif key == "epoch" and value == RECORDED_EPOCH:
                filled[key] = self._epochs[command["channel"]]
            else:
                filled[key] = value
        return filled


def _token(spec: str) -> str:
    """Make the token that a placeholder describes; anything else is sent as it stands."""
    described = _TOKEN.fullmatch(spec)
    if not described:
        return spec
    expiry = described["exp"]
    return token_for(
        described["sub"],
        None if expiry == "none" else int(expiry.removesuffix("s")),
        "some-other-secret-some-other-secret" if described["other"] else SECRET,
        **({"channels": [described["channel"]]} if described["channel"] else {}),
    )


def _epochs(expected: Any, actual: Any, channel: str | None) -> Iterator[tuple[str, str]]:
    """Find the epochs of an answer that belong to a channel known by name."""
    if not isinstance(expected, dict) or not isinstance(actual, dict):
        return
    channel = expected.get("channel", channel)
    if channel and expected.get("epoch") == "<epoch>" and "epoch" in actual:
        yield channel, actual["epoch"]
    for key, value in expected.items():
        named = key if key not in {"result", "push", "pub", "subscribe"} else channel
        yield from _epochs(value, actual.get(key), named)


def compare(expected: Any, actual: Any, where: str) -> None:
    """Compare a recorded value with an actual one; see the module for what is tolerated."""
    match expected:
        case "<uuid>" | "<epoch>" | "<version>":
            same = isinstance(actual, str) and actual != ""
        case dict():
            _compare_objects(expected, actual, where)
            return
        case list():
            if not isinstance(actual, list) or len(actual) != len(expected):
                _deviate(expected, actual, where)
            for index, item in enumerate(expected):
                compare(item, actual[index], f"{where}[{index}]")
            return
        case _:
            same = expected == actual and type(expected) is type(actual)
    if not same:
        _deviate(expected, actual, where)


def _compare_objects(expected: Case, actual: Any, where: str) -> None:
    if not isinstance(actual, dict):
        _deviate(expected, actual, where)
    is_publication = "data" in expected and "offset" in expected
    optional = {"epoch"} if is_publication else set()
    if (expected.keys() ^ actual.keys()) - optional:
        _deviate(expected, actual, where)
    for key in expected.keys() & actual.keys():
        if key == "ttl" and isinstance(actual[key], int) and -30 <= actual[key] - expected[key] <= 2:
            continue
        compare(expected[key], actual[key], f"{where}.{key}")


def _deviate(expected: Any, actual: Any, where: str) -> None:
    message = f"{where}: recorded {expected!r}, got {actual!r}"
    raise Deviation(message)
