"""Settings of every kind of SMS provider."""

from typing import Annotated

import msgspec

from services.senders.described import setting


class SmsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Extend it. sender: the number or name that the phone shows; empty: what the provider shows by itself."""

    sender: Annotated[
        str,
        setting(
            "Sender",
            "The number or name that the phone shows. Empty: what the provider shows by itself.",
            example="+254700000000",
        ),
    ] = ""
