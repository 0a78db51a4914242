"""A real Nginx with the project's own configuration, rendered and moved to a folder of its own."""

import asyncio
import contextlib
import os
import random
import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from app.api.answer_headers import page_policy

TOP = Path(__file__).parents[2]
NGINX = TOP / "frontend" / "nginx"
IN_VENV = TOP / ".venv" / "nginx" / "usr" / "sbin" / "nginx"
"""Where `./quickstart.sh test` unpacks Debian's."""


def find_nginx() -> str | None:
    """The program: what NGINX names, the machine's, or the one in .venv; None if there is none."""
    sbin = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin"
    found = os.environ.get("NGINX") or shutil.which("nginx", path=sbin)
    return found or (str(IN_VENV) if IN_VENV.is_file() else None)


def free_port() -> int:
    """One below those that outgoing connections are given, which could take it meanwhile."""
    while True:
        port = random.randint(15_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def rendered(folder: Path, build: Path, backend: str, port: int, changes: dict[str, str]) -> Path:
    """The image's files in `folder`, with other paths and ports, and nothing else changed but
    `changes`: {what stands there: what is to}.

    Templates are filled in as the image does it, by envsubst.
    """
    ports = {"8080": str(port), "127.0.0.1:8081": f"127.0.0.1:{free_port()}"}
    places = {
        "/etc/nginx": str(folder / "etc"),
        "/tmp/": f"{folder}/",
        "/usr/share/nginx/app": str(build),
        "/dev/stdout": str(folder / "access.log"),
        # Written at once, so that a test can read what it just caused.
        " buffer=32k flush=1s": "",
    }

    new = {**places, **ports, **changes}
    old = re.compile("|".join(re.escape(each) for each in sorted(new, key=len, reverse=True)))

    def move(text: str) -> str:
        # In one pass: what was put in is not looked at again.
        return old.sub(lambda found: new[found[0]], text)

    etc = folder / "etc"
    (etc / "conf.d").mkdir(parents=True)
    shutil.copytree(NGINX / "site", etc / "site")
    (etc / "site" / "page_policy.conf").write_text(policy_file(build))
    values = {**defaults(), "BACKEND": backend}
    template = (NGINX / "templates" / "default.conf.template").read_text()
    filled = re.sub(r"\$\{([A-Z_]+)\}", lambda found: values[found[1]], template)
    (etc / "conf.d" / "default.conf").write_text(move(filled))
    (etc / "nginx.conf").write_text(move((NGINX / "nginx.conf").read_text()))
    for each in (etc / "site").iterdir():
        each.write_text(move(each.read_text()))
    script = folder / "40-listen.sh"
    script.write_text(move((NGINX / "40-listen.sh").read_text()))
    if (folder / "tls").is_dir():
        (folder / "tls").rename(etc / "tls")
    subprocess.run(["sh", script], check=True)
    return etc / "nginx.conf"


def policy_file(build: Path) -> str:
    """As the image's build makes it with scripts/page-policy.mjs."""
    policy = page_policy((build / "index.html").read_bytes()).decode()
    return f'add_header Content-Security-Policy "{policy}" always;\n'


def defaults() -> dict[str, str]:
    """What the image's Dockerfile sets."""
    (line,) = re.findall(r"^ENV (.*)$", (NGINX.parent / "Dockerfile").read_text(), re.MULTILINE)
    return dict(each.split("=", 1) for each in line.split())


@asynccontextmanager
async def nginx(
    folder: Path,
    build: Path,
    backend: str,
    *,
    scheme: str = "http",
    changes: dict[str, str] | None = None,
) -> AsyncIterator[str]:
    """Runs it in front of the worker at `backend`; its address."""
    program = find_nginx()
    assert program is not None, program
    port = free_port()
    configuration = rendered(folder, build, backend, port, changes or {})
    # Run by root its workers would be nobody, who can't look into a test's folder.
    globals_ = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
    with (folder / "error.log").open("w") as errors:
        process = subprocess.Popen(  # noqa: ASYNC220 - quick
            [program, "-c", configuration, "-p", folder, "-e", "stderr", "-g", globals_],
            stderr=errors,
        )
        try:
            address = f"127.0.0.1:{port}"
            async with httpx.AsyncClient(verify=False) as client, asyncio.timeout(10):
                while True:
                    assert process.poll() is None, (folder / "error.log").read_text()
                    try:
                        await client.get(f"{scheme}://{address}/robots.txt")
                        break
                    except httpx.TransportError:
                        await asyncio.sleep(0.02)
            yield address
        finally:
            process.terminate()
            process.wait(10)
