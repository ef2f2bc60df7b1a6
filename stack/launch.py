"""Becomes another program that ends with its parent, as another user where told to.

Run as a script by the supervisor, never imported for its effect: a supervisor that has threads (gRPC)
must not run Python between fork and exec, so this does it in a process of its own, then execs.

    python -I launch.py SIGNAL PARENT_PID USER NICENESS COMMAND...

SIGNAL is sent when the parent dies; USER may be empty; a NICENESS above 0 yields to others.
"""

import ctypes
import os
import sys
from collections.abc import Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


def command_for(command: Sequence[str], *, death_signal: int, user: str = "", niceness: int = 0) -> list[str]:
    """Return the command line that starts command through this launcher, as a child of this process."""
    launcher = [sys.executable, "-I", "-S", str(Path(__file__))]
    return [*launcher, str(death_signal), str(os.getpid()), user, str(niceness), *command]


def main(arguments: Sequence[str]) -> None:
    """Tie this process to its parent, change the user, become the command."""
    death_signal, parent, user, niceness, *command = arguments
    if int(niceness):
        os.nice(int(niceness))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if user:
            _become(libc, user)
        # After the change of user, which would clear it.
        _check(libc.prctl(_PR_SET_PDEATHSIG, int(death_signal)))
        if os.getppid() != int(parent):
            raise SystemExit(1)
    os.execvp(command[0], command)  # noqa: S606 - that is what this program is for


def _become(libc: ctypes.CDLL, user: str) -> None:
    """Change to the user but keep the way through folders that only root may enter (a checkout in /root)."""
    import pwd  # not everywhere

    entry = pwd.getpwnam(user)
    _check(libc.prctl(_PR_SET_KEEPCAPS, 1))
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    wanted = 1 << _CAP_DAC_OVERRIDE
    data = (ctypes.c_uint32 * 6)(wanted, wanted, wanted, 0, 0, 0)
    _check(libc.capset(header, data))
    _check(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise SystemExit(f"launch: {os.strerror(number)}")


if __name__ == "__main__":
    main(sys.argv[1:])
