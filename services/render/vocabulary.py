"""What templates can be written with, for editors: helpers with their signatures, and MJML's elements."""

from dataclasses import dataclass

from services.render.handlebars.blocks import BLOCK_HELPERS, BlockHelper
from services.render.handlebars.helper import Helper
from services.render.helpers import HELPERS
from services.render.mjml.elements import ELEMENTS, ENDING, may_stand


@dataclass(frozen=True, slots=True)
class DescribedHelper:
    """See clarion.render.v1.TemplateHelper."""

    name: str
    signature: str
    summary: str
    example: str
    options: tuple[str, ...]
    opens_block: bool
    writes_value: bool


@dataclass(frozen=True, slots=True)
class DescribedElement:
    """See clarion.render.v1.MarkupElement."""

    name: str
    children: tuple[str, ...]
    has_text: bool


def helpers() -> list[DescribedHelper]:
    """Return all helpers and blocks, by name."""
    blocks = [_block(name, helper) for name, helper in BLOCK_HELPERS.items()]
    return sorted([*blocks, *(_helper(name, helper) for name, helper in HELPERS.items())], key=lambda one: one.name)


def elements() -> list[DescribedElement]:
    """Return MJML's elements, by name. The root comes first."""
    names = sorted(ELEMENTS)
    return [
        DescribedElement(name, tuple(child for child in names if may_stand(child, name)), name in ENDING)
        for name in ("mjml", *names)
    ]


def _block(name: str, helper: BlockHelper) -> DescribedHelper:
    options = tuple(sorted(helper.options))
    names = ("", " as |item|", " as |item key|")[helper.names]
    signature = _signature(name, (helper.parameter,), 1, 1, options) + names
    return DescribedHelper(name, signature, helper.summary, helper.example, options, True, False)


def _helper(name: str, helper: Helper) -> DescribedHelper:
    options = tuple(sorted(helper.options or ()))
    signature = _signature(name, helper.parameters, helper.least, helper.most, options)
    return DescribedHelper(name, signature, helper.summary, helper.example, options, helper.decides, True)


def _signature(name: str, parameters: tuple[str, ...], least: int, most: int, options: tuple[str, ...]) -> str:
    words = [name]
    words += [one if index < least else f"[{one}]" for index, one in enumerate(parameters)]
    if most > len(parameters):
        words.append("…")
    return " ".join([*words, *(f"[{option}=…]" for option in options)])
