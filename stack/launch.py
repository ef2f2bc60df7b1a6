"""Runs another program that ends with its parent, as another user if asked to.

Run as a script by the supervisor, never imported for its effect: a supervisor that has threads (gRPC)
must not run Python between fork and exec, so this does it in a process of its own, then execs.

    python -I launch.py SIGNAL PARENT_PID USER NICENESS COMMAND...

SIGNAL is sent when the parent dies; USER may be empty; a NICENESS above 0 yields to others.
"""

import contextlib
import ctypes
import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_SET_SECUREBITS = 28
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


def command_for(command: Sequence[str], *, death_signal: int, user: str = "", niceness: int = 0) -> list[str]:
    """Return the command line that starts command through this launcher, as a child of this process."""
    launcher = [sys.executable, "-I", "-S", str(Path(__file__))]
    return [*launcher, str(death_signal), str(os.getpid()), user, str(niceness), *command]


def main(arguments: Sequence[str]) -> None:
    """Bind this process to its parent, change the user, execute the command. On failure print why and exit with 1."""
    death_signal, parent, user, niceness, *command = arguments
    if int(niceness):
        os.nice(int(niceness))
    if user:
        try:
            _change_user(user)
        except OSError as error:
            raise SystemExit(
                f"root cannot become the user {user} here ({error.strerror}): start Clarion as an ordinary user"
            ) from None
    # After the change of user, because that clears it.
    end_with_parent(int(death_signal), int(parent))
    _become(command, user)


def end_with_parent(death_signal: int, parent: int) -> None:
    """Have this process get a signal when its parent dies; exit with 1 if that has happened already."""
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:
            raise SystemExit(1)


def _become(command: Sequence[str], user: str) -> None:
    program = command[0]
    try:
        # PostgreSQL checks its programs with access(2), so this must succeed, too.
        if os.sep in program and Path(program).exists() and not os.access(program, os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        os.execvp(program, list(command))  # noqa: S606 - that is what this program is for
    except OSError as error:
        raise SystemExit(f"{program} cannot be run ({error.strerror}): {_advice(user)}") from None


def _advice(user: str) -> str:
    if user:
        return f"move Clarion to where the user {user} may run programs, such as /opt, or start it as an ordinary user"
    return "move Clarion to where programs may be run"


def _change_user(user: str) -> None:
    """Change to the user, but keep access to folders that only root may enter (a checkout in /root)."""
    import pwd  # not on every system

    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise OSError(errno.ENOENT, "there is no such user") from None
    if sys.platform == "linux":
        # Without this bit access(2) does not count capabilities. A kernel without it refuses: _become() finds out.
        with contextlib.suppress(OSError):
            _prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP)
        _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    if sys.platform == "linux":
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        wanted = 1 << _CAP_DAC_OVERRIDE
        data = (ctypes.c_uint32 * 6)(wanted, wanted, wanted, 0, 0, 0)
        _check(_LIBC.capset(header, data))
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)


def _prctl(*arguments: int) -> None:
    _check(_LIBC.prctl(*arguments))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main(sys.argv[1:])
