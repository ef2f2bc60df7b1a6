"""Settings of Twilio."""

import re
from typing import Annotated

from runtime.settings import Secret
from services.senders.channels.http_api import check_key
from services.senders.channels.sms.settings import SmsSettings
from services.senders.described import setting

_ACCOUNT = re.compile(r"AC[0-9a-fA-F]{32}")
_API_KEY = re.compile(r"SK[0-9a-fA-F]{32}")
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")
_PLACE = re.compile(r"[a-z0-9-]{0,32}")


class TwilioSettings(SmsSettings, frozen=True, kw_only=True):
    """account_sid: "AC…". Calls are made with api_key_sid ("SK…") and api_key_secret where they are given, else with
    auth_token, which is also what Twilio signs its delivery reports with. shared_key: what it signs them with instead
    where one of the account's webhook rules says so.

    sender or messaging_service_sid ("MG…") is needed; the service wins. status_callback: where delivery reports go,
    instead of where the service says. region and edge: "ie1", "dublin".
    """

    account_sid: Annotated[
        str,
        setting(
            "Account SID", "From the first page of Twilio's console.", example="AC00000000000000000000000000000000"
        ),
    ]
    auth_token: Annotated[
        Secret,
        setting(
            "Auth token",
            "From the first page of Twilio's console. It verifies delivery reports, and makes the calls unless an API "
            "key does.",
        ),
    ] = Secret("")
    shared_key: Annotated[
        Secret,
        setting("Shared key", "Only if a webhook rule of the account signs delivery reports with a shared key."),
    ] = Secret("")
    api_key_sid: Annotated[
        str,
        setting(
            "API key SID",
            "Makes the calls in place of the auth token. It goes together with the API key's secret.",
            example="SK00000000000000000000000000000000",
        ),
    ] = ""
    api_key_secret: Annotated[Secret, setting("API key secret", "Twilio shows it once, when the key is created.")] = (
        Secret("")
    )
    messaging_service_sid: Annotated[
        str,
        setting(
            "Messaging service SID",
            "A messaging service chooses the sender. If it is set, the sender is not used.",
            example="MG00000000000000000000000000000000",
        ),
    ] = ""
    status_callback: Annotated[
        str,
        setting(
            "Status callback",
            "Where Twilio sends delivery reports, in place of what the messaging service says. Use the callback URL.",
            example="https://notify.example.com/callbacks/…",
        ),
    ] = ""
    region: Annotated[str, setting("Region", "Empty: the United States.", example="ie1")] = ""
    edge: Annotated[
        str, setting("Edge", "Where calls enter Twilio's network. Empty: Twilio chooses.", example="dublin")
    ] = ""


def check(settings: TwilioSettings) -> list[tuple[str, str]]:
    """Return the faults that types do not find."""
    faults = []
    if not _ACCOUNT.fullmatch(settings.account_sid):
        faults.append(("account_sid", "This is not of the form AC and 32 hexadecimal digits."))
    if settings.api_key_sid and not _API_KEY.fullmatch(settings.api_key_sid):
        faults.append(("api_key_sid", "This is not of the form SK and 32 hexadecimal digits."))
    if bool(settings.api_key_sid) != bool(settings.api_key_secret.reveal()):
        name = "api_key_secret" if settings.api_key_sid else "api_key_sid"
        faults.append((name, "An API key's id and its secret go together."))
    if settings.api_key_secret.reveal():
        faults += check_key("api_key_secret", settings.api_key_secret)
    if not settings.api_key_sid and not settings.auth_token.reveal():
        faults.append(("auth_token", "The account's token is needed, or an API key."))
    if settings.messaging_service_sid and not _SERVICE.fullmatch(settings.messaging_service_sid):
        faults.append(("messaging_service_sid", "This is not of the form MG and 32 hexadecimal digits."))
    if not settings.sender and not settings.messaging_service_sid:
        faults.append(("sender", "A sender is needed, or a messaging service."))
    if settings.status_callback and not settings.status_callback.startswith(("https://", "http://")):
        faults.append(("status_callback", "This is not a web address."))
    faults += [
        (name, "Lower-case letters, digits and hyphens.")
        for name, value in (("region", settings.region), ("edge", settings.edge))
        if not _PLACE.fullmatch(value)
    ]
    return faults


def kept_token(token: str) -> str:
    """Return a token or shared key. Raises ValueError for an invalid one."""
    if check_key("", Secret(token)):
        raise ValueError("printable ASCII without blanks is expected")
    return token


def host(settings: TwilioSettings) -> str:
    """Return the API's host. An edge needs a region; without one it is in the United States."""
    region = settings.region or ("us1" if settings.edge else "")
    return ".".join(part for part in ("api", settings.edge, region, "twilio.com") if part)
