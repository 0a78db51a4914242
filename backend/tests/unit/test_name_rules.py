"""What is a name, and when two names are the same."""

# ruff: noqa: E501, RUF001 - letters of many scripts, some wide and some alike

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.core.names import check_visible, clean_name, name_key, search_key

SAME = [
    ("Nova", "nOVA"),
    ("ΟΔΥΣΣΕΥΣ", "Οδυσσευς"),
    ("σ", "ς"),
    ("Straße", "STRASSE"),
    ("Zoë", "zoe\u0308"),
    ("Ｎｏｖａ", "nova"),
    ("ﬁn", "FIN"),
    ("a b", "a\u00a0b"),
    ("a b", "a\u3000\u2009b"),
    ("علی\u200cرضا", "علیرضا"),
    ("ශ්\u200dරී", "ශ්රී"),
    ("\u2764\ufe0f", "\u2764"),
    ("葛\U000e0100", "葛"),
]
DIFFERENT = [("Sofia", "Sofía"), ("ab", "a b"), ("rn", "m"), ("İ", "I"), ("नमस्ते", "नमस्त")]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_names_that_are_the_same(one, other):
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_names_that_differ(one, other):
    assert name_key(one) != name_key(other)


TAKEN = [
    "x", "Ada Lovelace", "علی\u200cرضا", "می\u200cخواهم", "ه\u200d.ق", "ශ්\u200dරී", "র\u200d্যাব",
    "क्\u200cष", "ക്\u200d", "\U0001f3f3\ufe0f\u200d\U0001f308", "\U0001f469\U0001f3fd\u200d\U0001f680",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "1\ufe0f\u20e3", "\u2764\ufe0f",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "\U0001fa77",
    "\U0001f1e9\U0001f1ea", "葛\U000e0100", "हिन्दी", "สมชาย", "東京の竜", "山\u3000田", "\u00b4", "_", "٣",
    "w" * 32, "\U0001f47e" * 32,
]  # fmt: skip


@pytest.mark.parametrize("name", TAKEN, ids=ascii)
def test_names_of_all_scripts_are_taken(name):
    assert clean_name(name) == name
    assert name_key(name)
    assert check_visible(f"{name} and {name}") == f"{name} and {name}"


REFUSED = [
    "", " ", " Ada", "Ada\u3000", "w" * 33, "a" * 100_000, "\u3164", "\u2800", "\u0301", "\u0301a",
    "Nova\ufe0f", "Nova\u034f", "a\u00adb", "a\u200db", "a\u200cb", "\u200d", "Nova\u200d", "\u0378",
    "\ufdd0", "\uffff", "\U0010ffff", "a\u202eb", "a\u2066b", "\ue000", "\U000e0041", "\u115f\u1160",
    "\uffa0", "\u180e", "a\u2060b", "\ufeffb", "\U0001f3f3\u200d", "\u200d\U0001f308", "\u061c",
    "\U0001d173", "a\nb", "a\x00b", "a\x7fb", "\ud800", "a\u2028b", "\u0640\u200f",
    "a\U000e0067\U000e007f", "ع\u200ca",
]  # fmt: skip


@pytest.mark.parametrize("name", REFUSED, ids=lambda name: ascii(name)[:20])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(ValueError, match=r"^must"):
        clean_name(name)


NASTY = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            "ςΣσßẞİıﬁﷺ\u0345\u0301\u0308\u200c\u200d\ufe0f\u3164\u2800\u00a0\u3000 aA´¨ᾳ"
        ),
    ),
    max_size=40,
)


@given(NASTY)
@example("\u00b4a")
@example("\u0345\u0301")
def test_a_key_is_its_own_key(text):
    key = name_key(text)
    assert name_key(key) == key
    assert search_key(search_key(text)) == search_key(text)
    assert search_key(key) == search_key(text)


@given(NASTY)
def test_spelling_makes_no_difference(text):
    key = name_key(text)
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert name_key(unicodedata.normalize(form, text)) == key
    assert name_key(text.casefold()) == key
    assert name_key(f"\u00a0{text}\u3164 ") == key


@given(NASTY)
def test_a_name_is_stored_as_it_will_be_read(text):
    try:
        name = clean_name(text)
    except ValueError:
        return
    assert clean_name(name) == name
    assert name_key(name)
    assert search_key(name)
    assert name_key(name) == name_key(text)


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("TinySofía", "tinysofia"), ("Łukasz", "lukasz"), ("Søren", "SOREN"), ("Ελένη", "ελενη"),
        ("Tiếng Việt", "tieng viet"), ("Ёлка", "елка"), ("Þór", "thor"), ("ÆON", "aeon"),
        ("İpek", "ipek"), ("علی\u200cرضا", "علیرضا"),
    ],
)  # fmt: skip
def test_searches_do_without_accents(name, typed):
    assert search_key(name) == search_key(typed)


def test_searches_keep_the_vowels_of_other_scripts():
    assert search_key("हिन्दी") == "हिन्दी"
    assert search_key("ガ") != search_key("カ")


def test_long_texts_take_a_time_linear_in_their_length():
    """Each would take minutes if a character were compared with all before it."""
    for text in ("\U0001f3f4" + "\U000e0041" * 100_000, "क" + "्" * 100_000, "\U0001f3fd" * 100_000):
        search_key(text)
        with pytest.raises(ValueError, match=r"^must"):
            clean_name(text)
    assert check_visible("a" + "\u0301" * 100_000)
