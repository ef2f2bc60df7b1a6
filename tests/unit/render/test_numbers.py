"""formatNumber, formatCurrency, pluralize: rounding, signs and spaces as browsers have them, the words for a number."""

import pytest

from tests.unit.render.written import render

NBSP = "\u00a0"


@pytest.mark.parametrize(
    ("amount", "currency", "locale", "expected"),
    [
        pytest.param("1234.5", "KES", "en", "KES_1,234.50", id="a-code"),
        pytest.param("1234.5", "CHF", "en", "CHF_1,234.50", id="chf"),
        pytest.param("1234.5", "NGN", "en", "NGN_1,234.50", id="ngn"),
        pytest.param("1234.5", "ZAR", "en", "ZAR_1,234.50", id="zar"),
        pytest.param("1234.5", "XOF", "en", "F\u202fCFA_1,235", id="a-symbol-with-a-space"),
        pytest.param("1234.5", "KES", "en-KE", "Ksh_1,234.50", id="a-symbol-of-letters"),
        pytest.param("1234.5", "KES", "tr", "KES_1.234,50", id="turkish"),
        pytest.param("1234.5", "KES", "ja", "KES_1,234.50", id="japanese"),
        pytest.param("1234.5", "KES", "ko", "KES_1,234.50", id="korean"),
        pytest.param("1234.5", "KES", "zh-TW", "KES_1,234.50", id="chinese"),
        pytest.param("-1234.5", "KES", "en", "-KES_1,234.50", id="negative"),
        pytest.param("1234.5", "USD", "en", "$1,234.50", id="a-sign"),
        pytest.param("1234.5", "USD", "en-CA", "US$1,234.50", id="letters-before-a-sign"),
        pytest.param("1234.5", "INR", "en", "\u20b91,234.50", id="another-sign"),
        pytest.param("1234.5", "CHF", "de-CH", "CHF_1\u2019234.50", id="a-space-of-the-language"),
        pytest.param("-1234.5", "CHF", "de-CH", "CHF-1\u2019234.50", id="a-sign-between-them"),
        pytest.param("1234.5", "KES", "de", "1.234,50_KES", id="behind-a-space-of-the-language"),
        pytest.param("1234.5", "KES", "bn", "1,234.50_KES", id="behind-it"),
    ],
)
def test_money_has_a_space_between_letters_and_digits(amount: str, currency: str, locale: str, expected: str) -> None:
    """CLDR's currencySpacing: a no-break space, and none beside a currency's sign."""
    written = render("{{formatCurrency a c}}", {"a": amount, "c": currency}, locale=locale)
    assert written == expected.replace("_", NBSP)


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        (-0.004, "USD", "$0.00"),
        ("-0.0049", "USD", "$0.00"),
        (-0.0, "USD", "$0.00"),
        ("-0", "JPY", "\u00a50"),
        (-0.4, "JPY", "\u00a50"),
        (-0.5, "JPY", "-\u00a51"),
        (-0.005, "USD", "-$0.01"),
        (0.125, "USD", "$0.13"),
        (-0.125, "USD", "-$0.13"),
        (1.005, "USD", "$1.01"),
        ("2.675", "USD", "$2.68"),
        (1234.5, "JPY", "\u00a51,235"),
        (1233.5, "JPY", "\u00a51,234"),
        ("0.0005", "KWD", f"KWD{NBSP}0.001"),
        ("0.005", "", "0.01"),
        ("-0.004", "", "0.00"),
    ],
)
def test_money_is_rounded_as_in_browsers(amount: object, currency: str, expected: str) -> None:
    """Halves away from zero, at each currency's digits; and nothing owes nothing."""
    assert render("{{formatCurrency a c}}", {"a": amount, "c": currency}) == expected


@pytest.mark.parametrize(
    ("number", "options", "expected"),
    [
        (0.5, "maximumFractionDigits=0", "1"),
        (1.5, "maximumFractionDigits=0", "2"),
        (2.5, "maximumFractionDigits=0", "3"),
        (-2.5, "maximumFractionDigits=0", "-3"),
        (-0.4, "maximumFractionDigits=0", "0"),
        ("0.0005", "", "0.001"),
        ("-0.0004", "", "0"),
        (-0.0, "", "0"),
        (0.125, "style='percent'", "13%"),
        (-0.004, "style='percent'", "0%"),
        (-0.005, "style='percent'", "-1%"),
        ("-0.0004", "style='percent' maximumFractionDigits=1", "0%"),
        ("9" * 39 + ".5", "maximumFractionDigits=0", "1" + ",000" * 13),
    ],
)
def test_numbers_are_rounded_as_in_browsers(number: object, options: str, expected: str) -> None:
    """Halves away from zero; what is rounded to nothing has no sign."""
    assert render(f"{{{{formatNumber n {options}}}}}", {"n": number}) == expected


FORMS = " ".join(f"{form}='{form}'" for form in ("zero", "one", "two", "few", "many", "other"))


@pytest.mark.parametrize(
    ("number", "locale", "expected"),
    [
        pytest.param(1.0, "en", "1 one", id="english"),
        pytest.param(1.0, "de", "1 one", id="german"),
        pytest.param(-1.0, "en", "-1 one", id="negative"),
        pytest.param(1e0, "nl", "1 one", id="with-an-exponent"),
        pytest.param(1.0, "pl", "1 one", id="polish-one"),
        pytest.param(3.0, "pl", "3 few", id="polish-few"),
        pytest.param(5.0, "pl", "5 many", id="polish-many"),
        pytest.param(21.0, "ru", "21 one", id="russian"),
        pytest.param(2.0, "he", "2 two", id="hebrew"),
        pytest.param(3.0, "sl", "3 few", id="slovenian"),
        pytest.param(1e6, "fr", "1000000 many", id="french-millions"),
        pytest.param(2e6, "es", "2000000 many", id="spanish-millions"),
        pytest.param(1e21, "es", "1e+21 many", id="beyond-what-is-written-in-full"),
        pytest.param(1.5, "en", "1.5 other", id="a-fraction"),
        pytest.param(1.5, "fr", "1.5 one", id="a-fraction-in-french"),
        pytest.param("1.0", "en", "1.0 other", id="a-text-keeps-its-digits"),
        pytest.param("1", "en", "1 one", id="a-text"),
        pytest.param(0.0, "lv", "0 zero", id="latvian"),
        pytest.param(-0.0, "fr", "0 one", id="minus-zero"),
    ],
)
def test_the_words_are_those_for_the_number_as_it_is_written(number: object, locale: str, expected: str) -> None:
    """JSON's 1.0 is written 1 and counts as 1; a text is counted as it stands."""
    assert render(f"{{{{n}}}} {{{{pluralize n {FORMS}}}}}", {"n": number}, locale=locale) == expected
