"""The same as `bad_requests.py`, for what administrators and players who sign in may send."""

from collections.abc import Iterator
from dataclasses import replace

from tests.bad_requests import (
    BOARDS,
    BROKEN_TEXT,
    HUGE,
    JSON,
    NOT_NAMES,
    NOT_SLUGS,
    NOT_TEXT,
    PLAYER,
    UNKNOWN_SLUGS,
    USERS,
    Bad,
    bad_bodies,
    brief,
    encode,
    number_queries,
    settled,
)

TOKEN = "/api/auth/player-token"
GUEST = "/api/auth/guest"
KEYS = "/api/keys"
ROTATE = f"{KEYS}/{{key_id}}/rotate"
AUDIT = "/api/audit"

NOT_WHOLE = ("true", "1.5", '"5"', "[]", "{}", "NaN", HUGE, "-1")
NOT_TRUTHS = ("1", "0", '"true"', "[]", "{}", "1.5", "NaN")
NOT_LINES = (*NOT_TEXT, *BROKEN_TEXT, '""', '" "', '"\u3000"')
NOT_KEY_IDS = (
    "0", "-1", "abc", "1.5", "true", "%20", "%00", "%ff", "%D9%A1", str(2**31), str(2**63), HUGE,
)  # fmt: skip


def _fields(base: Bad, good: dict[str, str], name: str, literals: tuple[str, ...]) -> Iterator[Bad]:
    """`base` with one field bad."""
    for literal in literals:
        fields = {**good, name: literal}
        text = ", ".join(f'"{field}": {value}' for field, value in fields.items())
        body = encode(f"{{{text}}}")
        yield replace(base, id=f"{name}={brief(literal)}", field=name, body=body)


def _reasons(base: Bad, good: dict[str, str]) -> Iterator[Bad]:
    yield from _fields(base, good, "reason", (*NOT_LINES, '"%s"' % ("x" * 501)))
    yield from _fields(base, good, "raison", ('"a typing error"',))


def _tokens() -> Iterator[Bad]:
    base = Bad("", "POST", TOKEN, headers=JSON)
    literals = ("true", "1.5", '"5"', "[]", "null", "0", "-1", str(2**48), HUGE)
    yield from _fields(base, {}, "user_id", literals)
    yield replace(base, id="nobody", field="user_id", body=b"{}")
    unknown = replace(base, status=404, code="unknown-player")
    yield replace(unknown, id="unknown player", body=b'{"user_id": 999}')
    yield from bad_bodies("POST", TOKEN, TOKEN, b'{"user_id": 1}')


def _guests() -> Iterator[Bad]:
    base = Bad("", "POST", GUEST, headers=JSON)
    names = tuple(name for name in NOT_NAMES if name != "null")
    yield from _fields(base, {}, "username", names)
    yield from _fields(base, {"guest_secret": '"x"'}, "user_id", ("0", "true", str(2**48)))
    secrets = (*NOT_TEXT, '""', '"%s"' % ("x" * 101))
    yield from _fields(base, {"user_id": "1"}, "guest_secret", secrets)
    for body in (
        "{}",
        '{"username": null}',
        '{"user_id": 1}',
        '{"guest_secret": "x"}',
        '{"username": "New", "user_id": 1}',
        '{"username": "New", "guest_secret": "x"}',
        '{"username": "New", "user_id": 1, "guest_secret": "x"}',
    ):
        yield replace(base, id=body, field="body", body=body.encode())
    wrong = replace(base, status=401, code="unauthenticated")
    for user_id in (PLAYER, 999):
        body = f'{{"user_id": {user_id}, "guest_secret": "x"}}'
        yield replace(wrong, id=body, body=body.encode())
    yield from bad_bodies("POST", GUEST, GUEST, b'{"username": "New"}')


def _keys() -> Iterator[Bad]:
    base = Bad("", "POST", KEYS, headers=JSON)
    good = {"name": '"New"', "scopes": '["read"]'}
    yield from _fields(base, good, "name", (*NOT_LINES, "null", '"%s"' % ("x" * 65)))
    scopes = ("true", "5", '"read"', "{}", "null", "[]", '["read","read","read","read"]')
    yield from _fields(base, good, "scopes", scopes)
    for literal in ('["root"]', '["READ"]', '[""]', "[null]", "[1]", '[["read"]]'):
        text = f'{{"name": "New", "scopes": {literal}}}'
        yield replace(base, id=f"scopes={literal}", field="scopes.0", body=text.encode())
    yield from _fields(base, good, "expires_in_days", (*NOT_WHOLE, "0", "3651"))
    yield from _reasons(base, good)
    for name in good:
        rest = ", ".join(f'"{key}": {text}' for key, text in good.items() if key != name)
        yield replace(base, id=f"no {name}", field=name, body=f"{{{rest}}}".encode())
    yield from bad_bodies("POST", KEYS, KEYS, b'{"name": "New", "scopes": ["read"]}')


def _old_keys() -> Iterator[Bad]:
    """A key by its id: rotated, revoked."""
    rotate = Bad("", "POST", ROTATE, url=ROTATE.replace("{key_id}", "999"), headers=JSON)
    revoke = Bad("", "DELETE", f"{KEYS}/{{key_id}}")
    yield from _fields(rotate, {}, "overlap_seconds", (*NOT_WHOLE, str(30 * 24 * 3_600 + 1)))
    yield from _reasons(rotate, {})
    yield from bad_bodies("POST", ROTATE, rotate.url, b"{}")
    for base, body in ((rotate, b"{}"), (revoke, None)):
        for given in NOT_KEY_IDS:
            url = base.template.replace("{key_id}", given)
            yield replace(base, id=f"id {brief(given)}", url=url, field="key_id", body=body)
        missing = replace(base, body=body, status=404, code="unknown-key")
        for given in ("999", str(2**31 - 1)):
            url = base.template.replace("{key_id}", given)
            yield replace(missing, id=f"id {given}", url=url)
    for reason in ("", "%20", "%00", "a%0Ab", "%E2%80%8B", "x" * 501):
        url = f"{KEYS}/999?reason={reason}"
        yield replace(revoke, id=f"reason={brief(reason)}", url=url, field="reason")


def _boards() -> Iterator[Bad]:
    template = f"{BOARDS}/{{slug}}"
    base = Bad("", "PATCH", template, url=f"{BOARDS}/global", headers=JSON)
    yield from _fields(base, {}, "name", (*NOT_LINES, '"%s"' % ("x" * 65)))
    for name in ("client_submissions", "is_private"):
        yield from _fields(base, {}, name, NOT_TRUTHS)
    yield from _reasons(base, {})
    yield from bad_bodies("PATCH", template, base.url, b"{}")
    here = replace(base, body=b'{"is_private": true}')
    for slug in NOT_SLUGS:
        url = template.replace("{slug}", slug)
        yield replace(here, id=f"slug {slug[:9]}", url=url, field="slug")
    missing = replace(here, status=404, code="unknown-board")
    for slug in UNKNOWN_SLUGS:
        yield replace(missing, id=f"slug {slug[:9]}", url=template.replace("{slug}", slug))


def _players() -> Iterator[Bad]:
    base = Bad("", "PATCH", f"{USERS}/{{user_id}}", url=f"{USERS}/{PLAYER}", headers=JSON)
    yield from _reasons(base, {"is_active": "false"})


def _audit() -> Iterator[Bad]:
    base = Bad("", "GET", AUDIT)
    for query in number_queries("limit", 200, 1):
        yield replace(base, id=brief(query), url=f"{AUDIT}?{query}", field="limit")
    for query in number_queries("cursor", 2**48 - 1, 1):
        yield replace(base, id=brief(query), url=f"{AUDIT}?{query}", field="cursor")


ADMIN_CASES = [*map(settled, (
    *_tokens(), *_guests(), *_keys(), *_old_keys(), *_boards(), *_players(), *_audit(),
))]  # fmt: skip
