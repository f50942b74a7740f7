"""The small program that becomes PostgreSQL: `python child.py RUN_AS PARENT_PID COMMAND…`.

It is run by path, in a fresh interpreter, so that nothing happens between fork and exec of a
process with threads. It needs the standard library only.

1. PostgreSQL refuses to run as root. As root we enter a user namespace in which root's own files
   belong to an ordinary user (nobody is created, nothing is chowned), or become `nobody`. Where
   `nobody` may not enter the folders of the program or its data, as below /root, we keep the one
   capability of passing through; without it we say what to do.
2. We ask the kernel to interrupt us when the parent dies, so that a killed wallet leaves no
   server behind. This comes last, since a change of user would clear the wish.
3. We become the command.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

SELF = "self"
NAMESPACE = "namespace"
NOBODY = "nobody"

NOBODY_ID = 65534
"""The user and group that own nothing, by the same number on all Linux systems."""

INNER_ID = 1000
"""The ordinary user that root's files belong to inside the namespace."""

CLONE_NEWUSER = 0x10000000
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2
"""access(2), with which PostgreSQL looks for its programs, would ask without capabilities."""

PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAPABILITY_VERSION = 0x20080522
"""Two words each of effective, permitted and inheritable capabilities."""

CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
PASSING_THROUGH = (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE)
"""What lets a process enter any folder: the weaker first; containers often have the second only."""

NO_WAY = (
    "PostgreSQL does not run as root, and `nobody`, as whom it would run here, may not enter the "
    "folder of {}: start the wallet as an ordinary user, or put it and its data folder where "
    "others may enter."
)
PR_SET_PDEATHSIG = 1


def enter_namespace() -> None:
    """Become an ordinary user whose files are, outside, root's."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{INNER_ID} 0 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{INNER_ID} 0 1", encoding="ascii")


def become_nobody(paths: list[str]) -> None:
    """Give up root for good, but for the way to these paths."""
    os.setgroups([])
    os.setgid(NOBODY_ID)
    closed = first_closed(paths)
    if closed is None:
        os.setuid(NOBODY_ID)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    is_looked_for = libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) == 0
    os.setuid(NOBODY_ID)
    # Setting them drops every other one for good.
    if not is_looked_for or not any(keep(libc, capability) for capability in PASSING_THROUGH):
        sys.exit(NO_WAY.format(closed))


def first_closed(paths: list[str]) -> str | None:
    """Return the first path that `nobody` cannot reach."""
    os.seteuid(NOBODY_ID)
    try:
        for path in paths:
            try:
                Path(path).stat()
            except PermissionError:
                return path
            except OSError:
                continue  # It is not there yet, or is no path.
    finally:
        os.seteuid(0)
    return None


def keep(libc: ctypes.CDLL, capability: int) -> bool:
    """Keep one capability, also across the exec; say whether we had it."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    bit = 1 << capability
    data = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    if libc.capset(header, data) != 0:
        return False
    return bool(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0)


def die_with(parent_pid: int) -> None:
    """Ask for a SIGINT, PostgreSQL's fast shutdown, when the parent is gone."""
    if sys.platform != "linux":
        return  # Elsewhere the server stays, and the next start joins it.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != parent_pid:
        sys.exit("the parent is already gone")


def main(run_as: str, parent_pid: str, *command: str) -> None:
    """Become the command, as the right user, for as long as the parent lives."""
    os.umask(0o077)
    if run_as == NAMESPACE:
        enter_namespace()
    elif run_as == NOBODY:
        become_nobody([word.partition("=")[2] or word for word in command if "/" in word])
    die_with(int(parent_pid))
    os.execv(command[0], command)  # noqa: S606 — no shell is wanted


if __name__ == "__main__":
    main(*sys.argv[1:])
