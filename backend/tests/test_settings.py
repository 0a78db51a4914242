"""The reference of settings: complete, and true when it is used as a file."""

import re
from pathlib import Path

from app.core.config import Settings
from app.core.settings_reference import render

EXAMPLE = Path(__file__).parents[2] / ".env.example"


def test_every_setting_is_explained():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
    assert EXAMPLE.read_text() == render()


def test_the_example_as_a_file_is_the_defaults(tmp_path, monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    lines = re.findall(r"^#([A-Z0-9_]+=.+)$", EXAMPLE.read_text(), re.MULTILINE)
    assert len(lines) > 50
    file = tmp_path / ".env"
    file.write_text("\n".join(lines))
    assert Settings(_env_file=file) == Settings(_env_file=None)
