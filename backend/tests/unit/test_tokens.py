"""Players' tokens: only what `issue` makes is one, and it ends."""

import base64
import json
import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.config import MAX_TOKEN_SECONDS, MAX_USER_ID
from app.services.access.callers import Rule, with_key, with_token
from app.services.access.tokens import CLOCK_SKEW, Claims, Tokens
from tests.access_helpers import SECRET, WRONG_CLAIMS, forged, signed

NOW = 1_800_000_000
TOKENS = Tokens(SECRET, 600, clock=lambda: NOW)
OTHER = SECRET[::-1]

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
times = st.sampled_from([NOW, NOW + 1, NOW - 600, NOW + 600, 0, 2**63]) | st.integers() | anything
claim_sets = st.fixed_dictionaries(
    {},
    optional={
        "iss": st.just("leaderboard") | anything,
        "sub": st.integers(0, 2**50).map(str) | st.text(max_size=20) | anything,
        "iat": times,
        "exp": times,
        "nbf": times,
        "aud": anything,
        "jti": anything,
        "key": st.integers(-5, 2**40) | anything,
    },
)


@given(claim_sets)
@settings(max_examples=300, deadline=None)
def test_whatever_is_signed_is_a_whole_token_or_none(claims):
    read = TOKENS.read(signed(json.dumps(claims)))
    if read is None:
        return
    assert claims["iss"] == "leaderboard"
    assert str(read.user_id) == claims["sub"]
    assert 1 <= read.user_id <= MAX_USER_ID
    assert type(claims["iat"]) is type(claims["exp"]) is int
    assert read.issued_at <= NOW + CLOCK_SKEW
    assert 0 < read.expires_at - read.issued_at <= MAX_TOKEN_SECONDS


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
@settings(max_examples=200, deadline=None)
def test_whatever_bytes_are_signed_nothing_is_raised(payload):
    header = base64.urlsafe_b64encode(b'{"alg":"HS256"}').decode().rstrip("=")
    body = base64.urlsafe_b64encode(payload).decode().rstrip("=")
    assert TOKENS.read(f"{header}.{body}.xx") is None
    assert TOKENS.read(f"{body}.{body}.{body}") is None
    assert TOKENS.read(payload.decode("latin-1")) is None
    assert TOKENS.read(signed(payload.decode("latin-1"))) is None


@pytest.mark.parametrize("name", WRONG_CLAIMS)
def test_wrong_claims(name):
    if "none of" not in name:  # which only the list of keys can say
        assert Tokens(SECRET, 600).read(forged(**WRONG_CLAIMS[name])) is None


@pytest.mark.parametrize("number", ["1e400", "Infinity", "NaN", "-Infinity", "1e3", "1.0", "true"])
@pytest.mark.parametrize("claim", ["iat", "exp", "nbf", "key"])
def test_numbers_that_are_no_whole_numbers(claim, number):
    claims = {"iat": str(NOW), "exp": str(NOW + 60), claim: number}
    text = ",".join(f'"{name}":{value}' for name, value in claims.items())
    payload = '{"iss":"leaderboard","sub":"1",' + text + "}"
    if (claim, number) not in {("nbf", "1e3"), ("nbf", "1.0"), ("nbf", "true")}:
        assert TOKENS.read(signed(payload)) is None


def test_deep_json_is_no_token():
    for depth in (100, 700):
        nested = base64.urlsafe_b64encode(b"[" * depth).decode().rstrip("=")
        assert TOKENS.read(f"{nested}.{nested}.xx") is None
        assert TOKENS.read(signed("[" * depth)) is None


def test_iat_may_be_ahead_by_what_clocks_differ_and_no_more():
    def at(ahead: int) -> Claims | None:
        return TOKENS.read(forged(iat=NOW + ahead, exp=NOW + ahead + 60))

    assert at(0) == Claims(1, NOW, NOW + 60, None)
    assert at(CLOCK_SKEW) is not None
    assert at(CLOCK_SKEW + 1) is None


def test_a_day_is_the_longest():
    assert TOKENS.read(forged(iat=NOW, exp=NOW + MAX_TOKEN_SECONDS)) is not None
    assert TOKENS.read(forged(iat=NOW, exp=NOW + MAX_TOKEN_SECONDS + 1)) is None
    assert TOKENS.read(forged(iat=NOW, exp=NOW)) is None


def test_the_last_player_has_a_token_and_the_next_number_none():
    assert TOKENS.read(TOKENS.issue(MAX_USER_ID).text) is not None
    assert TOKENS.read(TOKENS.issue(MAX_USER_ID + 1).text) is None


def test_a_token_names_its_key_and_ends_no_later():
    key = with_key(7, "bcdfghjk", ["submit"], time.monotonic() + 60)
    token = TOKENS.issue(3, key)
    claims = TOKENS.read(token.text)
    assert claims is not None
    assert (claims.user_id, claims.key_id) == (3, 7)
    assert NOW + 59 <= claims.expires_at <= NOW + 60
    assert token.expires_at.timestamp() == claims.expires_at
    lasting = with_key(7, "bcdfghjk", ["submit"], math.inf)
    assert TOKENS.read(TOKENS.issue(3, lasting).text) == Claims(3, NOW, NOW + 600, 7)
    assert TOKENS.read(TOKENS.issue(3).text) == Claims(3, NOW, NOW + 600, None)


@pytest.mark.parametrize(
    ("scopes", "rules", "private"),
    [
        (["submit"], {Rule.PLAY}, False),
        (["submit", "read"], {Rule.PLAY}, True),
        (["admin"], {Rule.PLAY, Rule.SELF}, True),
        (None, {Rule.PLAY, Rule.SELF}, True),
    ],
)
def test_a_token_may_do_what_its_maker_may_and_a_player(scopes, rules, private):
    maker = None if scopes is None else with_key(7, "bcdfghjk", scopes, 1_000.0)
    caller = with_token(3, NOW, 2_000.0, maker)
    assert caller.rules == {Rule.PUBLIC, Rule.BOARD} | rules
    assert caller.reads_private is private
    assert caller.deadline == (2_000.0 if maker is None else 1_000.0)


def test_tokens_of_the_previous_secret_stay_good_until_they_end():
    old = TOKENS.issue(3).text
    assert Tokens(OTHER, 600, clock=lambda: NOW).read(old) is None
    rotated = Tokens(OTHER, 600, SECRET, clock=lambda: NOW)
    assert rotated.read(old) == Claims(3, NOW, NOW + 600, None)
    new = rotated.issue(3).text
    assert TOKENS.read(new) is None, "signed with the new secret"
    assert rotated.read(new) is not None
