"""Looks for words in all that a stack keeps, tables, the broker's files and logs, however they are written there."""

import base64
import os
import urllib.parse
from collections.abc import Iterable, Mapping
from pathlib import Path

import asyncpg

_TABLES = """
    SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
    WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
"""
# More than any word's form has, less than a chunk.
_OVERLAP = 4096
_CHUNK = 1024 * 1024


def spellings(word: str) -> dict[str, bytes]:
    """Return the bytes by which a word is found in lower case: plain, percent-encoded, hexadecimal, base64."""
    found = {"plain": word.encode(), "percent": urllib.parse.quote(word, safe="").encode()}
    for case, text in (("", word), (" of lower case", word.lower()), (" of upper case", word.upper())):
        raw = text.encode()
        found[f"hex{case}"] = raw.hex().encode()
        for shift in range(3):
            # What stands before moves the letters: those that depend on nothing but the word.
            encoded = base64.b64encode(bytes(shift) + raw + bytes(-(shift + len(raw)) % 3))
            start = -(-shift * 4 // 3)
            kept = encoded[start : (shift + len(raw)) * 4 // 3]
            found[f"base64{case}, {shift}"] = kept
            found[f"base64url{case}, {shift}"] = kept.translate(bytes.maketrans(b"+/", b"-_"))
    return {form: one.lower() for form, one in found.items()}


def digests(values: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return what an unkeyed digest is found by: its hexadecimal digits, and their first 16 alone."""
    return {name: digest.hex()[:16].encode() for name, digest in values.items()}


async def in_tables(url: str, forms: Mapping[str, bytes]) -> set[str]:
    """Return "table: form" for each table of all schemas in which one of these stands."""
    found = set()
    connection = await asyncpg.connect(url)
    try:
        for table in [row["name"] for row in await connection.fetch(_TABLES)]:
            # A bytea is written in hexadecimal, as in a dump.
            rows = await connection.fetch(f"SELECT t::text AS line FROM {table} AS t")
            content = "\n".join(row["line"] for row in rows).lower().encode()
            found |= {f"{table}: {name}" for name, form in forms.items() if form in content}
    finally:
        await connection.close()
    return found


def in_files(folders: Iterable[Path], forms: Mapping[str, bytes], raw: Mapping[str, bytes] | None = None) -> set[str]:
    """Return "file: form" for each file below in which one stands. raw: bytes that are looked for as they are."""
    found = set()
    for folder in folders:
        # Not rglob: a folder may be deleted while it is read.
        for parent, _, names in os.walk(folder):
            for path in [Path(parent, name) for name in names]:
                found |= {f"{path.relative_to(folder.parent)}: {name}" for name in _in_file(path, forms, raw or {})}
    return found


def _in_file(path: Path, forms: Mapping[str, bytes], raw: Mapping[str, bytes]) -> set[str]:
    found: set[str] = set()
    try:
        if not path.is_file():
            return found
        with path.open("rb") as file:
            before = b""
            while chunk := file.read(_CHUNK):
                part = before + chunk
                lower = part.lower()
                found |= {name for name, form in forms.items() if form in lower}
                found |= {name for name, form in raw.items() if form in part}
                before = part[-_OVERLAP:]
    except FileNotFoundError:  # just deleted
        pass
    return found
