"""A port for a stack that must not meet the one of `make run`."""

import random

from stack.faults import StackError
from stack.folder import is_free

# Above those of the local stack, below those that systems take for outgoing connections.
_PORTS = range(30_000, 32_000)


def free_port() -> int:
    """Return a port on which nobody listens. Raises StackError where there is none."""
    for port in random.sample(_PORTS, 100):
        if is_free(port):
            return port
    raise StackError(f"No free port was found between {_PORTS.start} and {_PORTS.stop}.")
