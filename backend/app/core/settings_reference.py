"""The settings as a reference for people: `python -m app.core.settings_reference`.

Made from the class, so that it can't lag behind: names, defaults, bounds and what they mean.
"""

import json
from textwrap import wrap
from typing import Any

from app.core.config import Settings

WIDTH = 98

_HEAD = """\
# Every setting of the service, with its default. Generated: backend/scripts/settings.
#
# Set them in the environment, or copy lines to a file `.env` in the folder that the service runs
# in. Times are in seconds unless the name says otherwise. Lists: commas between; tiers: JSON.
"""
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
}


def render() -> str:
    """The text of `.env.example`."""
    schema = Settings.model_json_schema()["properties"]
    defaults = Settings.model_construct()
    parts = [_HEAD]
    for name in Settings.model_fields:
        said = _said(schema[name])
        lines = [f"# {line}" for line in wrap(said, WIDTH - 2)]
        parts.append("\n".join([*lines, f"#{name.upper()}={_shown(getattr(defaults, name))}"]))
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _said(field: dict[str, Any]) -> str:
    """What it means, and its bounds."""
    kinds = [field, *field.get("anyOf", ())]
    bounds = [
        words.format(f"{kind[bound]:,}")
        for kind in kinds
        for bound, words in _BOUNDS.items()
        if bound in kind
    ]
    description = " ".join(field.get("description", "").split())
    return f"{description} ({', '.join(bounds)})" if bounds else description


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        nested = any(isinstance(each, tuple) for each in value)
        return json.dumps(value) if nested else ", ".join(map(str, value))
    return str(value)


if __name__ == "__main__":
    print(render(), end="")  # noqa: T201 - this is what it is for
