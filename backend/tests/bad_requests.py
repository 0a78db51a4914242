"""Requests that break the contract, as data: what is sent, and what the answer must name."""

import dataclasses
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

MAX_SCORE = 2**53 - 1
HUGE = "1" + "0" * 400
HUGER = "1" + "0" * 5_000
DEEP = "[" * 400
"""Deeper than the parser goes."""
JSON = {"Content-Type": "application/json"}
SUBMIT = "/api/leaderboard/submit"
BATCH = "/api/leaderboard/submit/batch"
RANKS = "/api/leaderboard/ranks"
USERS = "/api/users"
BOARDS = "/api/boards"
PLAYER = 1
"""The one player whom these requests are about."""


@dataclass(frozen=True)
class Bad:
    """A request with one fault. `field` is what a 422 names, `template` the documented path."""

    id: str
    method: str
    template: str
    field: str = ""
    url: str = ""
    body: bytes | None = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    status: int = 422
    code: str = "invalid-input"
    chunked: bool = False

    @property
    def target(self) -> str:
        return self.url or self.template

    def __str__(self) -> str:
        return f"{self.method} {self.template} {self.id}"


# Literals, as they stand in the JSON text

NOT_INT = (
    "true", "false", "1.5", '"5"', '"5.0"', "[]", "{}", "[1]", "NaN", "Infinity", "-Infinity",
)  # fmt: skip
BEYOND = (HUGE, f"-{HUGE}", HUGER, "1e400", "-1e400")
NOT_TEXT = ("true", "5", "1.5", "[]", "{}", "NaN")
BROKEN_TEXT = (r'"a\u0000b"', r'"a\ud800b"', r'"\udc00"', r'"a\nb"', '"a\u202eb"')

FIELDS = {
    "user_id": (*NOT_INT, *BEYOND, "null", "0", "-1", str(2**48), str(2**53), str(2**63)),
    "score": (*NOT_INT, *BEYOND, "null", str(2**53), str(-(2**53)), str(2**63), str(-(2**63) - 1)),
    "game_mode": (
        *NOT_TEXT,
        *BROKEN_TEXT,
        "null",
        '""',
        '" "',
        '"a b"',
        r'"ranked\n"',
        '"r\u00e4nked"',
        '"%s"' % ("a" * 33),
        '"%s"' % ("a" * 20_000),
    ),
    "duration_ms": (*NOT_INT, *BEYOND, "-1", str(2**31), str(2**53), str(7 * 24 * 3_600_000 + 1)),
    "won": ("1", "0", "1.5", '"true"', '"yes"', "[]", "{}", "NaN"),
    "played_at": (
        "true",
        "0",
        "1.5",
        "[]",
        "{}",
        "NaN",
        HUGE,
        '""',
        '"yesterday"',
        '"1700000000"',
        "45322.5",
        "20240131",
        "2024",
        "1795563513",
        '"2024-01-31"',
        '"2024-01-31T12:00:00+25:00"',
        '"2024-02-30T12:00:00Z"',
        '"20240131"',
        '"2026-01-01T00:00:00"',
        '"2026-13-01T00:00:00Z"',
        '"1999-01-01T00:00:00Z"',
        '"2999-01-01T00:00:00Z"',
        '"0001-01-01T00:00:00+23:59"',
        '"9999-12-31T23:59:59-23:59"',
        r'"2026-01-01T00:00:00Z\u0000"',
        r'"\ud800"',
    ),
    "metadata": (
        "true",
        "5",
        "1.5",
        '"text"',
        "[]",
        '[{"a": 1}]',
        "NaN",
        '{"a": NaN}',
        '{"a": [-Infinity]}',
        '{"a": 1e4096}',
        '{"a": -1e-999999999}',
        '{"a": 1e99999999999999999999}',
        '{"a": [1e400' + ", 1e400" * 10 + "]}",
        '{"a": ' + HUGER + "}",
        r'{"a": "\u0000"}',
        r'{"\u0000": 1}',
        r'{"a": [{"b": "x\u0000y"}]}',
        r'{"a": "\ud800"}',
        r'{"\udfff": 1}',
        '{"a": "%s"}' % ("x" * 4_096),
        '{"a": "%s"}' % ("\u20ac" * 1_400),
        '{"a": ' + "[" * 1_000 + "]" * 1_000 + "}",
    ),
    "submission_id": (
        *NOT_TEXT,
        *BROKEN_TEXT,
        '""',
        '"two words"',
        '"k\u00e9y"',
        '"%s"' % ("k" * 201),
    ),
}
GOOD = {
    "user_id": str(PLAYER),
    "score": "10",
    "game_mode": '"ranked"',
    "duration_ms": "5",
    "won": "true",
    "metadata": '{"level": 7}',
}

NOT_NAMES = (
    *NOT_TEXT,
    "null",
    '""',
    '" "',
    '" Ada"',
    '"Ada "',
    '"\u3000Ada"',
    '"%s"' % ("a" * 33),
    '"%s"' % ("a" * 900),
    r'"a\u0000b"',
    r'"a\ud800b"',
    r'"a\nb"',
    r'"a\tb"',
    r'"a\u001bb"',
    r'"a\u007fb"',
    r'"a\u0085b"',
    r'"a\u200bb"',
    r'"a\u202eb"',
    r'"a\u2028b"',
    r'"a\ufeffb"',
    r'"a\ue000b"',
)
NOT_EMAILS = (
    *NOT_TEXT,
    '""',
    '"nova"',
    '"nova@"',
    '"@example.com"',
    '"nova@example"',
    '"a b@example.com"',
    '"a@b@example.com"',
    r'"nova@example.com\n"',
    r'"nova\u0000@example.com"',
    r'"\ud800@example.com"',
    '"%s@example.com"' % ("a" * 300),
)


def text_of(fields: dict[str, str]) -> str:
    inner = ", ".join(f'"{name}": {literal}' for name, literal in fields.items())
    return f"{{{inner}}}"


def brief(literal: str) -> str:
    shown = literal.encode("unicode_escape").decode()
    return shown if len(shown) <= 30 else f"{shown[:20]}...({len(literal)})"


def _bad_submissions() -> Iterator[tuple[str, str, str]]:
    """(id, field, JSON text) of submissions with one bad field."""
    for name, literals in FIELDS.items():
        for literal in literals:
            yield f"{name}={brief(literal)}", name, text_of({**GOOD, name: literal})
    for name in ("user_id", "score"):
        rest = {key: literal for key, literal in GOOD.items() if key != name}
        yield f"no {name}", name, text_of(rest)
    for name in ("scoer", "body", "query", "", "a.b", "x" * 10_000):
        yield f"unknown field {name[:10]!r}", name[:50] or "body", text_of({**GOOD, name: "1"})


def _bad_documents() -> Iterator[tuple[str, bytes]]:
    """(id, body) of what is no object, or no JSON at all."""
    for literal in ("null", "true", "5", '"text"', "[]", "NaN", "[{}]"):
        yield f"body={literal}", literal.encode()
    yield "empty", b""
    yield "blank", b"  \n"
    yield "cut short", text_of(GOOD)[:-5].encode()
    yield "trailing text", text_of(GOOD).encode() + b"x"
    yield "two documents", text_of(GOOD).encode() * 2
    yield "single quotes", b"{'user_id': 1, 'score': 1}"
    yield "comment", b'{"user_id": 1, /* no */ "score": 1}'
    yield "invalid UTF-8", b'{"user_id": 1, "score": 1, "game_mode": "\xff\xfe"}'
    yield "invalid UTF-8 key", b'{"\xc3": 1}'
    yield "UTF-16", text_of(GOOD).encode("utf-16")
    yield "NUL bytes", b"\0" * 100
    yield "deep list", DEEP.encode()
    yield "deep object", b'{"a":' * 203
    yield "deep and closed", DEEP.encode() + b"]" * 400
    yield "huge number", HUGE.encode()


def bad_bodies(method: str, template: str, url: str, good: bytes) -> Iterator[Bad]:
    """What holds for every endpoint that takes a body."""
    plain = Bad("", method, template, "body", url, good, JSON)
    for name, body in _bad_documents():
        yield replace(plain, id=name, body=body, field="*")
    unsupported = replace(plain, status=415, code="unsupported-media-type")
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "what"):
        yield replace(unsupported, id=kind, headers={"Content-Type": kind})
    yield replace(unsupported, id="no content type", headers={})
    large = replace(plain, status=413, code="body-too-large")
    padded = good + b" " * 10_000_000
    yield replace(large, id="10 MB", body=padded)
    yield replace(large, id="10 MB in chunks", body=padded, chunked=True)
    yield replace(large, id="1 byte too many", body=good.ljust(1_000_001))
    yield replace(large, id="1 byte too many in chunks", body=good.ljust(1_000_001), chunked=True)


def _submits() -> Iterator[Bad]:
    base = Bad("", "POST", SUBMIT, headers=JSON)
    for name, named, text in _bad_submissions():
        yield replace(base, id=name, field=named, body=encode(text))
    yield from bad_bodies("POST", SUBMIT, SUBMIT, text_of(GOOD).encode())
    unknown = text_of({**GOOD, "user_id": "999"}).encode()
    yield replace(base, id="unknown player", body=unknown, status=404, code="unknown-player")


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _keys() -> Iterator[Bad]:
    good = text_of(GOOD)
    for template, body in ((SUBMIT, good), (BATCH, f'{{"submissions": [{good}]}}')):
        for key in ("", "two words", "k" * 201, "k\u00e9y", "a\tb"):
            headers = {**JSON, "Idempotency-Key": key}
            yield Bad(
                f"key {key[:9]!r}", "POST", template, "Idempotency-Key", "", body.encode(), headers
            )


def _batches() -> Iterator[Bad]:
    base = Bad("", "POST", BATCH, "submissions", headers=JSON)
    for literal in (*NOT_TEXT, "null", '"text"'):
        body = f'{{"submissions": {literal}}}'
        yield replace(base, id=f"submissions={literal}", body=body.encode())
    many = ", ".join([text_of(GOOD)] * 1_001)
    yield replace(base, id="1,001 items", body=f'{{"submissions": [{many}]}}'.encode())
    yield replace(base, id="no submissions", body=b"{}")
    extra = f'{{"submissions": [{text_of(GOOD)}], "extra": 1}}'
    yield replace(base, id="unknown field", body=extra.encode())
    good = f'{{"submissions": [{text_of(GOOD)}]}}'
    yield from bad_bodies("POST", BATCH, BATCH, good.encode())


def bad_items() -> Iterator[tuple[str, str, str]]:
    """(id, field, JSON text) of batch items that are refused on their own.

    What is not JSON at all makes the whole call fail, so it is left out here.
    """
    for name, named, text in _bad_submissions():
        try:
            json.loads(text, parse_constant=_refuse)
            text.encode()
            json.dumps(json.loads(text), ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            continue
        yield name, named, text
    for literal in ("null", "true", "5", '"text"', "[]"):
        yield f"item={literal}", "body", literal


def _refuse(literal: str) -> None:
    raise ValueError(literal)


def _users() -> Iterator[Bad]:
    new = Bad("", "POST", USERS, headers=JSON)
    change = Bad("", "PATCH", f"{USERS}/{{user_id}}", url=f"{USERS}/{PLAYER}", headers=JSON)
    for literal in NOT_NAMES:
        body = encode(f'{{"username": {literal}}}')
        yield replace(new, id=f"username={brief(literal)}", field="username", body=body)
        if literal != "null":
            yield replace(change, id=f"username={brief(literal)}", field="username", body=body)
    for literal in NOT_EMAILS:
        body = encode(f'{{"username": "New", "email": {literal}}}')
        yield replace(new, id=f"email={brief(literal)}", field="email", body=body)
    for literal in ("1", "0", '"true"', "[]", "{}", "1.5", "NaN"):
        body = encode(f'{{"is_active": {literal}}}')
        yield replace(change, id=f"is_active={literal}", field="is_active", body=body)
    yield replace(new, id="no username", field="username", body=b"{}")
    for name, shown in (
        ("rank", "rank"),
        (r"\ud800", None),
        (r"\u0000", None),
        ("x" * 3_999, None),
    ):
        for base in (new, change):
            body = encode(f'{{"username": "New", "{name}": 1}}')
            yield replace(base, id=f"unknown field {name[:9]}", field=shown or "*", body=body)
    yield from bad_bodies("POST", USERS, USERS, b'{"username": "New"}')
    yield from bad_bodies("PATCH", change.template, change.url, b'{"username": "New"}')
    yield from bad_ids(change, b'{"username": "New"}')
    yield from bad_ids(Bad("", "GET", change.template), None)
    lookup = Bad("", "GET", USERS)
    yield replace(lookup, id="neither", field="username")
    for query, named, status in (
        ("username=a&prefix=b", "username", 422),
        ("username=", "username", 422),
        ("prefix=", "prefix", 422),
        ("username=a%00b", "username", 422),
        ("prefix=a%00b", "prefix", 422),
        ("prefix=a%0Ab", "prefix", 422),
        ("username=" + "a" * 129, "username", 422),
        ("prefix=" + "a" * 129, "prefix", 422),
        ("prefix=a&limit=0", "limit", 422),
        ("prefix=a&limit=51", "limit", 422),
        ("prefix=a&limit=-1", "limit", 422),
        ("prefix=a&limit=", "limit", 422),
        ("prefix=a&limit=x", "limit", 422),
        ("prefix=a&limit=1.5", "limit", 422),
        (f"prefix=a&limit={HUGE}", "limit", 422),
        ("prefix=a&limit=5&limit=x", "limit", 422),
        ("username=nobody", "", 404),
        ("username=%ff", "", 404),
        ("username=%25", "", 404),
    ):
        code = "invalid-input" if status == 422 else "unknown-player"
        yield replace(
            lookup, id=brief(query), url=f"{USERS}?{query}", field=named, status=status, code=code
        )


def bad_ids(base: Bad, body: bytes | None) -> Iterator[Bad]:
    """Path ids, in the place of {user_id} in `base.template`."""
    path, _, rest = base.template.partition("{user_id}")
    for given in (
        "0", "-1", "abc", "1.5", "1e3", "0x1", "true", "null", "%20", "%00", "1%00", "%ff",
        "%E2%91%A0", "%D9%A1", str(2**48), str(2**63), str(10**30), HUGE,
    ):  # fmt: skip
        url = path + given + rest
        yield replace(base, id=f"id {brief(given)}", url=url, field="user_id", body=body)
    for given in (str(PLAYER + 998), str(2**31), str(2**48 - 1)):
        url = path + given + rest
        yield replace(base, id=f"id {given}", url=url, status=404, code="unknown-player", body=body)


def number_queries(name: str, most: int, least: int) -> Iterator[str]:
    for given in (
        "", "-1", "abc", "1.5", "1e1", "true", "null", "NaN", "Infinity", "%00", "%E2%91%A0",
        "%D9%A1", "+", "0x10", str(most + 1), str(2**53), str(10**30), HUGE,
    ):  # fmt: skip
        yield f"{name}={given}"
    if least > 0:
        yield f"{name}=0"
    yield f"{name}={least}&{name}=x"


UNKNOWN_SLUGS = ("nope", "GLOBAL", "a" * 64)
NOT_SLUGS = ("a" * 65, "a%20b", "%00", "%C3%A9", "%F0%9F%91%BE", "global%0A")


def _boards() -> Iterator[Bad]:
    """What holds for every read: which board, which season."""
    base = "/api/leaderboard"
    entries = {
        f"{base}/top": f"{base}/top",
        f"{base}/around/{{user_id}}": f"{base}/around/{PLAYER}",
        f"{base}/rank/{{user_id}}": f"{base}/rank/{PLAYER}",
        f"{base}/tiers": f"{base}/tiers",
        f"{USERS}/{{user_id}}/history": f"{USERS}/{PLAYER}/history",
        RANKS: RANKS,
    }
    for template, url in entries.items():
        body, headers, method = None, {}, "GET"
        if template == RANKS:
            body, headers, method = b'{"user_ids": [1]}', JSON, "POST"
        here = Bad("", method, template, body=body, headers=headers)
        for query in number_queries("season", 2**31 - 1, 1):
            yield replace(here, id=brief(query), url=f"{url}?{query}", field="season")
        missing = replace(here, status=404, code="unknown-season")
        yield replace(missing, id="season 2", url=f"{url}?season=2")
        yield replace(missing, id="season 2^31-1", url=f"{url}?season={2**31 - 1}")
        for slug in UNKNOWN_SLUGS:
            yield replace(
                here, id=f"board={slug[:9]}", url=f"{url}?board={slug}",
                status=404, code="unknown-board",
            )  # fmt: skip
        for slug in NOT_SLUGS:
            yield replace(here, id=f"board={slug[:9]}", url=f"{url}?board={slug}", field="board")


def _profiles() -> Iterator[Bad]:
    """A board by its slug in the path."""
    for template in (f"{BOARDS}/{{slug}}", f"{BOARDS}/{{slug}}/seasons"):
        here = Bad("", "GET", template, "slug")
        for slug in NOT_SLUGS:
            yield replace(here, id=f"slug {slug[:9]}", url=template.replace("{slug}", slug))
        missing = replace(here, status=404, code="unknown-board")
        for slug in UNKNOWN_SLUGS:
            yield replace(missing, id=f"slug {slug[:9]}", url=template.replace("{slug}", slug))


def _reads() -> Iterator[Bad]:
    base = "/api/leaderboard"
    top, around = Bad("", "GET", f"{base}/top"), Bad("", "GET", f"{base}/around/{{user_id}}")
    for query in number_queries("limit", 1_000, 1):
        yield replace(top, id=brief(query), url=f"{base}/top?{query}", field="limit")
    for query in number_queries("offset", 2**48 - 1, 0):
        yield replace(top, id=brief(query), url=f"{base}/top?{query}", field="offset")
    for query in number_queries("radius", 100, 0):
        url = f"{base}/around/{PLAYER}?{query}"
        yield replace(around, id=brief(query), url=url, field="radius")
    for query in ("limit=%ff", "%ff=1", "limit=5&board=%ff"):
        yield replace(top, id=brief(query), url=f"{base}/top?{query}", field="query")
    yield from bad_ids(around, None)
    yield from bad_ids(Bad("", "GET", f"{base}/rank/{{user_id}}"), None)
    for template in (f"{base}/around/{{user_id}}", f"{base}/rank/{{user_id}}"):
        url = template.replace("{user_id}", str(PLAYER))
        yield Bad("unranked", "GET", template, url=url, status=404, code="not-ranked")


NOT_CURSORS = (
    "", "x", "null", "1", "-1", "AAZL9TWvEAAAAAAAAAFgYh", "AAZL9TWvEAAAAAAAAAFgYg%3D%3D",
    "AAZL9TWvEAAAAAAAAAFg", "AAZL9TWvEAAAAAAAAAFgYgAA", "AAZL9TWv%20EAAAAAAAAAFgYg", "%00", "%ff",
    "%C3%A9" * 22, "%2B%2B%2B%2B%2B%2B%2B%2B%2B%2B%2B%2B%2B%2B%2B%2B%2B%2B%2B%2B%2Bw", "_" * 22,
    "f_________8AAAAAAAAAAQ", "gAAAAAAAAAAAAAAAAAAAAQ", "A" * 21, "A" * 23, "A" * 65, "A" * 1_999,
    "A4REDMxzX_9__________w", "_yNAAQDUQAAAAAAAAAAAAQ",  # the last moment and the first
)  # fmt: skip


def _sessions() -> Iterator[Bad]:
    here = Bad("", "GET", f"{USERS}/{{user_id}}/sessions")
    url = f"{USERS}/{PLAYER}/sessions"
    for query in number_queries("limit", 100, 1):
        yield replace(here, id=brief(query), url=f"{url}?{query}", field="limit")
    for cursor in NOT_CURSORS:
        yield replace(
            here, id=f"cursor={brief(cursor)}", url=f"{url}?cursor={cursor}", field="cursor"
        )
    for slug in NOT_SLUGS:
        yield replace(here, id=f"board={slug[:9]}", url=f"{url}?board={slug}", field="board")
    missing = replace(here, status=404, code="unknown-board")
    for slug in UNKNOWN_SLUGS:
        yield replace(missing, id=f"board={slug[:9]}", url=f"{url}?board={slug}")
    yield from bad_ids(here, None)


def _histories() -> Iterator[Bad]:
    here = Bad("", "GET", f"{USERS}/{{user_id}}/history")
    url = f"{USERS}/{PLAYER}/history"
    for query in number_queries("points", 500, 10):
        yield replace(here, id=brief(query), url=f"{url}?{query}", field="points")
    yield replace(here, id="points=9", url=f"{url}?points=9", field="points")
    for given in ("", "HOUR", "year", "60", "hour%00", "%C3%A9", "a" * 1_999):
        yield replace(here, id=f"range={given[:9]}", url=f"{url}?range={given}", field="range")
    yield from bad_ids(here, None)
    yield replace(here, id="unranked", url=url, status=404, code="not-ranked")


def _ranks() -> Iterator[Bad]:
    base = Bad("", "POST", RANKS, headers=JSON)
    for literal in (*NOT_TEXT, '"1"', "null"):
        if literal == "[]":
            continue
        body = f'{{"user_ids": {literal}}}'
        yield replace(base, id=f"user_ids={literal}", field="user_ids", body=body.encode())
    for name, literal in (("none", "[]"), ("1,001", str(list(range(1, 1_002))))):
        body = f'{{"user_ids": {literal}}}'
        yield replace(base, id=f"{name} ids", field="user_ids", body=body.encode())
    for literal in FIELDS["user_id"]:
        if literal == HUGER:
            continue
        body = f'{{"user_ids": [1, {literal}]}}'
        yield replace(base, id=f"id {brief(literal)}", field="user_ids.1", body=body.encode())
    for body in (b"{}", b'{"ids": [1]}'):
        yield replace(base, id=body.decode(), field="user_ids", body=body)
    yield replace(base, id="unknown field", field="extra", body=b'{"user_ids": [1], "extra": 1}')
    yield replace(base, id="huge id", field="*", body=f'{{"user_ids": [{HUGER}]}}'.encode())
    yield from bad_bodies("POST", RANKS, RANKS, b'{"user_ids": [1]}')


def settled(bad: Bad) -> Bad:
    """The same request: a control character in its path is its first fault."""
    if re.search("%[01][0-9A-Fa-f]", bad.target.partition("?")[0]):
        return replace(bad, status=400, code="bad-request")
    return bad


CASES = [*map(settled, (
    *_submits(), *_keys(), *_batches(), *_boards(), *_profiles(), *_reads(), *_ranks(), *_users(),
    *_sessions(), *_histories(),
))]  # fmt: skip
