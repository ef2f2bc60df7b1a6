"""Numbers, money and counted things, as each language writes them."""

import copy
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from services.render.handlebars.culture import Culture
from services.render.handlebars.helper import Helper, Options
from services.render.handlebars.values import text_of
from services.render.helpers.locales import locale_of
from services.render.helpers.values import count_of, number_of, text_option

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from decimal import Context

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
    with _long_numbers():
        return str(_with_digits(patterns[None], options).apply(number, locale))


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
        return _format_number(arguments[:1], {**options, "minimumFractionDigits": 2}, culture)
    from babel.numbers import format_currency

    with _long_numbers():
        return format_currency(number, currency, locale=locale_of(culture, options.get("locale")))


def _long_numbers() -> "AbstractContextManager[Context]":
    """Calculate with what number_of() gives exactly: its longest has some 330 digits, decimal's own limit is 28."""
    from decimal import localcontext

    return localcontext(prec=_PRECISION)


def _pluralize(arguments: _Arguments, options: Options, culture: Culture) -> str:
    number = number_of(arguments[0])
    locale = locale_of(culture, options.get("locale"))
    with _long_numbers():
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
