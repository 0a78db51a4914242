"""What is logged is cut first, and no text makes a pattern take more than its length in time."""

import json
import time

import pytest

from app.core import redaction
from app.core.redaction import CUT, MAX_TEXT, redact, scrub

KEY = "lb_ab12cd34_S3cr3tS3cr3tS3cr3t"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJl-_x"
BEGINNINGS = (
    "://:", "://", "://a:", "://a:b", ":", "lb_", "lb_a_", "-lb_a", "eyJ", "eyJ-", "-eyJ", "eyJa.",
    "eyJa.b.", ".eyJ", "bearer ", "Bearer\t", "basic  ", " bearer", "secret=", "a_", "_",
    "x_secret", "password ", 'token="', "api_key :", "\"'=", "a@", "@", "a.", "a@b.", ".a@", "+-.",
    "@a-", " ", "\t", "\n", "a", "é", "0",
)  # fmt: skip


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_time_grows_with_the_length_alone(beginning):
    """64 kB of the beginning of what a pattern looks for; each pattern on its own, uncut."""
    text = (beginning * 65_536)[:65_536]
    for pattern, instead in redaction._PATTERNS:
        for tried in (text, text + " ", "x" + text):
            started = time.thread_time()
            pattern.sub(instead, tried)
            assert time.thread_time() - started < 0.4, pattern.pattern


def test_a_long_text_is_cut_before_it_is_searched():
    said = scrub("://:" * 5_000_000)
    assert len(said) < MAX_TEXT + 100
    assert "19,984,000 characters left out" in said
    line = redact(None, "info", {"event": "x", "path": "a" * 100_000, "list": ["b"] * 1_000_000})
    assert len(json.dumps(line)) < 2 * MAX_TEXT


@pytest.mark.parametrize("secret", [KEY, JWT, "nova@example.com", "Bearer hunter2hunter2"])
def test_a_secret_at_a_cut_is_not_logged_in_part(secret):
    words = " ".join(["word"] * 8_000)
    half, edge = MAX_TEXT // 2, redaction._EDGE
    for cut in (half, half + edge, -half, -half - edge):
        for at in range(cut - len(secret) - 5, cut + 5, 11):
            text = f"{words[:at]} {secret} {words[at:]}"
            said = scrub(text)
            for part in ("S3cr3t", "eyJhbGci", "c2lnbmF0", "nova", "example", "hunter2"):
                assert part not in said


def test_what_was_cut_out_before_is_cut_out_still():
    for text, left in (
        ("redis://:hunter2@cache:6379/0", f"redis://:{CUT}@cache:6379/0"),
        ("postgresql://a:pa/ss:word@db/x", f"postgresql://a:{CUT}@db/x"),
        (f"token {JWT}.", f"token {CUT}."),
        (f"({JWT})", f"({CUT})"),
        (f"{KEY} and {KEY}", f"lb_ab12cd34_{CUT} and lb_ab12cd34_{CUT}"),
    ):
        assert scrub(text) == left
