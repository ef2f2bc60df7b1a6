"""Paths that providers and recipients call. Each path holds a secret, so no key is needed."""

from gateway.openapi.operations import HTML, PROBLEM, Operation, ResponseSpec
from gateway.openapi.values import ProblemSchema

_TAG = "Callbacks"


def _page(description: str) -> ResponseSpec:
    return ResponseSpec(str, description, content_type=HTML)


_FAULTS = {
    404: _page("The link is not valid."),
    500: _page("Internal error."),
    503: _page("Temporarily unavailable: nothing was changed. Try again."),
}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/callbacks/{id}/{secret}",
        "receiveReport",
        "Receive a provider's delivery reports",
        _TAG,
        {
            204: ResponseSpec(
                description="The reports were read. Reports about messages that Clarion did not send are only counted."
            ),
            **{
                status: ResponseSpec(ProblemSchema, description, content_type=PROBLEM)
                for status, description in (
                    (403, "The signature is missing, wrong or too old."),
                    (404, "Not found: the provider does not exist, or the secret in the path is wrong."),
                    (408, "The body took too long to arrive."),
                    (413, "The body is larger than 1 MiB."),
                    (415, "A compressed body is not accepted."),
                    (422, "The body is not a delivery report of this kind of provider."),
                    (500, "Internal error."),
                    (503, "Temporarily unavailable. Send the report again."),
                )
            },
        },
        description="The body has the provider's own format: JSON from Resend and SendGrid, form fields from Twilio "
        "and Africa's Talking. See docs/delivery-reports.md.",
    ),
    Operation(
        "GET",
        "/unsubscribe/{token}",
        "showUnsubscription",
        "Show the page to confirm an unsubscription",
        _TAG,
        {200: _page("The page, with a button to confirm. Nothing has changed yet."), **_FAULTS},
    ),
    Operation(
        "POST",
        "/unsubscribe/{token}",
        "unsubscribe",
        "Unsubscribe the link's recipient with one click (RFC 8058)",
        _TAG,
        {
            200: _page("The recipient is unsubscribed, now or since an earlier call."),
            **_FAULTS,
            408: _page("The body took too long to arrive."),
            413: _page("The body is larger than 4 KiB."),
            415: _page("A compressed body is not accepted."),
        },
    ),
)
