"""The paths of stored recipients, groups, segments and imports, and their handlers."""

from gateway.admin.groups import GroupRoutes
from gateway.admin.imports import ImportRoutes
from gateway.admin.inbox import InboxRoutes
from gateway.admin.recipient_export import RecipientExportRoutes
from gateway.admin.recipients import RecipientRoutes
from gateway.admin.segments import SegmentRoutes
from gateway.clients import Clients
from gateway.problems import RequestHandler

_TENANT = "/tenants/{id}"
_SEGMENT, _IMPORT = _TENANT + "/segments/{segment_id}", _TENANT + "/imports/{import_id}"
# These POSTs change nothing, so they are not recorded in the audit log.
ASKING = frozenset({_TENANT + "/segment-count"})


def recipient_routes(clients: Clients) -> list[tuple[str, str, RequestHandler]]:
    """Return methods, paths below the API's, and handlers."""
    recipients, groups = RecipientRoutes(clients), GroupRoutes(clients)
    segments, imports = SegmentRoutes(clients), ImportRoutes(clients)
    return [
        ("PUT", _TENANT + "/recipients", recipients.put_many),
        ("GET", _TENANT + "/recipients", recipients.list_all),
        ("PUT", _TENANT + "/recipients/{recipient_id}", recipients.put),
        ("GET", _TENANT + "/recipients/{recipient_id}", recipients.get),
        ("PATCH", _TENANT + "/recipients/{recipient_id}", recipients.change),
        ("DELETE", _TENANT + "/recipients/{recipient_id}", recipients.delete),
        ("POST", _TENANT + "/recipients/{recipient_id}/tags", recipients.change_tags),
        ("GET", _TENANT + "/tags", recipients.tags),
        ("POST", _TENANT + "/recipient-export", RecipientExportRoutes(clients).export),
        ("GET", _TENANT + "/recipients/{recipient_id}/inbox", InboxRoutes(clients).list_all),
        ("GET", _TENANT + "/groups", groups.list_all),
        ("PUT", _TENANT + "/groups/{group_key}", groups.put),
        ("GET", _TENANT + "/groups/{group_key}", groups.get),
        ("DELETE", _TENANT + "/groups/{group_key}", groups.delete),
        ("POST", _TENANT + "/groups/{group_key}/members", groups.change_members),
        ("GET", _TENANT + "/groups/{group_key}/members", groups.members),
        ("POST", _TENANT + "/segments", segments.create),
        ("GET", _TENANT + "/segments", segments.list_all),
        ("GET", _SEGMENT, segments.get),
        ("PATCH", _SEGMENT, segments.change),
        ("DELETE", _SEGMENT, segments.delete),
        ("GET", _SEGMENT + "/members", segments.members),
        ("POST", _TENANT + "/segment-count", segments.count),
        ("POST", _TENANT + "/imports", imports.create),
        ("GET", _TENANT + "/imports", imports.list_all),
        ("GET", _IMPORT, imports.get),
        ("PUT", _IMPORT + "/file", imports.upload),
        ("GET", _IMPORT + "/faults", imports.faults),
        ("POST", _IMPORT + "/cancel", imports.cancel),
    ]
