"""What differs between two sets of rule files, as people compare files: a unified diff for each that changed.

What comes in: files by name. What goes out: text. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import unified_diff

_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def diff_of(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> str:
    """Return what changed from one set of files to the other, "" for nothing; a file that is not there is empty."""
    return "".join(_diff(name, old.get(name), new.get(name)) for name in changed(old, new))


def changed(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the names of the files that differ, are new, or are gone."""
    return tuple(name for name in sorted({*old, *new}) if old.get(name) != new.get(name))


def _diff(name: str, old: bytes | None, new: bytes | None) -> str:
    before, after = _lines(old), _lines(new)
    names = ("/dev/null" if old is None else f"a/{name}", "/dev/null" if new is None else f"b/{name}")
    said = list(unified_diff(before, after, *names))
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in said)


def _lines(content: bytes | None) -> list[str]:
    return _LINE.findall((content or b"").decode("utf-8", "replace"))
