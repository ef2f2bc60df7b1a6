"""The part of Centrifugo's client protocol that a page needs: JSON, one command per line.

A command is decoded and encoded again, never passed on as it was written: two parsers can read the same JSON
differently (a repeated key, a key in capitals), and the hub must not read another channel than the gateway checked.
"""

from typing import Annotated

import msgspec

from gateway.websocket.endings import Refusal

_ABSENT = msgspec.Raw()
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
# The hub keeps these for the whole connection.
_Label = Annotated[str, msgspec.Meta(max_length=255)]


class Subscribe(msgspec.Struct, omit_defaults=True):
    """Joins a channel. Also a value in `subs` of connect, where the channel is the key."""

    channel: str = ""
    token: str = ""
    recover: bool = False
    epoch: str = ""
    offset: int = 0
    positioned: bool = False
    recoverable: bool = False
    join_leave: bool = False
    delta: str = ""
    type: int = 0
    flag: int = 0


class Connect(msgspec.Struct, omit_defaults=True):
    """The first command. subs: channels to join at once."""

    token: str = ""
    subs: dict[str, Subscribe] = {}
    name: _Label = ""
    version: _Label = ""
    flag: int = 0


class Refresh(msgspec.Struct, omit_defaults=True):
    """Replaces the token before it expires."""

    token: str = ""


class Unsubscribe(msgspec.Struct, omit_defaults=True):
    """Leaves a channel."""

    channel: str = ""


class Command(msgspec.Struct, omit_defaults=True):
    """One line. A line without a request is a pong."""

    id: _Number = 0
    connect: Connect | None = None
    subscribe: Subscribe | None = None
    unsubscribe: Unsubscribe | None = None
    refresh: Refresh | None = None
    # A page only reads. The other requests of the protocol are refused.
    publish: msgspec.Raw = _ABSENT
    presence: msgspec.Raw = _ABSENT
    presence_stats: msgspec.Raw = _ABSENT
    history: msgspec.Raw = _ABSENT
    ping: msgspec.Raw = _ABSENT
    send: msgspec.Raw = _ABSENT
    rpc: msgspec.Raw = _ABSENT
    sub_refresh: msgspec.Raw = _ABSENT

    @property
    def requests(self) -> list[str]:
        """The names of the requests: at most one in a valid command."""
        return [name for name in self.__struct_fields__[1:] if getattr(self, name) not in (None, _ABSENT)]


class HubReply(msgspec.Struct):
    """One line of the hub, as far as the gateway reads it."""

    id: int = 0
    connect: dict[str, msgspec.Raw] | None = None
    refresh: dict[str, msgspec.Raw] | None = None


class UnreadableError(Exception):
    """The line is not a valid command."""


_decode = msgspec.json.Decoder(Command).decode
_decode_reply = msgspec.json.Decoder(HubReply).decode
_encode = msgspec.json.Encoder().encode


def read(line: str) -> Command:
    """Return the command. Raises UnreadableError."""
    try:
        return _decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise UnreadableError from error


def write(command: Command) -> str:
    """Return the command as a line. Raises UnreadableError for text that is not valid Unicode."""
    try:
        return _encode(command).decode()
    except ValueError as error:
        raise UnreadableError from error


def read_replies(data: str) -> list[HubReply]:
    """Return the lines of a frame of the hub. Pushes have the id 0."""
    return [_decode_reply(line) for line in data.split("\n") if line]


def refused(command_id: int, refusal: Refusal) -> str:
    """Return the reply for a refused command."""
    error: dict[str, object] = {"code": refusal.code, "message": refusal.message}
    if refusal.temporary:
        error["temporary"] = True
    return _encode({"id": command_id, "error": error}).decode()
