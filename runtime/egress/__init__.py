"""The guard of every connection to an address that a tenant or an operator chose. docs/egress.md says what it allows.

A `Guard` resolves a name once, checks every address that comes back, and the connection goes to a checked address:
no second lookup can lead elsewhere. `Guard.connect` gives a connected socket; `runtime.egress.web` gives the same
check to aiohttp, for each hop. What is refused raises `AddressNotAllowed`, which no retry can change.

Where each part is: `addresses` knows which addresses are public, `hosts` reads how a host is written, `policy` is what
the operator allows, `lookup` asks the machine's resolver.
"""

from runtime.egress.guard import Guard
from runtime.egress.policy import AddressNotAllowed, Policy, Ports

__all__ = ["AddressNotAllowed", "Guard", "Policy", "Ports"]
