"""The small program that becomes PostgreSQL: `python child.py RUN_AS PARENT_PID COMMAND…`.

It is run by path, in a fresh interpreter, so that nothing happens between fork and exec of a
process with threads. It needs the standard library only.

1. PostgreSQL refuses to run as root. As root we enter a user namespace in which root's own files
   belong to an ordinary user (nobody is created, nothing is chowned), or become `nobody`.
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


def become_nobody() -> None:
    """Give up root for good."""
    os.setgroups([])
    os.setgid(NOBODY_ID)
    os.setuid(NOBODY_ID)


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
        become_nobody()
    die_with(int(parent_pid))
    os.execv(command[0], command)  # noqa: S606 — no shell is wanted


if __name__ == "__main__":
    main(*sys.argv[1:])
