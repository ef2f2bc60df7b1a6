"""Where names of a template lead in its data. Runs in worker processes only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.render.handlebars.tree import Expression, PathExpression
from services.render.handlebars.values import child, is_true, ordered

# Elements of a list that are looked at.
_MAX_ELEMENTS = 20


class Unknown:
    """The type of UNKNOWN."""


# A value that is not known, because a rendering would not come here or a helper could not be called.
UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True)
class VariableScope:
    """A value in which names are looked up. location: its path in the data, "" for the data, None if it has none.

    names: block parameters (``as |…|``), each with its value and location.
    """

    value: Any
    location: str | None
    parent: "VariableScope | None" = None
    names: Mapping[str, tuple[Any, str | None]] = field(default_factory=dict)


def start_of(scope: VariableScope, path: PathExpression) -> tuple[Any, str | None, tuple[str, ...]]:
    """Return the value at which a path starts, that value's location, and the rest of the path."""
    if path.parts and not path.depth and not path.scoped:
        around: VariableScope | None = scope
        while around is not None:
            if path.parts[0] in around.names:
                value, location = around.names[path.parts[0]]
                return value, location, path.parts[1:]
            around = around.parent
    return scope.value, scope.location, path.parts


def location_of(expression: Expression, scope: VariableScope) -> str | None:
    """Return the location in the data to which a path leads; None if it is not known."""
    if not isinstance(expression, PathExpression) or expression.data:
        return None
    at: VariableScope | None = scope
    for _ in range(expression.depth):
        at = None if at is None else at.parent
    if at is None:
        return None
    _, location, parts = start_of(at, expression)
    return joined(location, ".".join(parts))


def joined(location: str | None, name: str) -> str | None:
    """Return the location of a member; None if the location of what it belongs to is not known."""
    if location is None:
        return None
    return f"{location}.{name}" if location and name else location or name


def elements_of(value: Any) -> list[tuple[str, Any]]:
    """Return the first elements of a list or object, with their keys."""
    if type(value) is dict:
        return list(ordered(value).items())[:_MAX_ELEMENTS]
    if type(value) is list:
        return [(str(index), element) for index, element in enumerate(value[:_MAX_ELEMENTS])]
    return []


def member_of(value: Any, part: str) -> Any:
    """Return a member as values.child does, but UNKNOWN for one that is null: it is not missing."""
    if type(value) is dict and part in value and value[part] is None:
        return UNKNOWN
    return child(value, part)


def is_something(value: Any) -> bool:
    """Return whether a block is entered with this value."""
    return value is not UNKNOWN and (is_true(value) or type(value) in (int, float))
