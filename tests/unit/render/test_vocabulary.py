"""What editors are told about helpers and elements."""

from pathlib import Path

import pytest

from services.render import vocabulary
from services.render.handlebars.blocks import BLOCK_HELPERS
from services.render.helpers import HELPERS
from services.render.mjml.elements import ELEMENTS
from services.render.vocabulary import DescribedHelper

_PAGE = (Path(__file__).parents[3] / "docs" / "handlebars.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("helper", vocabulary.helpers(), ids=lambda helper: helper.name)
def test_every_helper_is_described(helper: DescribedHelper) -> None:
    """With a sentence, and an example of the documentation, which is tested there."""
    assert helper.summary.endswith(".")
    assert helper.name in helper.example
    assert f"| `{helper.example}` |" in _PAGE


def test_no_helper_is_missing() -> None:
    """By name."""
    assert [one.name for one in vocabulary.helpers()] == sorted(HELPERS.keys() | BLOCK_HELPERS.keys())


@pytest.mark.parametrize(
    ("name", "signature", "opens_block", "writes_value"),
    [
        ("formatDate", "formatDate when [format] [format=…] [locale=…] [time=…] [timeZone=…]", False, True),
        ("eq", "eq one other", True, True),
        ("and", "and value …", True, True),
        ("default", "default value fallback …", False, True),
        ("each", "each list as |item key|", True, False),
        ("if", "if condition [includeZero=…]", True, False),
        ("pluralize", "pluralize count [singular] [plural]", False, True),
    ],
)
def test_signatures(name: str, signature: str, opens_block: bool, writes_value: bool) -> None:  # noqa: FBT001
    """As a helper is called."""
    helper = next(one for one in vocabulary.helpers() if one.name == name)
    assert helper.signature.startswith(signature)
    assert (helper.opens_block, helper.writes_value) == (opens_block, writes_value)


def test_elements() -> None:
    """Each with what it may contain."""
    found = {one.name: one for one in vocabulary.elements()}
    assert found.keys() == ELEMENTS | {"mjml"}
    assert found["mjml"].children == ("mj-body", "mj-head")
    assert "mj-column" in found["mj-section"].children
    assert (found["mj-text"].has_text, found["mj-text"].children) == (True, ())
