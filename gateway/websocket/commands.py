"""The client protocol, as far as a page needs it: JSON, one command a line.

A command is passed on as it was understood here, field by field, and not as it was written: JSON can be written so
that two readers understand two things (a key twice, a key in capitals), and the hub must not read another channel than
the one that was allowed.
"""

from typing import Annotated

import msgspec

from gateway.websocket.endings import Refusal

_ABSENT = msgspec.Raw()
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
# The hub keeps both for as long as the connection lasts.
_Label = Annotated[str, msgspec.Meta(max_length=255)]


class Subscribe(msgspec.Struct, omit_defaults=True):
    """Also the value of connect's subs, where the channel is the key."""

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
    """The first command. subs: what the hub is asked to join at once."""

    token: str = ""
    subs: dict[str, Subscribe] = {}
    name: _Label = ""
    version: _Label = ""
    flag: int = 0


class Refresh(msgspec.Struct, omit_defaults=True):
    """The next token, before the present one ends."""

    token: str = ""


class Unsubscribe(msgspec.Struct, omit_defaults=True):
    """Leaves a channel."""

    channel: str = ""


class Command(msgspec.Struct, omit_defaults=True):
    """One line. Without any request it is a pong."""

    id: _Number = 0
    connect: Connect | None = None
    subscribe: Subscribe | None = None
    unsubscribe: Unsubscribe | None = None
    refresh: Refresh | None = None
    # A page only reads: what else the protocol has is refused.
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
        """The names of what is asked for: one, or none."""
        return [name for name in self.__struct_fields__[1:] if getattr(self, name) not in (None, _ABSENT)]


class HubReply(msgspec.Struct):
    """One line of the hub's, as far as the gateway reads it."""

    id: int = 0
    connect: dict[str, msgspec.Raw] | None = None
    refresh: dict[str, msgspec.Raw] | None = None


class UnreadableError(Exception):
    """What came is no command."""


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
    """Return the line. Raises UnreadableError for text that is no Unicode."""
    try:
        return _encode(command).decode()
    except ValueError as error:
        raise UnreadableError from error


def read_replies(data: str) -> list[HubReply]:
    """Return a frame of the hub's, line by line; pushes have the id 0."""
    return [_decode_reply(line) for line in data.split("\n") if line]


def refused(command_id: int, refusal: Refusal) -> str:
    """Return the reply to a command that is not passed on."""
    error: dict[str, object] = {"code": refusal.code, "message": refusal.message}
    if refusal.temporary:
        error["temporary"] = True
    return _encode({"id": command_id, "error": error}).decode()
