"""What a refused body says in its one line of detail."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from app.api.problems import invalid_input


class Body(BaseModel):
    score: int
    mode: str = ""


def refusal_of(body: dict[str, object]) -> dict[str, Any]:
    with pytest.raises(ValidationError) as caught:
        Body.model_validate(body)
    return invalid_input(caught.value).problem()


def test_a_single_fault_is_told_with_its_reason() -> None:
    problem = refusal_of({"score": "x"})
    [fault] = problem["errors"]
    assert fault["field"] == "score"
    assert problem["detail"] == f"score: {fault['message']}"


def test_several_faults_are_named_and_each_is_explained() -> None:
    problem = refusal_of({"score": "x", "mode": 1})
    assert problem["detail"] == "Not valid: score, mode."
    assert [each["field"] for each in problem["errors"]] == ["score", "mode"]
