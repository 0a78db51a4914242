"""Health as ops see it."""

from typing import Literal

from pydantic import BaseModel, Field


class Part(BaseModel):
    """One dependency or part."""

    status: Literal["ok", "degraded", "down"]
    detail: str | None = None
    latency_ms: float | None = None


class Health(BaseModel):
    """`ok`: all is well. `degraded`: exact but slower. `down`: scores can't be stored now."""

    status: Literal["ok", "degraded", "down"]
    version: str
    database: Part
    redis: Part
    index: Part
    live: Part
    writer: Part
    clients: int = Field(description="Sockets on this worker.")
    total_players: int | None = None
