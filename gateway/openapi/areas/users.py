"""Console users, and the links by which they join."""

from typing import Annotated, Literal

from msgspec import Meta

from gateway.admin.users import AcceptBody, LinkBody, NewUserBody, UserChangeBody
from gateway.openapi.areas.session import ConsoleSessionSchema, MembershipSchema, SignedInSchema
from gateway.openapi.operations import PAGING, Operation, admin, filters
from gateway.openapi.values import Id, PageSchema, Shape, Time

_TAG = "Users"

LinkKind = Literal["first_owner", "invitation", "password_reset"]


class UserSchema(Shape):
    """A console user: a person who signs in to the console."""

    id: Id
    email: str
    name: str
    disabled: Annotated[bool, Meta(description="true: they cannot sign in.")]
    account_id: Annotated[
        Id | None,
        Meta(
            description="The account whose owners manage them, and in which alone they have roles. null: owners of the"
            " installation manage them."
        ),
    ]
    memberships: list[MembershipSchema]
    has_password: Annotated[bool, Meta(description="false: they have not accepted their invitation.")]
    has_oidc: Annotated[bool, Meta(description="true: an account of the identity provider is bound to them.")]
    invitation_expires_at: Annotated[
        Time | None, Meta(description="When the newest link ends that they have not used. null: there is none.")
    ]
    created_at: Time
    last_sign_in_at: Time | None


class InvitationSchema(Shape):
    """A link that can be used once, shown only in this response."""

    kind: LinkKind
    url: str
    expires_at: Time


class InvitedUserSchema(UserSchema):
    """A new user with the link that invites them."""

    invitation: InvitationSchema


class OpenedLinkSchema(Shape):
    """What a link is for. email and name are null for the first owner."""

    kind: LinkKind
    email: str | None
    name: str | None
    expires_at: Time


_LAST = (
    "409: no owner of the installation would be left who can sign in, or somebody who belongs to an account would get a"
    " role outside it. Owners of an account: 403 for people who do not belong to it, except that their roles within it"
    " are replaced."
)

OPERATIONS: tuple[Operation, ...] = (
    admin(
        "POST",
        "/invitations/open",
        "openInvitation",
        "Get what a link is for",
        {200: OpenedLinkSchema},
        tag=_TAG,
        faults=(403, 404, 429),
        body=LinkBody,
        description="The link stays usable.",
        is_open=True,
    ),
    admin(
        "POST",
        "/invitations/accept",
        "acceptInvitation",
        "Set a password by a link, and sign in",
        {200: SignedInSchema},
        tag=_TAG,
        faults=(403, 404, 409, 429),
        body=AcceptBody,
        description="Uses the link, ends all sessions of the user, and sets the cookie of a new one.",
        is_open=True,
    ),
    admin(
        "GET",
        "/users",
        "listUsers",
        "List console users, newest first",
        {200: PageSchema[UserSchema]},
        tag=_TAG,
        parameters=(*filters("search"), *PAGING),
    ),
    admin(
        "POST",
        "/users",
        "createUser",
        "Create a console user and invite them",
        {201: InvitedUserSchema},
        tag=_TAG,
        faults=(409,),
        body=NewUserBody,
    ),
    admin("GET", "/users/{id}", "getUser", "Get a console user", {200: UserSchema}, tag=_TAG),
    admin(
        "PATCH",
        "/users/{id}",
        "updateUser",
        "Update a console user",
        {200: UserSchema},
        tag=_TAG,
        faults=(409,),
        body=UserChangeBody,
        description=_LAST,
    ),
    admin(
        "DELETE",
        "/users/{id}",
        "deleteUser",
        "Delete a console user",
        {204: None},
        tag=_TAG,
        faults=(409,),
        description=_LAST,
    ),
    admin(
        "POST",
        "/users/{id}/invitation",
        "inviteUser",
        "Make an invitation, or a link to reset the password",
        {201: InvitationSchema},
        tag=_TAG,
        faults=(409,),
        description="Earlier links for the user end. 409: the user is disabled.",
    ),
    admin(
        "GET",
        "/users/{id}/sessions",
        "listUserSessions",
        "List the sessions of a console user",
        {200: PageSchema[ConsoleSessionSchema]},
        tag=_TAG,
    ),
    admin("DELETE", "/users/{id}/sessions", "revokeUserSessions", "End all sessions of a user", {204: None}, tag=_TAG),
    admin(
        "DELETE",
        "/users/{id}/sessions/{session_id}",
        "revokeUserSession",
        "End one session of a user",
        {204: None},
        tag=_TAG,
    ),
)
