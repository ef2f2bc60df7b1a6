"""Addresses and numbers as they are written, and the one form in which they are sent to."""

import email_validator
import phonenumbers
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from clarion.common.v1 import event_pb2
from services.domain import suppression_list
from services.domain.addresses import InvalidAddress, parse_email, parse_phone, trimmed
from tests.counting import count_calls


@pytest.mark.parametrize(
    "text",
    [
        "a@example.com",
        "A.b+c_d=e@Mail-1.Example.co.uk",
        "o'neil@example.com",
        "{x}~!#$%&*/?^`|@example.com",
        "a@localhost",
        "jürgen@example.com",
        "l" * 64 + "@example.com",
        "a@" + "d" * 63 + ".com",
    ],
)
def test_an_address_is_sent_to_as_it_is(text: str) -> None:
    """Bare ones; before the @ in any script."""
    assert parse_email(text) == text


@pytest.mark.parametrize(
    ("text", "sent_to"),
    [
        pytest.param(" ada@example.com ", "ada@example.com", id="blanks"),
        pytest.param("\tada@example.com\r\n", "ada@example.com", id="line-end"),
        pytest.param("\u00a0ada@example.com\u2009", "ada@example.com", id="no-break-and-thin-blank"),
        pytest.param("\u200eada@example.com\u200f", "ada@example.com", id="marks-of-direction"),
        pytest.param("\u202aada@example.com\u202c", "ada@example.com", id="embedding"),
        pytest.param("\ufeffada@example.com\u200b", "ada@example.com", id="byte-order-mark-and-zero-width"),
        pytest.param(" \u200b ada@example.com \u2060 ", "ada@example.com", id="blanks-around-marks"),
        pytest.param("ada@example.com.", "ada@example.com", id="final-dot"),
        pytest.param("ada@bücher.example", "ada@xn--bcher-kva.example", id="domain-in-another-script"),
        pytest.param("ada@straße.example", "ada@xn--strae-oqa.example", id="idna-2008"),
        pytest.param("用户@例え。jp。", "用户@xn--r8jz45g.jp", id="ideographic-full-stops"),
        pytest.param("jose\u0301@example.com", "josé@example.com", id="composed"),
    ],
)
def test_an_address_as_people_write_it(text: str, sent_to: str) -> None:
    """What copying leaves around it is cut off, a domain is in ASCII, the rest composed."""
    assert parse_email(text) == sent_to


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
        "a\r\nBcc: b@example.com",
        "a\r\nRCPT TO:<b@example.com>@example.com",
        "a@example.com\r\nBcc: b@example.com",
        "a@example.com\nb@example.com",
        "a\u2028x@example.com",
        "a@\u2028.example",
        "a\u200b@example.com",
        "a\u00a0b@example.com",
        "a b@example.com",
        "a@exa mple.com",
        '"a b"@example.com',
        '"ab"@example.com',
        "a@[192.0.2.1]",
        "Ada <a@example.com>",
        "<a@example.com>",
        "a@example.com (Ada)",
        "mailto:a@example.com",
        "a\uff20example.com",
        "a@example.com,b@example.com",
        "a;b@example.com",
        ".a@example.com",
        "a.@example.com",
        "a..b@example.com",
        "a@example..com",
        "a@example.com..",
        "a@.com",
        "a@.",
        "a@-example.com",
        "a@example-.com",
        "a@exa_mple.com",
        "l" * 65 + "@example.com",
        "ü" * 33 + "@example.com",
        "a@" + "d" * 64 + ".com",
        "a@" + "d." * 126 + "com",
        "a@\x00.com",
        "a\x00@example.com",
    ],
)
def test_no_addresses(text: str) -> None:
    """Anything that a mail server or a header could read as more, less or something else."""
    with pytest.raises(InvalidAddress):
        parse_email(text)


@pytest.mark.parametrize("text", ["+254712345678", "+1234567", "+123456789012345"])
def test_a_number_in_e164_is_sent_to_as_it_is(text: str) -> None:
    """From 7 to 15 digits."""
    assert parse_phone(text) == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("+254 712 345 678", id="blanks"),
        pytest.param("\t+254712345678\r\n", id="line-end"),
        pytest.param("(+254) 712-345.678", id="parentheses-hyphen-dot"),
        pytest.param("+254\u00a0712\u202f345\u2009678", id="no-break-and-thin-blanks"),
        pytest.param("+254\u2011712\u2013345\u2212678", id="hyphens-dash-and-minus"),
        pytest.param("\u202a+254712345678\u202c", id="embedding"),
        pytest.param("\u2068+254 712\u00ad345\u200e678\u2069", id="marks-within"),
        pytest.param("+254\ufe0e712345678", id="variation-selector"),
        pytest.param("".join(chr(0xFEE0 + ord(one)) for one in "+254-712.345(678)"), id="full-width"),
        pytest.param("+\u0662\u0665\u0664\u0667\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668", id="arabic-indic"),
        pytest.param("tel:+254-712-345-678", id="tel-uri"),
        pytest.param("TEL:+254712345678", id="tel-uri-in-capitals"),
        pytest.param("+254 (0)712 345 678", id="trunk-zero"),
        pytest.param("+254( 0 )712345678", id="trunk-zero-with-blanks"),
    ],
)
def test_a_number_as_people_write_it(text: str) -> None:
    """One number, however it is written."""
    assert parse_phone(text) == "+254712345678"


@pytest.mark.parametrize(
    ("text", "sent_to"),
    [
        pytest.param("+44 07911 123456", "+447911123456", id="british"),
        pytest.param("+2540712345678", "+254712345678", id="kenyan-without-blanks"),
        pytest.param("+7 8 912 345 67 89", "+79123456789", id="russian-8"),
        pytest.param("+36 06 20 123 4567", "+36201234567", id="hungarian-06"),
        pytest.param("+39 06 69812345", "+390669812345", id="italian-zero-stays"),
        pytest.param("+39 (0)347 123 4567", "+393471234567", id="italian-mobile-in-parentheses"),
        pytest.param("+225 07 07 12 34 56", "+2250707123456", id="ivorian-zero-stays"),
    ],
)
def test_a_trunk_prefix_is_not_sent(text: str, sent_to: str) -> None:
    """What is dialled within the country only, country by country."""
    assert parse_phone(text) == sent_to


def test_each_countrys_mobile_numbers_stay_as_they_are() -> None:
    """In E.164 a number has one form, and parsing it again changes nothing."""
    seen = 0
    for region in phonenumbers.SUPPORTED_REGIONS:
        example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
        if example is None:
            continue
        number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        assert parse_phone(number) == number
        seen += 1
    assert seen > 200


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("+3758102199406", "+3758102199406", id="begins-like-the-trunk-prefix"),
        pytest.param("+352153530181", "+352153530181", id="begins-like-a-carriers-code"),
        pytest.param("+61183282454", "+61183282454", id="begins-like-a-dialling-code"),
        pytest.param("+521 55 1234 5678", "+5215512345678", id="a-former-prefix-of-mobiles"),
        pytest.param("+39 (0)6 1234 5678", "+390612345678", id="italian-landlines-keep-the-zero"),
        pytest.param("+39 (0)347 1234567", "+393471234567", id="italian-mobiles-have-none"),
    ],
)
def test_no_digits_are_lost(text: str, number: str) -> None:
    """The library's own form of these is another number."""
    assert parse_phone(text) == number


@pytest.mark.parametrize("text", ["+999123456789", "+210123456789"])
def test_no_country_has_this_code(text: str) -> None:
    """Nobody can be reached there."""
    with pytest.raises(InvalidAddress):
        parse_phone(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "254712345678",
        "0712345678",
        "+0712345678",
        "00254712345678",
        "011254712345678",
        "+123456",
        "+1234567890123456",
        "+254 712",
        "++254712345678",
        "+254712345678+",
        "+254712345678,+254712345679",
        "+254712345678/79",
        "+254712345678\n+254712345679",
        "+254712345678 ext. 9",
        "tel:+254712345678;ext=9",
        "tel:0712345678;phone-context=+254",
        "sms:+254712345678",
        "+25471234567\u00b2",
        "+2547I2345678",
        "+254\x00712345678",
    ],
)
def test_no_numbers(text: str) -> None:
    """Without a plus nobody can tell the country: "00" dials abroad in some, not in all. And one number only."""
    with pytest.raises(InvalidAddress):
        parse_phone(text)


_AROUND = st.text(st.sampled_from(" \n\u200b\u202a\u00a0"), max_size=2)
_LOCAL = st.text(st.sampled_from("aÀéİßK\u0301\u0307\u212a1例"), min_size=1, max_size=6)
_DOMAIN = st.text(st.sampled_from("aBéß1例。.-"), min_size=1, max_size=8)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(_AROUND, _LOCAL, _DOMAIN, _AROUND)
def test_what_is_sent_to_is_what_is_suppressed(before: str, local: str, domain: str, after: str) -> None:
    """An address that the router takes has the same suppression as the one that the provider is given."""
    text = f"{before}{local}@{domain}{after}"
    try:
        sent_to = parse_email(text)
    except InvalidAddress:
        return
    event("taken")
    assert parse_email(sent_to) == sent_to
    form = suppression_list.normalised(event_pb2.CHANNEL_EMAIL, text)
    assert form
    assert form == suppression_list.normalised(event_pb2.CHANNEL_EMAIL, sent_to)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(
    st.text(st.sampled_from("aB1!'`.-_+\\\"(, é"), min_size=1, max_size=6),
    st.text(st.sampled_from("aB1.-_[]:é"), min_size=1, max_size=8),
)
def test_the_pattern_accepts_only_what_the_library_accepts(local: str, domain: str) -> None:
    """Ordinary addresses skip the library, and only they do."""
    text = trimmed(f"{local}@{domain}").removesuffix(".")
    email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()
    try:
        found = email_validator.validate_email(text, check_deliverability=False, globally_deliverable=False)
    except email_validator.EmailNotValidError as error:
        if "two letters followed by two dashes" not in str(error):  # some mail servers are named so
            event("refused")
            with pytest.raises(InvalidAddress):
                parse_email(f"{text}.")
        return
    event("accepted")
    assert parse_email(text).lower() == f"{found.local_part}@{found.ascii_domain}".lower()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ada.example.com", "@-sign"),
        ("@example.com", "before the @"),
        ("a..b@example.com", "two periods in a row"),
        ("ada@exa mple.com", "invalid characters"),
        ("Ada <ada@example.com>", "display name"),
        ("a@" + "d" * 250 + ".com", "too long"),
        ("ü" * 33 + "@example.com", "too long"),
        ("\u0301a@example.com", "unsafe characters"),
    ],
)
def test_the_reason_is_said(text: str, reason: str) -> None:
    """An operator can correct the address."""
    with pytest.raises(InvalidAddress, match=reason):
        parse_email(text)


@pytest.mark.parametrize("text", ["a." * 500_000, "a" * 500_000 + "@", "@" + "a-" * 500_000, "+" + "1 " * 500_000])
@pytest.mark.timeout(60)
def test_endless_ones_are_refused_before_they_are_read(text: str) -> None:
    """An address beyond every bound costs as little as one just beyond it, and no pattern runs away."""

    def refused(size: int) -> None:
        for parse in (parse_email, parse_phone):
            with pytest.raises(InvalidAddress):
                parse(text[:size])

    refused(len(text))
    count_calls(lambda: refused(len(text)), at_most=count_calls(lambda: refused(400)) + 100)


@pytest.mark.parametrize(
    "text", ["a." * 120, "a" * 200, "a@" + "a-" * 120, "a@" + "-" * 200, "a@" + "é." * 120, "a" * 100 + "(@b"]
)
@pytest.mark.timeout(60)
def test_long_ones_are_refused(text: str) -> None:
    """The longest that the patterns see: one that backtracks never ends with these."""
    with pytest.raises(InvalidAddress):
        parse_email(text)
