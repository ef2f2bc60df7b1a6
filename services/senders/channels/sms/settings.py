"""Settings of every kind of SMS provider."""

import msgspec


class SmsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Extend it. sender: the number or name that the phone shows; empty: what the provider shows by itself."""

    sender: str = ""
