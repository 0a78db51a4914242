"""Runs in the child, between fork and the server: ties it to its parent, then becomes the server.

A program of its own and no `preexec_fn`, because Python code in a forked child of a process with
threads can wait for ever for a lock that another thread held at the fork. Standard library only.

    shim.py <parent's pid> <signal on the parent's death> <0|1: as root, hide it> <command...>
"""

import os
import sys

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
_ORDINARY_ID = 1000  # any number but 0 would do; it exists inside the namespace alone


def main() -> None:
    parent, death_signal, hide_root = (int(argument) for argument in sys.argv[1:4])
    command = sys.argv[4:]
    os.umask(0o077)
    if hide_root:
        become_ordinary_user()
    if sys.platform == "linux":
        # After the namespace: a change of credentials clears the setting; exec keeps it.
        _libc_call("prctl", _PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:
        sys.exit("the parent process ended before the server could start")
    try:
        os.execv(command[0], command)  # noqa: S606 - to become the server is its purpose
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


def become_ordinary_user() -> None:
    """Enter a user namespace where root is an ordinary user: PostgreSQL refuses user id 0.

    Files stay root's on disk, and nothing of the system (users, owners, modes) is changed.
    """
    if sys.platform != "linux":
        sys.exit("PostgreSQL refuses to run as root: run as a normal user, or set DATABASE_URL")
    user, group = os.geteuid(), os.getegid()
    try:
        _libc_call("unshare", _CLONE_NEWUSER)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{_ORDINARY_ID} {user} 1")
        _write("/proc/self/gid_map", f"{_ORDINARY_ID} {group} 1")
    except OSError as error:
        sys.exit(
            "PostgreSQL refuses to run as root, and this system allows no user namespace "
            f"({error.strerror}): run as a normal user, or set DATABASE_URL"
        )


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib would double the start-up
        file.write(text)


def _libc_call(name: str, *arguments: int) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*(ctypes.c_ulong(argument) for argument in arguments)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main()
