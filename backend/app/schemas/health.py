"""Health as ops see it."""

from typing import Literal

from pydantic import BaseModel, Field


class Part(BaseModel):
    """One dependency or part."""

    status: Literal["ok", "degraded", "down"]
    detail: str | None = Field(
        default=None, description="For those who may see details.", examples=["0 queued"]
    )
    latency_ms: float | None = Field(
        default=None, description="For those who may see details.", examples=[0.41]
    )


class Health(BaseModel):
    """`ok`: all is well. `degraded`: exact but slower. `down`: scores can't be stored now.

    Details (why a part is not well, latencies, counts) are for keys with `read`, and for everybody
    in the open mode. Others get null there.
    """

    status: Literal["ok", "degraded", "down"]
    version: str = Field(examples=["0.1.0"])
    auth: Literal["open", "closed"] = Field(
        description="`open`: this machine alone is answered, and may do everything."
    )
    database: Part
    redis: Part
    index: Part
    live: Part
    writer: Part
    limits: Part
    tasks: Part
    clients: int | None = Field(
        default=None, description="Sockets on this worker; a detail.", examples=[12]
    )
    total_players: int | None = Field(
        default=None, description="On the default board; a detail.", examples=[120]
    )

    def without_details(self) -> "Health":
        """What strangers are told: the status of each part."""
        changes: dict[str, object] = {"clients": None, "total_players": None}
        for name, value in self:
            if isinstance(value, Part):
                changes[name] = Part(status=value.status)
        return self.model_copy(update=changes)


class Live(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Whether this worker should get traffic, and if not, why."""

    ready: bool
    reason: str | None = Field(default=None, examples=["the database is away"])
