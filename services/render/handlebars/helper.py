"""What a helper is: plain values in, a plain value out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from services.render.handlebars.culture import Culture
from services.render.handlebars.values import child, is_true, text_of

Options: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Helper:
    """A function of its arguments, its options (``key=value``) and whose language it is for.

    least, most: how many arguments. options: the keys it knows, None: any. decides: its value is yes or no, so it may
    also open a block. takes_context: the value that names are looked up in comes before its arguments.
    parameters: what its arguments are called; the last one stands for all others. summary: a sentence. example: a
    template that calls it, which is on docs/handlebars.md.
    """

    call: Callable[[tuple[Any, ...], Options, Culture], Any]
    least: int
    most: int
    options: frozenset[str] | None = field(default=frozenset())
    decides: bool = False
    takes_context: bool = False
    parameters: tuple[str, ...] = ()
    summary: str = ""
    example: str = ""

    @property
    def arity(self) -> str:
        """How many arguments it takes, in words."""
        if self.least == self.most:
            return f"{self.least} argument{'' if self.least == 1 else 's'}"
        return f"{self.least} to {self.most} arguments"


def _lookup(arguments: tuple[Any, ...], _options: Options, _culture: Culture) -> Any:
    value, key = arguments
    # As everywhere in Handlebars, what is not true has nothing inside, and is itself what is found.
    return child(value, text_of(key)) if is_true(value) or type(value) is list else value


def _log(_arguments: tuple[Any, ...], _options: Options, _culture: Culture) -> str:
    # A recipient's data belongs into no log.
    return ""


# Handlebars' own, beside the blocks.
BUILT_IN: Mapping[str, Helper] = {
    "lookup": Helper(
        _lookup,
        2,
        2,
        parameters=("value", "key"),
        summary="Returns the member of an object or list whose key is in the data.",
        example="{{lookup address which}} {{lookup items 1}}",
    ),
    "log": Helper(
        _log,
        0,
        16,
        frozenset(("level",)),
        parameters=("value",),
        summary="Writes nothing and logs nothing; for templates from other systems.",
        example='{{log "seen" name level="error"}}x',
    ),
}
