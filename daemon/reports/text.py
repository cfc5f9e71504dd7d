"""A report as text for a terminal or a plain mail: tables whose columns stand straight in Chinese too.

What comes in: report facts. What goes out: lines.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from daemon.reports.wording import Speech

_WIDE = frozenset("WF")


def report_as_text(facts: dict[str, Any], wording: Speech, *, numbers: bool) -> str:
    """Return the report as text; with the numbers of the tickets under each row if asked for."""
    head = "\n".join([f"{facts['title']} · {facts['service']}", *_head(facts, wording)])
    return f"{head}\n\n{report_tables(facts, wording, numbers=numbers)}"


def report_tables(facts: dict[str, Any], wording: Speech, *, numbers: bool) -> str:
    """Return the tables alone, for a mail that has said already what they are about."""
    tables = ([kpi["name"], *_table(kpi, wording, numbers=numbers)] for kpi in facts["kpis"])
    return "\n\n".join("\n".join(line.rstrip() for line in table) for table in tables) + "\n"


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(2 if unicodedata.east_asian_width(c) in _WIDE else 1 for c in text)


def period_words(facts: dict[str, Any], wording: Speech) -> str:
    """Return the period in words: its days, and how far it has come if it is not over."""
    period = facts["period"]
    days = period["first"] if period["first"] == period["last"] else f"{period['first']} – {period['last']}"
    so_far = wording.say("so_far").format(period["until"][:16].replace("T", " "))
    return days if period["over"] else f"{days} ({so_far})"


def _head(facts: dict[str, Any], wording: Speech) -> Iterator[str]:
    rows = [
        (wording.say("period"), period_words(facts, wording)),
        (wording.say("customer"), facts["customer_name"]),
        (wording.say("made_at"), facts["made_at"][:16].replace("T", " ")),
    ]
    yield from _straight([], [[name, value] for name, value in rows])
    yield wording.say("zone").format(wording.words["zone"])


def _table(kpi: dict[str, Any], wording: Speech, *, numbers: bool) -> Iterator[str]:
    if not kpi["rows"]:
        yield f"  {wording.say('no_data')}"
        return
    head = ["", *(c["name"] for c in kpi["columns"])]
    cells = [[row["label"], *(f["shown"] for f in row["figures"])] for row in kpi["rows"]]
    drawn = list(_straight(head, cells))
    yield f"  {drawn[0]}"
    for row, line in zip(kpi["rows"], drawn[1:], strict=True):
        yield f"  {line}"
        if numbers:
            yield from _numbers(row, kpi["columns"], wording)


def _numbers(row: dict[str, Any], columns: Sequence[dict[str, Any]], wording: Speech) -> Iterator[str]:
    """Yield the tickets behind each figure of a row, each list once."""
    told: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()
    for column, figure in zip(columns, row["figures"], strict=True):
        key = (tuple(figure["numbers"]), tuple(figure["of"]))
        if figure["numbers"] and key not in told:
            told.add(key)
            of = f" ({wording.say('of')} {len(figure['of'])})" if figure["of"] else ""
            yield f"      {column['name']}: {', '.join(map(str, figure['numbers']))}{of}"


def _straight(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield rows with the first column to the left and the others to the right."""
    table = [*([list(head)] if head else []), *map(list, rows)]
    wide = [max(width(row[i]) for row in table) for i in range(len(table[0]))]
    for row in table:
        first = row[0] + " " * (wide[0] - width(row[0]))
        rest = (" " * (w - width(cell)) + cell for cell, w in zip(row[1:], wide[1:], strict=True)) if head else row[1:]
        yield "  ".join([first, *rest])


def record_as_text(facts: dict[str, Any], wording: Speech) -> str:
    """Return one ticket's record as text, with its whole history."""
    lines = [f"{facts['ref']} {facts['subject']}", f"{facts['service']} · {facts['made_at']}", facts["zone_words"]]
    if facts["internal"]:
        lines.append(wording.say("internal"))
    lines += ["", wording.say("fields"), *_indented(_straight([], _one_line(facts["fields"])))]
    for clock in facts["clocks"]:
        lines += ["", f"{wording.say('clocks')}: {clock['name']}", *_indented(clock["lines"])]
    if facts["major"]:
        lines += ["", wording.say("major"), *_indented(_straight([], _one_line(facts["major"]["head"])))]
        lines += _told(facts["major"]["course"])
    if facts["attachments"]:
        lines += ["", wording.say("attachments")]
        lines += [f"  {a['at']}  {a['name']} ({a['size']})" for a in facts["attachments"]]
    lines += ["", wording.say("history"), *_told(facts["history"])]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _told(events: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield what happened, and below it what was said."""
    for event in events:
        yield f"  {event['at']}  {event['text']}"
        yield from (f"      | {x}" for x in event["said"].strip().splitlines())


def _one_line(rows: Iterable[tuple[str, str]]) -> list[list[str]]:
    return [[name, " ".join(value.split())] for name, value in rows]


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)
