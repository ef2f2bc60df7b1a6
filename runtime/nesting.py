"""How deep JSON is nested: what is deeper than any data would exhaust a parser, or a writer, further on."""

from typing import Any

# Levels of objects and lists that anything from outside may have.
MAX_DEPTH = 64


def is_too_deep(raw: bytes, value: Any, *, limit: int = MAX_DEPTH) -> bool:
    """Tell whether value, as read from raw, has more than limit levels. The walk is only for what could have them."""
    return raw.count(b"{") + raw.count(b"[") > limit and _depth(value) > limit


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        containers = (item for item in level if isinstance(item, dict | list))
        level = [
            child
            for container in containers
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, dict | list)
        ]
    return depth
