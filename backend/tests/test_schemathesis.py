"""schemathesis over the whole OpenAPI document: no 500 and no breach of it, whoever asks."""

import asyncio
import sys
from pathlib import Path

import pytest

from app.main import create_app
from tests.access_helpers import CLOSED, bearer, closed
from tests.conftest import serve

DOCUMENT = Path(__file__).parents[1] / "openapi.json"
"""From its file: the service refuses a revoked credential everywhere, for its document too."""
PHASES = "examples,coverage,fuzzing"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
# Not `negative_data_rejection`: a batch with a bad item is taken, and that item answered badly.
# What is refused, and how, is in test_bad_input.py.
EXAMPLES = "12"
"""Made-up requests an operation, besides those that cover the schema's corners."""


async def run(address: str, tmp_path: Path, credential: str | None) -> tuple[int, str]:
    """(exit code, what was said). In a process of its own, with the service in this one."""
    headers = [
        part for name, value in bearer(credential).items() for part in ("-H", f"{name}: {value}")
    ]
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "schemathesis.cli", "run", str(DOCUMENT), "--url", f"http://{address}",
        "--phases", PHASES, "--checks", ",".join(CHECKS), "-n", EXAMPLES, "--seed", "7",
        "--generation-database", "none", "--no-shrink", "--no-color", "--warnings", "off",
        "--continue-on-failure", "--request-timeout", "20", *headers,
        cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await child.communicate()
    assert child.returncode is not None
    return child.returncode, said.decode(errors="replace")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("who", ["nothing", "revoked", "read", "own", "admin"])
async def test_the_whole_document_holds(sandbox, tmp_path, who):
    async with closed(sandbox) as there:
        await there.ask(
            "admin", "POST", "/api/leaderboard/submit",
            json={"user_id": there.player, "score": 5},
        )  # fmt: skip
        credential = there.credentials[who]
    async with serve(create_app(sandbox.make_settings(**CLOSED))) as address:
        code, said = await run(address, tmp_path, credential)
    assert code == 0, said[-6_000:]
    assert "No test cases were generated" not in said
