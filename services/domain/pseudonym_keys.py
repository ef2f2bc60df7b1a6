"""Publishes the fingerprint of an owner's pseudonym key, and waits for those of other owners."""

from collections.abc import Sequence

from runtime.configuration import ConfigurationWatch
from runtime.reconcile import ConfigurationSource, RowReader
from services.domain import pseudonyms
from services.domain.pseudonyms import Pseudonyms


def source(owner: str) -> ConfigurationSource:
    """Return the configuration source of <owner>.pseudonym_key. It must be the owner's last source."""

    async def keys(reader: RowReader, after: str, _: int) -> list[str]:
        return [] if after else list(await read(reader, [pseudonyms.key(owner)]))

    async def read(reader: RowReader, wanted: Sequence[str]) -> dict[str, bytes]:
        rows = await reader.fetch(f"SELECT fingerprint FROM {owner}.pseudonym_key WHERE copied")
        return {pseudonyms.key(owner): row["fingerprint"].encode() for row in rows if pseudonyms.key(owner) in wanted}

    return ConfigurationSource(f"{pseudonyms.PREFIX}.{owner}", keys, read)


async def recognise(watch: ConfigurationWatch, keyed: Pseudonyms, *owners: str) -> None:
    """Wait until each of these owners has published its fingerprint.

    Raises INVALID if one is not that of this key. watch: one with PREFIX among its prefixes.
    """
    for owner in owners:
        pseudonyms.check(await watch.value(pseudonyms.key(owner)), keyed)
