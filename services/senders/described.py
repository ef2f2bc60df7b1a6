"""Describes kinds of provider for forms, from the declarations that also validate their settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Meta, inspect

from runtime.settings import Secret
from services.senders.ports import Kind

_HELP, _IS_LONG, _IS_EARLY = "help", "is_long", "is_early"


@dataclass(frozen=True, slots=True)
class SettingDescription:
    """One setting of a kind, as a form asks for it.

    type: "text", "number" (a whole one), "boolean" or "choice". default: None if the setting is required. choices: of
    a choice. least, most: bounds of a number. is_long: a text of several lines. verifies_reports: the provider's
    delivery reports are verified with it; sending does not need it.
    """

    name: str
    label: str
    help: str
    type: str
    is_required: bool
    is_secret: bool
    default: str | int | bool | None
    choices: Sequence[str]
    least: int | None
    most: int | None
    example: str
    is_long: bool
    verifies_reports: bool


def setting(label: str, help_: str, *, example: str = "", is_long: bool = False, is_early: bool = False) -> Meta:
    """Return what a setting's annotation says for people.

    help_: one or two sentences. is_long: of several lines. is_early: it stands among the required ones.
    """
    extra = {_HELP: help_, _IS_LONG: is_long, _IS_EARLY: is_early}
    return Meta(title=label, examples=[example] if example else None, extra=extra)


def settings_of(kind: Kind[Any]) -> tuple[SettingDescription, ...]:
    """Return the kind's settings: the required ones first, each time the kind's own before those of its channel."""
    struct = kind.settings
    (base,) = struct.__bases__
    inherited = {field.name for field in msgspec.structs.fields(base)} if base is not msgspec.Struct else set()

    def place(field: msgspec.structs.FieldInfo) -> tuple[bool, bool]:
        found = inspect.type_info(field.type)
        is_early = isinstance(found, inspect.Metadata) and (found.extra or {}).get(_IS_EARLY, False)
        return not (field.required or is_early), field.name in inherited

    fields = sorted(msgspec.structs.fields(struct), key=place)
    return tuple(_described(kind, field) for field in fields)


def is_secret(type_: Any) -> bool:
    """Return whether a setting of this type is secret. type_: with or without annotations."""
    return getattr(type_, "__origin__", type_) is Secret


def _described(kind: Kind[Any], field: msgspec.structs.FieldInfo) -> SettingDescription:
    said, extra, found = {}, {}, inspect.type_info(field.type)
    if isinstance(found, inspect.Metadata):
        said, extra, found = found.extra_json_schema or {}, found.extra or {}, found.type
    return SettingDescription(
        name=field.name,
        label=said.get("title", field.name),
        help=extra.get(_HELP, ""),
        type=_TYPES.get(type(found), "text"),
        is_required=field.required,
        is_secret=is_secret(field.type),
        default=_default(field),
        choices=[str(value) for value in getattr(found, "values", ())],
        least=getattr(found, "ge", None),
        most=getattr(found, "le", None),
        example=next(iter(said.get("examples") or ()), ""),
        is_long=extra.get(_IS_LONG, False),
        verifies_reports=field.name in kind.keys,
    )


_TYPES: dict[type[inspect.Type], str] = {
    inspect.BoolType: "boolean",
    inspect.IntType: "number",
    inspect.LiteralType: "choice",
}


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.required:
        return None
    return field.default.reveal() if isinstance(field.default, Secret) else field.default
