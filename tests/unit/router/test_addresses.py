"""Which addresses can be written to."""

import time

import pytest

from services.router.addresses import is_email, is_phone


@pytest.mark.parametrize(
    "text",
    [
        "a@example.com",
        "A.b+c_d=e@Mail-1.Example.co.uk",
        "o'neil@example.com",
        "{x}~!#$%&*/?^`|@example.com",
        "a@localhost",
        "jürgen@example.com",
        "用户@例子.例子",
        "l" * 64 + "@example.com",
        "a@" + "d" * 63 + ".com",
    ],
)
def test_addresses(text: str) -> None:
    """Bare ones, in any script."""
    assert is_email(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a",
        "@",
        "a@",
        "@example.com",
        "a@@example.com",
        "a@b@example.com",
        " a@example.com",
        "a@example.com ",
        "a@example.com\n",
        "a\r\nBcc: b@example.com",
        "a@example.com\u2028",
        "a\u200b@example.com",
        "a\u00a0b@example.com",
        "a b@example.com",
        '"a b"@example.com',
        "a@[192.0.2.1]",
        "Ada <a@example.com>",
        "a@example.com,b@example.com",
        "a;b@example.com",
        ".a@example.com",
        "a.@example.com",
        "a..b@example.com",
        "a@example..com",
        "a@.com",
        "a@example.com.",
        "a@-example.com",
        "a@example-.com",
        "a@exa_mple.com",
        "l" * 65 + "@example.com",
        "ü" * 33 + "@example.com",
        "a@" + "d" * 64 + ".com",
        "a@" + "d." * 126 + "com",
        "a@\x00.com",
    ],
)
def test_no_addresses(text: str) -> None:
    """Anything that a mail server or a header could read as more, less or something else."""
    assert not is_email(text)


@pytest.mark.parametrize("text", ["+254712345678", "+1234567", "+123456789012345"])
def test_numbers(text: str) -> None:
    """E.164."""
    assert is_phone(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "254712345678",
        "+0712345678",
        "+123456",
        "+1234567890123456",
        "+254 712",
        "+254712345678\n",
        "+٢٥٤٧١٢٣٤٥",
    ],
)
def test_no_numbers(text: str) -> None:
    """Not even nearly."""
    assert not is_phone(text)


@pytest.mark.parametrize("text", ["a." * 500_000, "a" * 500_000 + "@", "@" + "a-" * 500_000, "+" + "1" * 500_000])
def test_endless_ones_are_refused_at_once(text: str) -> None:
    """No pattern runs away."""
    began = time.process_time()
    assert not is_email(text)
    assert not is_phone(text)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("text", ["a." * 120, "a" * 200, "a@" + "a-" * 120, "a@" + "-" * 200, "a@" + "a." * 120])
def test_long_ones_are_judged_at_once(text: str) -> None:
    """The longest that are looked at take no time either."""
    began = time.process_time()
    for _ in range(100):
        is_email(text)
    assert time.process_time() - began < 5
