"""New Relic, for those who have a license key. Without one nothing of it is imported."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

KEY = "NEW_RELIC_LICENSE_KEY"


class Agent:
    """The agent of this process, which has registered the application."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._application: Any = module.register_application()

    def wrap(self, app: Any) -> Any:  # noqa: ANN401 - the agent's own wrapper says no more
        """An ASGI application whose requests are web transactions."""
        return self._module.ASGIApplicationWrapper(app)

    @property
    def name_transaction(self) -> Callable[..., None]:
        """Names the transaction that is under way: (name, group)."""
        name: Callable[..., None] = self._module.set_transaction_name
        return name

    def record(self, event: str, attributes: Mapping[str, object]) -> None:
        """A custom event, of the application and not of a transaction that may be under way."""
        self._application.record_custom_event(event, dict(attributes))


def start() -> Agent | None:
    """The agent, if there is a license key in the environment or in the file that it names. To be
    called before what it looks into is imported. All else of it is set as New Relic says, by
    `NEW_RELIC_...`. Raises OSError if the file can't be read."""
    key = os.environ.get(KEY) or _key_in_file()
    if not key:
        return None
    os.environ.setdefault("NEW_RELIC_APP_NAME", "Leaderboard")
    # It would send log lines as they are before secrets are cut out of them.
    os.environ.setdefault("NEW_RELIC_APPLICATION_LOGGING_FORWARDING_ENABLED", "false")
    import newrelic.agent  # type: ignore[import-untyped]

    settings = newrelic.agent.global_settings()
    settings.license_key = key
    newrelic.agent.initialize()
    # It would write a script of its own into our pages, which their content policy forbids.
    settings.browser_monitoring.auto_instrument = False
    return Agent(newrelic.agent)


def _key_in_file() -> str:
    place = os.environ.get(f"{KEY}_FILE")
    return Path(place).read_text().strip() if place else ""
