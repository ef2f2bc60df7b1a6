"""Reports that come as a web form's fields."""

import urllib.parse

from services.senders.reports.ports import MalformedReport, ProviderCallback

_FORM = "application/x-www-form-urlencoded"
_MAX_FIELDS = 200


def is_form(callback: ProviderCallback) -> bool:
    """Tell whether the body is said to be a form."""
    return callback.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM


def read_form(callback: ProviderCallback) -> dict[str, list[str]]:
    """Return the fields, empty ones too. Raises MalformedError."""
    if not is_form(callback):
        raise MalformedReport("the body is no form")
    try:
        return urllib.parse.parse_qs(
            callback.body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict"
        )
    except ValueError as error:  # UnicodeDecodeError is one
        raise MalformedReport(str(error)) from error
