"""Where a workflow run is: what is stored of it between two looks at it. Pure."""

import msgspec


class Token(msgspec.Struct, frozen=True, omit_defaults=True):
    """A place at which the run is; there are several within a parallel step.

    step: the id of the step that comes next, or that waits. wake_at_us: until when it waits, Unix microseconds; 0: the
    run has not come to it yet.
    """

    step: str
    wake_at_us: int = 0


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state of a run. A new one is State().

    is_started: false before the first look. at: in the order in which they go on; none: it has ended, if it was
    started. joined: how many branches of a parallel step have come to their end, by its id. statuses: of each step that
    sends, what was decided when the run came to it ("queued", "skipped").
    """

    is_started: bool = False
    at: tuple[Token, ...] = ()
    joined: dict[str, int] = {}
    statuses: dict[str, str] = {}

    @property
    def at_steps(self) -> tuple[str, ...]:
        """The ids of the steps at which it is."""
        return tuple(token.step for token in self.at)


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(State).decode
