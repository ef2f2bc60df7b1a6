"""The depth of JSON: deeper nesting than real data has would exhaust a parser or writer further on."""

from typing import Any

# The limit of nested objects and lists in anything from outside.
MAX_DEPTH = 64


def is_too_deep(raw: bytes, value: Any, *, limit: int = MAX_DEPTH) -> bool:
    """Return whether value, parsed from raw, has more than limit levels. Only a raw text that could is walked."""
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
