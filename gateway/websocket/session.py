"""Which commands of one browser are passed to the hub: authentication, and channels that its token names.

Frames of the hub are parsed only while the reply to a token is awaited.
"""

import time
from dataclasses import dataclass, field

import msgspec

from gateway.websocket import commands
from gateway.websocket.commands import Command, UnreadableError
from gateway.websocket.endings import (
    BAD_REQUEST,
    INVALID_TOKEN,
    PERMISSION_DENIED,
    REQUEST_LIMIT,
    TOO_MANY_REQUESTS,
    Ending,
    Refusal,
)
from gateway.websocket.slots import ConnectionSlot, ConnectionSlots, refusals
from gateway.websocket.token import Claims, claims_of
from gateway.websocket.token_bucket import Now, TokenBucket

# Commands of one connection at once, and per second. Past it the connection ends.
COMMANDS_BURST = 256
COMMANDS_PER_SECOND = 16.0
# The characters of commands that may wait for the hub's reply to `connect`.
MAX_HELD = 64 * 1024


@dataclass(slots=True)
class Checked:
    """The result for a frame: lines for the hub, replies of the gateway itself, or the end of the connection."""

    for_hub: list[str] = field(default_factory=list)
    for_browser: list[str] = field(default_factory=list)
    ending: Ending | None = None


@dataclass(frozen=True, slots=True)
class _Awaited:
    """A token that the hub is checking. kind: connect or refresh."""

    kind: str
    id: int
    claims: Claims | None
    # The number of channels that the hub joins with it.
    joins: int = 0


class BrowserSession:
    """The session of one connection. It starts unauthenticated."""

    def __init__(self, slot: ConnectionSlot, slots: ConnectionSlots, *, now: Now = time.monotonic) -> None:
        self._slot = slot
        self._slots = slots
        self._rate = TokenBucket(COMMANDS_BURST, COMMANDS_PER_SECOND, now=now)
        self._claims: Claims | None = None
        self._awaited: _Awaited | None = None
        self._held: list[str] = []

    @property
    def awaits_reply(self) -> bool:
        """Whether frames of the hub must be passed to read()."""
        return self._awaited is not None

    def count(self, amount: int = 1) -> Ending | None:
        """Count commands of the browser. Return the ending if there were too many."""
        if self._rate.take(amount):
            return None
        refusals.labels("commands").inc()
        return TOO_MANY_REQUESTS

    def check(self, data: str) -> Checked:
        """Check a frame of the browser."""
        lines = [line for line in data.split("\n") if line.strip()]
        ending = self.count(max(1, len(lines)))
        return Checked(ending=ending) if ending is not None else self._checked(lines)

    def read(self, data: str) -> Checked:
        """Parse a frame of the hub, which is passed on. Check commands that waited for it."""
        try:
            replies = commands.read_replies(data)
        except msgspec.DecodeError:
            return Checked()
        for reply in replies:
            if self._awaited is not None and self._awaited.id == reply.id:
                awaited, self._awaited = self._awaited, None
                if (ending := self._answered(awaited, reply)) is not None:
                    return Checked(ending=ending)
        if self._awaited is not None or not self._held:
            return Checked()
        held, self._held = self._held, []
        return self._checked(held)

    def _checked(self, lines: list[str]) -> Checked:
        checked = Checked()
        for position, line in enumerate(lines):
            if self._is_connecting:
                checked.ending = self._hold(lines[position:])
                break
            try:
                self._decide(commands.read(line), checked)
            except UnreadableError:
                checked.ending = BAD_REQUEST
            if checked.ending is not None:
                break
        return checked

    @property
    def _is_connecting(self) -> bool:
        return self._claims is None and self._awaited is not None

    def _hold(self, lines: list[str]) -> Ending | None:
        self._held += lines
        return BAD_REQUEST if sum(map(len, self._held)) > MAX_HELD else None

    def _decide(self, command: Command, checked: Checked) -> None:
        requests = command.requests
        if not requests:
            checked.for_hub.append(commands.write(command))
            return
        is_in_order = len(requests) == 1 and command.id > 0 and (self._claims is None) == (requests == ["connect"])
        if not is_in_order:
            checked.ending = BAD_REQUEST
            return
        refusal = None
        if command.connect is not None:
            self._connect(command.id, command.connect)
        elif command.refresh is not None:
            checked.ending = self._refresh(command.id, command.refresh.token)
        elif command.subscribe is not None:
            refusal = self._subscribe(command.subscribe.channel)
        elif command.unsubscribe is None:
            refusal = PERMISSION_DENIED
        if refusal is None:
            checked.for_hub.append(commands.write(command))
        else:
            checked.for_browser.append(commands.refused(command.id, refusal))

    def _connect(self, command_id: int, connect: commands.Connect) -> None:
        """Wait for the hub's reply. Channels that the token does not list are removed from the command."""
        claims = claims_of(connect.token)
        lists = claims is not None and claims.namespaces is not None
        connect.subs = {
            channel: options
            for channel, options in connect.subs.items()
            if lists and claims is not None and claims.opens(channel)
        }
        self._awaited = _Awaited("connect", command_id, claims, joins=len(connect.subs))
        self._slots.heard(self._slot)

    def _refresh(self, command_id: int, token: str) -> Ending | None:
        if self._awaited is not None:
            return BAD_REQUEST
        self._awaited = _Awaited("refresh", command_id, claims_of(token))
        return None

    def _subscribe(self, channel: str) -> Refusal | None:
        claims, user = self._claims, self._slot.user
        if claims is None or user is None or not claims.opens(channel):
            refusals.labels("channel").inc()
            return PERMISSION_DENIED
        if user.subscribes.take() and (claims.namespaces is not None or user.unlisted.take()):
            return None
        refusals.labels("subscribes").inc()
        return REQUEST_LIMIT

    def _answered(self, awaited: _Awaited, reply: commands.HubReply) -> Ending | None:
        """Handle the hub's reply to a token."""
        if awaited.kind == "refresh":
            # The hub accepts only a token of the same user.
            if reply.refresh is not None and awaited.claims is not None:
                self._claims = awaited.claims
            return None
        if reply.connect is None:
            # The hub would end a connection with commands before it is authenticated.
            return BAD_REQUEST if self._held else None
        return self._admit(awaited)

    def _admit(self, awaited: _Awaited) -> Ending | None:
        if awaited.claims is None:
            return INVALID_TOKEN
        if (ending := self._slots.admit(self._slot, awaited.claims.principal)) is not None:
            return ending
        self._claims = awaited.claims
        if self._slot.user is not None and not self._slot.user.subscribes.take(awaited.joins):
            return TOO_MANY_REQUESTS
        return None
