"""The template files as they lie in their folders, read once.

What comes in: the operator's folder and the shipped one, each `<language>/<file>` with shared files beside the
languages. What goes out: the text of a file and its path. This file alone knows which folder goes before which.
A file that cannot be read raises ConfigError.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from daemon.errors import ConfigError, Problem


class Shelf:
    """Every template file as it was when the shelf was filled; the first folder goes before the second."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self.roots = list(dict.fromkeys(folders))
        self._files = [dict(_read_all(root)) for root in self.roots]

    def has(self, language: str, file: str) -> bool:
        """Tell whether any folder has this file of this language."""
        return any(f"{language}/{file}" in files for files in self._files)

    def find(self, language: str, file: str) -> tuple[str, str] | None:
        """Return source and path of a file: of the language, else of the shared ones beside the languages."""
        for name in (f"{language}/{file}", file):
            for root, files in zip(self.roots, self._files, strict=True):
                if name in files:
                    return files[name], str(root / name)
        return None

    def all_of(self, language: str, file: str) -> list[tuple[str, str]]:
        """Return this very file of every folder, the shipped one first."""
        both = list(zip(self.roots, self._files, strict=True))
        name = f"{language}/{file}"
        return [(files[name], str(root / name)) for root, files in reversed(both) if name in files]

    def languages(self) -> list[str]:
        """Return the names of all language folders."""
        return sorted({name.partition("/")[0] for files in self._files for name in files if "/" in name})

    def folder_of(self, language: str) -> Path:
        """Return the first folder there is for a language."""
        held = (r for r, files in zip(self.roots, self._files, strict=True) if _in(language, files))
        return next(held, self.roots[0]) / language

    def files_of(self, language: str) -> list[tuple[str, str]]:
        """Return (file, path) of everything that lies in the folders of a language."""
        both = zip(self.roots, self._files, strict=True)
        return [(Path(name).name, str(root / name)) for root, files in both for name in _in(language, files)]

    def html_of(self, language: str, name: str) -> str:
        """Return the HTML template that goes with `<name>.txt`.

        An operator who rewrites only the text does not want the shipped HTML beside it: it is then made from
        the text.
        """
        text, html = f"{language}/{name}.txt", f"{language}/{name}.html"
        for files in self._files:
            if html in files:
                return f"{name}.html"
            if text in files:
                break
        return "_from_text.html"


def _in(language: str, files: Iterable[str]) -> list[str]:
    return [name for name in files if name.startswith(f"{language}/")]


def _read_all(root: Path) -> Iterable[tuple[str, str]]:
    for path in sorted(root.glob("*")) + sorted(root.glob("*/*")):
        if _is_backup(path) or path.is_dir():
            continue
        try:
            yield path.relative_to(root).as_posix(), path.read_text("utf-8", errors="replace")
        except OSError as error:
            raise ConfigError([Problem(str(path), 0, f"cannot be read: {error.strerror}")]) from error


def _is_backup(path: Path) -> bool:
    return path.name.startswith(".") or path.name.endswith(("~", ".bak", ".orig"))
