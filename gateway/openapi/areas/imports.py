"""Imports of recipients from CSV files."""

from typing import Annotated

from msgspec import Meta

from gateway.admin.imports import CSV, STATES, NewImportBody
from gateway.openapi.operations import CURSOR, PAGING, Operation, Parameter, admin
from gateway.openapi.values import Id, PageSchema, Shape, Time

_TAG = "Imports"
_IMPORTS = "/tenants/{id}/imports"
_IMPORT = _IMPORTS + "/{import_id}"

FaultLimit = Annotated[int, Meta(ge=1, le=1000)]


class ImportSchema(Shape):
    """A CSV file of recipients, and how far it has come."""

    id: Id
    file_name: str
    state: Annotated[
        str,
        Meta(
            description="- `uploading`: its file is not whole yet\n- `running`\n- `done`\n- `canceled`\n- `failed`: the"
            " rest of the file cannot be read; `detail` says why",
            extra_json_schema={"enum": list(STATES.values())},
        ),
    ]
    size: Annotated[int, Meta(description="Bytes of the file.")]
    position: Annotated[int, Meta(description="Bytes that are worked off.")]
    created: Annotated[int, Meta(description="Recipients who were not stored before.")]
    updated: int
    faults: Annotated[int, Meta(description="Rows that were not stored.")]
    detail: str | None
    by: str
    created_at: Time
    finished_at: Annotated[Time | None, Meta(description="null: it has not ended.")]


class ImportFaultSchema(Shape):
    """Why a row was not stored."""

    line: Annotated[int, Meta(description="Of the file; the header is line 1.")]
    column: Annotated[str | None, Meta(description="The header of the column; null: the row as a whole.")]
    description: str


OPERATIONS: tuple[Operation, ...] = (
    admin(
        "POST",
        _IMPORTS,
        "createImport",
        "Begin an import of recipients",
        {201: ImportSchema},
        tag=_TAG,
        faults=(429,),
        body=NewImportBody,
        example={"file_name": "people.csv", "columns": {"E-Mail": "email", "Plan": "data.plan"}, "tags": ["imported"]},
        description="Its file comes next, within an hour.",
    ),
    admin(
        "GET",
        _IMPORTS,
        "listImports",
        "List imports, newest first",
        {200: PageSchema[ImportSchema]},
        tag=_TAG,
        parameters=PAGING,
        description="They are kept for 30 days.",
    ),
    admin("GET", _IMPORT, "getImport", "Get the progress of an import", {200: ImportSchema}, tag=_TAG),
    admin(
        "PUT",
        _IMPORT + "/file",
        "uploadImportFile",
        "Upload the file of an import",
        {202: ImportSchema},
        tag=_TAG,
        faults=(409,),
        body=str,
        body_type=CSV,
        example="email,name\nada@example.com,Ada\n",
        description="CSV in UTF-8, at most 64 MiB. It is worked off in the background.",
    ),
    admin(
        "GET",
        _IMPORT + "/faults",
        "listImportFaults",
        "List the rows of a file that were not stored",
        {200: PageSchema[ImportFaultSchema]},
        tag=_TAG,
        parameters=(Parameter("limit", FaultLimit, default=100), CURSOR),
        description="At most 10,000 of an import are kept.",
    ),
    admin(
        "POST",
        _IMPORT + "/cancel",
        "cancelImport",
        "Cancel an import",
        {200: ImportSchema},
        tag=_TAG,
        faults=(409,),
        description="What is stored stays stored.",
    ),
)
