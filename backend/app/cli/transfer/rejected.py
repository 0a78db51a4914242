"""Rows that could not be taken, with the reasons: told, counted, and kept in a file."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

import typer

from app.cli.transfer.formats import BYTE_ORDER_MARK, Format, RawJson, encoder
from app.cli.transfer.rows import IGNORED, Row
from app.cli.transfer.source import Layout
from app.core.exact_json import pieces
from app.core.files import new_file

SHOWN = 20
"""Rows that are told one by one."""


class Rejected:
    """FILE.rejected: in FILE's format, with `line` and `reason` in front, so that it can be put
    right and imported; in UTF-8. There is none if no row is rejected; an older one is replaced."""

    def __init__(self, file: Path, format_: Format, layout: Layout, *, is_kept: bool) -> None:
        self.path = file.with_name(f"{file.name}.rejected")
        self.count = 0
        self._format = format_
        self._layout = layout
        self._is_kept = is_kept
        self._stack = ExitStack()
        self._out: TextIO | None = None
        self._header: tuple[str, ...] = ()

    def add(self, rows: Iterable[tuple[Row, str]]) -> None:
        """Rows of one batch with the reasons. Raises OSError."""
        for row, reason in sorted(rows, key=lambda each: each[0].line):
            self.count += 1
            if self.count <= SHOWN:
                typer.echo(f"line {row.line}: {_storable(reason)}", err=True)
            elif self.count == SHOWN + 1:
                typer.echo("... and more", err=True)
            if self._is_kept:
                self._write(row, reason)

    def _write(self, row: Row, reason: str) -> None:
        if self._out is None:
            self._out = self._stack.enter_context(new_file(self.path, replaces=True))
            if self._format is Format.CSV:
                header = [each for each in self._layout.header if each not in IGNORED]
                self._header = ("line", "reason", *header)
                self._out.write(BYTE_ORDER_MARK if self._layout.has_mark else "")
                self._out.write(encoder(self._format, self._header, self._layout.separator)[0])
        given = row.given | {"line": row.line, "reason": reason}
        if self._format is Format.CSV:
            _, encode = encoder(self._format, self._header, self._layout.separator)
            text = encode([[given.get(name) for name in self._header]])
        else:
            names = ("line", "reason", *(name for name in row.given if name not in IGNORED))
            _, encode = encoder(self._format, names)
            text = encode([[RawJson("".join(pieces(given[name]))) for name in names]])
        self._out.write(_storable(text))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def _storable(text: str) -> str:
    """Without what is no text."""
    return text.encode("utf-8", "replace").decode()
