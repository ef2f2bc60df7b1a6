"""What the world calls back: their paths are secrets of their own."""

from gateway.openapi.operations import HTML, PROBLEM, Operation, ResponseSpec
from gateway.openapi.values import ProblemSchema

_TAG = "Callbacks"


def _page(description: str) -> ResponseSpec:
    return ResponseSpec(str, description, content_type=HTML)


_FAULTS = {
    404: _page("This is not a link of ours."),
    500: _page("A fault of ours."),
    503: _page("Nothing was changed; try again."),
}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/callbacks/{id}/{secret}",
        "receiveReport",
        "Take in a provider's delivery reports",
        _TAG,
        {
            204: ResponseSpec(
                description="Understood; what is about messages that nobody here has sent is only counted."
            ),
            **{
                status: ResponseSpec(ProblemSchema, description, content_type=PROBLEM)
                for status, description in (
                    (403, "The signature is missing, wrong or too old."),
                    (404, "There is no such callback: the provider, or the secret."),
                    (408, "The body took too long."),
                    (413, "At most 1 MiB."),
                    (415, "A compressed body is not accepted."),
                    (422, "The body is not a report of this provider."),
                    (500, "A fault of ours."),
                    (503, "Nothing is lost; send it again."),
                )
            },
        },
        description="The body is the provider's own: JSON of Resend and SendGrid, a form of Twilio and Africa's "
        "Talking. See docs/delivery-reports.md.",
    ),
    Operation(
        "GET",
        "/unsubscribe/{token}",
        "showUnsubscription",
        "A page that asks whether it is meant; nothing changes",
        _TAG,
        {200: _page("With a button."), **_FAULTS},
    ),
    Operation(
        "POST",
        "/unsubscribe/{token}",
        "unsubscribe",
        "End subscribed mail to the link's recipient, with one click (RFC 8058)",
        _TAG,
        {
            200: _page("Done, or done before."),
            **_FAULTS,
            408: _page("The body took too long."),
            413: _page("At most 4 KiB."),
            415: _page("A compressed body is not accepted."),
        },
    ),
)
