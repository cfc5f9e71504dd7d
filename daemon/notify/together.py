"""One mail to a person about several tickets: where one deed moves many, nobody hears the same many times.

What comes in: the Notices of each ticket that one mail moved. What goes out: the same, but of those that tell a
reader the same thing only the first one, which names the other tickets (`also`). Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from daemon.notify.notice import Notice

_TELLS_THE_SAME: Mapping[str, str] = {
    "progress": "news", "major_update": "news", "shared_news": "news", "resolved": "resolved",
    "reopened": "reopened", "linked": "linked",
}  # fmt: skip
_ABOUT_A_PARENT = frozenset({"parent_solved", "parent_cancelled", "parent_out_of_scope", "parent_resolved"})


def one_for_each_reader(chosen: Iterable[tuple[Notice, ...]]) -> list[tuple[Notice, ...]]:
    """Return the notices of each ticket, without those for which an earlier one to that reader stands."""
    tickets = list(chosen)
    alike: dict[tuple[str, ...], list[Notice]] = {}
    for notice in (n for notices in tickets for n in notices):
        alike.setdefault(_what_it_tells(notice), []).append(notice)
    return [tuple(_with_others(n, alike) for n in notices if _leads(n, alike)) for notices in tickets]


def _what_it_tells(notice: Notice) -> tuple[str, ...]:
    """Return what two notices have in common of which one is enough; one that stands for itself has nothing."""
    told = _TELLS_THE_SAME.get(notice.template, "")
    # What became of a case is answered by each of those who reported it, under their own number.
    alone = notice.template == "shared_news" and notice.facts.get("outcome") != "news"
    alone = alone or (notice.template == "linked" and notice.facts.get("link") not in _ABOUT_A_PARENT)
    return () if alone or not told else (told, notice.to, notice.visibility, str(notice.facts.get("confirms", "")))


def _leads(notice: Notice, alike: Mapping[tuple[str, ...], list[Notice]]) -> bool:
    told = _what_it_tells(notice)
    return not told or alike[told][0] is notice


def _with_others(notice: Notice, alike: Mapping[tuple[str, ...], list[Notice]]) -> Notice:
    told = _what_it_tells(notice)
    others = [{"number": t["number"], "subject": t["subject"]} for n in alike[told][1:] if (t := _ticket_of(n))]
    return replace(notice, facts={**notice.facts, "also": others}) if told and others else notice


def _ticket_of(notice: Notice) -> Mapping[str, object]:
    ticket = notice.facts.get("ticket")
    return ticket if isinstance(ticket, dict) else {}
