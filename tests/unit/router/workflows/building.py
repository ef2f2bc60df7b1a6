"""Documents of workflows, written briefly."""

from typing import Any

import msgspec

from services.router.workflows.document import Document, parse

MINUTE, HOUR, DAY = 60, 3600, 86400


def send(id_: str, channel: str = "EMAIL", **more: Any) -> dict[str, Any]:
    """A step that sends."""
    return {"id": id_, "kind": "send", "channel": channel, "template": {"key": "order.paid"}, **more}


def delay(id_: str, seconds: int = MINUTE, **more: Any) -> dict[str, Any]:
    """A step that waits so many seconds."""
    return {"id": id_, "kind": "delay", "for_s": seconds, **more}


def wait(id_: str, **how: Any) -> dict[str, Any]:
    """A step that waits in another way: until={…}."""
    return {"id": id_, "kind": "delay", **how}


def condition(id_: str, rule: Any, then: list[Any], otherwise: list[Any] | None = None) -> dict[str, Any]:
    """A step with two ways."""
    return {"id": id_, "kind": "condition", "rule": rule, "then": then, "else": otherwise or []}


def parallel(id_: str, *branches: list[Any], **more: Any) -> dict[str, Any]:
    """A step with several ways at once."""
    return {"id": id_, "kind": "parallel", "branches": list(branches), **more}


def stop(id_: str, **more: Any) -> dict[str, Any]:
    """A step that ends the run."""
    return {"id": id_, "kind": "stop", **more}


def raw(*steps: dict[str, Any], **more: Any) -> bytes:
    """A document as it is sent."""
    return msgspec.json.encode({"steps": list(steps), **more})


def document(*steps: dict[str, Any], **more: Any) -> Document:
    """A document that is valid."""
    return parse(raw(*steps, **more))


def var(path: str) -> dict[str, str]:
    """A rule's look at a fact."""
    return {"var": path}
