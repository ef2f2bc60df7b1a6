"""MJML's elements, and which element may contain which."""

# Elements whose content is HTML, or styles (<mj-style>), or text (<mj-title>).
ENDING = frozenset(
    (
        *("mj-accordion-text", "mj-accordion-title", "mj-button", "mj-navbar-link", "mj-preview", "mj-raw"),
        *("mj-social-element", "mj-style", "mj-table", "mj-text", "mj-title"),
    )
)
# Containers. Each may be in one with a lower number.
RANKS = {"mj-body": 0, "mj-wrapper": 1, "mj-section": 2, "mj-hero": 2, "mj-group": 3, "mj-column": 4}
_PIECES = frozenset(
    (
        *("mj-accordion", "mj-button", "mj-carousel", "mj-divider", "mj-image", "mj-navbar", "mj-raw", "mj-social"),
        *("mj-spacer", "mj-table", "mj-text"),
    )
)
_DEFAULTS = frozenset(("mj-all", "mj-class"))
_PARTS = {
    "mj-accordion": frozenset(("mj-accordion-element",)),
    "mj-accordion-element": frozenset(("mj-accordion-text", "mj-accordion-title")),
    "mj-carousel": frozenset(("mj-carousel-image",)),
    "mj-navbar": frozenset(("mj-navbar-link",)),
    "mj-social": frozenset(("mj-social-element",)),
}
_HEAD = frozenset(
    ("mj-attributes", "mj-breakpoint", "mj-font", "mj-preview", "mj-raw", "mj-style", "mj-title"),
)
# Elements for which the converter accepts no attributes.
BARE = frozenset(("mj-attributes", "mj-head", "mj-preview", "mj-raw", "mj-title"))
ELEMENTS = frozenset(("mj-head", *RANKS, *_PIECES, *_DEFAULTS, *_HEAD, *frozenset().union(*_PARTS.values())))


def may_stand(name: str, parent: str) -> bool:
    """Return whether an element may be in another one."""
    if parent in RANKS:
        return name in _PIECES or RANKS.get(name, -1) > RANKS[parent]
    if parent == "mj-attributes":
        return name in ELEMENTS and name not in _HEAD - {"mj-raw"}
    return name in _INSIDE.get(parent, ())


_INSIDE = {"mjml": frozenset(("mj-body", "mj-head")), "mj-head": _HEAD, **_PARTS}
