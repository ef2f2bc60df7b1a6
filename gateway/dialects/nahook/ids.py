"""Public ids: a prefix that names the kind of thing, and the 32 hexadecimal digits of one of our UUIDs. Pure."""

import re

from runtime.errors import ClarionError, Code

WORKSPACE = "ws_"
ENVIRONMENT = "env_"
ENDPOINT = "ep_"
EVENT_TYPE = "evt_"
SUBSCRIPTION = "sub_"
APPLICATION = "app_"
DELIVERY = "del_"
ATTEMPT = "att_"
MESSAGE = "msg_"
AUDIT_ENTRY = "aud_"

_DIGITS = re.compile(r"[0-9a-f]{32}")


def public(prefix: str, uuid: str) -> str:
    """Return the public id of a UUID; of an empty text, an empty one."""
    return prefix + uuid.replace("-", "") if uuid else ""


def private(prefix: str, public_id: str) -> str:
    """Return the UUID of a public id. Raises NOT_FOUND for what is no id of this kind, as for one that is unknown."""
    digits = public_id.removeprefix(prefix)
    if len(digits) == len(public_id) or not _DIGITS.fullmatch(digits):
        raise ClarionError(Code.NOT_FOUND, f"There is nothing with the id {prefix}….")
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
