"""The guard of every connection to an address that a tenant or an operator chose. docs/egress.md says what it allows.

An `EgressGuard` resolves a name once and checks every address that it gets; the connection goes to a checked address,
so no second lookup can lead elsewhere. `EgressGuard.connect` returns a connected socket; `runtime.egress.web` gives the
same check to aiohttp, for each hop. A refused address raises `AddressNotAllowed`, which no retry can change.
"""

from runtime.egress.guard import EgressGuard
from runtime.egress.policy import AddressNotAllowed, EgressPolicy, Ports

__all__ = ["AddressNotAllowed", "EgressGuard", "EgressPolicy", "Ports"]
