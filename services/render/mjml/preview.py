"""MJML's own preheader, <mj-preview>."""

from services.render.mjml.faults import tags

_END = "</mj-preview>"


def preview(markup: str) -> str:
    """Return the text of <mj-preview> as written; empty if there is none."""
    start, end = _place(markup)
    return markup[start:end].partition(">")[2].removesuffix(_END)


def without_preview(markup: str) -> str:
    """Return the document without its <mj-preview>."""
    start, end = _place(markup)
    return markup[:start] + markup[end:]


def _place(markup: str) -> tuple[int, int]:
    if _END not in markup:
        return 0, 0
    start = next((tag.start() for tag in tags(markup) if tag["name"] == "mj-preview"), -1)
    end = markup.find(_END, start) if start >= 0 else -1
    return (0, 0) if end < 0 else (start, end + len(_END))
