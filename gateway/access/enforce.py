"""Enforces the table: no handler of the admin API is called before its rule is kept.

Whoever has the role in the whole installation passes at once. For everybody else the tenants that the request names are
compared with those of their memberships. What they may not see does not exist for them: 404, with the same text for an
object of another tenant as for none. A role that is too low is 403, and the text names the role that is needed.
"""

from typing import Any

import msgspec
from aiohttp import web

from gateway.access.asker import Asker
from gateway.access.owners import Owners
from gateway.access.roles import Role
from gateway.access.rules import Needs, Owned, Place, Rule
from gateway.observing import TENANT_ID
from gateway.replies import BodyError, read_before_handler
from runtime import ids
from runtime.errors import ClarionError, Code

# As forms.MAX_BODY_BYTES, which the handler applies again.
_MAX_BODY_BYTES = 1024 * 1024

# Whether the handler of a list has limited it to the tenants of the asker; see scope().
_IS_LIMITED = web.RequestKey("is_limited", bool)
# The tenants that a list may show; absent: all.
_TENANTS = web.RequestKey("scope", list)
# The accounts to whose people a request is limited; absent: all people.
_ACCOUNTS = web.RequestKey("accounts", list)


_IN_BODY = frozenset({Place.BODY, Place.BODY_OR_ANY, Place.ACCOUNT})
_IN_QUERY = frozenset({Place.QUERY_OR_ANY, Place.QUERY_OR_INSTALLATION})
_QUERIES = _IN_QUERY | {Place.QUERY}
# Where somebody may do less than all of it.
_LIMITING = frozenset({Place.LIST, Place.ACCOUNTS})
# Where the request names no tenant.
_ANYWHERE = frozenset({Place.ANYWHERE, Place.QUERY_OR_ANY})
_EVERYWHERE = frozenset({Place.INSTALLATION, Place.QUERY_OR_INSTALLATION})


class _Placed(msgspec.Struct):
    """What a body says of where it belongs."""

    tenant_id: str = ""
    account_id: str = ""


_decode = msgspec.json.Decoder(_Placed).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Enforcer:
    """Compares requests with their rules."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners

    async def check(self, request: web.Request, rule: Rule, asker: Asker) -> None:
        """Raise FORBIDDEN or NOT_FOUND if the asker may not make this request."""
        if asker.everywhere >= max(rule.role, max((one.role for one in rule.fields.values()), default=0)):
            self._check_person(rule, asker)
            return
        for place in rule.places:
            await self._check_place(request, rule.role, place, asker)
        if rule.fields:
            await self._check_fields(request, rule, asker)

    async def note_tenant(self, request: web.Request, rule: Rule) -> None:
        """Note whose object a writing request names, for the audit log. A tenant in the path is known without this.

        Handlers refuse ids that nothing has; an object of the platform belongs to no tenant.
        """
        tenant_id = ""
        for place in rule.places:
            if isinstance(place, Owned):
                tenant_id = await self._tenant_of(request, place) or tenant_id
            elif place in _IN_BODY and place is not Place.ACCOUNT:
                tenant_id = await _tenant_in_body(request) or tenant_id
            elif place in _QUERIES:
                tenant_id = request.query.get("tenant_id", "") or tenant_id
        if ids.is_uuid(tenant_id):
            request[TENANT_ID] = tenant_id

    async def _tenant_of(self, request: web.Request, owned: Owned) -> str:
        try:
            return await self._owners.find(owned.kind, _named(request, owned))
        except ClarionError as error:
            if error.code in (Code.NOT_FOUND, Code.INVALID):
                return ""
            raise

    @staticmethod
    def _check_person(rule: Rule, asker: Asker) -> None:
        if Place.PERSON in rule.places and not asker.is_person:
            raise ClarionError(Code.FORBIDDEN, "This call is for console users. An admin token has no session.")

    async def _check_place(self, request: web.Request, role: Role, place: Place | Owned, asker: Asker) -> None:
        if isinstance(place, Owned):
            await self._check_owned(request, role, place, asker)
        elif place in _IN_BODY:
            await self._check_body(request, role, place, asker)
        elif place in _LIMITING:
            self._limit(request, role, place, asker)
        elif place is Place.PATH:
            _check_tenant(asker, request.match_info["id"], role)
        elif place is Place.QUERY:
            _check_tenant(asker, _required(request, "tenant_id"), role)
        elif place in _IN_QUERY and request.query.get("tenant_id"):
            _check_tenant(asker, request.query["tenant_id"], role)
        elif place in _ANYWHERE:
            _check_anywhere(asker, role)
        elif place is Place.PERSON:
            self._check_person(Rule(role, (place,)), asker)
        elif place in _EVERYWHERE and asker.everywhere < role:
            raise _too_low(role, asker.everywhere, "in the whole installation")

    @staticmethod
    def _limit(request: web.Request, role: Role, place: Place, asker: Asker) -> None:
        if place is Place.ACCOUNTS:
            accounts = asker.accounts_with(role)
            if not accounts:
                raise _too_low(role, asker.everywhere, "in the whole installation, or in an account")
            request[_ACCOUNTS] = accounts
            return
        if tenant_id := request.query.get("tenant_id", ""):
            _check_tenant(asker, tenant_id, role)
            return
        tenants = asker.tenants_with(role)
        if tenants is None:
            return
        if not tenants:
            raise _too_low(role, asker.highest, "in a tenant")
        request[_TENANTS] = tenants

    async def _check_owned(self, request: web.Request, role: Role, owned: Owned, asker: Asker) -> None:
        object_id = _named(request, owned)
        try:
            tenant_id = await self._owners.find(owned.kind, object_id)
        except ClarionError as error:
            # The same for ids that no object could have.
            raise _unseen() if error.code in (Code.NOT_FOUND, Code.INVALID) else error from None
        if tenant_id:
            _check_tenant(asker, tenant_id, role)
        elif owned.platform:
            _check_anywhere(asker, role)
        elif asker.everywhere < role:
            raise _too_low(role, asker.everywhere, "in the whole installation, because this belongs to all tenants")

    async def _check_body(self, request: web.Request, role: Role, place: Place, asker: Asker) -> None:
        placed = await _body(request, _decode)
        if place is Place.ACCOUNT:
            if placed.account_id:
                _check(asker.in_account(placed.account_id), role, "in this account")
            elif asker.everywhere < role:
                raise _too_low(role, asker.everywhere, "in the whole installation, or in the account that you name")
        elif placed.tenant_id:
            _check_tenant(asker, placed.tenant_id, role)
        elif place is Place.BODY_OR_ANY:
            _check_anywhere(asker, role)
        elif asker.everywhere < role:
            raise _too_low(role, asker.everywhere, "in the whole installation, or in the tenant that you name")

    async def _check_fields(self, request: web.Request, rule: Rule, asker: Asker) -> None:
        fields = await _body(request, _decode_fields)
        tenant_id = request.match_info.get("id", "")
        for name in fields.keys() & rule.fields.keys():
            needs: Needs = rule.fields[name]
            own = asker.everywhere if needs.everywhere or not tenant_id else asker.in_tenant(tenant_id)
            if own < needs.role:
                where = "in the whole installation" if needs.everywhere else "in this tenant"
                raise _too_low(needs.role, own, f"{where} to change {name}")


def scope(request: web.Request) -> dict[str, Any]:
    """Return the fields of a wire message that limit a list: tenant_id, tenant_ids. Each list asks for them."""
    request[_IS_LIMITED] = True
    return {"tenant_id": request.query.get("tenant_id", ""), "tenant_ids": request.get(_TENANTS, [])}


def accounts(request: web.Request) -> list[str]:
    """Return the accounts to whose people this request is limited; empty: it is not. Each such handler asks for it."""
    request[_IS_LIMITED] = True
    found: list[str] = request.get(_ACCOUNTS, [])
    return found


def check_limited(request: web.Request) -> None:
    """Raise INTERNAL if a handler did not ask for the limits of somebody who may not see all tenants, or people."""
    if (_TENANTS in request or _ACCOUNTS in request) and _IS_LIMITED not in request:
        raise ClarionError(Code.INTERNAL, f"{request.method} {request.path} has not limited what it does.")


async def _body(request: web.Request, decode: Any) -> Any:
    """Return what a body says. One that cannot be read is the handler's to refuse, so it names no tenant here."""
    raw = await read_before_handler(request, limit=_MAX_BODY_BYTES)
    try:
        return decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise ClarionError(Code.INVALID, "The body must be a JSON object whose ids are texts.") from None


async def _tenant_in_body(request: web.Request) -> str:
    """Return tenant_id of a body; empty if there is none, or the handler will refuse the body."""
    try:
        placed: _Placed = await _body(request, _decode)
    except (ClarionError, BodyError):
        return ""
    return placed.tenant_id


def _named(request: web.Request, owned: Owned) -> str:
    """Return the id of the object that a request names. Raises INVALID: the query lacks it."""
    return request.match_info.get(owned.name) or _required(request, owned.name)


def _required(request: web.Request, name: str) -> str:
    value = request.query.get(name, "")
    if not value:
        raise ClarionError(Code.INVALID, f"{name} is required", fields=[(name, "is required")])
    return value


def _check_tenant(asker: Asker, tenant_id: str, role: Role) -> None:
    _check(asker.in_tenant(tenant_id), role, "in this tenant")


def _check_anywhere(asker: Asker, role: Role) -> None:
    if asker.highest < role:
        raise _too_low(role, asker.highest, "in a tenant")


def _check(own: int, role: Role, where: str) -> None:
    if not own:
        raise _unseen()
    if own < role:
        raise _too_low(role, own, where)


def _unseen() -> ClarionError:
    return ClarionError(Code.NOT_FOUND, "There is nothing with this id, or you may not see it.")


def _too_low(role: Role, own: int, where: str) -> ClarionError:
    have = f"Yours is {Role(own).word}." if own else "You have none there."
    return ClarionError(Code.FORBIDDEN, f"This needs the role {role.word} {where}. {have} Ask an owner for it.")
