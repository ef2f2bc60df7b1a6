"""Reports that are sent as the fields of a web form."""

import urllib.parse

from services.senders.reports.ports import MalformedReport, ProviderCallback

_FORM = "application/x-www-form-urlencoded"
_MAX_FIELDS = 200


def is_form(callback: ProviderCallback) -> bool:
    """Return whether the Content-Type is that of a form."""
    return callback.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM


def read_form(callback: ProviderCallback) -> dict[str, list[str]]:
    """Return the fields, with empty ones. Raises MalformedReport."""
    if not is_form(callback):
        raise MalformedReport("the body is not a form")
    try:
        return urllib.parse.parse_qs(
            callback.body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict"
        )
    except ValueError as error:  # UnicodeDecodeError is one
        raise MalformedReport(str(error)) from error
