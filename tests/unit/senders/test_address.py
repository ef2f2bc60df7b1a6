"""E-mail addresses: what is taken, what is refused, and what other scripts become."""

import pytest

from services.senders.channels.email import address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ada@example.org", "ada@example.org"),
        ("  ada@example.org ", "ada@example.org"),
        ("ada+news.x_1@mail.example.org", "ada+news.x_1@mail.example.org"),
        ("root@localhost", "root@localhost"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@straße.example", "ada@xn--strae-oqa.example"),
    ],
)
def test_taken(text: str, expected: str) -> None:
    """Usual addresses pass; a domain in another script becomes ASCII by IDNA 2008 (ß is not ss)."""
    parsed = address.parse(text)
    assert str(parsed) == expected
    assert not parsed.needs_smtputf8


def test_a_local_part_in_another_script_needs_smtputf8() -> None:
    """It is kept as it is, and says what it needs."""
    parsed = address.parse("用户@例え.jp")
    assert str(parsed) == "用户@xn--r8jz45g.jp"
    assert parsed.needs_smtputf8


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "@example.org",
        "ada@",
        "ada@example..org",
        "ada@-example.org",
        "ada@exa mple.org",
        "a da@example.org",
        "ada@example.org\r\nBcc: eve@example.org",
        "ada\r\nRCPT TO:<eve@example.org>@example.org",
        "ada@example.org, eve@example.org",
        "<ada@example.org>",
        "Ada <ada@example.org>",
        '"a b"@example.org',
        "ada@[192.0.2.1]",
        ".ada@example.org",
        "ada\u2028x@example.org",
        "ada\u00a0x@example.org",
        "ada\x00@example.org",
        f"{'a' * 65}@example.org",
        f"ada@{'a.' * 130}org",
        "ada@\u2028.example",
    ],
)
def test_refused(text: str) -> None:
    """What is malformed, or more than one address, never reaches a server."""
    with pytest.raises(address.InvalidAddress):
        address.parse(text)
