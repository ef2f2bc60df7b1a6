"""Publishes the fingerprint of an owner's pseudonym key, and waits for those of other owners."""

from collections.abc import Sequence

from runtime.configuration import Watch
from runtime.reconcile import Reader, Source
from services.domain import pseudonyms
from services.domain.pseudonyms import Pseudonyms


def source(owner: str) -> Source:
    """Return what the bucket holds of <owner>.pseudonym_key; the last of an owner's sources, for all is keyed then."""

    async def keys(reader: Reader, after: str, _: int) -> list[str]:
        return [] if after else list(await read(reader, [pseudonyms.key(owner)]))

    async def read(reader: Reader, wanted: Sequence[str]) -> dict[str, bytes]:
        rows = await reader.fetch(f"SELECT fingerprint FROM {owner}.pseudonym_key WHERE copied")
        return {pseudonyms.key(owner): row["fingerprint"].encode() for row in rows if pseudonyms.key(owner) in wanted}

    return Source(f"{pseudonyms.PREFIX}.{owner}", keys, read)


async def recognise(watch: Watch, keyed: Pseudonyms, *owners: str) -> None:
    """Wait until each of these owners has published by which key its digests are made.

    Raises INVALID where it is another key. watch: one with PREFIX among its prefixes.
    """
    for owner in owners:
        pseudonyms.check(await watch.value(pseudonyms.key(owner)), keyed)
