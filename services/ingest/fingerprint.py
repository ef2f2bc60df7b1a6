"""Fingerprints tell whether a repeat asks for the same as the first call: keyed digests of the content. Pure."""

import hashlib
from collections.abc import Sequence

from clarion.common.v1 import event_pb2
from services.ingest.deduplication import content, framed
from services.ingest.ports import First

_NAME_BYTES = 4
_DIGEST_BYTES = 12


class Fingerprints:
    """Makes and compares fingerprints. keys: secrets of 32 bytes; the first makes new ones, all are used to compare.

    A fingerprint begins with its key's name. It is keyed, so that nobody can guess bodies from a copy of the table.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {hashlib.blake2b(key, digest_size=_NAME_BYTES).digest(): key for key in keys}
        self._current = next(iter(self._keys))

    def first(self, event: event_pb2.Event) -> First:
        """Return what is stored of an event to compare its repeats with. Its JSON parts must be canonical."""
        return First(event.event_type, self._make(self._current, event))

    def differs(self, event: event_pb2.Event, first: First) -> bool:
        """Return whether an event asks for something else than the first one; False if the key is not known."""
        name = first.fingerprint[:_NAME_BYTES]
        return name in self._keys and self._make(name, event) != first.fingerprint

    def _make(self, name: bytes, event: event_pb2.Event) -> bytes:
        digest = hashlib.blake2b(framed(content(event)), key=self._keys[name], digest_size=_DIGEST_BYTES)
        return name + digest.digest()
