"""Numbers, money and counted things, as each language writes them."""

import copy
import re
import unicodedata
from collections.abc import Mapping
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
    """Return the pattern with the digits after the point that the options ask for."""
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
    from babel.numbers import get_currency_precision, get_currency_symbol

    locale = locale_of(culture, options.get("locale"))
    pattern = _spaced(locale.currency_formats["standard"], get_currency_symbol(currency, locale))
    with _arithmetic():
        number = _unsigned_zero(number, get_currency_precision(currency))
        return str(pattern.apply(number, locale, currency=currency))


def _spaced(pattern: "NumberPattern", symbol: str) -> "NumberPattern":
    """Return the pattern with a no-break space between a symbol of letters and the digits (CLDR: currencySpacing)."""
    changed = copy.copy(pattern)
    if not _is_sign(symbol[-1]):
        before, below = pattern.prefix
        changed.prefix = (_apart(before), _apart(below))
    if not _is_sign(symbol[0]):
        after, below = pattern.suffix
        changed.suffix = (_apart(after[::-1])[::-1], _apart(below[::-1])[::-1])
    return changed


def _apart(text: str) -> str:
    return f"{text}\u00a0" if text.endswith("\u00a4") else text


def _is_sign(character: str) -> bool:
    """Tell whether it stands beside a digit without a space: a currency's sign, or a space itself."""
    return unicodedata.category(character)[0] in "SZ"


def _unsigned_zero(number: "Decimal", digits: int) -> "Decimal":
    """Return the number, without the sign of what is nothing once it is rounded to so many digits."""
    return abs(number) if round(number, digits) == 0 else number


def _arithmetic() -> "AbstractContextManager[Context]":
    """Calculate as browsers do, halves away from zero, and with what number_of() gives exactly.

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
    "formatNumber": Helper(_format_number, 1, 1, _LOCALE | {"minimumFractionDigits", "maximumFractionDigits", "style"}),
    "formatCurrency": Helper(_format_currency, 2, 2, _LOCALE),
    "pluralize": Helper(_pluralize, 1, 3, _LOCALE | set(_FORMS)),
}
