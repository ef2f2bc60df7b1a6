"""Settings of SendGrid."""

import base64
import binascii
import functools
import re
from typing import TYPE_CHECKING, Annotated, Literal

from runtime.settings import Secret
from services.senders.channels.email.settings import EmailSettings, check_sender
from services.senders.channels.http_api import check_key
from services.senders.described import setting

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

_PEM_LINE = re.compile(r"-----(?:BEGIN|END) PUBLIC KEY-----")
# Blanks and line ends, also as escape sequences from a settings file.
_BLANKS = re.compile(r"\s+|\\r|\\n")


class SendgridSettings(EmailSettings, frozen=True, kw_only=True):
    """api_key: "SG.…". region: where the account's data are kept.

    webhook_public_key: what the signed event webhook shows under "verification key", base64 or PEM.
    """

    api_key: Annotated[
        Secret,
        setting("API key", "From SendGrid's page API Keys, with the permission Mail Send.", example="SG.abc.def"),
    ]
    region: Annotated[
        Literal["global", "eu"],
        setting("Region", "Where SendGrid keeps the account's data: eu for an EU-pinned account or subuser."),
    ] = "global"
    webhook_public_key: Annotated[
        str,
        setting(
            "Verification key of the event webhook",
            "SendGrid shows it when Signed Event Webhook is on. Without it delivery reports are refused.",
            example="MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE…",
            is_long=True,
        ),
    ] = ""


def check(settings: SendgridSettings) -> list[tuple[str, str]]:
    """Return the faults that types do not find."""
    return [*check_sender(settings), *check_key("api_key", settings.api_key)]


@functools.lru_cache(maxsize=256)
def public_key(text: str) -> "EllipticCurvePublicKey":
    """Return the public key in base64 of its DER form, or in PEM. Raises ValueError for an invalid key."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    encoded = _BLANKS.sub("", _PEM_LINE.sub("", text)).rstrip("=")
    try:
        key = load_der_public_key(base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(
            "the verification key is expected, in base64 or PEM, as the webhook's page shows it"
        ) from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("it is not of an elliptic curve")  # noqa: TRY004 - of the right type, but of another kind
    return key


def kept_key(text: str) -> str:
    """Return the public key in one line of base64. Raises ValueError."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return base64.b64encode(public_key(text).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
