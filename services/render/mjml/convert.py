"""Checks and converts an MJML document."""

import re

from mjml import mjml2html

from services.render.mjml import endings, repair, styles
from services.render.mjml.elements import ELEMENTS
from services.render.mjml.faults import MjmlError, explained, first_fault, is_nested, stray, tags

# What may precede the root, including a byte order mark.
_ROOT = re.compile(r"[\ufeff\s]*+(?:(?:<!--.*?-->|<\?[^<>]*+>|<!(?i:doctype)[^<>]*+>)\s*+)*+(?=<mjml[\s>])", re.DOTALL)
_UNSUPPORTED = {
    "mj-html-attribute": "mj-html-attributes",
    "mj-html-attributes": "mj-html-attributes",
    "mj-selector": "mj-html-attributes",
}


def is_mjml(markup: str) -> bool:
    """Return whether the root is <mjml>. Everything else is HTML."""
    return _ROOT.match(markup) is not None


def check(markup: str) -> None:
    """Raise MjmlError for a mistake in a template, even if it could be converted.

    Markup whose root is not <mjml> is HTML: it only must not contain MJML elements.
    """
    root = _ROOT.match(markup)
    for tag in tags(markup):
        name = tag["name"]
        if not name.lower().startswith("mj-"):
            continue
        if root is None:
            raise MjmlError(f"<{name}> is outside of <mjml>: begin the document with <mjml>", tag.start())
        if name in _UNSUPPORTED:
            unsupported = _UNSUPPORTED[name]
            raise MjmlError(f"<{unsupported}> is not supported: write the attributes in the HTML", tag.start())
        if name not in ELEMENTS and name.lower() != "mj-include":
            raise MjmlError(f"<{name}> is not an MJML element: check its spelling", tag.start())
    if root is None:
        return
    try:
        _check_document(markup[root.end() :])
    except MjmlError as error:
        raise MjmlError(error.message, error.offset if error.offset < 0 else error.offset + root.end()) from None


def to_html(markup: str) -> str:
    """Convert a document, whatever data are in it. Raises MjmlError if it cannot even be repaired."""
    root = _ROOT.match(markup)
    document = endings.split(markup if root is None else markup[root.end() :])
    try:
        made = _converted(document.structure)
    except MjmlError:
        made = _converted(repair.repaired(document))
    return styles.inlined(document.restored(made), document.css)


def _check_document(markup: str) -> None:
    fault = first_fault(markup)
    if fault is not None:
        raise fault
    try:
        mjml2html(markup, include_loader=_no_include)
    except ValueError as error:
        # A mistake that only concerns HTML is accepted, such as a comment with "--" in it.
        fault = stray(markup)
        if fault is not None or _is_refused(endings.split(markup).structure):
            raise fault or explained(str(error), markup) from None
    to_html(markup)


def _is_refused(structure: str) -> bool:
    try:
        _converted(structure)
    except MjmlError:
        return True
    return False


def _converted(structure: str) -> str:
    """Convert a structure without HTML. Raises MjmlError, also for one that the converter would misread."""
    if not is_nested(structure):
        raise MjmlError("the tags of the MJML do not match: each needs its end tag")
    try:
        return mjml2html(structure, include_loader=_no_include)
    except ValueError as error:
        raise explained(str(error), structure) from None


def _no_include(path: str) -> str:
    raise ValueError(f"mj-include of {path} is not allowed: use a partial")
