"""The OpenAPI document says what the service does: paths, models, examples, every error."""

import pytest

from app.core import errors
from app.core.config import Settings
from app.main import create_app
from tests.bad_admin_requests import ADMIN_CASES
from tests.bad_requests import CASES

BASE = "/api/leaderboard"
OPERATIONS = {
    ("post", f"{BASE}/submit"): ("200", "SubmissionResult"),
    ("post", f"{BASE}/submit/batch"): ("200", "BatchResult"),
    ("get", f"{BASE}/top"): ("200", "EntryList"),
    ("get", f"{BASE}/rank/{{user_id}}"): ("200", "RankAnswer"),
    ("get", f"{BASE}/around/{{user_id}}"): ("200", "EntryList"),
    ("post", f"{BASE}/ranks"): ("200", "EntryList"),
    ("get", f"{BASE}/tiers"): ("200", "TierTable"),
    ("get", f"{BASE}/health"): ("200", "Health"),
    ("post", "/api/users"): ("201", "UserProfile"),
    ("get", "/api/users"): ("200", "UserList"),
    ("get", "/api/users/{user_id}"): ("200", "UserProfile"),
    ("patch", "/api/users/{user_id}"): ("200", "UserProfile"),
    ("get", "/api/users/{user_id}/sessions"): ("200", "SessionList"),
    ("delete", "/api/users/{user_id}"): ("200", "ErasedUser"),
    ("get", "/api/users/{user_id}/history"): ("200", "History"),
    ("get", "/api/boards"): ("200", "BoardList"),
    ("get", "/api/boards/{slug}"): ("200", "Board"),
    ("get", "/api/boards/{slug}/seasons"): ("200", "SeasonList"),
    ("patch", "/api/boards/{slug}"): ("200", "Board"),
    ("get", "/api/auth"): ("200", "AuthState"),
    ("post", "/api/auth/player-token"): ("200", "TokenAnswer"),
    ("post", "/api/auth/guest"): ("200", "GuestAnswer"),
    ("get", "/api/keys"): ("200", "KeyList"),
    ("post", "/api/keys"): ("201", "MadeKey"),
    ("post", "/api/keys/{key_id}/rotate"): ("201", "MadeKey"),
    ("delete", "/api/keys/{key_id}"): ("200", "Key"),
    ("get", "/api/audit"): ("200", "AuditPage"),
}
LISTS = {
    ("get", f"{BASE}/{path}") for path in ("top", "rank/{user_id}", "around/{user_id}", "tiers")
}
LISTS |= {("post", f"{BASE}/ranks"), ("get", "/api/users/{user_id}/history")}
FIELDS = {
    "ScoreSubmission": {
        "user_id", "score", "game_mode", "duration_ms", "won", "played_at", "metadata",
        "submission_id",
    },
    "SubmissionResult": {
        "session_id", "new_rank", "rank_change", "message", "total_players", "replayed",
        "boards",
    },
    "EntryList": {"board", "season", "total_players", "version", "entries"},
    "Entry": {
        "rank", "user_id", "username", "total_score", "games_played", "win_rate", "achieved_at",
    },
    "UserProfile": {"user_id", "username", "join_date", "is_active"},
    "Problem": {"type", "title", "status", "code", "detail", "errors", "request_id"},
}  # fmt: skip
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


@pytest.fixture(scope="module")
def document() -> dict:
    return create_app(Settings(_env_file=None)).openapi()


@pytest.fixture(scope="module")
def operations(document) -> dict[tuple[str, str], dict]:
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def resolve(document: dict, schema: dict) -> dict:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def test_all_endpoints_are_there(operations):
    assert OPERATIONS.keys() <= operations.keys()
    names = [operation["operationId"] for operation in operations.values()]
    assert len(set(names)) == len(names)


def test_each_is_described(operations):
    for operation in operations.values():
        assert operation["summary"]
        assert len(operation["description"]) > 15
        assert operation["tags"]
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description"), (operation["operationId"], parameter["name"])


def test_success_has_its_model(operations):
    for key, (status, model) in OPERATIONS.items():
        content = operations[key]["responses"][status]["content"]
        reference = {"$ref": f"#/components/schemas/{model}"}
        assert content["application/json"]["schema"] == reference


def test_models_have_the_fields_of_the_contract(document):
    for name, fields in FIELDS.items():
        assert document["components"]["schemas"][name]["properties"].keys() == fields
    body = document["components"]["schemas"]["ScoreSubmission"]
    assert set(body["required"]) == {"user_id", "score"}
    assert body["additionalProperties"] is False


def test_bodies_are_required_json(operations):
    for (method, _), operation in operations.items():
        if method in ("post", "patch"):
            assert operation["requestBody"]["required"] is True
            assert list(operation["requestBody"]["content"]) == ["application/json"]


def test_reads_take_a_board_and_a_season(operations):
    for key in LISTS:
        names = {each["name"] for each in operations[key]["parameters"]}
        assert {"board", "season"} <= names
    top = {each["name"]: each["schema"] for each in operations["get", f"{BASE}/top"]["parameters"]}
    assert (top["limit"]["default"], top["limit"]["minimum"], top["limit"]["maximum"]) == (
        100, 1, 1_000,
    )  # fmt: skip
    assert (top["offset"]["default"], top["offset"]["minimum"]) == (0, 0)


def without_example(document: dict, schema: dict, path: str) -> list[str]:
    """The scalar fields below a model of which a reader can't see how they look."""
    schema = resolve(document, schema)
    if "examples" in schema or "enum" in schema or "const" in schema:
        return []
    for combined in ("anyOf", "oneOf"):
        if combined in schema:
            kinds = [each for each in schema[combined] if each.get("type") != "null"]
            return [name for each in kinds for name in without_example(document, each, path)]
    if schema.get("type") == "object":
        return [
            name
            for field, inner in schema.get("properties", {}).items()
            for name in without_example(document, inner, f"{path}.{field}")
        ]
    if schema.get("type") == "array":
        return without_example(document, schema["items"], f"{path}[]")
    shown = schema.get("type") == "boolean" or "format" in schema
    return [] if shown else [path]


def test_all_fields_have_examples(document, operations):
    for (method, path), operation in operations.items():
        bodies = [each["content"] for each in operation["responses"].values() if "content" in each]
        bodies += [operation["requestBody"]["content"]] if "requestBody" in operation else []
        for body in bodies:
            for media in body.values():
                assert without_example(document, media["schema"], f"{method} {path}: ") == []


def test_errors_are_problems(operations):
    """Under their own media type, and with the codes that they may carry."""
    for (_, path), operation in operations.items():
        for status, response in operation["responses"].items():
            if "content" not in response and operation["operationId"].endswith("_head"):
                continue
            if int(status) < 400 or (path.endswith(("/health", "/ready")) and status == "503"):
                continue
            assert response["content"] == PROBLEM
            codes = {
                f"`{each.code}`"
                for each in errors.AppError.__subclasses__()
                if each.status == int(status)
            }
            assert any(code in response["description"] for code in codes)


def test_the_answers_to_bad_requests_are_declared(operations):
    """Of all that test_bad_input.py sends and is answered."""
    answered = {
        (bad.method.lower(), bad.template, str(bad.status), bad.code)
        for bad in (*CASES, *ADMIN_CASES)
    }
    assert len(answered) > 30
    for method, path, status, code in answered:
        declared = operations[method, path]["responses"]
        assert f"`{code}`" in declared[status]["description"], (method, path)


def test_what_else_may_be_answered_is_declared(operations):
    for (method, path), codes in {
        ("post", f"{BASE}/submit"): (
            "player-inactive", "total-out-of-range", "idempotency-mismatch", "overloaded",
            "database-unavailable", "shutting-down", "client-submissions-off", "forbidden",
        ),
        ("post", f"{BASE}/submit/batch"): ("overloaded", "database-unavailable"),
        ("post", "/api/users"): ("username-taken", "email-taken", "database-unavailable"),
        ("patch", "/api/users/{user_id}"): (
            "username-taken", "player-inactive", "database-unavailable",
        ),
        ("post", "/api/auth/player-token"): ("player-inactive", "database-unavailable"),
        ("post", "/api/auth/guest"): ("guest-sign-in-off", "username-taken", "player-inactive"),
        ("post", "/api/keys/{key_id}/rotate"): ("key-not-active",),
        ("get", "/api/audit"): ("database-unavailable",),
        ("get", f"{BASE}/rank/{{user_id}}"): ("not-ranked", "overloaded", "database-unavailable"),
    }.items():  # fmt: skip
        told = " ".join(
            each["description"] for each in operations[method, path]["responses"].values()
        )
        assert [code for code in codes if f"`{code}`" not in told] == []
    for path in ("top", "around/{user_id}"):
        assert "304" in operations["get", f"{BASE}/{path}"]["responses"]


async def test_the_document_is_served(worker, document):
    answer = await worker.client.get("/openapi.json")
    assert answer.json()["paths"].keys() == document["paths"].keys()
