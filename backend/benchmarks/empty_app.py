"""The twin of reads: what the framework and the server can do when there is nothing to do."""

import os

from fastapi import FastAPI, Response

app = FastAPI()


@app.get("/")
async def empty() -> dict[str, str]:
    """Nothing."""
    return {}


@app.get("/worker")
async def worker(response: Response) -> None:
    """Says which worker answers, in the way the service does it: see `connect.py`."""
    response.headers["x-request-id"] = f"{os.getpid()}-0"
