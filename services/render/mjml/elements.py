"""MJML's elements, and where each may stand."""

# Their content is HTML; styles and text in <mj-style> and <mj-title>.
ENDING = frozenset(
    (
        *("mj-accordion-text", "mj-accordion-title", "mj-button", "mj-navbar-link", "mj-preview", "mj-raw"),
        *("mj-social-element", "mj-style", "mj-table", "mj-text", "mj-title"),
    )
)
# Containers, each in those of a lower number.
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
# The converter takes no attributes of theirs.
BARE = frozenset(("mj-attributes", "mj-head", "mj-preview", "mj-raw", "mj-title"))
ELEMENTS = frozenset(("mj-head", *RANKS, *_PIECES, *_DEFAULTS, *_HEAD, *frozenset().union(*_PARTS.values())))


def may_stand(name: str, parent: str) -> bool:
    """Tell whether an element may stand in another."""
    if parent in RANKS:
        return name in _PIECES or RANKS.get(name, -1) > RANKS[parent]
    if parent == "mj-attributes":
        return name in ELEMENTS and name not in _HEAD - {"mj-raw"}
    return name in _INSIDE.get(parent, ())


_INSIDE = {"mjml": frozenset(("mj-body", "mj-head")), "mj-head": _HEAD, **_PARTS}
