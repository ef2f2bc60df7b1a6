"""What events of earlier versions say in their bodies."""

import pytest

from services.domain.earlier_events import locale_of


@pytest.mark.parametrize(
    ("payload_extra", "variables", "found"),
    [
        (b"", b"", ""),
        (b"{}", b"{}", ""),
        (b'{"locale":"pt_br"}', b'{"locale":"fr"}', "pt-BR"),
        (b'{"a":1}', b'{"b":2,"locale":"de_DE.UTF-8"}', "de-DE"),
        (b'{"locale":"Deutsch, bitte"}', b'{"locale":"fr"}', "fr"),
        (b'{"locale":null}', b'{"locale":["fr"]}', ""),
        (b'{"a":{"locale":"fr"}}', b'{"b":"\\"locale\\""}', ""),
        (b'"locale"', b'[{"locale":"fr"}]', ""),
    ],
)
def test_the_locale_stood_in_the_body(payload_extra: bytes, variables: bytes, found: str) -> None:
    """The first of the two parts with a usable one, at its top level; a normal tag."""
    assert locale_of(payload_extra, variables) == found
