"""Tokens of recipients' devices: their check, and how they are shown. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence

from clarion.router.v1 import recipients_pb2
from services.router.recipients.check import DEVICE_KINDS, MAX_DEVICES, MAX_TOKEN, Device, Fault, text

_FIELD = "device_tokens"
# Stands for the middle of a token. No push service has it in its tokens.
_MIDDLE = "…"
_LEAST_SHOWN = 20


def shown(token: str) -> str:
    """Return what is shown of a token: enough to tell two apart."""
    return f"{token[:6]}{_MIDDLE}{token[-4:]}" if len(token) > _LEAST_SHOWN else _MIDDLE


def checked(some: Sequence[recipients_pb2.DeviceToken], faults: list[Fault]) -> tuple[Device, ...]:
    """Return tokens as they are sent; appends to faults what is wrong with them."""
    if len(some) > MAX_DEVICES:
        faults.append((_FIELD, f"must be at most {MAX_DEVICES}"))
    for position, one in enumerate(some[:MAX_DEVICES]):
        at = f"{_FIELD}[{position}]"
        faults += text(f"{at}.token", one.token, limit=MAX_TOKEN, required=True)
        if one.kind not in DEVICE_KINDS:
            faults.append((f"{at}.kind", f"must be one of {', '.join(DEVICE_KINDS)}"))
    return tuple(Device(one.kind, one.token) for one in some)


def in_full(sent: Sequence[Device], stored: Iterable[Device], faults: list[Fault]) -> tuple[Device, ...]:
    """Return the tokens that are to be stored: one that is sent as it is shown is the stored one that is shown so.

    So a caller who has only what is shown can keep some of them. Appends to faults each token that names no stored one,
    or one of several that look the same, of which not all are sent.
    """
    alike: dict[Device, list[Device]] = {}
    for one in stored:
        alike.setdefault(Device(one.kind, shown(one.token)), []).append(one)
    times = Counter(sent)
    found: dict[Device, None] = {}
    for position, one in enumerate(sent):
        meant = alike.get(one, [])
        if _MIDDLE not in one.token:
            found[one] = None
        elif not meant:
            faults.append((f"{_FIELD}[{position}].token", "is not how a stored token is shown: send it in full"))
        elif len(meant) != times[one]:
            message = "is how several stored tokens are shown: send those in full that stay"
            faults.append((f"{_FIELD}[{position}].token", message))
        else:
            found.update(dict.fromkeys(meant))
    return tuple(found)


def with_kinds(sent: Sequence[Device], stored: Sequence[Device], faults: list[Fault]) -> tuple[Device, ...]:
    """Return the tokens that are to be stored if these replace those of their kinds; appends to faults as in_full()."""
    kinds = {one.kind for one in sent}
    left = (*(one for one in stored if one.kind not in kinds), *in_full(sent, stored, faults))
    if len(left) > MAX_DEVICES:
        faults.append((_FIELD, f"would leave more than {MAX_DEVICES}"))
    return left
