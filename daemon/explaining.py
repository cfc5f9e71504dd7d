"""What would happen to a mail and why, and what happened to one that is a ticket already: `ticketd explain`.

What comes in: a Letter or the number of a ticket, and an open Desk. What goes out: plain data (docs/json.md), made by
the same judgement as the live path. Nothing is written, and nothing is sent.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from daemon.comparing import Decided
from daemon.decide import Decision, facts_for_rules
from daemon.errors import TicketdError
from daemon.events import Event, MessageAdded, Opened, Rejected, Routed
from daemon.flow import Desk, judge, language_for, named, numbered, scene_for, scene_of
from daemon.inforce import load_kept
from daemon.intake.letter import Letter
from daemon.intake.reader import ReadingFailedError
from daemon.intake.understand import Alerted, FollowUp, Intent, Known, NewIncident
from daemon.notify.notice import Notice
from daemon.notify.notices import choose_notices, passed_on_notices, transcript_notice
from daemon.notify.together import one_for_each_reader
from daemon.plain import iso, to_plain
from daemon.routing.notes import is_of_parent
from daemon.routing.traces import RuleTrace, explain_routing, who_said
from daemon.rulebook import Rulebook
from daemon.store import KeptMail
from daemon.ticket import Ticket
from daemon.trials import Bench, Trial, outcome
from daemon.views import explanation
from daemon.words import Proof

FACTS = ("category", "kind", "impact", "urgency", "severity", "team", "line", "assignee", "ci", "service", "place")
_COMPARED = ("category", "team", "assignee", "severity", "impact", "urgency", "line", "ci", "service", "place")
_GRADING = ("severity at least", "impact", "urgency", "category")


def explain_mail(letter: Letter, path: str, mailbox: str, desk: Desk) -> dict[str, Any]:
    """Return what would happen to this letter now, and why, as plain data."""
    now = desk.clock.now()
    known, intent, decision = judge(_as_if_kept(letter, mailbox, desk, now), letter, desk, now)
    traces = _traces(letter, known, intent, desk, now)
    said = explanation(letter, path, known, intent, decision, traces)
    return {
        **said,
        "outcome": _outcome(decision, desk, traces),
        "rules_version": desk.rulebook.version,
        "rules_off": [rule.name for rule in desk.rulebook.switched_off],
        "notices": [_written(n, desk, now) for n in _notices(letter, known, decision, desk)],
    }


def _as_if_kept(letter: Letter, mailbox: str, desk: Desk, now: datetime) -> KeptMail:
    """Return the mail as if it came now; what its signatures were worth when it really came counts."""
    digest = letter.sha256 or hashlib.sha256(b"").hexdigest()
    signed = desk.store.ledger.signed(digest)
    judged = desk.signers.judge([(letter, now)]) if desk.signers and not signed else []
    return KeptMail(
        id=0, mailbox=mailbox, uidvalidity=0, uid=0, received_at=now, size=letter.size, sha256=digest,
        attempts=0, quiet=False, content=b"", path="", signed=signed or (judged[0] if judged else None),
    )  # fmt: skip


def _traces(letter: Letter, known: Known, intent: Intent, desk: Desk, now: datetime) -> list[RuleTrace]:
    """Return what became of each rule that looks at such mails; none where a mail is on no ticket and asks for none."""
    on_ticket = isinstance(intent, FollowUp)
    if not on_ticket and not isinstance(intent, NewIncident | Alerted):
        return []
    facts = facts_for_rules(letter, known, desk.rulebook, desk.service, now, on_ticket=on_ticket)
    return explain_routing(facts, desk.rulebook)


def _notices(letter: Letter, known: Known, decision: Decision, desk: Desk) -> list[Notice]:
    """Return the mails that would be owed; new tickets have the number that they would get."""
    changes = numbered(decision.changes, desk)
    if decision.transcript:
        decision = replace(decision, transcript=named(decision.transcript, decision.changes, changes))
    scene = scene_for(letter, known, decision, desk)
    records = {**known.related, **{c.before.number: c.now for c in changes}}
    scene = replace(scene, records=records, now=desk.clock.now())
    each = one_for_each_reader(choose_notices(change, scene_of(change, scene, desk)) for change in changes)
    chosen = [notice for notices in each for notice in notices]
    concerned = changes[0].now if changes else known.ticket
    if known.ticket is None and decision.transcript and not decision.transcript.opened:
        concerned = None
    language = language_for(known, letter, desk)
    answers = transcript_notice(decision, concerned, language, scene)
    return [*chosen, *answers, *passed_on_notices(decision, language, scene)]


def _written(notice: Notice, desk: Desk, now: datetime) -> dict[str, Any]:
    """Return a mail that would go out, with its words."""
    mail = desk.renderer.render(notice, 0, now)
    return {
        "to": notice.to, "template": notice.template, "language": notice.language, "subject": mail.subject,
        "text": mail.text, "problem": mail.problem,
    }  # fmt: skip


# --- what becomes of it ---


def _outcome(decision: Decision, desk: Desk, traces: list[RuleTrace]) -> dict[str, Any] | None:
    """Return what the mail makes of its ticket, None where there is none; `by` says why, fact by fact."""
    if not decision.changes:
        return None
    change = decision.changes[0]
    now, zone = change.now, ZoneInfo(desk.service.timezone)
    return {
        "new": change.before.number <= 0,
        "state": str(now.state),
        **{fact: _plain(getattr(now, fact)) for fact in FACTS},
        "customer": now.customer,
        "tags": list(now.tags),
        "watchers": list(now.watchers),
        "error_codes": list(now.error_codes),
        "scope_reason": now.scope_reason,
        "respond_by": iso(now.due("respond"), zone),
        "resolve_by": iso(now.due("resolve"), zone),
        "by": _reasons(now, desk.rulebook, traces) if traces and change.before.number <= 0 else {},
    }


def _plain(value: object) -> object:
    return int(value) if isinstance(value, int) else str(value)


def _reasons(ticket: Ticket, rulebook: Rulebook, traces: list[RuleTrace]) -> dict[str, str]:
    """Return what decided each fact: a rule by its name, the category, the matrix, dispatch, or nothing but custom."""
    by = {fact: f"the rule '{name}'" for fact, name in who_said(traces).items()}
    category = rulebook.categories.get(ticket.category)
    found = {
        fact: by.get(fact) or (f"the category {category.key}" if category and getattr(category, fact) else "the usual")
        for fact in ("team", "impact", "urgency", "line", "kind")
    }
    found["category"] = by.get("category", "nothing")
    raised = "severity at least" in by and ticket.severity < rulebook.matrix.get((ticket.impact, ticket.urgency), 4)
    found["severity"] = by["severity at least"] if raised else f"impact {ticket.impact} and urgency {ticket.urgency}"
    if ticket.assignee:
        found["assignee"] = by.get("assignee", "dispatch")
    return found | {fact: by[fact] for fact in ("ci", "service", "place") if fact in by}


# --- a mail that is a ticket already ---


def explain_ticket(number: int, desk: Desk) -> dict[str, Any]:
    """Return what was decided on the mail that opened this ticket, by which rules, and what they would say today.

    Raises TicketdError where there is no such ticket, no mail opened it, or the mail is not as it came.
    """
    ticket, mail, (at, events) = _opened(number, desk)
    letter = _as_it_came(mail, number, desk)
    then = _decided(events)
    bench = Bench(rulebook=desk.rulebook, service=desk.service, fetch=lambda _: None)
    came = _came(ticket, mail, at, events)
    follows = desk.store.register.ticket(came.follows) if came.follows else None
    now = bench.judged(letter, came, follows)
    version = str(then.get("rules", ""))
    old = _rules_of(version, desk)
    past = replace(bench, rulebook=old).judged(letter, came, follows) if old else None
    today = _said_by(now)
    then["outcome"] = "rejected" if any(isinstance(e, Rejected) for e in events) else "ticket"
    return {
        "ticket": number,
        "subject": ticket.subject,
        "mail": mail.id,
        "at": iso(at, ZoneInfo(desk.service.timezone)),
        "follows": now.known.ticket.number if now.known.ticket else None,
        "then": {
            **then,
            "version": version,
            "kept": old is not None,
            "traces": [to_plain(t) for t in past.traces] if past else [],
        },
        "now": {**today, "version": desk.rulebook.version, "traces": [to_plain(t) for t in now.traces]},
        "differs": [
            {"fact": fact, "then": then[fact], "now": today[fact]}
            for fact in ("outcome", *_COMPARED, "tags", "watchers", "because")
            if then.get(fact) != today[fact]
        ],
    }


def _as_it_came(mail: KeptMail, number: int, desk: Desk) -> Letter:
    """Return the mail as it was understood then; what somebody has altered since is not explained as if it had come."""
    instead = f"what was decided stands in: ticketd ticket history {number}"
    if not mail.path and mail.content is None:
        raise TicketdError(
            f"the bytes of mail {mail.id}, which opened ticket {number}, are not kept any more; {instead}"
        )
    try:
        letter = desk.reader.letter(mail)
    except ReadingFailedError as e:
        raise TicketdError(f"mail {mail.id}, which opened ticket {number}, cannot be read: {e}; {instead}") from e
    if letter.sha256 != mail.sha256:
        raise TicketdError(f"the stored bytes of mail {mail.id}, which opened ticket {number}, are damaged; {instead}")
    return letter


def _came(ticket: Ticket, mail: KeptMail, at: datetime, events: list[Event]) -> Decided:
    """Return what was known when the mail came."""
    proof = next((e.proof for e in events if isinstance(e, MessageAdded)), Proof.NONE)
    follows = next((e.follows for e in events if isinstance(e, Opened)), 0)
    return Decided(
        mail=mail.id, at=at, mailbox=mail.mailbox, received_at=mail.received_at, ticket=ticket.number, follows=follows,
        proof=proof,
    )  # fmt: skip


def _opened(number: int, desk: Desk) -> tuple[Ticket, KeptMail, tuple[datetime, list[Event]]]:
    """Return the ticket, the mail that opened it, and what was written down of that, when."""
    ticket, history = desk.store.register.ticket(number), desk.store.register.events(number)
    if ticket is None or not history:
        raise TicketdError(f"there is no ticket {number}")
    _, opened, at, cause = history[0]
    events = [event for _, event, _, why in history if why == cause]
    kind, _, mail_id = cause.partition(":")
    if kind != "mail" or not (isinstance(opened, Opened) and any(isinstance(e, MessageAdded) for e in events)):
        raise TicketdError(f"ticket {number} was not opened by a mail of its own: ticketd ticket history {number}")
    mail = desk.store.ledger.get(int(mail_id))
    if mail is None:
        raise TicketdError(f"mail {mail_id}, which opened ticket {number}, is not in the database any more: "
                           f"ticketd ticket history {number} says what was decided")  # fmt: skip
    return ticket, mail, (at, events)


def _decided(events: list[Event]) -> dict[str, Any]:
    """Return what the rules said, as it was written down; {} where they opened no ticket."""
    routed = next((e for e in events if isinstance(e, Routed)), None)
    if routed is None:
        return {}
    lists = {name: list(getattr(routed, name)) for name in ("tags", "watchers", "problems")}
    # Which tickets could be a parent then is not known today: that a rule now finds none says nothing of the rules.
    lists["because"] = [name for name in routed.because if not is_of_parent(name)]
    return {fact: _plain(getattr(routed, fact)) for fact in _COMPARED} | lists | {"rules": routed.rules}


def _said_by(trial: Trial) -> dict[str, Any]:
    """Return what rules say today: of a mail that they would drop, that they say nothing else."""
    events = trial.decision.changes[0].events if trial.decision.changes else ()
    said = _decided(list(events)) or {"because": list(trial.routing.because), "rules": ""}
    nothing = dict.fromkeys((*_COMPARED, "tags", "watchers", "because"), "")
    return {**nothing, **said, "outcome": outcome(trial.decision), "note": trial.decision.note}


def _rules_of(version: str, desk: Desk) -> Rulebook | None:
    """Return the rules of this version, if they are kept and can still be read."""
    if version == desk.rulebook.version:
        return desk.rulebook
    try:
        return load_kept(desk.store.versions.named(version), desk.store)
    except TicketdError:
        return None
