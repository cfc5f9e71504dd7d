"""Tickets, histories and explanations as plain data: the JSON that other programs rely on (docs/json.md).

What comes in: what the store and the judgement returned. What goes out: dictionaries with ISO 8601 times with offset.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from daemon.decide import Decision
from daemon.emergency import Task
from daemon.events import event_data
from daemon.intake.as_json import letter_as_json
from daemon.intake.letter import Letter, read_letter
from daemon.intake.understand import Intent, Known
from daemon.overruled import Standing, Tally
from daemon.plain import iso, to_plain
from daemon.routing.traces import RuleTrace
from daemon.rulebook import Claim
from daemon.store import Store
from daemon.ticket import Ticket
from daemon.words import Risk, Ruling


def cell_data(claim: Claim, risk: Risk, ruling: Ruling) -> dict[str, Any]:
    """Return one cell of the table of authority as `authority --json` shows it."""
    return {
        "who": str(claim.party), "ticket": str(claim.standing), "verdict": str(claim.verdict),
        "token": str(claim.token), "risk": str(risk), "then": str(ruling),
    }  # fmt: skip


def ticket_line(ticket: Ticket, zone: ZoneInfo) -> dict[str, Any]:
    """Return one ticket as `ticket list --json` shows it."""
    return {
        "number": ticket.number,
        "kind": str(ticket.kind),
        "state": str(ticket.state),
        "severity": int(ticket.severity),
        "impact": str(ticket.impact),
        "urgency": str(ticket.urgency),
        "category": ticket.category,
        "team": ticket.team,
        "line": ticket.line,
        "assignee": ticket.assignee,
        "customer": ticket.customer,
        "requester": ticket.requester,
        "subject": ticket.subject,
        "opened_at": iso(ticket.opened_at, zone),
        "respond_by": iso(ticket.due("respond"), zone),
        "resolve_by": iso(ticket.due("resolve"), zone),
        "tags": list(ticket.tags),
    }


def ticket_whole(ticket: Ticket, store: Store, zone: ZoneInfo) -> dict[str, Any]:
    """Return one ticket as `ticket show N --json` shows it: with messages, events and notices."""
    notices = store.outbox.notices(ticket.number)
    messages = _messages(ticket, store, notices, zone)
    events = history(ticket, store, zone)
    return {
        **ticket_line(ticket, zone),
        "because": list(ticket.because),
        "rules": next((e["data"]["rules"] for e in events if e["kind"] == "Routed"), ""),
        "queued_since": iso(ticket.queued_at, zone),
        "solution": ticket.solution,
        "cause": ticket.cause,
        "workaround": ticket.workaround,
        "hold_reason": str(ticket.hold_reason or ""),
        "hold_until": iso(ticket.hold_until, zone),
        "reopened": ticket.reopened,
        "returned": ticket.returned,
        "follows": ticket.follows or None,
        "followed_by": list(ticket.followed_by),
        "links": [{"kind": str(x.kind), "ticket": x.ticket} for x in ticket.links],
        "moved_to": ticket.moved_to or None,
        "solved_with": ticket.solved_with or None,
        "closes_at": iso(ticket.silence.close_at if ticket.silence else None, zone),
        "rating": ticket.rating or None,
        "rating_text": ticket.rating_text,
        "recorded_by": ticket.recorded_by,
        "source": ticket.source,
        "occurred_at": iso(ticket.occurred_at, zone),
        "requester_name": ticket.requester_name,
        "user": ticket.user,
        "contact": ticket.contact,
        "place": ticket.place,
        "region": ticket.region,
        "symptom": ticket.symptom,
        "ci": ticket.ci,
        "service": ticket.service,
        "error_codes": list(ticket.error_codes),
        "order": ticket.order,
        "affected": ticket.affected or None,
        "alert": ticket.alert,
        "alerts": ticket.alerts or None,
        "alert_at": iso(ticket.alert_at, zone),
        "recovered_at": iso(ticket.recovered_at, zone),
        "service_level": ticket.service_level,
        "templates": dict(ticket.templates),
        "approval": _approval(ticket, zone),
        "scope_why": ticket.scope_why,
        "scope_reason": ticket.scope_reason,
        "insisted_at": iso(ticket.insisted_at, zone),
        "attachments": [str(a.get("name") or "") for m in messages for a in m["attachments"]],
        "handed_up": ticket.handed_up,
        "liaison": ticket.liaison,
        "major": _major(ticket, zone),
        "tasks": [_task(t, zone) for t in ticket.tasks],
        "participants": list(ticket.participants),
        "watchers": list(ticket.watchers),
        "messages": messages,
        "events": events,
        "notices": [
            {**{k: n[k] for k in ("to", "template", "state", "attempts", "last_reply")}, "message_id": _id(n)}
            for n in notices
        ],
    }


def _major(ticket: Ticket, zone: ZoneInfo) -> dict[str, Any] | None:
    run = ticket.major_run
    if run is None:
        return None
    return {
        "level": run.level, "owner": run.owner, "since": iso(run.since, zone), "ended_at": iso(run.ended_at, zone),
        "updates": run.updates, "next_update_at": iso(run.due_at, zone) if run.active else None,
    }  # fmt: skip


def _approval(ticket: Ticket, zone: ZoneInfo) -> dict[str, Any] | None:
    """Return whom it waits for, or waited for, None where it needs no approval."""
    asked = ticket.approval
    if asked is None:
        return None
    return {
        "by": asked.by, "waits": ticket.awaits_approval, "since": iso(asked.since, zone), "reminders": asked.repeat,
        "again_at": iso(asked.again_at, zone) if ticket.awaits_approval else None,
    }  # fmt: skip


def _task(task: Task, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "number": task.number, "plan": task.plan, "what": dict(task.what), "who": task.who, "after": list(task.after),
        "state": str(task.state), "due_at": iso(task.due_at, zone), "by": task.by, "text": task.text,
    }  # fmt: skip


def history(ticket: Ticket, store: Store, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return a ticket's events, oldest first: seq, kind, at, cause, data."""
    return [{**e, "at": iso(e["at"], zone)} for e in store.register.raw_events(ticket.number)]


def _messages(ticket: Ticket, store: Store, notices: Iterable[dict[str, Any]], zone: ZoneInfo) -> list[dict[str, Any]]:
    kept = store.register.messages(ticket.number)
    came = [{**{k: v for k, v in m.items() if k != "mail"}, "message_id": _id(m)} for m in kept]
    went = [_outgoing(n) for n in notices]
    both = sorted((*came, *went), key=lambda m: m["at"])
    return [{**m, "at": iso(m["at"], zone)} for m in both]


def _outgoing(notice: dict[str, Any]) -> dict[str, Any]:
    letter = read_letter(bytes(notice["content"])) if notice["content"] is not None else None
    return {
        "direction": "out",
        "message_id": _id(notice),
        "from": letter.sender.address if letter and letter.sender else "",
        "to": [notice["to"]],
        "at": notice["sent_at"] or notice["created_at"],
        "nature": "automatic",
        "visibility": notice["visibility"],
        "text": letter.text if letter else "",
        "attachments": [],
        "template": notice["template"],
    }


def explanation(
    letter: Letter, path: str, known: Known, intent: Intent, decision: Decision,
    traces: Iterable[RuleTrace],
) -> dict[str, Any]:  # fmt: skip
    """Return what `explain --json` prints of how a mail was read, matched, routed and decided."""
    return {
        "path": path,
        "letter": letter_as_json(letter, path),
        "sender": {
            "address": known.sender.address,
            "person": known.sender.person.key if known.sender.person else None,
            "customer": known.sender.customer.key if known.sender.customer else None,
            "proof": str(known.proof),
            "proof_why": known.proof_why,
        },
        "match": {
            "ticket": known.ticket.number if known.ticket else None,
            "by": str(known.matched),
            "conflict": known.conflict,
            "claims": known.claimed or None,
        },
        "alert": _alert(known),
        "intent": type(intent).__name__,
        "status": str(decision.status),
        "note": decision.note,
        "withheld": decision.withheld,
        "rules": [to_plain(t) for t in traces],
        "changes": [
            {
                "ticket": c.before.number if c.before.number > 0 else None,
                "events": [{"kind": type(e).__name__, "data": event_data(e)} for e in c.events],
            }
            for c in decision.changes
        ],
        "transcript": to_plain(decision.transcript.lines) if decision.transcript else [],
    }


def _alert(known: Known) -> dict[str, Any] | None:
    """Return which monitoring alert a mail was taken for, None for every other mail."""
    seen = known.alert
    if seen is None:
        return None
    severity = int(seen.severity) if seen.severity else None
    return {"name": seen.alert.name, "sign": str(seen.sign), "key": seen.key, "about": seen.about, "severity": severity}


def stats_data(standing: Standing, since: datetime | None, zone: ZoneInfo) -> dict[str, Any]:
    """Return how the rules stand as `rules stats --json` shows it; tickets are named by their numbers."""
    return {
        "since": iso(since, zone),
        "mails": standing.mails,
        "missed": {"count": len(standing.missed), "tickets": list(standing.missed)},
        "rules": [_tally(t, standing.mails, zone) for t in standing.tallies],
        "dead": [t.rule for t in standing.tallies if not t.hits],
        "gone": [_tally(t, standing.mails, zone) for t in standing.gone],
    }


def _tally(tally: Tally, mails: int, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "rule": tally.rule, "hits": tally.hits, "share": round(tally.hits / mails, 4) if mails else 0.0,
        "last_hit": iso(tally.last, zone), "tickets": tally.tickets,
        "overruled": {fact: _ways(found) for fact, found in tally.overruled.items()},
    }  # fmt: skip


def _ways(found: Iterable[tuple[int, str]]) -> list[dict[str, Any]]:
    """Return into what people changed it, the most frequent first."""
    ways: dict[str, list[int]] = {}
    for number, new in found:
        ways.setdefault(new, []).append(number)
    return [{"to": new, "count": len(n), "tickets": n} for new, n in sorted(ways.items(), key=lambda w: -len(w[1]))]


def _id(row: dict[str, Any]) -> str:
    """Return the Message-ID as a header shows it."""
    return f"<{row['message_id']}>" if row["message_id"] else ""
