"""Helpers that write numbers, money and plurals as each language does."""

import copy
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from services.render.handlebars.culture import Culture
from services.render.handlebars.helper import Helper, Options
from services.render.handlebars.values import text_of
from services.render.helpers.locales import locale_of
from services.render.helpers.values import count_of, number_of, text_option

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from decimal import Context, Decimal

    from babel.numbers import NumberPattern

_Arguments: TypeAlias = tuple[Any, ...]

_CURRENCY = re.compile("[A-Z]{3}")
_MOST_DIGITS = 20
_PRECISION = 500
# Of a pattern: the currency's place, where it touches the digits.
_BEFORE = re.compile("(?<=\u00a4)$")
_BEHIND = re.compile("^(?=\u00a4)")
_APART = "\u00a0"
_FORMS = ("zero", "one", "two", "few", "many", "other")


def _format_number(arguments: _Arguments, options: Options, culture: Culture) -> str:
    number = number_of(arguments[0])
    if number is None:
        return text_of(arguments[0])
    locale = locale_of(culture, options.get("locale"))
    patterns = locale.percent_formats if options.get("style") == "percent" else locale.decimal_formats
    pattern = _with_digits(patterns[None], options)
    with _arithmetic():
        return str(pattern.apply(_unsigned_zero(number, pattern.frac_prec[1] + pattern.scale), locale))


def _with_digits(pattern: "NumberPattern", options: Options) -> "NumberPattern":
    """Return the pattern with the number of decimals that the options ask for."""
    least, most = pattern.frac_prec
    wanted_least = count_of(options.get("minimumFractionDigits"))
    wanted_most = count_of(options.get("maximumFractionDigits"))
    if wanted_least is None and wanted_most is None:
        return pattern
    if wanted_least is not None:
        least = min(wanted_least, _MOST_DIGITS)
        most = max(most, least)
    if wanted_most is not None:
        most = min(wanted_most, _MOST_DIGITS)
        least = min(least, most)
    changed = copy.copy(pattern)
    changed.frac_prec = (least, most)
    return changed


def _format_currency(arguments: _Arguments, options: Options, culture: Culture) -> str:
    number = number_of(arguments[0])
    currency = text_option(arguments[1]).upper()
    if number is None:
        return text_of(arguments[0])
    if not _CURRENCY.fullmatch(currency):
        return _format_number(
            arguments[:1], {**options, "minimumFractionDigits": 2, "maximumFractionDigits": 2}, culture
        )
    from babel.numbers import get_currency_precision

    locale = locale_of(culture, options.get("locale"))
    symbol = str(locale.currency_symbols.get(currency, currency))
    pattern = locale.currency_formats["standard"]
    # CLDR's currencySpacing: letters stand apart from digits.
    pattern = _spaced(pattern, before=not _is_sign(symbol[-1]), behind=not _is_sign(symbol[0]))
    with _arithmetic():
        number = _unsigned_zero(number, get_currency_precision(currency))
        return str(pattern.apply(number, locale, currency=currency))


@lru_cache(maxsize=256)
def _spaced(pattern: "NumberPattern", *, before: bool, behind: bool) -> "NumberPattern":
    """Return the pattern with a no-break space between the currency and the digits if it has none.

    before, behind: where the place is before the digits, or behind them.
    """
    changed = copy.copy(pattern)
    positive, negative = pattern.prefix
    if before:
        changed.prefix = (_BEFORE.sub(_APART, positive), _BEFORE.sub(_APART, negative))
    positive, negative = pattern.suffix
    if behind:
        changed.suffix = (_BEHIND.sub(_APART, positive), _BEHIND.sub(_APART, negative))
    return changed


def _is_sign(character: str) -> bool:
    """Return whether a character may be next to a digit without a space: a currency sign, or a space itself."""
    return unicodedata.category(character)[0] in "SZ"


def _unsigned_zero(number: "Decimal", digits: int) -> "Decimal":
    """Return the number, without a minus sign if it is zero after rounding to so many digits."""
    return abs(number) if number.is_signed() and round(number, digits) == 0 else number


def _arithmetic() -> "AbstractContextManager[Context]":
    """Round as browsers do, halves away from zero, with the exact numbers of number_of().

    Its longest number has some 330 digits, decimal's own limit is 28.
    """
    from decimal import ROUND_HALF_UP, localcontext

    return localcontext(prec=_PRECISION, rounding=ROUND_HALF_UP)


def _pluralize(arguments: _Arguments, options: Options, culture: Culture) -> str:
    number = number_of(arguments[0])
    locale = locale_of(culture, options.get("locale"))
    with _arithmetic():
        form = "other" if number is None else locale.plural_form(number)
    if form in options:
        return text_of(options[form])
    words = [text_of(word) for word in arguments[1:]]
    if words:
        return words[0] if form == "one" else words[-1]
    return text_of(options.get("other"))


_LOCALE = frozenset(("locale",))

HELPERS: Mapping[str, Helper] = {
    "formatNumber": Helper(
        _format_number,
        1,
        1,
        _LOCALE | {"minimumFractionDigits", "maximumFractionDigits", "style"},
        parameters=("number",),
        summary="Writes a number as the recipient's language does.",
        example="{{formatNumber total minimumFractionDigits=2}}",
    ),
    "formatCurrency": Helper(
        _format_currency,
        2,
        2,
        _LOCALE,
        parameters=("amount", "code"),
        summary="Writes an amount of money as the recipient's language does.",
        example="{{formatCurrency total currency}}",
    ),
    "pluralize": Helper(
        _pluralize,
        1,
        3,
        _LOCALE | set(_FORMS),
        parameters=("count", "singular", "plural"),
        summary="Writes the word that goes with a number, in any language's plural forms.",
        example='{{count}} {{pluralize count "item" "items"}}, {{pluralize items.length "order" "orders"}}',
    ),
}
