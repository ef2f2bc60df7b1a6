"""The portal: pages on which a customer of a tenant manages the endpoints of one application."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from gateway.openapi.operations import HTML, PORTAL_SESSION, RETRY_AFTER, Operation, ResponseSpec
from gateway.openapi.values import Id, Shape
from gateway.portal.links import OPEN_PATH
from gateway.portal.routes import DELIVERY, ENDPOINT

_TAG = "Portal"
_FORM = "application/x-www-form-urlencoded"


class OpenedPortalBody(Shape):
    """The form on the page of a link."""

    code: str


class PortalFormBody(Shape):
    """A form of the portal. csrf: as it is on the page."""

    csrf: str


class PortalEndpointBody(PortalFormBody):
    """The form of an endpoint."""

    url: str
    description: str = ""


class PortalActiveBody(PortalFormBody):
    """The button that enables or disables an endpoint."""

    active: Literal["yes", "no"]


class PortalEventTypesBody(PortalFormBody):
    """The chosen event types."""

    type: list[Id] = msgspec.field(default_factory=list)


def _page(description: str) -> ResponseSpec:
    headers = {"Retry-After": RETRY_AFTER} if description.startswith("Too many") else {}
    return ResponseSpec(str, description, content_type=HTML, headers=headers)


_FAULTS: Mapping[int, ResponseSpec] = {
    401: _page("There is no session: the link was used, or has ended."),
    404: _page("Not found."),
    422: _page("The form or the path has something that is not valid."),
    429: _page("Too many wrong links came from this address within a minute."),
    500: _page("Internal error."),
    503: _page("Temporarily unavailable."),
}
_FORM_FAULTS: Mapping[int, ResponseSpec] = {
    **_FAULTS,
    403: _page("The form is out of date, another site sent it, or the link is only for looking."),
    408: _page("The form took too long to arrive."),
    409: _page("It is not possible in the present state."),
    413: _page("The form is larger than 64 KiB."),
    415: _page("It is no form."),
}
_SEE = ResponseSpec(None, "Done; the next page.", headers={"Location": "The next page."})


def _view(path: str, name: str, summary: str) -> Operation:
    return Operation("GET", path, name, summary, _TAG, {200: _page("The page."), **_FAULTS}, security=(PORTAL_SESSION,))


def _action(
    path: str, name: str, summary: str, answers: Mapping[int, ResponseSpec], body: Any = PortalFormBody
) -> Operation:
    return Operation(
        "POST",
        path,
        name,
        summary,
        _TAG,
        {**answers, **_FORM_FAULTS},
        body=body,
        body_type=_FORM,
        security=(PORTAL_SESSION,),
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/portal/portal.css",
        "portalStyle",
        "Get the style of the pages",
        _TAG,
        {200: ResponseSpec(str, "The style.", content_type="text/css")},
    ),
    Operation(
        "GET",
        OPEN_PATH + "{code}",
        "showPortalLink",
        "Show the page to open the portal",
        _TAG,
        {200: _page("The page, with a button. The link is not used up yet."), 500: _FAULTS[500]},
    ),
    Operation(
        "POST",
        "/portal/open",
        "openPortal",
        "Open the portal; the link is used up",
        _TAG,
        {
            303: ResponseSpec(
                None,
                "Done; the session is in a cookie.",
                headers={"Location": "The next page.", "Set-Cookie": "The session."},
            ),
            **_FORM_FAULTS,
        },
        body=OpenedPortalBody,
        body_type=_FORM,
    ),
    _action("/portal/close", "closePortal", "End the session", {200: _page("The session has ended.")}),
    _view("/portal", "showPortal", "Show the endpoints of the application"),
    _action("/portal/endpoints", "createEndpointInPortal", "Create an endpoint", {303: _SEE}, PortalEndpointBody),
    _view(ENDPOINT, "showEndpointInPortal", "Show an endpoint with its last deliveries"),
    _action(ENDPOINT, "changeEndpointInPortal", "Change the URL and the description", {303: _SEE}, PortalEndpointBody),
    _action(ENDPOINT + "/active", "setActiveInPortal", "Enable or disable an endpoint", {303: _SEE}, PortalActiveBody),
    _action(
        ENDPOINT + "/event-types",
        "chooseEventTypesInPortal",
        "Choose the event types",
        {303: _SEE},
        PortalEventTypesBody,
    ),
    _action(ENDPOINT + "/rotate-secret", "rotateSecretInPortal", "Replace the signing secret", {303: _SEE}),
    _action(
        ENDPOINT + "/reveal-secret",
        "revealSecretInPortal",
        "Show the signing secret; the audit log records it",
        {200: _page("The page with the secret.")},
    ),
    _action(ENDPOINT + "/test", "testEndpointInPortal", "Send a test event", {303: _SEE}),
    _view(DELIVERY, "showDeliveryInPortal", "Show a delivery with its attempts"),
    _action(DELIVERY + "/retry", "retryDeliveryInPortal", "Send a delivery again", {303: _SEE}),
)
