"""Helpers that compare and choose."""

import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from services.render.handlebars.culture import Culture
from services.render.handlebars.helper import Helper, Options
from services.render.handlebars.values import is_true
from services.render.helpers.values import number_of

_Arguments: TypeAlias = tuple[Any, ...]
_MOST = 16
_NUMBERS = (int, float)


def is_same(one: Any, other: Any) -> bool:
    """Return whether two values are equal and of one kind: 1 equals 1.0, but neither "1" nor true."""
    if type(one) in _NUMBERS and type(other) in _NUMBERS:
        return bool(one == other)
    if type(one) is not type(other):
        return False
    if type(one) is list:
        return len(one) == len(other) and all(map(is_same, one, other))
    if type(one) is dict:
        return one.keys() == other.keys() and all(is_same(value, other[key]) for key, value in one.items())
    return bool(one == other)


def _order(compare: Callable[[Any, Any], bool], **described: Any) -> Helper:
    def call(arguments: _Arguments, _options: Options, _culture: Culture) -> bool:
        one, other = arguments
        if type(one) is str and type(other) is str:
            return compare(one, other)
        left, right = number_of(one), number_of(other)
        return left is not None and right is not None and compare(left, right)

    return Helper(call, 2, 2, decides=True, **described)


def _eq(arguments: _Arguments, _options: Options, _culture: Culture) -> bool:
    return is_same(*arguments)


def _ne(arguments: _Arguments, _options: Options, _culture: Culture) -> bool:
    return not is_same(*arguments)


def _and(arguments: _Arguments, _options: Options, _culture: Culture) -> Any:
    return next((argument for argument in arguments if not is_true(argument)), arguments[-1])


def _or(arguments: _Arguments, _options: Options, _culture: Culture) -> Any:
    return next((argument for argument in arguments if is_true(argument)), arguments[-1])


def _not(arguments: _Arguments, _options: Options, _culture: Culture) -> bool:
    return not is_true(arguments[0])


def _default(arguments: _Arguments, _options: Options, _culture: Culture) -> Any:
    return next((argument for argument in arguments if argument not in (None, "")), arguments[-1])


HELPERS: Mapping[str, Helper] = {
    "eq": Helper(
        _eq,
        2,
        2,
        decides=True,
        parameters=("one", "other"),
        summary="True if both values have the same type and are equal.",
        example='{{#if (eq currency "EUR")}}euro{{/if}}',
    ),
    "ne": Helper(
        _ne,
        2,
        2,
        decides=True,
        parameters=("one", "other"),
        summary="True if the values differ, or their types do.",
        example='{{#ne currency "USD"}}abroad{{/ne}}',
    ),
    "gt": _order(
        operator.gt,
        parameters=("one", "other"),
        summary="True if the first number or text is greater.",
        example="{{#if (gt total 1000)}}large{{/if}}",
    ),
    "gte": _order(
        operator.ge,
        parameters=("one", "other"),
        summary="True if the first number or text is greater or equal.",
        example="{{gte count 1}}",
    ),
    "lt": _order(
        operator.lt,
        parameters=("one", "other"),
        summary="True if the first number or text is less.",
        example="{{#lt count 2}}one{{else}}many{{/lt}}",
    ),
    "lte": _order(
        operator.le,
        parameters=("one", "other"),
        summary="True if the first number or text is less or equal.",
        example='{{lte total "99.90"}}',
    ),
    "and": Helper(
        _and,
        1,
        _MOST,
        decides=True,
        parameters=("value",),
        summary="Returns the first value that is false, otherwise the last one.",
        example="{{#if (and vip (gt total 100))}}gift{{/if}}",
    ),
    "or": Helper(
        _or,
        1,
        _MOST,
        decides=True,
        parameters=("value",),
        summary="Returns the first value that is true, otherwise the last one.",
        example="{{or nick name}}",
    ),
    "not": Helper(
        _not,
        1,
        1,
        decides=True,
        parameters=("value",),
        summary="True if the value is missing, empty, 0 or false.",
        example="{{#if (not nick)}}no nickname{{/if}} {{not vip}}",
    ),
    "default": Helper(
        _default,
        2,
        _MOST,
        parameters=("value", "fallback"),
        summary="Returns the first value that is present: not missing, not null and not an empty text.",
        example='Hi {{default nick name "friend"}}',
    ),
}
