"""Helpers: what they make of values of every kind, hostile ones too. What they are for: test_handlebars_page.py."""

import math
import string
from typing import Any

import pytest

from services.render import content
from services.render.content import compile_source
from services.render.frames import SMS, TemplateSource
from services.render.handlebars import Output, OutputTooLargeError, TemplateFaultError, compile_template
from services.render.helpers import HELPERS, locales
from tests.unit.render.written import render

KINDS: dict[str, Any] = {
    "null": None,
    "true": True,
    "false": False,
    "int": 7,
    "negative": -1,
    "huge": 10**300,
    "beyond": 10**400,
    "float": 1.5,
    "exponent": 1e300,
    "empty": "",
    "text": "soon",
    "number": " 12.50 ",
    "far": "1e999999999",
    "digits": "9" * 5000,
    "astral": "\U0001f469\u200d\U0001f466",
    "list": [1, [2], {"a": None}],
    "object": {"__class__": "x", "real": 1},
}
OPTIONS = {
    "formatDate": ("format", "time", "timeZone", "locale"),
    "formatNumber": ("minimumFractionDigits", "maximumFractionDigits", "style", "locale"),
    "formatCurrency": ("locale",),
    "pluralize": ("one", "other", "locale"),
    "truncate": ("end",),
    "uppercase": ("locale",),
    "lowercase": ("locale",),
}


@pytest.mark.parametrize("name", sorted(HELPERS))
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_any_value_is_taken(name: str, kind: str) -> None:
    """No kind of value, in no place, makes a helper fail, as an argument or as an option."""
    helper = HELPERS[name]
    value = KINDS[kind]
    for count in range(max(helper.least, 1), min(helper.most, 3) + 1):
        for place in range(count):
            names = " ".join("x" if index == place else "y" for index in range(count))
            for other in (None, 3, "EUR"):
                render(f"{{{{{name} {names}}}}}", {"x": value, "y": other})
    for option in OPTIONS.get(name, ()):
        names = " ".join("y" for _ in range(helper.least))
        for other in (3, "2026-11-21T18:05:00Z"):
            render(f"{{{{{name} {names} {option}=x}}}}", {"x": value, "y": other})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{eq x y}}", "true"),
        ("{{eq x z}}", "false"),
        ("{{eq (lookup x 0) true}}", "false"),
        ("{{eq x 1}}{{ne x 1}}", "falsetrue"),
        ("{{eq nothing null}}{{eq nothing false}}{{eq '' nothing}}", "truefalsefalse"),
    ],
)
def test_equality(source: str, expected: str) -> None:
    """Values are compared with all that is in them; a truth is no number."""
    assert render(source, {"x": [1, {"a": "b"}], "y": [1.0, {"a": "b"}], "z": [True, {"a": "b"}]}) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [(2, 10, "lt"), ("2", 10, "lt"), ("2", "10", "gt"), (1, 1.0, "same"), (True, 0, ""), (None, -1, ""), ([], {}, "")],
)
def test_order(one: object, other: object, expected: str) -> None:
    """Numbers by size, texts by characters, and nothing else."""
    source = "{{#if (gt a b)}}gt{{/if}}{{#if (lt a b)}}lt{{/if}}{{#and (gte a b) (lte a b)}}same{{/and}}"
    assert render(source, {"a": one, "b": other}) == expected


@pytest.mark.parametrize("name", ["eq", "default", "uppercase", "json", "formatDate"])
def test_a_name_without_arguments_is_data(name: str) -> None:
    """No variable's name is reserved by a helper, not even in a block."""
    assert render(f"{{{{{name}}}}}{{{{#{name}}}}}{{{{.}}}}{{{{/{name}}}}}", {name: "data"}) == "datadata"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{uppercase a b}}", "'uppercase' takes 1 argument"),
        ("{{default a}}", "'default' takes 2 to 16 arguments"),
        ("{{truncate a 1 wrong=2}}", "does not know 'wrong'"),
        ("{{#uppercase a}}{{/uppercase}}", "'uppercase' is not a block helper"),
        ("{{#eq a b as |c|}}{{/eq}}", "'eq' gives 0 names"),
        ("{{#if (nosuch a)}}{{/if}}", "'nosuch' is not a helper"),
        ("\n  {{x}}{{uppercase (nosuch)}}", "line 2, column 8"),
    ],
)
def test_misuse_is_found_before_any_data(source: str, message: str) -> None:
    """Wrong names, numbers of arguments and options are faults of the template, with their place."""
    with pytest.raises(TemplateFaultError) as refused:
        compile_template(source, escaping=False, helpers=HELPERS)
    assert message in str(refused.value)


def test_nested_calls_do_not_double_a_text_for_ever() -> None:
    """Each json around another doubles the backslashes: it ends at the output's limit, after a dozen of forty."""
    source = "{{#if " + "(json " * 40 + "x" + ")" * 40 + "}}{{/if}}"
    with pytest.raises(OutputTooLargeError):
        render(source, {"x": '"'})


def test_json_has_the_keys_in_the_order_of_each() -> None:
    """Those that are whole numbers first, in every object within; the others as they were sent."""
    value = {"z": 1, "a": [{"10": "x", "b": None, "2": '"7":'}], "04": {}, "3": '"1":'}
    assert render("{{json x}}", {"x": value}) == (
        '{"3":"\\"1\\":","z":1,"a":[{"2":"\\"7\\":","10":"x","b":null}],"04":{}}'
    )
    assert render("{{json x}}", {"x": {"b": '"1":', "a": 1}}) == '{"b":"\\"1\\":","a":1}'


def test_json_cannot_leave_a_script() -> None:
    """Nothing in it ends a script, opens a comment or an entity; what is read back is the same."""
    hostile = "</script><!-- ]]> &amp; ' \u2028\u2029"
    written = render("{{{json x}}}", {"x": {hostile: [hostile]}})
    assert not set(written) & set("<>&'\u2028\u2029")
    assert compile_template("{{{json x}}}", escaping=True, helpers=HELPERS).render({"x": 1}, Output(10, math.inf)) == (
        "1"
    )


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "ab..."),
        ("abcdef", 3, "abc"),
        ("abcdef", 0, ""),
        ("äöü€🎉x", 5, "äö..."),
        ("ae\u0301e\u0301e\u0301e\u0301", 7, "ae\u0301..."),
        ("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7\U0001f1ee\U0001f1f9", 5, "\U0001f1e9\U0001f1ea..."),
        ("\U0001f469\u200d\U0001f466\u200d\U0001f466!", 4, "..."),
        ("\u0301" * 100, 50, "..."),
    ],
)
def test_truncate_counts_characters(text: str, length: int, expected: str) -> None:
    """Not bytes; and what is seen as one is not parted, though it be longer than all that may be kept."""
    written = render("{{truncate x y}}", {"x": text, "y": length})
    assert len(written) <= length
    assert written == expected


@pytest.mark.parametrize("letter", string.ascii_letters + "'%{}\"")
def test_any_pattern_is_taken(letter: str) -> None:
    """What means nothing in a pattern writes the date as it came, or itself; it is no error."""
    for moment in ("2026-11-21", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"):
        for count in (1, 2, 5, 60, 70):
            render("{{formatDate d p timeZone='Asia/Tokyo'}}", {"d": moment, "p": letter * count})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-29", "2026-03-29 00:00"),
        ("2026-03-29T00:59:59Z", "2026-03-29 01:59"),
        ("2026-03-29T01:00:00Z", "2026-03-29 03:00"),
        ("2026-03-29T01:00:00", "2026-03-29 03:00"),
        ("2026-03-29T01:00:00+05:30", "2026-03-28 20:30"),
        (1774746000, "2026-03-29 03:00"),
        ("1774746000", "2026-03-29 03:00"),
        (1774746000000, "2026-03-29 03:00"),
        (-1, "1970-01-01 00:59"),
        (10**18, "1000000000000000000"),
        ("2026-02-30", "2026-02-30"),
        (True, "true"),
    ],
)
def test_moments(value: object, expected: str) -> None:
    """ISO texts and epochs, over the hour that Berlin leaves out; what is none is written as it is."""
    assert render("{{formatDate d 'yyyy-MM-dd HH:mm'}}", {"d": value}, zone="Europe/Berlin") == expected


@pytest.mark.parametrize("zone", ["../../etc/passwd", "/etc/passwd", "Europe", "", "X" * 60, "\0", "Europe/Berlin\0"])
def test_unknown_zones_are_utc(zone: str) -> None:
    """No file but a zone is read; and it is no error."""
    assert render("{{formatDate 0 'HH:mm' timeZone=z}}", {"z": zone}, zone=zone) == "00:00"


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("pt-BR", "R$ 1.234,50"),
        ("pt_BR", "R$ 1.234,50"),
        ("de-CH", "R$ 1\u2019234.50"),
        ("de-XX", "1.234,50 R$"),
        ("xx", "R$1,234.50"),
        ("../../x", "R$1,234.50"),
        ("", "R$1,234.50"),
    ],
)
def test_locales_and_their_parents(locale: str, expected: str) -> None:
    """Region, language, English; as the rendering's own and as an option."""
    for written in (
        render("{{formatCurrency 1234.5 'BRL'}}", locale=locale),
        render("{{formatCurrency 1234.5 'BRL' locale=l}}", {"l": locale}),
    ):
        assert written.replace("\u00a0", " ") == expected


def test_languages_do_not_pile_up() -> None:
    """A template that goes through hundreds keeps a dozen."""
    from babel import localedata

    tags = sorted(localedata.locale_identifiers())[:60]
    source = "{{#each tags}}{{formatNumber 1.5 locale=this}}{{/each}}"
    assert len(render(source, {"tags": tags})) >= len(tags)
    assert len(locales._known) <= 12
    assert len(localedata._cache) <= 12 * 4


@pytest.mark.parametrize(
    ("number", "locale", "expected"),
    [
        pytest.param(10**30 + 1, "lt", "one", id="lithuanian-one"),
        pytest.param(10**30 + 2, "lt", "few", id="lithuanian-few"),
        pytest.param("-" + "9" * 39 + "1", "lt", "one", id="as-text"),
        pytest.param(10**300, "lv", "zero", id="latvian-zero"),
        pytest.param(1.7976931348623157e308, "ar", "other", id="the-largest-float"),
        pytest.param(2**1024 - 2**1024 % 100 + 3, "mt", "few", id="the-longest-integer"),
        pytest.param(2**1024, "mt", "other", id="no-longer-a-number"),
    ],
)
def test_long_numbers_are_counted(number: object, locale: str, expected: str) -> None:
    """To their last digit, in languages that look at it."""
    forms = " ".join(f"{form}='{form}'" for form in ("zero", "one", "two", "few", "many", "other"))
    assert render(f"{{{{pluralize n {forms}}}}}", {"n": number}, locale=locale) == expected


def test_an_sms_has_plain_spaces() -> None:
    """The narrow space before PM would make it twice as long."""
    compiled = compile_source(
        TemplateSource(SMS, "", "At {{formatDate 0 'none' time='short'}}: {{formatNumber 12345 locale='fr'}}")
    )
    made = content.render(compiled, {}, limit=1000, deadline=content.deadline_after(60))
    assert (made.text, made.sms_encoding) == ("At 12:00 AM: 12 345", "GSM-7")
