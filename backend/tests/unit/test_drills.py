"""Programs that rehearse disasters say what they saw, and never call ok what they did not try."""

import ast
from pathlib import Path

import pytest

from tests import compose_stack

TESTS = Path(__file__).parents[1]
PROGRAMS = [
    path
    for path in TESTS.glob("*.py")
    if not path.name.startswith(("test_", "conftest")) and "assert " in path.read_text()
]
"""pytest says what was seen in tests; these run without it."""


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_each_assertion_has_a_message(path):
    bare = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assert) and node.msg is None
    ]
    assert bare == []


def test_what_did_not_run_is_not_ok(capsys, monkeypatch):
    monkeypatch.setattr(compose_stack, "not_run", [])
    with compose_stack.step("one"):
        pass
    assert compose_stack.verdict() == "compose-test: passed"
    with compose_stack.step("two"):
        raise compose_stack.NotRunError("there is no image x")
    with pytest.raises(AssertionError), compose_stack.step("three"):
        raise AssertionError
    said = capsys.readouterr().out
    assert [line.partition("] ")[2] for line in said.splitlines()] == [
        "one: ok",
        "two: NOT RUN: there is no image x",
        "three: FAILED",
    ]
    assert compose_stack.verdict() == (
        "compose-test: passed, but NOT RUN: two (there is no image x)"
    )
