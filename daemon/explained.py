"""An explanation as a person reads it at a terminal: lines of words, each with a style.

What comes in: the plain data that daemon.explaining makes. What goes out: lines, for daemon.terminal to print. This
file alone knows how an explanation looks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

Segment = tuple[str, str]
"""Words and their style: "" plain, "head", "good", "bad", "quiet", "late"."""
Line = tuple[Segment, ...]
_WORDS_SHOWN = 6
_DATA_SHOWN = 160
_INDENT = "   "


def mail_lines(said: dict[str, Any], *, brief: bool = False, words: bool = False) -> Iterator[Line]:
    """Yield the explanation of a mail; `brief`: only the rules that matched; `words`: the mails with their text."""
    yield from _read(said)
    yield from _outcome(said)
    yield from rule_lines(said["rules"], brief=brief)
    if said["rules_off"]:
        yield (("switched off: ", "quiet"), (", ".join(said["rules_off"]), "quiet"))
    yield from _commands(said["transcript"])
    yield from _events(said["changes"])
    yield from _mails(said["notices"], words=words)


def ticket_lines(said: dict[str, Any], *, brief: bool = False) -> Iterator[Line]:
    """Yield what the rules said of the mail that opened a ticket, what they say today, and what differs."""
    then, now = said["then"], said["now"]
    yield (("ticket  ", "quiet"), (f"{said['ticket']}  {said['subject']}", "head"))
    yield (("opened  ", "quiet"), (f"{said['at']}, by mail {said['mail']}", ""))
    if said["follows"]:
        yield (
            ("after   ", "quiet"),
            (f"ticket {said['follows']}, to which it replied; rules look at that as it is today", ""),
        )
    kept = "kept" if then["kept"] else "not kept: what was decided stands in the history"
    yield (("rules   ", "quiet"), (f"then {then['version']} ({kept}), now {now['version']}", ""))
    yield ()
    yield from _differences(said["differs"], then)
    if then["traces"] and then["version"] != now["version"]:
        yield from rule_lines(then["traces"], brief=brief, title="rules of then")
    yield from rule_lines(now["traces"], brief=brief, title="rules of now")


def _differences(differs: list[dict[str, Any]], then: dict[str, Any]) -> Iterator[Line]:
    if not differs:
        came = ", ".join(f"{fact} {then[fact]}" for fact in ("category", "team", "severity") if then.get(fact))
        yield (("The rules say the same today: ", "good"), (came, ""))
    for one in differs:
        yield ((f"{one['fact']:<9} ", "head"), ("then ", "quiet"), (_value(one["then"]), ""), ("  now ", "quiet"),
               (_value(one["now"]), "late"))  # fmt: skip
    yield ()


def _value(value: object) -> str:
    return (", ".join(map(str, value)) if isinstance(value, list) else str(value or "")) or "nothing"


# --- how it was read ---


def _read(said: dict[str, Any]) -> Iterator[Line]:
    letter, sender, match = said["letter"], said["sender"], said["match"]
    who = f"person {sender['person']}" if sender["person"] else ""
    whose = f"customer {sender['customer']}" if sender["customer"] else ""
    known = ", ".join(x for x in (who, whose) if x) or "not in people.yaml or customers.yaml"
    yield from _rows(
        ("mail", said["path"]),
        ("subject", letter["subject"] or "(none)"),
        ("sender", f"{sender['address'] or '(none)'}: {known}"),
        ("proof", f"{sender['proof']}: {sender['proof_why']}"),
        *((("beware", f"the sender takes on the looks of {sender['looks_like']}"),) if sender["looks_like"] else ()),
        ("nature", f"{letter['nature']}, {letter['language'] or 'no language'}: {letter['nature_reason']}"),
        ("about", _about(match)),
        *((("alert", _alert(said["alert"])),) if said["alert"] else ()),
        ("words", " ".join(letter["new_text"].split())[:_DATA_SHOWN] or "(none)"),
    )
    yield ()


def _rows(*rows: tuple[str, str]) -> Iterator[Line]:
    for name, value in rows:
        yield ((f"{name:<9} ", "quiet"), (value, ""))


def _about(match: dict[str, Any]) -> str:
    if not match["ticket"]:
        claims = f"; its subject names ticket {match['claims']}, which is not believed" if match["claims"] else ""
        return f"no ticket that is there{claims}"
    return f"ticket {match['ticket']}, known by {match['by']}" + ("; but it names several" if match["conflict"] else "")


def _alert(alert: dict[str, Any]) -> str:
    return f"{alert['name']}: {alert['sign']} of {alert['about'] or '(nothing found that tells it apart)'}"


# --- what becomes of it ---


def _outcome(said: dict[str, Any]) -> Iterator[Line]:
    came = said["outcome"]
    yield (("outcome   ", "head"), (_in_a_word(said), "good" if came else "late"))
    if came and came["new"]:
        by = came["by"]
        for fact in ("category", "kind", "severity", "impact", "urgency", "team", "assignee", "ci", "service", "place"):
            if came[fact]:
                why = f"  by {by[fact]}" if fact in by else ""
                yield ((f"{_INDENT}{fact:<9} ", "quiet"), (str(came[fact]), ""), (why, "quiet"))
        for fact, name in (("tags", "tags"), ("watchers", "watchers"), ("error_codes", "codes")):
            if came[fact]:
                yield ((f"{_INDENT}{name:<9} ", "quiet"), (", ".join(came[fact]), ""))
        for fact, name in (("respond_by", "answer by"), ("resolve_by", "solve by")):
            if came[fact]:
                yield ((f"{_INDENT}{name:<9} ", "quiet"), (came[fact], ""))
    if said["withheld"]:
        yield ((f"{_INDENT}no automatic answer: ", "quiet"), (said["withheld"], "late"))
    yield ()


def _in_a_word(said: dict[str, Any]) -> str:
    came, note = said["outcome"], f": {said['note']}" if said["note"] else ""
    if came is None:
        return f"{said['status']}{note}"
    if came["scope_reason"]:
        return f"refused: {came['scope_reason']}"
    what = "a new ticket" if came["new"] else "something happens to the ticket"
    return f"{what}, {came['state'].replace('_', ' ')}{note}"


# --- the rules ---


def rule_lines(traces: list[dict[str, Any]], *, brief: bool, title: str = "rules") -> Iterator[Line]:
    """Yield every rule, its conditions with the text that met them or that they looked at, and its effects."""
    if not traces:
        return
    matched = [t for t in traces if t["met"]]
    shown = matched if brief else traces
    yield ((title, "head"), (f"  {len(traces)} in all, {len(matched)} matched", "quiet"))
    for trace in shown:
        yield from _rule(trace)
    yield ()


def _rule(trace: dict[str, Any]) -> Iterator[Line]:
    if not trace["reached"]:
        why = f"  not tried: '{trace['stopped_by']}' stopped" if trace["stopped_by"] else "  not tried"
        yield ((" · ", "quiet"), (trace["name"], "quiet"), (why, "quiet"))
        return
    mark, style = ((" ✓ ", "good") if trace["met"] else (" ✗ ", "quiet")) if not trace["error"] else (" ! ", "bad")
    yield ((mark, style), (trace["name"], "head" if trace["met"] else ""), (f"  {trace['where']}", "quiet"))
    if trace["error"]:
        yield ((f"{_INDENT}  skipped: {trace['error']}", "bad"),)
    for line in trace["conditions"]:
        yield _condition(line)
    for effect in trace["effects"]:
        yield _effect(effect)
    if trace["met"] and trace["stop"]:
        yield ((f"{_INDENT}  → ", "good"), ("stop: no rule below is tried", ""))


def _condition(line: dict[str, Any]) -> Line:
    indent = _INDENT + "  " + "  " * line["depth"]
    if line["error"]:
        return ((f"{indent}! {line['condition']}", "bad"), (f"  {line['error']}", "bad"))
    mark, style = ("✓ ", "good") if line["met"] else ("✗ ", "quiet")
    text = f"  «{line['text']}»" if line["text"] else ""
    seen = f"  in «{line['looked_at']}»" if line["looked_at"] else ""
    return ((f"{indent}{mark}", style), (line["condition"], "" if line["met"] else "quiet"), (text, "good"),
            (seen, "quiet"))  # fmt: skip


def _effect(effect: dict[str, Any]) -> Line:
    head = (f"{_INDENT}  → ", "good" if effect["came"] != "late" else "late")
    if effect["came"] == "late":
        return (head, (effect["action"], "quiet"), (f"  too late: '{effect['by']}' has said otherwise", "late"))
    if effect["came"] == "there":
        return (head, (effect["action"], ""), (f"  as '{effect['by']}' has said", "quiet"))
    return (head, (effect["action"], ""))


# --- what follows ---


def _commands(lines: list[dict[str, Any]]) -> Iterator[Line]:
    if lines:
        yield (("commands", "head"),)
        for line in lines:
            good = line["outcome"] == "done"
            yield ((f"{_INDENT}{line['text']}", ""), (f"  {line['outcome']} {line['why']}", "good" if good else "late"))
        yield ()


def _events(changes: list[dict[str, Any]]) -> Iterator[Line]:
    for change in changes:
        whose = f"ticket {change['ticket']}" if change["ticket"] else "the new ticket"
        yield (("events", "head"), (f"  on {whose}", "quiet"))
        for event in change["events"]:
            data = json.dumps({k: v for k, v in event["data"].items() if v not in ("", [], None)}, ensure_ascii=False)
            cut = data if len(data) <= _DATA_SHOWN else f"{data[:_DATA_SHOWN]} …"
            yield ((f"{_INDENT}{event['kind']:<14} ", ""), (cut, "quiet"))
        yield ()


def _mails(notices: Iterable[dict[str, Any]], *, words: bool) -> Iterator[Line]:
    found = list(notices)
    if not found:
        yield (("no mail goes out", "head"),)
        return
    yield (("mails that go out", "head"),)
    for n in found:
        yield ((f"{_INDENT}{n['template']} ", ""), (f"to {n['to']} ({n['language']})  ", "quiet"), (n["subject"], ""))
        if n["problem"]:
            yield ((f"{_INDENT}  its template does not work: {n['problem']}", "bad"),)
        if words:
            yield from (((f"{_INDENT}  | {text}", "quiet"),) for text in n["text"].splitlines())
