"""What an SMS is billed as."""

import random

import pytest

from services.render import sms
from services.render.sms import GSM_7, UCS_2, Size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", Size(GSM_7, 0, 0), id="nothing"),
        pytest.param("a" * 160, Size(GSM_7, 1, 160), id="one-full"),
        pytest.param("a" * 161, Size(GSM_7, 2, 161), id="two"),
        pytest.param("a" * 306, Size(GSM_7, 2, 306), id="two-full"),
        pytest.param("a" * 307, Size(GSM_7, 3, 307), id="three"),
        pytest.param("é@£Ω\n\r¿" * 22, Size(GSM_7, 1, 154), id="the-whole-alphabet-is-cheap"),
        pytest.param("€" * 80, Size(GSM_7, 1, 160), id="extension-takes-two"),
        pytest.param("€" * 81, Size(GSM_7, 2, 162), id="extension-one-too-many"),
        pytest.param("a" * 152 + "€" + "a" * 7, Size(GSM_7, 2, 161), id="no-part-ends-within-an-escape"),
        pytest.param("a" * 152 + "€" * 77, Size(GSM_7, 3, 306), id="the-place-before-an-escape-is-lost"),
        pytest.param("ç", Size(UCS_2, 1, 1), id="only-the-capital-is-in-the-alphabet"),
        pytest.param("\t", Size(UCS_2, 1, 1), id="a-tab-is-not"),
        pytest.param("я" * 70, Size(UCS_2, 1, 70), id="ucs-one-full"),
        pytest.param("я" * 71, Size(UCS_2, 2, 71), id="ucs-two"),
        pytest.param("я" * 134, Size(UCS_2, 2, 134), id="ucs-two-full"),
        pytest.param("я" * 135, Size(UCS_2, 3, 135), id="ucs-three"),
        pytest.param("😀" * 35, Size(UCS_2, 1, 70), id="astral-takes-two"),
        pytest.param("😀" * 36, Size(UCS_2, 2, 72), id="astral-two"),
        pytest.param("😀" * 67, Size(UCS_2, 3, 134), id="no-part-ends-within-a-pair"),
    ],
)
def test_known_texts(text: str, expected: Size) -> None:
    """Alphabets, bounds and what must not be parted."""
    assert sms.size(text) == expected


@pytest.mark.parametrize("letters", ["ab", "ab{€", "ab{ü\n", "a😀", "aя", "{", "😀", "a😀я€"])
def test_as_cut_by_hand(letters: str) -> None:
    """The count is what cutting the text character by character gives."""
    chance = random.Random(letters)
    for _ in range(2000):
        text = "".join(chance.choices(letters, k=chance.randrange(700)))
        assert sms.size(text).segments == _cut(text)


def test_the_alphabet_is_whole() -> None:
    """128 places, one of them the escape; ten more behind it."""
    assert len(set(sms._BASIC)) == 127
    assert len(set(sms._EXTENSION)) == 10
    assert not set(sms._BASIC) & set(sms._EXTENSION)


def _cut(text: str) -> int:
    is_gsm = all(letter in sms._BASIC + sms._EXTENSION for letter in text)
    costs = [
        (2 if letter in sms._EXTENSION else 1) if is_gsm else len(letter.encode("utf-16-le")) // 2 for letter in text
    ]
    single, part = (160, 153) if is_gsm else (70, 67)
    if sum(costs) <= single:
        return 1 if costs else 0
    segments, used = 1, 0
    for cost in costs:
        if used + cost > part:
            segments, used = segments + 1, 0
        used += cost
    return segments
