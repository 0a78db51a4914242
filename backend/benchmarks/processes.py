"""The memory of the processes that a run has started, read from the kernel."""

from pathlib import Path

_NAMES = (("postgres", "PostgreSQL"), ("valkey", "Valkey"))


class Memory:
    """Reads the anonymous memory of all descendants of one process.

    Shared buffers and mapped files are left out, because they fill up once and belong to nobody.
    """

    def __init__(self, parent: int) -> None:
        self._parent = parent

    def read(self) -> dict[str, int]:
        """Bytes by name: each worker on its own, PostgreSQL's processes together."""
        found: dict[str, int] = {}
        workers = 0
        for pid in sorted(self._descendants()):
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                size = _anonymous(pid)
            except (OSError, ValueError):
                continue  # ended meanwhile
            name = next((title for key, title in _NAMES if key in command), None)
            if name is None:
                if "multiprocessing.spawn" not in command:
                    continue  # the supervisor and the launchers
                workers += 1
                name = f"worker {workers}"
            found[name] = found.get(name, 0) + size
        return found

    def _descendants(self) -> set[int]:
        children: dict[int, list[int]] = {}
        for each in Path("/proc").iterdir():
            if each.name.isdigit():
                try:
                    stat = (each / "stat").read_text()
                except OSError:
                    continue
                children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(
                    int(each.name)
                )
        found: set[int] = set()
        waiting = [self._parent]
        while waiting:
            for child in children.get(waiting.pop(), ()):
                found.add(child)
                waiting.append(child)
        return found


def _anonymous(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1_024
    raise ValueError
