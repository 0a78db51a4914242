"""What the figures were measured on."""

import os
import platform
import subprocess
from pathlib import Path

from app.core.embedded.binaries import postgres_binary, valkey_binary


def facts() -> dict[str, str | int]:
    """Taken before anything runs, so that the load average tells who else was at work."""
    one, five, fifteen = os.getloadavg()
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
        "system": platform.platform(),
        "python": platform.python_version(),
        "postgresql": _version(postgres_binary("postgres")),
        "valkey": _version(valkey_binary()),
        "load_average_at_start": f"{one:.2f} {five:.2f} {fifteen:.2f}",
    }


def _version(binary: Path) -> str:
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True)
    return said.stdout.strip().partition(" sha=")[0]


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()
