"""Settings of Twilio."""

import re

from runtime.settings import Secret
from services.senders.channels.http_api import check_key
from services.senders.channels.sms.settings import SmsSettings

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

    account_sid: str
    auth_token: Secret = Secret("")
    shared_key: Secret = Secret("")
    api_key_sid: str = ""
    api_key_secret: Secret = Secret("")
    messaging_service_sid: str = ""
    status_callback: str = ""
    region: str = ""
    edge: str = ""


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
