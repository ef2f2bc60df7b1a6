"""The console's page, its files, and what its page needs beside the admin API."""

from typing import Any, Literal

from gateway.openapi.operations import HTML, Operation, Parameter, ResponseSpec
from gateway.openapi.values import AnyObject, GatewayFaultSchema, Shape

_TAG = "Console"
_FAULT = ResponseSpec(GatewayFaultSchema)


class StartSchema(Shape):
    """Where to go from here."""

    console: str
    documentation: str
    openapi: str


_LEADS = ResponseSpec(StartSchema, "The console is elsewhere.", headers={"Location": "The path of the console."})

OPERATIONS = (
    Operation(
        "GET",
        "/",
        "start",
        "Go to the console",
        _TAG,
        {302: _LEADS, 404: ResponseSpec(GatewayFaultSchema, "The client accepts no page.")},
    ),
    Operation("GET", "/console", "consoleStart", "Go to the console", _TAG, {302: _LEADS}),
    Operation(
        "GET",
        "/console/{path}",
        "console",
        "Show the console, or get one of its files",
        _TAG,
        {
            200: ResponseSpec(str, "The page, or the file.", content_type=HTML),
            304: ResponseSpec(description="The client has the file already."),
            404: ResponseSpec(GatewayFaultSchema, "There is no file with this name."),
            503: ResponseSpec(str, "The console is not built.", content_type=HTML),
        },
    ),
    Operation(
        "GET",
        "/console/frame",
        "consoleFrame",
        "Get the document in which the console shows the HTML of mails",
        _TAG,
        {200: ResponseSpec(str, content_type=HTML), 400: ResponseSpec(GatewayFaultSchema)},
        parameters=(Parameter("images", Literal["remote"], "Images of other hosts are loaded, too."),),
    ),
    Operation(
        "POST",
        "/csp-reports",
        "reportPolicy",
        "Report that the console's page broke its Content-Security-Policy",
        _TAG,
        {
            204: ResponseSpec(description="Counted."),
            400: _FAULT,
            408: _FAULT,
            413: _FAULT,
            415: _FAULT,
            503: _FAULT,
        },
        body=AnyObject | list[Any],
        description="Browsers call this. Reports are counted, and some of them logged.",
    ),
)
