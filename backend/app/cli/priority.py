"""Commands that have time, beside a service that has none."""

import os
from contextlib import suppress

NICE = 10


def yield_to_others() -> None:
    """Lowers the priority of this process, and of those that it starts from now on, below the
    service's. Does nothing where the system knows no such priorities."""
    with suppress(OSError, AttributeError):
        os.nice(NICE)
