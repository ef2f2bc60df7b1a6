"""Segments of stored recipients."""

from typing import Annotated

from msgspec import Meta

from gateway.admin.segments import Filter, NewSegmentBody, SegmentChangeBody, SegmentOrFilterBody
from gateway.openapi.areas.recipients import StoredRecipientSchema
from gateway.openapi.operations import PAGING, Operation, admin
from gateway.openapi.values import Id, PageSchema, Shape, Time

_TAG = "Segments"
_SEGMENTS = "/tenants/{id}/segments"
_SEGMENT = _SEGMENTS + "/{segment_id}"
_VIPS = {
    "all": [
        {"field": "tags", "op": "has_all", "value": ["vip"]},
        {"field": "data.plan", "op": "is", "value": "gold"},
    ]
}


class SegmentSchema(Shape):
    """A saved filter over the stored recipients of a tenant."""

    id: Id
    key: str
    name: str
    filter: Filter
    created_at: Time
    updated_at: Time


class SegmentCountSchema(Shape):
    """How many recipients a filter matches now."""

    count: Annotated[int, Meta(description="Exact up to 100,000.")]
    more: Annotated[bool, Meta(description="true: there are more than `count`.")]
    first: Annotated[list[StoredRecipientSchema], Meta(description="At most five of them.")]


OPERATIONS: tuple[Operation, ...] = (
    admin(
        "POST",
        _SEGMENTS,
        "createSegment",
        "Store a segment",
        {201: SegmentSchema},
        tag=_TAG,
        faults=(409,),
        body=NewSegmentBody,
        example={"key": "gold-vips", "name": "VIPs with gold", "filter": _VIPS},
    ),
    admin(
        "GET",
        _SEGMENTS,
        "listSegments",
        "List segments in the order of their names",
        {200: PageSchema[SegmentSchema]},
        tag=_TAG,
        parameters=PAGING,
    ),
    admin("GET", _SEGMENT, "getSegment", "Get a segment", {200: SegmentSchema}, tag=_TAG),
    admin(
        "PATCH",
        _SEGMENT,
        "changeSegment",
        "Change the name or the filter of a segment",
        {200: SegmentSchema},
        tag=_TAG,
        body=SegmentChangeBody,
        example={"name": "VIPs"},
    ),
    admin(
        "DELETE",
        _SEGMENT,
        "deleteSegment",
        "Delete a segment that no workflow and no schedule uses",
        {204: None},
        tag=_TAG,
        faults=(409,),
    ),
    admin(
        "GET",
        _SEGMENT + "/members",
        "listSegmentMembers",
        "List the recipients whom a segment matches now",
        {200: PageSchema[StoredRecipientSchema]},
        tag=_TAG,
        parameters=PAGING,
    ),
    admin(
        "POST",
        "/tenants/{id}/segment-count",
        "countSegment",
        "Count the recipients whom a segment, or a filter, matches now",
        {200: SegmentCountSchema},
        tag=_TAG,
        body=SegmentOrFilterBody,
        example={"filter": _VIPS},
        description="Nothing is stored.",
    ),
)
