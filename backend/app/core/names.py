"""Players' names: what is taken as a name, when two names are the same, and what a search compares.

All names go through here: of players who join, are renamed or are imported, of guests, of demos,
and those that are looked up.
"""

import unicodedata

import regex

MAX_NAME = 32
"""Characters, that is code points in the normal form C."""
MAX_WRITTEN = 4 * MAX_NAME
"""Characters of a name as it is sent, in any normal form."""

# Code points that show nothing by themselves: ignorable ones, controls and formats, unassigned and
# private ones, and two blanks that Unicode counts among the symbols.
_HIDDEN = r"\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Cs}\p{Zl}\p{Zp}⠀\U0001D159"
_UNSEEN = regex.compile(rf"[[{_HIDDEN}]--\p{{Prepended_Concatenation_Mark}}]", regex.V1)

_JOINING = (
    r"[[\p{Arabic}\p{Syriac}\p{Mandaic}\p{Nko}\p{Mongolian}\p{Phags_Pa}\p{Adlam}\p{Manichaean}"
    r"\p{Hanifi_Rohingya}\p{Sogdian}]&&[\p{L}\p{M}]]"
)
_PICTURE = r"\p{Extended_Pictographic}[\uFE0E\uFE0F\p{Emoji_Modifier}]{0,2}"
_VARIED = r"\p{Han}\p{Kana}\p{Hira}\p{Mongolian}\p{Myanmar}\p{Phags_Pa}\p{Sm}"
# Lookbehinds have a bound, so that a match takes a time linear in the text.
# Where a joiner, a variation selector or a tag has something to do. Each match leaves out no more
# than the characters that may be there.
_AT_WORK = regex.compile(
    "|".join(
        (
            # Between letters that join, and after one: Persian writes so, and abbreviates so.
            rf"(?<={_JOINING})\u200C(?={_JOINING})",
            rf"(?<={_JOINING})\u200D",
            # Around a virama: Indic conjuncts, as in Sinhala and Bengali.
            r"(?<=\p{ccc=9})[\u200C\u200D](?=\p{L})",
            r"(?<=\p{L}\p{M}{0,2})[\u200C\u200D](?=\p{ccc=9})",
            r"(?<=\p{ccc=9})\u200D(?!\p{L})",
            # Emoji made of emoji.
            rf"(?<={_PICTURE})\u200D(?=\p{{Extended_Pictographic}})",
            r"(?<=\p{Extended_Pictographic})[\uFE0E\uFE0F]",
            r"(?<=[0-9#*])\uFE0F(?=\u20E3)",
            r"(?<=\U0001F3F4[\U000E0020-\U000E007E]{0,6})[\U000E0020-\U000E007F]",
            # Variants of characters that have some.
            rf"(?<=[{_VARIED}])[\uFE00-\uFE0F\u180B-\u180D\u180F\U000E0100-\U000E01EF]",
        )
    ),
    regex.V1,
)
_SHOWS = regex.compile(r"[\p{L}\p{N}\p{P}\p{S}]")
_NEVER_STORED = regex.compile(r"[\p{Cc}\p{Cs}]")
_ACCENTS = regex.compile(r"([\p{Latin}\p{Greek}\p{Cyrillic}])\p{M}+")
# Letters that people search for by a plain one, and that Unicode does not take apart.
_PLAIN = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "\u0131": "i", "ŧ": "t", "æ": "ae",
     "œ": "oe", "þ": "th"}
)  # fmt: skip
TWIN = "\x1f"
"""In the stored key of a player whose name was there before its rule was: no name has it."""


def clean_name(name: str) -> str:
    """The name in the form that is stored (NFC). Raises ValueError with the reason."""
    if len(name) > MAX_WRITTEN:
        raise ValueError(f"must have 1 to {MAX_NAME} characters")
    name = check_visible(name)
    if name != name.strip():
        raise ValueError("must not begin or end with a space")
    if not 1 <= len(name) <= MAX_NAME:
        raise ValueError(f"must have 1 to {MAX_NAME} characters")
    if unicodedata.category(name[0])[0] == "M" or not (_SHOWS.search(name) and name_key(name)):
        raise ValueError("must begin with a character that shows something")
    return name


def check_visible(text: str) -> str:
    """The text in the normal form C. Raises ValueError for characters in it that hide, break lines,
    can't be stored or don't exist; joiners are fine where a word or an emoji needs them."""
    text = unicodedata.normalize("NFC", text)
    if not text.isascii() or not text.isprintable():
        unseen = _UNSEEN.search(_AT_WORK.sub("", text))
        if unseen is not None:
            raise ValueError(
                f"must have no control or invisible characters, has U+{ord(unseen[0]):04X}"
            )
    return text


def check_storable(text: str) -> str:
    """What somebody looks for, as it is. Raises ValueError for what no name could have."""
    if _NEVER_STORED.search(text):
        raise ValueError("must have no control characters")
    return text


def name_key(name: str) -> str:
    """What two names have in common that count as the same: compatible forms, case and characters
    that show nothing make no difference, and any blanks between words are one."""
    if name.isascii():
        key = _UNSEEN.sub("", name.lower())
    else:
        key = _fold(_fold(unicodedata.normalize("NFD", _UNSEEN.sub("", name))))
        key = unicodedata.normalize("NFKC", _UNSEEN.sub("", key))
    return " ".join(key.split())


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text.casefold())


def search_key(name: str) -> str:
    """What a search compares: as `name_key`, without the accents of European letters."""
    key = name_key(name)
    if key.isascii():
        return key
    apart = _ACCENTS.sub(r"\1", unicodedata.normalize("NFKD", key).translate(_PLAIN))
    return unicodedata.normalize("NFC", apart)


def twin_key(name: str, user_id: int) -> str:
    """The key of a player whose name another one had first, before the two counted as the same."""
    return f"{name_key(name)}{TWIN}{user_id}"
