"""A free port for a stack, so that it does not collide with `make run`."""

import random

from stack.faults import StackError
from stack.folder import is_free

# Above those of the local stack, below those that systems take for outgoing connections.
_PORTS = range(30_000, 32_000)


def free_port() -> int:
    """Return a free port. Raises StackError if there is none."""
    for port in random.sample(_PORTS, 100):
        if is_free(port):
            return port
    raise StackError(f"No free port was found between {_PORTS.start} and {_PORTS.stop}.")
