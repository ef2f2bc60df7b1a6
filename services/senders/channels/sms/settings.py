"""What every kind of SMS provider is told."""

import msgspec


class SmsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Extend it. sender: the number or name that the phone shows; empty: what the provider shows by itself."""

    sender: str = ""
