"""Language tags, their fallbacks, and the template that is chosen for a recipient."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain import locales
from services.router import languages
from services.router.definitions import Template
from tests.unit.router.planning import EMAIL, SMS, an_event, definition, planned


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pt-BR", "pt-BR"),
        ("pt_br", "pt-BR"),
        (" EN ", "en"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("ca-ES-valencia", "ca-ES-valencia"),
        ("", ""),
        ("english", ""),
        ("e", ""),
        ("en-", ""),
        ("en US", ""),
        ("../en", ""),
        ("en\n", "en"),
        ("de_DE.UTF-8", "de-DE"),
        ("sr_RS@latin", "sr-Latn-RS"),
        ("uz_UZ.utf8@cyrillic", "uz-Cyrl-UZ"),
        ("sr-Cyrl-RS@latin", "sr-Cyrl-RS"),
        ("it_IT@euro", "it-IT"),
        ("ar-EG-u-nu-arab", "ar-EG"),
        ("de-DE-x-ours-theirs", "de-DE"),
        ("en-US-t-it-m0-true-u-hc-h12-ca-gregory", "en-US"),
        ("x-ours", ""),
        ("i-klingon", ""),
        ("C.UTF-8", ""),
        ("de_DE.", ""),
        ("de@", ""),
        ("en-u-" + "a" * 200, ""),
        ("pt-BR" * 20, ""),
    ],
)
def test_tags_are_kept_in_one_form(text: str, expected: str) -> None:
    """Language in lower case, script in title case, region in upper case; other texts are not tags."""
    assert locales.normal(text) == expected


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("zh-TW", "zh-Hant-TW"),
        ("zh-HK", "zh-Hant-HK"),
        ("zh-CN", "zh-CN"),
        ("zh-Hans", "zh"),
        ("zh-Hans-TW", "zh-Hans-TW"),
        ("zh-Hans-HK", "zh-Hans-HK"),
        ("sr-Cyrl-ME", "sr-Cyrl-ME"),
        ("sr-ME", "sr-Latn-ME"),
        ("sr-Cyrl-RS", "sr-RS"),
        ("pa-PK", "pa-Arab-PK"),
        ("az-IR", "az-Arab-IR"),
        ("en-Latn-US", "en-US"),
        ("iw", "he"),
        ("iw-IL", "he-IL"),
        ("in", "id"),
        ("ji", "yi"),
        ("jw", "jv"),
        ("tl", "fil"),
        ("no-NO", "nb-NO"),
        ("mo", "ro"),
        ("sh", "sr-Latn"),
        ("sh-Cyrl", "sr"),
        ("cnr", "sr-Latn-ME"),
        ("cmn-Hant", "zh-Hant"),
        ("eng", "en"),
        ("en-UK", "en-GB"),
        ("de-DD", "de-DE"),
        ("ru-SU", "ru-RU"),
        ("uk-SU", "uk-UA"),
        ("sr-CS", "sr-RS"),
        ("es-840", "es-US"),
        ("xx-YY", "xx-YY"),
    ],
)
def test_codes_and_scripts_are_those_of_cldr(tag: str, expected: str) -> None:
    """Older codes, former regions, and the likely script, which is left out if the language implies it."""
    assert locales.tag_of(locales.identify(tag)) == expected
    assert locales.identify(expected) == locales.identify(tag)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("pt-BR", "pt-BR pt"),
        ("pt-AO", "pt-AO pt-PT pt pt-BR"),
        ("es-MX", "es-MX es-419 es es-ES"),
        ("en-AU", "en-AU en-001 en en-US"),
        ("en-DE", "en-DE en-150 en-001 en en-US"),
        ("de-AT", "de-AT de de-DE"),
        ("zh-TW", "zh-Hant-TW zh-Hant"),
        ("zh-MO", "zh-Hant-MO zh-Hant-HK zh-Hant zh-Hant-TW"),
        ("zh-SG", "zh-SG zh zh-CN"),
        ("zh-Hans-TW", "zh-Hans-TW zh zh-CN"),
        ("sr-Cyrl-ME", "sr-Cyrl-ME sr sr-RS"),
        ("sr-ME", "sr-Latn-ME sr-Latn sr-Latn-RS"),
        ("nn", "nn nn-NO nb nb-NO"),
        ("no", "nb nb-NO"),
        ("hi-Latn", "hi-Latn hi-Latn-IN en-IN en-001 en en-US"),
        ("ca-ES-valencia", "ca-ES-valencia ca-ES ca"),
        ("xx-YY", "xx-YY xx"),
    ],
)
def test_parents(wanted: str, expected: str) -> None:
    """CLDR's parents, nearest first, never in another script."""
    assert [locales.tag_of(locale) for locale in locales.lineage(wanted)] == expected.split()


@given(st.from_regex(locales._TAG, fullmatch=True))
def test_any_tag_has_parents(text: str) -> None:
    """Every chain ends, every locale has a script, and its tag parses to the same locale."""
    tag = locales.normal(text)
    found = locales.lineage(tag) if tag else ()
    assert (len(found) > 0) is bool(tag)
    assert len(found) < 20
    for locale in found:
        assert locales.identify(locales.tag_of(locale)) == locale


def test_the_page_about_templates_says_so() -> None:
    """Every row of CLDR's table of parents."""
    page = (Path(__file__).parents[3] / "docs" / "templates.md").read_text(encoding="utf-8")
    table = page.split("| recipient | versions searched, in this order |\n|---|---|\n", 1)[1].split("\n\n", 1)[0]
    rows = [re.findall("`([^`]+)`", row) for row in table.splitlines()]
    assert len(rows) > 5
    for wanted, *expected in rows:
        assert [locales.tag_of(locale) for locale in locales.lineage(wanted)] == expected


@pytest.mark.parametrize(
    ("active", "wanted", "default", "expected"),
    [
        pytest.param("zh zh-Hant", "zh-TW", "", "zh-Hant", id="taiwan"),
        pytest.param("zh zh-Hant", "zh-HK", "", "zh-Hant", id="hong-kong"),
        pytest.param("zh zh-Hant", "ZH_hk", "", "zh-Hant", id="case-and-underscore"),
        pytest.param("zh-Hans zh-Hant", "zh-TW", "", "zh-Hant", id="both-with-scripts"),
        pytest.param("zh-Hans zh-Hant", "zh-CN", "", "zh-Hans", id="mainland"),
        pytest.param("zh-Hans zh-Hant", "zh", "", "zh-Hans", id="chinese"),
        pytest.param("zh zh-TW", "zh-Hant-TW", "", "zh-TW", id="a-version-without-a-script"),
        pytest.param("zh zh-Hant", "zh-Hans-TW", "", "zh", id="simplified-in-taiwan"),
        pytest.param("zh-Hant zh-Hant-HK", "zh-MO", "", "zh-Hant-HK", id="macao"),
        pytest.param("zh zh-Hant-HK", "zh-TW", "zh", "zh-Hant-HK", id="the-default-in-the-other-script"),
        pytest.param("zh en", "zh-TW", "zh", "zh", id="only-the-default-in-the-other-script"),
        pytest.param("zh en", "zh-TW", "en", "en", id="the-other-script-is-another-language"),
        pytest.param("zh -", "zh-TW", "", "-", id="the-version-for-all-before-the-other-script"),
        pytest.param("zh", "zh-TW", "", "zh", id="the-other-script-before-nothing"),
        pytest.param("zh zh-Hant-HK", "zh-TW", "", "zh-Hant-HK", id="another-region-before-nothing"),
        pytest.param("sr sr-Latn", "sr-ME", "", "sr-Latn", id="montenegro"),
        pytest.param("sr sr-Latn", "sr_RS@latin", "", "sr-Latn", id="posix-script"),
        pytest.param("he en", "iw", "en", "he", id="hebrew"),
        pytest.param("id en", "in-ID", "en", "id", id="indonesian"),
        pytest.param("fil en", "tl", "en", "fil", id="filipino"),
        pytest.param("nb en", "no", "en", "nb", id="norwegian"),
        pytest.param("no en", "nb-NO", "en", "no", id="norwegian-as-it-was"),
        pytest.param("nb nn en", "nn-NO", "en", "nn", id="nynorsk"),
        pytest.param("nb en", "nn", "en", "nb", id="nynorsk-reads-bokmal"),
        pytest.param("iw en", "he-IL", "en", "iw", id="a-version-with-an-older-code"),
        pytest.param("iw he", "iw", "", "iw", id="the-code-as-it-is-before-the-newer-one"),
        pytest.param("he iw", "he-IL", "", "he", id="the-newer-code-before-the-older-one"),
        pytest.param("es es-419", "es-MX", "", "es-419", id="mexico"),
        pytest.param("es es-419", "es-ES", "", "es", id="spain"),
        pytest.param("en en-001", "en-AU", "", "en-001", id="australia"),
        pytest.param("pt pt-PT", "pt-AO", "", "pt-PT", id="angola"),
        pytest.param("pt pt-PT", "pt-BR", "", "pt", id="brazil"),
        pytest.param("pt-BR en", "pt", "en", "pt-BR", id="the-likely-region"),
        pytest.param("pt-PT en", "pt", "en", "en", id="another-region-is-no-parent"),
        pytest.param("en-GB de", "en-UK", "de", "en-GB", id="an-older-region"),
        pytest.param("ar en", "ar-EG-u-nu-arab", "en", "ar", id="an-extension"),
        pytest.param("de en", "de_DE.UTF-8", "en", "de", id="posix-charset"),
        pytest.param("en pt-PT", "fr", "pt-AO", "pt-PT", id="the-default-s-parents"),
        pytest.param("es-AR es-MX", "es-ES", "es-MX", "es-MX", id="the-default-of-the-same-language"),
        pytest.param("fr", "de", "", None, id="nothing"),
    ],
)
def test_the_best_version(active: str, wanted: str, default: str, expected: str | None) -> None:
    """The version that a recipient gets does not depend on the order of the versions."""
    found = [("" if tag == "-" else tag, tag) for tag in active.split()]
    for versions in (found, found[::-1]):
        assert languages.best(versions, locales.normal(wanted), default) == expected


@pytest.mark.parametrize(
    ("wanted", "template", "expected"),
    [
        ("pt-BR", "pt", "pt-BR"),
        ("de", "en", "en"),
        ("de", "", "de"),
        ("", "en", "en"),
        ("", "", ""),
        ("iw-IL", "he", "iw-IL"),
        ("nn", "nb", "nb"),
        ("zh-TW", "zh-Hant", "zh-TW"),
        ("zh-TW", "zh", "zh"),
        ("sr-Latn", "sr-RS", "sr-RS"),
    ],
)
def test_customs_follow_the_text(wanted: str, template: str, expected: str) -> None:
    """An English mail has no German dates, and a Cyrillic one no Latin months."""
    assert locales.culture(wanted, template) == expected


@pytest.mark.parametrize(
    ("locale", "default", "chosen"),
    [
        ("pt-BR", "", "pt"),
        ("PT-br", "", "pt"),
        ("pt-PT", "", "pt"),
        ("fr", "en", "en"),
        ("no tag!", "en", "en"),
        ("fr", "", ""),
        ("", "", ""),
    ],
)
def test_one_template_per_channel(locale: str, default: str, chosen: str) -> None:
    """Of several templates the best one is chosen, and the plan has its locale."""
    found = [(SMS, Template(f"sms-{tag}", tag)) for tag in ("", "en", "pt")]
    event = an_event(recipient={"locale": locale})
    plan = planned(event, definition(found, default_locale=default))
    assert [(one.template_version_id, one.locale) for one in plan.planned] == [(f"sms-{chosen}", chosen)]
    assert [delivery.template_version_id for delivery in plan.deliveries] == [f"sms-{chosen}"]


def test_no_template_for_this_language() -> None:
    """A channel without a version for the recipient is skipped with that reason; other channels are not."""
    found = [(EMAIL, Template("mail-fr", "fr")), (SMS, Template("sms"))]
    plan = planned(an_event(recipient={"locale": "de"}), definition(found))
    assert [(one.channel, one.reason) for one in plan.planned] == [
        (EMAIL, "no_template_for_locale"),
        (SMS, ""),
    ]
