"""What the lifespan opened, as handlers find it."""

from typing import Annotated

from fastapi import Depends, Request
from starlette.types import Scope

from app.services.service import Service


def service_of(scope: Scope) -> Service:
    """The worker's services, from a connection's scope."""
    service: Service = scope["state"]["service"]
    return service


async def get_service(connection: Request) -> Service:
    """For plain FastAPI handlers. Not a plain function: those are called in a thread each time."""
    return service_of(connection.scope)


ServiceDep = Annotated[Service, Depends(get_service)]
