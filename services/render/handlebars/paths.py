"""Paths as functions from a scope to a value."""

from collections.abc import Callable
from typing import Any, TypeAlias

from services.render.handlebars.scope import Scope
from services.render.handlebars.tree import PathExpression
from services.render.handlebars.values import child

Getter: TypeAlias = Callable[[Scope], Any]


def getter(path: PathExpression, names: frozenset[str]) -> Getter:
    """Return the function that finds the path's value. names: those given by ``as |…|`` around it."""
    if path.data:
        return _data(path)
    if path.depth == 0 and path.parts and path.parts[0] in names and not path.scoped:
        return _named(path.parts[0], path.parts[1:])
    if path.depth == 0 and len(path.parts) == 1:
        return _plain(path.parts[0])
    return _value(path)


def _plain(key: str) -> Getter:
    def get(scope: Scope) -> Any:
        value = scope.value
        return value.get(key) if type(value) is dict else child(value, key)

    return get


def _value(path: PathExpression) -> Getter:
    depth, parts = path.depth, path.parts

    def get(scope: Scope) -> Any:
        for _ in range(depth):
            if scope.parent is None:
                return None
            scope = scope.parent
        return _down(scope.value, parts)

    return get


def _named(name: str, rest: tuple[str, ...]) -> Getter:
    def get(scope: Scope) -> Any:
        around: Scope | None = scope
        while around is not None:
            if around.names is not None and name in around.names:
                return _down(around.names[name], rest)
            around = around.parent
        return None

    return get


def _data(path: PathExpression) -> Getter:
    depth, name, rest = path.depth, path.parts[0], path.parts[1:]
    return lambda scope: _down(loop_value(scope, depth, name), rest)


def loop_value(scope: Scope, depth: int, name: str) -> Any:
    """Return the value of ``@name``, None where there is none. depth: how many loops further out it is looked up."""
    if name == "root":
        return scope.rendering.root
    if name == "partial-block":
        return True if scope.visible.block is not None else None
    loop = scope.loop
    for _ in range(depth):
        loop = loop.parent if loop is not None else None
    while loop is not None:
        if name in loop.values:
            return loop.values[name]
        loop = loop.parent
    return None


def _down(value: Any, parts: tuple[str, ...]) -> Any:
    for part in parts:
        value = child(value, part)
    return value
