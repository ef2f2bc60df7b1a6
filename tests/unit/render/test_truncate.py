"""truncate: what is seen as one character (UAX #29) is kept whole or left out."""

import pytest

from tests.unit.render.written import render

ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
GERMANY = "\U0001f1e9\U0001f1ea"
FAMILY = "\U0001f469\u200d\U0001f467\u200d\U0001f466"
RAINBOW = "\U0001f3f3\ufe0f\u200d\U0001f308"
KEYCAP = "1\ufe0f\u20e3"
THUMB = "\U0001f44d\U0001f3fd"
HAN = "\u1112\u1161\u11ab"  # a syllable of Hangul, decomposed
KSHA = "\u0915\u094d\u0937"  # a conjunct of Devanagari
KSHI = KSHA + "\u093f"  # with its vowel
BENGALI = "\u0995\u09cd\u09b7"
TAMIL = "\u0ba8\u0bbf"
KHMER = "\u1780\u17d2\u1781"
ARABIC = "\u0600\u0661"  # a sign that belongs to the number behind it
THAI = "\u0e01\u0e33"
ZALGO = "z" + "\u0335\u0322\u0301\u0300" * 20


@pytest.mark.parametrize(
    "character",
    [
        pytest.param(ENGLAND, id="a-flag-of-tags"),
        pytest.param(GERMANY, id="a-flag-of-letters"),
        pytest.param(FAMILY, id="a-family"),
        pytest.param(RAINBOW, id="a-flag-joined"),
        pytest.param(KEYCAP, id="a-keycap"),
        pytest.param(THUMB, id="a-skin-tone"),
        pytest.param(HAN, id="hangul"),
        pytest.param(KSHA, id="devanagari"),
        pytest.param(KSHI, id="devanagari-with-a-vowel"),
        pytest.param(BENGALI, id="bengali"),
        pytest.param(TAMIL, id="tamil"),
        pytest.param(KHMER, id="khmer"),
        pytest.param(ARABIC, id="arabic"),
        pytest.param(THAI, id="thai"),
        pytest.param("e\u0301", id="an-accent"),
        pytest.param("\u0bb7\u200d", id="a-joiner-at-the-end"),
        pytest.param("\r\n", id="a-line-end"),
        pytest.param(ZALGO, id="many-accents"),
    ],
)
def test_a_character_is_not_cut(character: str) -> None:
    """At every length, between others and among its like, also as the first."""
    text = f"Go{character}{character}now{character}"
    whole = ["G", "o", character, character, "n", "o", "w", character]
    for length in range(len(text) + 1):
        kept = ""
        for one in whole:
            if len(kept) + len(one) > length:
                break
            kept += one
        expected = text if kept == text else kept.rstrip()
        assert render("{{truncate s n end=''}}", {"s": text, "n": length}) == expected
    assert render("{{truncate s n end='.'}}", {"s": character * 2, "n": len(character)}) == "."


def test_the_end_is_within_the_length() -> None:
    """The black flag without its tags stood where it did not fit."""
    text = f"Go {ENGLAND} now"
    assert render("{{truncate s 6 end=''}}", {"s": text}) == "Go"
    assert render("{{truncate s 9}}", {"s": text}) == "Go..."
    assert render("{{truncate s 13}}", {"s": text}) == f"Go {ENGLAND}..."


@pytest.mark.parametrize("text", ["\u0301" * 200_000, "\U0001f1e9" * 200_000, KSHA * 60_000, FAMILY * 40_000])
def test_long_texts_are_cut_in_time(text: str) -> None:
    """However long what is seen as one character is, what is left is whole."""
    written = render("{{truncate s 100000 end=''}}", {"s": text})
    assert len(written) <= 100_000
    assert text.startswith(written)
