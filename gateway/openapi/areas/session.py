"""Who asks, and signing in."""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta

from gateway.admin.session import PasswordChangeBody, SignInBody
from gateway.admin.users import RoleWord
from gateway.openapi.operations import PROBLEM, Operation, Parameter, ResponseSpec, admin
from gateway.openapi.values import Id, PageSchema, ProblemSchema, Shape, Text, Time

_TAG = "Session"


class MembershipSchema(Shape):
    """A role, and where it applies. Both ids are null: in the whole installation."""

    account_id: Id | None
    tenant_id: Id | None
    role: RoleWord


class SignedInSchema(Shape):
    """Who sent the request."""

    kind: Literal["user", "token"]
    name: str
    email: str | None
    csrf_token: Annotated[
        str | None,
        Meta(description="The value of the header `X-CSRF-Token` for calls with the session's cookie."),
    ]
    memberships: list[MembershipSchema]
    expires_at: Annotated[Time | None, Meta(description="When the session ends if it is not used. null: a token.")]


class IdentityProviderSchema(Shape):
    """An identity provider that people can sign in with."""

    name: str


class SignInOptionsSchema(Shape):
    """The ways to sign in."""

    owner_exists: Annotated[
        bool, Meta(description="false: nobody can sign in yet. `clarion owner-link` makes the first owner's link.")
    ]
    oidc: Annotated[IdentityProviderSchema | None, Meta(description="null: there is none, only passwords.")]


class ConsoleSessionSchema(Shape):
    """A session of a console user."""

    id: Id
    current: Annotated[bool, Meta(description="true: the session of this request.")]
    user_agent: Annotated[str | None, Meta(description="The browser, as it named itself.")]
    address: Annotated[str | None, Meta(description="The network address that it was begun from.")]
    created_at: Time
    last_seen_at: Time
    expires_at: Time


def _browser(
    path: str, name: str, summary: str, leads_to: str, parameters: Sequence[Parameter], faults: Sequence[int]
) -> Operation:
    """Return an operation that a browser calls by itself."""
    refused = {status: ResponseSpec(ProblemSchema, content_type=PROBLEM) for status in (*faults, 500)}
    sent_on = ResponseSpec(None, leads_to, headers={"Location": "Where the browser goes."})
    return Operation(
        "GET", f"/api/v1/admin{path}", name, summary, _TAG, {303: sent_on, **refused}, parameters=parameters
    )


_COOKIE = "Sets the cookie of the session. It ends after a day without use, and after 14 days in any case."

OPERATIONS: tuple[Operation, ...] = (
    admin("GET", "/session", "getSession", "Get who asks, and with which roles", {200: SignedInSchema}, tag=_TAG),
    admin(
        "GET",
        "/session/options",
        "getSignInOptions",
        "Get the ways to sign in",
        {200: SignInOptionsSchema},
        tag=_TAG,
        is_open=True,
    ),
    admin(
        "POST",
        "/session",
        "signIn",
        "Sign in to the console",
        {200: SignedInSchema},
        tag=_TAG,
        faults=(401, 403, 429),
        body=SignInBody,
        description=_COOKIE,
        is_open=True,
    ),
    _browser(
        "/session/oidc",
        "beginOidc",
        "Sign in by the identity provider",
        "The provider's page.",
        (Parameter("next", Text, "The path below /console to show afterwards."),),
        (404, 422, 503),
    ),
    _browser(
        "/session/oidc/callback",
        "endOidc",
        "Come back from the identity provider",
        "The console, with the cookie of a session; or the page to sign in, with the reason why not.",
        (),
        (404,),
    ),
    admin("DELETE", "/session", "signOut", "Sign out", {204: None}, tag=_TAG),
    admin(
        "POST",
        "/session/password",
        "changePassword",
        "Change your password",
        {204: None},
        tag=_TAG,
        body=PasswordChangeBody,
        description="Ends all other sessions of the user.",
    ),
    admin(
        "GET",
        "/session/sessions",
        "listOwnSessions",
        "List your sessions",
        {200: PageSchema[ConsoleSessionSchema]},
        tag=_TAG,
    ),
    admin("DELETE", "/session/sessions/{id}", "revokeOwnSession", "End one of your sessions", {204: None}, tag=_TAG),
)
