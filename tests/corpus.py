"""Our own mails with what each of them means: tests/mails/**/NAME.eml with NAME.yaml beside it.

What comes in: nothing, or names of mails. What goes out: for each mail the fields that were read otherwise than
expected. `python -m tests.corpus` prints a table; `--cases FILE` writes the same expectations as JSON lines, in the
form that a scoring script for several programs reads.

The keys of an expectation, each of them optional, each compared exactly (texts by their lines without outer space):
  kind          what the mail is in the corpus for: reply, forward, form, bounce or automatic
  subject, message_id, in_reply_to, references, date, nature, language, text, html_text, new_text, confidence
  from          [name, address];  reply_to, to, cc: lists of addresses
  attachments   a list of names, or of {name, content_type, size, sha256} with any of these keys
  bounce        {recipients: [{address, permanent, status}], original: Message-ID}, or null for "is none"
  forwarded     {from: [name, address], subject, text_holds}, or null for "is none"
  defects       a list: each stands within one of the defects that were found; [] for "none was found"
  text_holds, text_lacks, new_holds, new_lacks, quoted_holds, html_holds: lists of strings
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from daemon.intake.as_json import letter_as_json
from daemon.intake.letter import read_letter

MAILS = Path(__file__).parent / "mails"
_SAME = ("subject", "message_id", "in_reply_to", "references", "date", "nature", "language", "confidence")
_TEXTS = ("text", "html_text", "new_text")
_PARTS = {"text": "text", "new": "new_text", "quoted": "quoted_text", "html": "html_text"}
_KEYS = frozenset(
    [
        "kind", "from", "to", "cc", "reply_to", "attachments", "bounce", "forwarded", "defects",
        *_SAME, *_TEXTS, *(f"{p}_{verb}" for p in _PARTS for verb in ("holds", "lacks")),
    ]
)  # fmt: skip
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One mail and what it means."""

    path: Path
    expected: Json

    @property
    def name(self) -> str:
        """Its place under tests/mails, without the ending."""
        return str(self.path.relative_to(MAILS).with_suffix(""))

    def read(self) -> Json:
        """Read it as `ticketd read --json` does."""
        return letter_as_json(read_letter(self.path.read_bytes()), self.name)

    def differences(self) -> list[str]:
        """Return a line for each field that was read otherwise."""
        return [f"{field}: {got!r}, not {want!r}" for field, want, got in _compare(self.expected, self.read())]


def cases() -> list[Case]:
    """Return every mail that has an expectation, by name."""
    yaml = YAML(typ="safe")
    found = [Case(p.with_suffix(".eml"), yaml.load(p)) for p in sorted(MAILS.rglob("*.yaml"))]
    for case in found:
        unknown = set(case.expected) - _KEYS
        assert case.path.exists() and not unknown, f"{case.name}: {unknown or 'no such mail'}"
    return found


def _compare(want: Json, got: Json) -> Iterator[tuple[str, Any, Any]]:
    """Give (field, wanted, read) where they differ."""
    pairs = [(k, want[k], got[k]) for k in _SAME if k in want]
    pairs += [(k, _lines(want[k]), _lines(got[k])) for k in _TEXTS if k in want]
    pairs += [(k, want[k], [a["address"] for a in got[k]]) for k in ("to", "cc", "reply_to") if k in want]
    if "from" in want:
        pairs.append(("from", want["from"], _person(got["from"])))
    if "attachments" in want:
        pairs.append(("attachments", *_files(want["attachments"], got["attachments"])))
    if "bounce" in want:
        pairs.append(("bounce", *_bounce(want["bounce"], got["bounce"])))
    if "forwarded" in want:
        pairs.append(("forwarded", *_forwarded(want["forwarded"], got["forwarded"])))
    yield from ((k, w, g) for k, w, g in pairs if w != g)
    yield from _passages(want, got)


def _passages(want: Json, got: Json) -> Iterator[tuple[str, Any, Any]]:
    for part, field in _PARTS.items():
        for passage in want.get(f"{part}_holds", []):
            if passage not in got[field]:
                yield f"{part}_holds", passage, got[field]
        for passage in want.get(f"{part}_lacks", []):
            if passage in got[field]:
                yield f"{part}_lacks", passage, got[field]
    found = got["defects"]
    if want.get("defects") == [] and found:
        yield "defects", [], found
    for defect in want.get("defects", []):
        if not any(defect in d for d in found):
            yield "defects", defect, found


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


def _person(person: Json | None) -> list[str] | None:
    return [person["name"], person["address"]] if person else None


def _files(want: list[Any], got: list[Json]) -> tuple[Any, Any]:
    wanted = [w if isinstance(w, dict) else {"name": w} for w in want]
    if len(wanted) != len(got):
        return want, [g["name"] for g in got]
    return wanted, [{k: g[k] for k in w} for w, g in zip(wanted, got, strict=True)]


def _bounce(want: Json | None, got: Json | None) -> tuple[Any, Any]:
    if want is None or got is None:
        return want, got
    keys = ("address", "permanent", "status")
    recipients = [
        {k: r[k] for k in keys if k in w} for w, r in zip(want["recipients"], got["recipients"], strict=False)
    ]
    same = len(want["recipients"]) == len(got["recipients"])
    read: Json = {"recipients": recipients if same else got["recipients"]}
    if "original" in want:
        read["original"] = got["original_message_id"]
    return want, read


def _forwarded(want: Json | None, got: Json | None) -> tuple[Any, Any]:
    if want is None or got is None:
        return want, got
    read: Json = {"from": _person(got["from"])} if "from" in want else {}
    if "subject" in want:
        read["subject"] = got["subject"]
    if "text_holds" in want:
        read["text_holds"] = [p for p in want["text_holds"] if p in got["text"]]
    return want, read


def as_score_case(case: Case) -> Json:
    """Return the expectation in the form of a scoring script for several programs (it knows fewer fields)."""
    want = case.expected
    kind = {"reply": "reply", "bounce": "bounce", "automatic": "autoreply"}.get(want["kind"], "parse")
    expected: Json = {}
    if kind == "parse":
        expected = {k: want[k] for k in ("subject", "to", "cc", "date", "message_id") if want.get(k) is not None}
        if want.get("from"):
            expected |= {"from_name": want["from"][0], "from_addr": want["from"][1]}
        if "text" in want:
            expected["text_exact"] = want["text"]
        elif "text_holds" in want:
            expected["text_contains"] = want["text_holds"]
    elif kind == "reply":
        holds = {"reply_contains": want.get("new_holds", []), "reply_not_contains": want.get("new_lacks", [])}
        expected = {"reply_text": want["new_text"]} if "new_text" in want else holds
    elif kind == "bounce":
        recipients = (want.get("bounce") or {}).get("recipients", [])
        is_bounce = want.get("bounce") is not None
        expected = {"is_bounce": is_bounce, "bounced_addr": [r["address"] for r in recipients]}
        if recipients:
            expected["permanent"] = any(r.get("permanent") for r in recipients)
    else:
        expected = {"is_auto": want.get("nature") in ("automatic", "bounce")}
    return {"path": f"{case.name}.eml", "kind": kind, "source": want["kind"], "expected": expected}


def main() -> int:
    """Print what was read otherwise than expected, and a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="parts of names; without any, all mails")
    parser.add_argument("--cases", help="write the expectations as JSON lines to this file under tests/mails")
    options = parser.parse_args()
    chosen = [c for c in cases() if not options.names or any(n in c.name for n in options.names)]
    if options.cases:
        lines = [json.dumps(as_score_case(c), ensure_ascii=False) for c in chosen]
        Path(options.cases).write_text("\n".join(lines) + "\n", "utf-8")
    total, right = Counter[str](), Counter[str]()
    for case in chosen:
        wrong = case.differences()
        total[case.expected["kind"]] += 1
        right[case.expected["kind"]] += not wrong
        for line in wrong:
            print(f"{case.name}: {line}")
    for kind in sorted(total):
        print(f"{kind:10} {right[kind]:4} of {total[kind]:4} right")
    print(f"{'all':10} {right.total():4} of {total.total():4} right")
    return int(right.total() != total.total())


if __name__ == "__main__":
    sys.exit(main())
