"""The whole story, top to bottom. If you read one file, read this one.

    IMAP -> KEEP -> READ -> LOOK UP -> UNDERSTAND -> DECIDE -> DISPATCH -> ANNOUNCE -> RECORD   (then it may be filed)
    clock -----------------> LOOK UP -------------> DECIDE -> DISPATCH -> ANNOUNCE -> RECORD
    outbox -> CLAIM + RENDER -> SEND -> SETTLE

Each stage takes what the one before gave and hands on something new; none calls back. Only KEEP, LOOK UP, RECORD and
SETTLE touch the store. Every mail and every tick is one transaction; nothing is sent inside one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from daemon.backtest import Question, back_test
from daemon.clock import Clock
from daemon.commands import Transcript
from daemon.decide import (
    NEW,
    Change,
    Decision,
    decide,
    dispatched,
    load_after,
    needs_dispatch,
    placed,
    tick,
    undelivered,
)
from daemon.dispatch import Staff, by_urgency, colleagues, everybody, place, with_somebody_free
from daemon.duties import Entry, Owed, owed_duties
from daemon.errors import ConfigError, UnreachableError
from daemon.events import (
    Assigned,
    Event,
    FollowedBy,
    FollowUpAsked,
    Insisted,
    Linked,
    MajorEnded,
    MessageAdded,
    Noted,
    NoticeFailed,
    Opened,
    ProgressTold,
    Recalled,
    Reminded,
    Routed,
    RulesApplied,
)
from daemon.intake.headers import without_body
from daemon.intake.identity import Signed
from daemon.intake.letter import Letter, RawMail
from daemon.intake.mailbox import Mailbox, TooLarge, Unreadable, Vanished, Where
from daemon.intake.reader import ReadingFailedError, Reads, ReadsHere
from daemon.intake.signers import Signers
from daemon.intake.understand import FailedNotice, Intent, Known, understand
from daemon.notify.envelope import Keys
from daemon.notify.lists import Parcel, parcels_for, proposal_parcels, report_parcel, report_readers
from daemon.notify.notice import FORWARDED, Notice, OutgoingMail
from daemon.notify.notices import Scene, alarm_notice, choose_notices, passed_on_notices, transcript_notice
from daemon.notify.postman import Fate, Postman
from daemon.notify.render import Rendered, Renderer
from daemon.notify.together import one_for_each_reader
from daemon.proposing import Proposal, proposal_data, proposals, with_proposal
from daemon.reports.compile import compile_report
from daemon.reports.facts import Heading
from daemon.reports.period import period_of
from daemon.reports.wording import Wording
from daemon.routing.loader import RuleFiles, load_rulebook
from daemon.rulebook import Rulebook
from daemon.service import LATE, Service
from daemon.silence import NOTHING_LEFT
from daemon.store import KeptMail, OwedNotice, Store, core_of, failed_key, hint_key, moved_key, stem
from daemon.store.ledger import Generation
from daemon.ticket import Ticket
from daemon.words import Duty, LinkKind, MailStatus, Role

log = structlog.get_logger()

BATCH = 25
"""Mails handled in one transaction, each in a savepoint of its own: one sync to disk serves them all."""
LEASE = timedelta(minutes=30)
GIVE_UP = timedelta(days=5)
_MOST_COPIES = 2
"""So many copies of a mail may have arrived where nobody saw the server's answer; then it counts as sent."""
_KEEP_AT_ONCE = 50
_KEEP_BYTES = 8 << 20
_UNREADABLE_TRIES = 3
_ALARM_AGAIN = timedelta(hours=24)
_MOST_TURNS = 20
_SETTLE_AFTER = timedelta(hours=1)
_ASK_WITHIN = timedelta(days=14)
# What a routing problem has in common with others of its rule and kind; behind it stands what the mail was like.
_KIND_OF_ERROR = re.compile(r".*?\) was skipped: \w+")
_LEARN_FROM = timedelta(days=60)
_TRIED_ON = 200
_NUMBERS_TOLD = 10
_RETRY = tuple(timedelta(minutes=m) for m in (1, 5, 15, 30, 60, 120, 240))
_TOO_LARGE = (
    "［这封邮件有 {0} 字节，超过了设定的上限：正文和附件没有取来，原信完整保存在邮件服务器上。］\n"
    "[This mail has {0} bytes, more than the limit that is set: its text and files were not fetched; "
    "the whole of it is on the mail server.]"
)
_FOLDER: dict[MailStatus, Where] = {
    MailStatus.HANDLED: "handled",
    MailStatus.DUPLICATE: "handled",
    MailStatus.IGNORED: "handled",
    MailStatus.QUARANTINED: "quarantine",
    MailStatus.DROPPED: "quarantine",
}


@dataclass(kw_only=True)
class Desk:
    """Everything the story needs at hand. `rulebook` and `renderer` are swapped whole on a reload."""

    store: Store
    rulebook: Rulebook
    service: Service
    keys: Keys
    renderer: Renderer
    clock: Clock
    operator: str = ""
    attempts: int = 3
    reader: Reads = field(default_factory=ReadsHere)
    signers: Signers | None = None
    ahead: list[KeptMail] = field(default_factory=list)
    queue_seen: tuple[object, ...] = ()
    uncounted: set[int] = field(default_factory=set)


# --- KEEP: bytes are durable before anything is clever and before the server is touched ---


def keep_new(link: Mailbox, name: str, first_run: str, desk: Desk) -> int:
    """Keep every mail that the server has and the ledger has not; return how many were new.

    The work list is a difference of sets, so it does not matter who has read, flagged or moved what meanwhile.
    """
    uids = link.uids()
    generation = desk.store.ledger.generation(name, link.uidvalidity, uids, first_run, desk.clock.now())
    if generation.changed:
        log.warning("mailbox.renumbered", mailbox=name, uidvalidity=link.uidvalidity)
        desk.store.ledger.forget_filing(name, link.uidvalidity)
    unknown = sorted(set(uids) - desk.store.ledger.uids(name, link.uidvalidity))
    if generation.treat == "ignore":
        old = [uid for uid in unknown if uid <= generation.baseline]
        desk.store.ledger.ignore_old(name, link.uidvalidity, old, desk.clock.now())
        if old:
            log.info("mailbox.old_mail_ignored", mailbox=name, count=len(old), why="first_run = ignore")
        unknown = [uid for uid in unknown if uid > generation.baseline]
    return sum(_keep_some(chunk, generation, desk) for chunk in _fetched(link, unknown, name, desk))


def _fetched(link: Mailbox, uids: list[int], name: str, desk: Desk) -> Iterator[list[RawMail]]:
    """Yield mails in handfuls; what is no mail (vanished, unreadable, too large) is written down on the way."""
    handful: list[RawMail] = []
    try:
        for mail in _mails(link, uids, name, desk):
            handful.append(mail)
            if len(handful) >= _KEEP_AT_ONCE or sum(m.size for m in handful if m.content) > _KEEP_BYTES:
                yield handful
                handful = []
    except UnreachableError:
        # What came before the line broke is kept too.
        if handful:
            yield handful
        raise
    if handful:
        yield handful


def _mails(link: Mailbox, uids: list[int], name: str, desk: Desk) -> Iterator[RawMail]:
    for thing in link.fetch(uids):
        if isinstance(thing, RawMail | TooLarge):
            mail = thing if isinstance(thing, RawMail) else _stub_of(thing, name, link.uidvalidity)
            yield replace(mail, received_at=desk.clock.now()) if desk.clock.stands else mail
        elif isinstance(thing, Vanished):
            _write_down(name, link, thing.uid, MailStatus.VANISHED, "the server no longer had it", desk)
        else:
            _unreadable(name, link, thing, desk)


def _keep_some(mails: list[RawMail], generation: Generation, desk: Desk) -> int:
    kept = desk.store.ledger.keep((m, _quietly(m, generation, desk)) for m in mails)
    log.info("mails.kept", mailbox=mails[0].mailbox, count=kept)
    return kept


def _stub_of(thing: TooLarge, name: str, uidvalidity: int) -> RawMail:
    """Return a mail made of the header of one that is too large: it becomes a ticket that says where the rest is."""
    log.warning("mail.too_large", mailbox=name, uid=thing.uid, size=thing.size)
    content = without_body(thing.header, _TOO_LARGE.format(thing.size))
    return RawMail(
        mailbox=name,
        uidvalidity=uidvalidity,
        uid=thing.uid,
        received_at=thing.received_at,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
    )


def _quietly(mail: RawMail, generation: Generation, desk: Desk) -> bool:
    """Whether nobody is to be written to about this mail: it was there before us, and is old or asked to be quiet."""
    old = desk.clock.now() - mail.received_at > LATE
    return mail.uid <= generation.baseline and (old or generation.treat == "import-quietly")


def _unreadable(name: str, link: Mailbox, thing: Unreadable, desk: Desk) -> None:
    """Give the server a few more chances, then set the UID aside: one bad mail must not hold up the others."""
    key = f"unreadable:{name}:{link.uidvalidity}:{thing.uid}"
    tries = int((desk.store.note(key) or ("0", ""))[0]) + 1
    log.warning("mail.unreadable", mailbox=name, uid=thing.uid, reason=thing.reason, tries=tries)
    if tries < _UNREADABLE_TRIES:
        with desk.store.transaction():
            desk.store.write_note(key, str(tries), desk.clock.now())
        return
    reason = f"the server does not hand it out: {thing.reason}"
    _write_down(name, link, thing.uid, MailStatus.QUARANTINED, reason, desk)


def _write_down(name: str, link: Mailbox, uid: int, status: MailStatus, reason: str, desk: Desk) -> None:
    """Give a UID whose bytes cannot be had its named outcome."""
    raw = RawMail(
        mailbox=name, uidvalidity=link.uidvalidity, uid=uid, received_at=desk.clock.now(), size=0,
        sha256=hashlib.sha256(b"").hexdigest(), content=b"",
    )  # fmt: skip
    desk.store.ledger.keep_as(raw, status, reason, filed=status is MailStatus.VANISHED)
    log.warning("mail.set_aside", mailbox=name, uid=uid, status=str(status), reason=reason)
    if status is MailStatus.QUARANTINED:
        raise_alarm(desk, f"quarantine:{name}:{link.uidvalidity}:{uid}", "A mail is in quarantine",
                    [f"Mailbox {name}, UID {uid}: {reason}", "ticketd quarantine list"])  # fmt: skip


# --- HANDLE: read, look up, understand, decide, announce, record ---


def handle_waiting(desk: Desk, limit: int = BATCH) -> int:
    """Handle a handful of kept mails in one transaction; return how many were taken up.

    A mail that raises is rolled back alone and tried again later; one that keeps failing goes to quarantine. A crash
    of the whole process counts too, because the try was written down before it began.
    """
    now = desk.clock.now()
    if desk.uncounted:
        desk.store.ledger.uncount(desk.uncounted)
        desk.uncounted.clear()
    mails = desk.ahead or desk.store.ledger.waiting(now, limit)
    _read_ahead(mails, now, limit, desk)
    todo = _worth_a_try(mails, desk)
    for mail in mails:
        if mail not in todo:
            _quarantine(mail, f"it was tried {mail.attempts} times, and each time ticketd died over it", desk)
    if todo:
        _handle_all(todo, now, desk)
    return len(mails)


def _worth_a_try(mails: list[KeptMail], desk: Desk) -> list[KeptMail]:
    return [m for m in mails if m.attempts < desk.attempts]


def _read_ahead(mails: list[KeptMail], now: datetime, limit: int, desk: Desk) -> None:
    """Let the reader begin with these mails and with the next handful: it works while we decide."""
    desk.ahead = []
    desk.reader.ahead(_worth_a_try(mails, desk))
    if len(mails) >= limit:
        desk.ahead = desk.store.ledger.waiting(now, 2 * limit, held={m.id for m in mails})
        desk.reader.ahead(_worth_a_try(desk.ahead, desk))


def _handle_all(mails: list[KeptMail], now: datetime, desk: Desk) -> None:
    numbers = {m.id for m in mails}
    desk.store.ledger.attempt(numbers)
    letters = [_read(m, desk) for m in mails]
    mails, fresh = _signed(mails, letters, desk)
    try:
        with desk.store.transaction():
            desk.store.ledger.note_signed(fresh)
            faults = [(m, _handled(m, letter, now, desk)) for m, letter in zip(mails, letters, strict=True)]
    except UnreachableError:
        desk.uncounted |= numbers
        desk.ahead = []  # the mails at hand come first again
        raise
    for mail, fault in faults:
        if fault and mail.attempts + 1 >= desk.attempts:
            _quarantine(mail, fault, desk)


def _signed(mails: list[KeptMail], letters: list[Letter | str], desk: Desk) -> tuple[list[KeptMail], dict[int, Signed]]:
    """Return the mails with what their DKIM signatures are worth, and what of that is to be written down.

    The DNS is asked before the transaction, once for each mail: what is written down then counts for ever.
    """
    if desk.signers is None:
        return mails, {}
    new = [(m, x) for m, x in zip(mails, letters, strict=True) if m.signed is None and isinstance(x, Letter)]
    judged = desk.signers.judge((letter, mail.received_at) for mail, letter in new)
    fresh = {mail.id: signed for (mail, _), signed in zip(new, judged, strict=True)}
    return [replace(m, signed=fresh.get(m.id, m.signed)) for m in mails], fresh


def _read(mail: KeptMail, desk: Desk) -> Letter | str:
    """READ: the mail as a person would describe it, or why it could not be read."""
    try:
        letter = desk.reader.letter(mail)
    except ReadingFailedError as e:
        return str(e)
    if letter.sha256 != mail.sha256:
        return "its stored bytes are damaged: restore them from a backup; the server's copy is where it was filed"
    return letter


def _handled(mail: KeptMail, letter: Letter | str, now: datetime, desk: Desk) -> str:
    """Handle one mail in a savepoint of its own; return "" or why it could not be handled this time."""
    try:
        if isinstance(letter, Letter):
            with desk.store.transaction():
                if desk.store.ledger.take(mail.id):
                    handle_mail(mail, letter, desk, now)
            return ""
        fault = letter
    except UnreachableError:
        raise
    except Exception as e:
        log.exception("mail.failed", mail=mail.id, mailbox=mail.mailbox, uid=mail.uid)
        fault = f"it could not be handled ({type(e).__name__}); the log has the traceback"
    log.error("mail.put_off", mail=mail.id, mailbox=mail.mailbox, uid=mail.uid, reason=fault)
    desk.store.ledger.put_off(mail.id, now + timedelta(seconds=30), fault)
    return fault


def handle_mail(mail: KeptMail, letter: Letter, desk: Desk, now: datetime) -> Decision:
    """One mail's trip, inside the caller's transaction."""
    known, _, decision = judge(mail, letter, desk, now)
    if known.ticket and _catch_up(known.ticket, min(mail.received_at, now), desk, now):
        known, _, decision = judge(mail, letter, desk, now)
    cause = f"mail:{mail.id}"
    changes = numbered(decision.changes, desk)
    if decision.transcript:
        decision = replace(decision, transcript=named(decision.transcript, decision.changes, changes))
    scene = scene_for(letter, known, decision, desk)
    records = {**known.related, **{c.before.number: c.now for c in changes}}
    scene = replace(scene, records=records)
    chosen = one_for_each_reader([_announced(c, scene_of(c, scene, desk), desk, now) for c in changes])
    for change, notices in zip(changes, chosen, strict=True):
        _recorded(change, notices, cause, desk, now)
        _add_messages(change, letter, mail, desk)
    concerned = changes[0].now if changes else known.ticket
    if known.ticket is None and decision.transcript and not decision.transcript.opened:
        concerned = None  # it may be about several tickets, and is about none in particular
    answers = transcript_notice(decision, concerned, language_for(known, letter, desk), scene)
    if answers and known.ticket and decision.transcript and decision.transcript.kept_internal:
        desk.store.write_note(hint_key(known.ticket.number, known.sender.address), "told", now)
    if answers and known.moved_from:
        desk.store.write_note(moved_key(known.moved_from, known.sender.address), "told", now)
    number = concerned.number if concerned else 0
    answers = (*answers, *passed_on_notices(decision, language_for(known, letter, desk), scene))
    desk.store.outbox.owe(answers, number, cause, stem(letter.subject, desk.service.subject_tag), now)
    desk.store.ledger.finish(
        mail.id,
        decision.status,
        decision.note,
        message_id=letter.message_id,
        core=core_of(letter),
        ticket=number,
    )
    if decision.status is MailStatus.QUARANTINED:
        waits = "What they send now waits until you look: ticketd quarantine list"
        raise_alarm(
            desk, f"flood:{known.sender.address}", "Mails of one sender go to quarantine", [decision.note, waits]
        )
    _tell_operators(decision, changes, known, number, desk)
    log.info("mail.handled", mail=mail.id, ticket=number, status=str(decision.status), note=decision.note,
             events=[type(e).__name__ for c in changes for e in c.events])  # fmt: skip
    return decision


def _tell_operators(decision: Decision, changes: Iterable[Change], known: Known, number: int, desk: Desk) -> None:
    """Tell them what this mail brought to light: of rules, of mails that were lost, of a storm, of answers used up."""
    _tell_of_rules(changes, desk)
    if known.lost:
        _tell_of_lost(*known.lost, desk)
    if decision.storm:
        _tell_of_storm(*decision.storm, number, desk)
    if decision.withheld == NOTHING_LEFT:
        most = desk.service.answers_per_hour
        lines = [f"{most} went out within an hour (answers_per_hour). Mail is handled, and people are told, as ever.",
                 "If no outage explains it, a loop may: ticketd status, and the newest tickets"]  # fmt: skip
        raise_alarm(desk, "answers", "Automatic answers are used up", lines)


def _tell_of_rules(changes: Iterable[Change], desk: Desk) -> None:
    """Tell the operators of rules that failed and were skipped: once a day for each rule and kind of error."""
    ruled = [(c, e) for c in changes for e in c.events if isinstance(e, Routed | RulesApplied)]
    for change, event in ruled:
        for problem in event.problems:
            log.error("rule.failed", ticket=change.before.number, problem=problem)
            kind = _KIND_OF_ERROR.match(problem)
            lines = [problem, f"ticketd ticket show {change.before.number}", "The mail went on without it."]
            raise_alarm(desk, f"rule:{kind[0] if kind else problem}", "A routing rule does not work", lines)


def _tell_of_lost(address: str, reason: str, desk: Desk) -> None:
    """Tell the operators that a mail which a rule passed on has not arrived: it is no ticket, so nobody else has it."""
    log.error("forward.lost", to=address, reason=reason)
    lines = [f"To {address}: {reason}", "The mails are kept; look at the rule with 'forward:'."]
    raise_alarm(desk, f"forward:{address}", "A mail that was passed on did not arrive", lines)


def _tell_of_storm(address: str, reason: str, ticket: int, desk: Desk) -> None:
    """Tell the operators that mails to whom a rule passes them on have become tickets, for there were too many."""
    log.warning("forward.braked", to=address, reason=reason, ticket=ticket)
    lines = [
        f"To {address}: {reason}",
        f"What comes now becomes a ticket, the first is number {ticket}: does somebody there answer us by a robot?",
        "If all is well, raise forwards_per_… in [limits].",
    ]
    raise_alarm(desk, f"storm:{address}", "Too many mails are passed on", lines)


def _catch_up(ticket: Ticket, until: datetime, desk: Desk, now: datetime) -> bool:
    """Do what fell due on a ticket before a mail on it arrived, whenever we get to look at either: it happened first.

    One thing may bring on the next: a hold ends, and an hour later a step is due.
    """
    turns, due = 0, ticket.next_due_at
    while due and due <= until and turns < _MOST_TURNS and _tick_one(ticket.number, now, desk, until=until):
        after = desk.store.register.ticket(ticket.number)
        turns, due = turns + 1, after.next_due_at if after else None
    return turns > 0


def judge(mail: KeptMail, letter: Letter, desk: Desk, now: datetime) -> tuple[Known, Intent, Decision]:
    """LOOK UP, UNDERSTAND, DECIDE and DISPATCH: all that comes before something is written. `explain` asks it too."""
    known = desk.store.lookup.what_we_know(letter, mail, desk.rulebook, desk.service, desk.keys, now)
    intent = understand(letter, known, desk.rulebook)
    decision = decide(intent, known, desk.rulebook, desk.service, now=now, received_at=mail.received_at, mail=mail.id)
    if not known.quiet:
        decision = replace(decision, changes=_dispatched(decision.changes, desk, now))
    return known, intent, decision


def numbered(changes: Iterable[Change], desk: Desk) -> list[Change]:
    """Give every new ticket its number, here and wherever another one refers to it."""
    found = list(changes)
    new = [c.before.number for c in found if c.before.number <= NEW]
    first = desk.store.register.next_number()
    numbers = {provisional: first + at for at, provisional in enumerate(new)}
    return [
        Change(
            before=replace(c.before, number=numbers.get(c.before.number, c.before.number)),
            events=tuple(_referring(e, numbers) for e in c.events),
        )
        for c in found
    ]


def named(transcript: Transcript, provisional: Iterable[Change], numbered: Iterable[Change]) -> Transcript:
    """Say in the answer to commands which numbers the records have got that they opened."""
    numbers = {p.before.number: n.before.number for p, n in zip(provisional, numbered, strict=True)}
    lines = (
        replace(line, links=tuple(replace(x, ticket=numbers.get(x.ticket, x.ticket)) for x in line.links))
        for line in transcript.lines
    )
    return replace(transcript, lines=tuple(lines))


def _referring(event: Event, numbers: Mapping[int, int]) -> Event:
    if isinstance(event, FollowedBy | Recalled | Linked) and event.ticket in numbers:
        return replace(event, ticket=numbers[event.ticket])
    return event


def scene_for(letter: Letter, known: Known, decision: Decision, desk: Desk) -> Scene:
    """Return what the choosing of notices looks at for one mail."""
    handed_on = any(isinstance(e, Assigned | Insisted) for c in decision.changes for e in c.events)
    story = desk.store.register.story(known.ticket.number) if handed_on and known.ticket else ""
    report = desk.store.register.report(known.ticket.number) if handed_on and known.ticket else ""
    notes = [f"{e.by}: {e.text}" for c in decision.changes for e in c.events if isinstance(e, Noted | ProgressTold)]
    story = "\n\n".join([story, *notes]) if handed_on else ""
    person = known.sender.person
    return Scene(
        rulebook=desk.rulebook, service=desk.service, letter=letter, withheld=decision.withheld, quiet=known.quiet,
        actor=person.key if person else "", story=story, report=report,
    )  # fmt: skip


def scene_of(change: Change, scene: Scene, desk: Desk) -> Scene:
    """Return the scene for one of a mail's changes: what a mail says is not said of a ticket that it is not about.

    A second matter has words of its own.
    """
    kinds = {type(e) for e in change.events}
    if Recalled in kinds and MessageAdded not in kinds:
        return _clock_scene(change, desk)
    part = next((e for e in change.events if isinstance(e, Linked) and e.link is LinkKind.SPLIT_FROM), None)
    return _with_similar(change, replace(scene, letter=None, report=part.text) if part else scene, desk)


def _clock_scene(change: Change, desk: Desk) -> Scene:
    """Return what the choosing of notices looks at where no mail caused it; who is given a ticket reads its story."""
    number = change.before.number
    given = any(isinstance(e, Assigned) for e in change.events)
    story, report = (desk.store.register.story(number), desk.store.register.report(number)) if given else ("", "")
    asked = _asked_about(change, desk)
    scene = Scene(rulebook=desk.rulebook, service=desk.service, story=story, report=report, records=asked)
    return _with_similar(change, scene, desk)


def _asked_about(change: Change, desk: Desk) -> Mapping[int, Ticket]:
    """LOOK UP what was solved together with a ticket, where its requester is reminded of all that in one mail."""
    if not any(isinstance(e, Reminded) for e in change.events):
        return {}
    book = desk.store.register
    parent = book.ticket(change.now.solved_with or change.before.number)
    return book.tickets_of((parent.number, *parent.linked(LinkKind.CHILD))) if parent else {}


def _with_similar(change: Change, scene: Scene, desk: Desk) -> Scene:
    """Add the solved tickets that are like this one, where somebody is given it."""
    if not change.now.case or not any(isinstance(e, Opened | Assigned) for e in change.events):
        return scene
    words = scene.letter.new_text if scene.letter else scene.report
    return replace(scene, similar=desk.store.register.similar(change.now, words))


def _record(change: Change, scene: Scene, cause: str, desk: Desk, now: datetime) -> None:
    """ANNOUNCE and RECORD one ticket's events: the history and the mails owed for it, together."""
    _recorded(change, _announced(change, scene, desk, now), cause, desk, now)


def _announced(change: Change, scene: Scene, desk: Desk, now: datetime) -> tuple[Notice, ...]:
    """ANNOUNCE: return the mails that one ticket's events call for."""
    told = _bounces_told(change, desk, now)
    notices = choose_notices(change, replace(scene, now=now, told=told, history=_history(change, desk, now)))
    unheard = [e for e in change.events if isinstance(e, NoticeFailed) and e.address not in told]
    if unheard and not notices:
        lines = [f"{e.template} to {e.address}: {e.reason}" for e in unheard]
        raise_alarm(desk, f"unreached:{change.before.number}", "Nobody can be told about a ticket", lines)
    return notices


def _recorded(change: Change, notices: tuple[Notice, ...], cause: str, desk: Desk, now: datetime) -> None:
    """RECORD: the history of one ticket and the mails owed for it, together."""
    subject = stem(change.now.subject, desk.service.subject_tag)
    desk.store.register.append(change, cause, now)
    desk.store.outbox.owe(notices, change.before.number, cause, subject, now)


def _history(change: Change, desk: Desk, now: datetime) -> tuple[tuple[datetime, Event], ...]:
    """Return all that happened to a ticket until now, where a report about it is due."""
    if not any(isinstance(e, MajorEnded) for e in change.events):
        return ()
    past = tuple((at, event) for _, event, at, _ in desk.store.register.events(change.before.number))
    return (*past, *((now, event) for event in change.events))


def _bounces_told(change: Change, desk: Desk, now: datetime) -> frozenset[str]:
    """Return the addresses in this change whose bounces somebody was told of within a day, and note the others."""
    addresses = {e.address for e in change.events if isinstance(e, NoticeFailed)}
    told = {a for a in addresses if _told_lately(f"bounced:{a}", desk, now)}
    for address in addresses - told:
        desk.store.write_note(f"bounced:{address}", now.isoformat(), now)
    for event in change.events:
        if isinstance(event, NoticeFailed) and event.permanent:
            desk.store.write_note(failed_key(event.notice), event.address, now)
    return frozenset(told)


def _add_messages(change: Change, letter: Letter, mail: KeptMail, desk: Desk) -> None:
    for event in change.events:
        if isinstance(event, MessageAdded):
            desk.store.register.add_message(change.before.number, event, letter, mail.received_at)


def language_for(known: Known, letter: Letter, desk: Desk) -> str:
    """Return the language in which a mail is answered."""
    if known.ticket and known.sender.person is None:
        return known.ticket.language or desk.service.language
    customer = known.sender.customer
    return (customer.language if customer else "") or desk.service.answers_in(letter.language)


def _quarantine(mail: KeptMail, reason: str, desk: Desk) -> None:
    with desk.store.transaction():
        desk.store.ledger.finish(mail.id, MailStatus.QUARANTINED, reason)
    log.error("mail.quarantined", mail=mail.id, mailbox=mail.mailbox, uid=mail.uid, reason=reason)
    lines = [
        f"Mail {mail.id} (mailbox {mail.mailbox}, UID {mail.uid}): {reason}",
        f"ticketd quarantine show {mail.id}",
    ]
    raise_alarm(desk, f"quarantine:{mail.id}", "A mail is in quarantine", lines)


# --- TICK: the clock enters the same corridor two doors later ---


def handle_tick(desk: Desk) -> int:
    """Do everything that has fallen due, each ticket in a transaction of its own; return how many tickets moved.

    What was missed during an outage is done now, once, and says that it is late.
    """
    now, moved = desk.clock.now(), 0
    for _ in range(_MOST_TURNS):
        due = desk.store.register.due(now)
        if not due:
            break
        moved += sum(_tick_one(number, now, desk) for number in due)
    if desk.rulebook.duties.closing:
        moved += sum(_tick_one(number, now, desk) for number in desk.store.register.unasked())
    return moved + dispatch_queue(desk) + do_duties(desk)


def _tick_one(number: int, now: datetime, desk: Desk, until: datetime | None = None) -> bool:
    with desk.store.transaction():
        ticket = desk.store.register.ticket(number)
        if ticket is None:
            return False
        change, *others = _dispatched((tick(ticket, desk.rulebook, desk.service, now, until),), desk, now)
        for one in (change, *others):
            _record(one, _clock_scene(one, desk), f"clock:{now.isoformat()}", desk, now)
    log.info("ticket.due", ticket=number, events=[type(e).__name__ for e in change.events])
    return bool(change.events)


# --- DISPATCH: who gets what nobody has ---


def _dispatched(changes: Iterable[Change], desk: Desk, now: datetime) -> tuple[Change, ...]:
    """Return the changes, with whoever gets the tickets that they leave without anybody, or why these have to wait."""
    made = {c.before.number: c for c in changes}
    staff = Staff(rulebook=desk.rulebook, zone=desk.service.timezone, now=now)
    for number in tuple(made):
        if needs_dispatch(made[number], staff):
            # A ticket has one change, whatever happens to it: who is called back may be at work on one of these.
            for one in dispatched(made[number], *_staff_of(made[number].now, staff, desk, made)):
                made[one.before.number] = one.joined_to(made.get(one.before.number))
    return tuple(made.values())


def _staff_of(
    ticket: Ticket, staff: Staff, desk: Desk, made: Mapping[int, Change] = MappingProxyType({})
) -> tuple[Staff, tuple[Ticket, ...]]:
    """LOOK UP how much the ticket's team has at hand; and which tickets, where somebody may be called back.

    `made` are changes that are still to be recorded: they count as though they were.
    """
    people, book = colleagues(ticket, desk.rulebook), desk.store.register
    at_hand = book.at_hand(people) if ticket.severity in desk.rulebook.recall else ()
    load = load_after(book.load(people, desk.rulebook.hold_stops_clock), made.values(), desk.rulebook)
    return replace(staff, load=load), tuple(made[t.number].now if t.number in made else t for t in at_hand)


def dispatch_queue(desk: Desk) -> int:
    """Give the tickets that wait to whoever has become free, the most urgent first; return how many found somebody.

    As long as nothing happens and the minute is the same, nobody can have become free.
    """
    now, book = desk.clock.now(), desk.store.register
    seen = (desk.rulebook.version, book.last_event(), now.replace(second=0, microsecond=0))
    if seen == desk.queue_seen or not book.anything_queued():
        return 0
    load = book.load(everybody(desk.rulebook), desk.rulebook.hold_stops_clock)
    staff = Staff(rulebook=desk.rulebook, zone=desk.service.timezone, now=now, load=load)
    waiting = book.queued(with_somebody_free(staff), desk.rulebook.recall)
    moved = sum(_place_waiting(ticket.number, staff, desk) for ticket in by_urgency(waiting))
    desk.queue_seen = (desk.rulebook.version, book.last_event(), seen[2])
    return moved


def _place_waiting(number: int, staff: Staff, desk: Desk) -> bool:
    """Give one waiting ticket to somebody, if there is anybody now; who was called back for it gives another back."""
    with desk.store.transaction():
        ticket = desk.store.register.ticket(number)
        if ticket is None or ticket.queued_at is None or ticket.team not in desk.rulebook.teams:
            return False
        placement = place(ticket, *_staff_of(ticket, staff, desk), ticket.not_for)
        if not placement.found:
            return False
        for change in placed(Change(before=ticket, events=()), placement):
            _record(change, _clock_scene(change, desk), f"clock:{staff.now.isoformat()}", desk, staff.now)
    log.info("ticket.dispatched", ticket=number, waited_since=str(ticket.queued_at))
    return True


# --- DUTIES: lists at set times of the day and week ---


def do_duties(desk: Desk) -> int:
    """Do every duty whose time has come, each with its mails in one transaction; return how many mails are owed.

    What is owed is reckoned from the book of duties, so nothing is done twice, and what was missed is written down.
    """
    now, book = desk.clock.now(), desk.store.duties
    since = book.since(now)
    found = owed_duties(desk.rulebook, desk.service.timezone, book.done(since), since, now)
    count = sum(_do_duty(item, desk, now) for item in found if item.verdict != "waits")
    if now - since > _SETTLE_AFTER and not any(item.verdict == "waits" for item in found):
        book.settled(now)
    return count


def _do_duty(item: Owed, desk: Desk, now: datetime) -> int:
    if item.verdict == "missed":
        log.warning("duty.missed", duty=str(item.duty), period=item.period, place=item.place, due_at=str(item.due_at))
        with desk.store.transaction():
            desk.store.duties.write(item, (), "missed", now)
        return 0
    if item.duty is Duty.KPI_REPORT:
        return _report_month(item, desk, now)
    if item.duty is Duty.RULE_PROPOSALS:
        return _propose_rules(item, desk, now)
    scene = Scene(rulebook=desk.rulebook, service=desk.service)
    cause = f"duty:{item.duty}:{item.period}:{item.place}"
    with desk.store.transaction():
        parcels = parcels_for(item, _entries(item, desk, now), scene, now)
        for parcel in parcels:
            desk.store.outbox.owe((parcel.notice,), parcel.ticket, cause, "", now)
            if item.duty is Duty.FOLLOW_UP:
                _note_asked(parcel, cause, desk, now)
        told = [(p.notice.to, p.tickets) for p in _joined(parcels)]
        desk.store.duties.write(item, told, "sent" if told else "empty", now)
    log.info("duty.done", duty=str(item.duty), period=item.period, place=item.place, mails=len(parcels))
    return len(parcels)


def _report_month(item: Owed, desk: Desk, now: datetime) -> int:
    """Owe everybody their report on the month before. It is counted first: that takes long, and changes nothing."""
    scene = Scene(rulebook=desk.rulebook, service=desk.service)
    counted: dict[tuple[str, tuple[str, ...]], dict[str, Any]] = {}
    parcels = []
    for reader in report_readers(scene):
        key = (reader.to.language, reader.customers)
        counted[key] = counted.get(key) or _counted(item.period, *key, desk, now)
        parcels.append(report_parcel(item, reader, counted[key], scene))
    with desk.store.transaction():
        for parcel in parcels:
            desk.store.outbox.owe((parcel.notice,), 0, f"duty:{item.duty}:{item.period}:{item.place}", "", now)
        told = [(p.notice.to, p.tickets) for p in parcels]
        desk.store.duties.write(item, told, "sent" if told else "empty", now)
    log.info("duty.done", duty=str(item.duty), period=item.period, place=item.place, mails=len(parcels))
    return len(parcels)


def _propose_rules(item: Owed, desk: Desk, now: datetime) -> int:
    """Owe the service desk what people's corrections teach. It is tried first: that takes long, and changes nothing."""
    book = desk.store.duties
    last = book.last_done(str(item.duty), item.place) or now - _LEARN_FROM
    found = desk.store.register.ruled(now - _LEARN_FROM)
    made = proposals(found, desk.rulebook, last, desk.rulebook.duties.at_least(item.duty))
    scene = Scene(rulebook=desk.rulebook, service=desk.service)
    parcels = proposal_parcels(item, [_tried(p, desk) for p in made], scene)
    with desk.store.transaction():
        for parcel in parcels:
            desk.store.outbox.owe((parcel.notice,), 0, f"duty:{item.duty}:{item.period}:{item.place}", "", now)
        book.write(item, [(p.notice.to, p.tickets) for p in parcels], "sent" if parcels else "empty", now)
    log.info("duty.done", duty=str(item.duty), period=item.period, place=item.place, mails=len(parcels))
    return len(parcels)


def _tried(proposal: Proposal, desk: Desk) -> dict[str, Any]:
    """Return a proposal with what it would have changed of the last mails, or why that cannot be said."""
    if not proposal.snippet:
        return proposal_data(proposal)
    try:
        new = load_rulebook(RuleFiles(Path("proposal"), with_proposal(desk.rulebook.files, proposal)))
    except ConfigError as e:
        log.warning("proposal.unusable", rule=proposal.rule, problems=[str(p) for p in e.problems])
        return proposal_data(replace(proposal, snippet=""))
    question = Question(old=desk.rulebook, new=new, service=desk.service, limit=_TRIED_ON)
    trial = back_test(question, desk.store, workers=1)
    changed = [d.decided.ticket for d in trial.differences]
    others = sum(number not in proposal.tickets for number in changed)
    tried = {"mails": trial.mails, "changed": len(changed), "tickets": [n for n in changed if n][:_NUMBERS_TOLD]}
    return proposal_data(proposal) | {"tried": tried | {"others": others}}


def _counted(month: str, language: str, customers: tuple[str, ...], desk: Desk, now: datetime) -> dict[str, Any]:
    """Return the report that `ticketd report --period MONTH` makes, in this language."""
    zone = desk.service.timezone
    wording = Wording(words=desk.renderer.words_in(language), rulebook=desk.rulebook, zone=ZoneInfo(zone))
    heading = Heading(service=desk.service.name, customers=customers, made_at=now)
    return compile_report(desk.store, wording, period_of(month, zone, now), heading)


def _entries(item: Owed, desk: Desk, now: datetime) -> list[Entry]:
    """Return the tickets that a duty speaks of; requesters who are robots or cannot be reached are left out."""
    book = desk.store.duties
    match item.duty:
        case Duty.REVIEW_LIST:
            return book.awaiting_review()
        case Duty.FOLLOW_UP:
            found = book.closed_since(now - _ASK_WITHIN)
        case Duty.FOLLOW_UP_RESULT:
            last = book.last_done(str(item.duty), item.place)
            return book.asked_since(last or now - _ASK_WITHIN)
        case _:
            found = book.unsolved()
    public = item.duty in (Duty.FOLLOW_UP, Duty.CUSTOMER_LIST)
    return [e for e in found if not public or book.answerable(e.ticket)]


def _joined(parcels: Iterable[Parcel]) -> list[Parcel]:
    """Return one parcel for each reader, with all numbers: the book has one line for each of them."""
    joined: dict[str, Parcel] = {}
    for p in parcels:
        before = joined.get(p.notice.to)
        joined[p.notice.to] = replace(p, tickets=(*before.tickets, *p.tickets)) if before else p
    return list(joined.values())


def _note_asked(parcel: Parcel, cause: str, desk: Desk, now: datetime) -> None:
    """Write on each ticket that its requester was asked for a rating."""
    for number in parcel.tickets:
        if ticket := desk.store.register.ticket(number):
            asked = FollowUpAsked(at=now, together=parcel.tickets)
            desk.store.register.append(Change(before=ticket, events=(asked,)), cause, now)


# --- OUTBOX: claim and render, send, settle ---


def deliver_outbox(desk: Desk, postman: Postman, limit: int = 50) -> tuple[int, bool]:
    """Offer the mails that are due to the mail server once; return (how many were offered, whether it answers).

    The bytes are kept before the first try, and every try sends the same ones under the same Message-ID. Each fate
    is settled before the next mail goes out, so a crash can repeat one mail at most.
    """
    owed = desk.store.outbox.claim(desk.clock.now(), LEASE, limit)
    if not owed:
        return 0, True
    mails = _rendered(owed, desk)
    for done, (item, mail) in enumerate(zip(owed, mails, strict=True)):
        fate = _offered(item, mail, postman, desk)
        if fate.connection_lost:
            log.warning("smtp.unreachable", text=fate.text)
            if fate.refused_us:
                raise_alarm(desk, "smtp", "The mail server refuses us", [fate.text, "Mails wait until it is mended."])
            _put_back(owed[done:], fate, desk)
            return done, False
        settle(item, fate, desk)
    return len(owed), True


def _offered(item: OwedNotice, mail: OutgoingMail, postman: Postman, desk: Desk) -> Fate:
    """Offer a mail to the server, unless it may have arrived as often as any mail may."""
    if item.handed >= _MOST_COPIES:
        return Fate(outcome="uncertain", text=f"handed over {item.handed} times, and ticketd died before the answer")
    return postman.send(mail, partial(desk.store.outbox.handing_over, item))


def _instead(rendered: Rendered) -> str:
    return "in a plain form" if rendered.plain else "by the usual template"


def _rendered(owed: list[OwedNotice], desk: Desk) -> list[OutgoingMail]:
    fresh: list[tuple[int, OutgoingMail]] = []
    mails: list[OutgoingMail] = []
    for item in owed:
        if item.mail is None:
            rendered = desk.renderer.render(item.notice, item.id, item.created_at, _enclosed(item.notice, desk))
            if rendered.problem:
                log.error("template.failed", template=item.notice.template, problem=str(rendered.problem))
                raise_alarm(desk, f"template:{item.notice.template}", "A mail template does not work",
                            [str(rendered.problem), f"The mail went out {_instead(rendered)} instead."])  # fmt: skip
            if rendered.remark:
                log.warning("mail.goes_without", notice=item.id, template=item.notice.template, what=rendered.remark)
            fresh.append((item.id, rendered))
        mails.append(item.mail or rendered)
    desk.store.outbox.keep_words(fresh)
    return mails


def _enclosed(notice: Notice, desk: Desk) -> bytes | None:
    """Return the bytes of the mail that a notice passes on, if it does."""
    number = notice.facts.get("passed_on")
    mail = desk.store.ledger.get(number) if isinstance(number, int) else None
    if mail is None or mail.content is not None:
        return mail.content if mail else None
    try:
        return Path(mail.path).read_bytes()
    except OSError as e:
        _tell_of_lost(
            notice.to, f"the stored mail {number} cannot be read ({e.strerror}): only its words went out", desk
        )
        return None


def settle(item: OwedNotice, fate: Fate, desk: Desk) -> None:
    """Write down what became of one mail after one try."""
    now, reply = desk.clock.now(), f"{fate.code} {fate.text}".strip()
    if fate.outcome == "sent":
        desk.store.outbox.sent(item.id, reply, now)
    elif fate.outcome == "permanent" or now - item.created_at > GIVE_UP:
        _give_up(item, reply, desk, now)
    elif fate.outcome == "uncertain" and item.handed + 1 >= _MOST_COPIES:
        # No answer to the final dot, twice: the mail has very likely arrived; a third copy helps nobody.
        desk.store.outbox.sent(item.id, f"uncertain: {reply}", now)
    else:
        again = _RETRY[min(item.attempts, len(_RETRY) - 1)] if fate.outcome == "temporary" else timedelta(minutes=30)
        copies = item.handed + 1 if fate.outcome == "uncertain" else 0
        desk.store.outbox.retry(item.id, reply, now + again, copies)
        log.info(
            "notice.later",
            notice=item.id,
            ticket=item.ticket,
            reply=reply,
            again_at=(now + again).isoformat(),
        )


def _give_up(item: OwedNotice, reply: str, desk: Desk, now: datetime) -> None:
    """Settle a mail as dead and say so on its ticket, to the people who work on it."""
    log.warning("notice.dead", notice=item.id, ticket=item.ticket, reply=reply)
    with desk.store.transaction():
        desk.store.outbox.dead(item.id, reply)
        ticket = desk.store.register.ticket(item.ticket)
        if item.notice.template == FORWARDED:
            _tell_of_lost(item.notice.to, reply, desk)
        if ticket is None:
            return
        failed = FailedNotice(notice=item.id, ticket=ticket, address=item.notice.to, template=item.notice.template,
                              reason=reply, permanent=True, facts=item.notice.facts)  # fmt: skip
        scene = Scene(rulebook=desk.rulebook, service=desk.service)
        _record(undelivered(ticket, [failed], now), scene, f"notice:{item.id}", desk, now)


def _put_back(owed: list[OwedNotice], fate: Fate, desk: Desk) -> None:
    now = desk.clock.now()
    stale = [item for item in owed if now - item.created_at > GIVE_UP]
    for item in stale:
        _give_up(item, f"no mail server for five days: {fate.text}", desk, now)
    desk.store.outbox.give_back([item.id for item in owed if item not in stale])


# --- FILE: only now may the server move anything ---


def file_away(link: Mailbox, name: str, desk: Desk) -> int:
    """Let the server move the mails whose fate is decided; return how many it has moved. Repeating it is harmless."""
    moved = 0
    for status, uids in desk.store.ledger.to_file(name, link.uidvalidity).items():
        done = link.file(uids, _FOLDER[status], uidvalidity=link.uidvalidity)
        desk.store.ledger.filed(name, link.uidvalidity, done)
        moved += len(done)
    _tell_of_folders(link, name, desk)
    return moved


def _tell_of_folders(link: Mailbox, name: str, desk: Desk) -> None:
    """Say once a day which folders the server refuses us: intake goes on, but mails stay where they are."""
    now = desk.clock.now()
    for folder, problem in link.problems.items():
        key = f"folder:{name}:{folder}"
        if _told_lately(key, desk, now):
            continue
        log.warning("mailbox.folder_refused", mailbox=name, folder=folder, problem=problem)
        raise_alarm(
            desk, key, f"The mailbox {name} refuses the folder {folder}", [problem, "Mails are not filed there."]
        )
        with desk.store.transaction():
            desk.store.write_note(key, now.isoformat(), now)


# --- the operator's mail ---


def raise_alarm(desk: Desk, key: str, title: str, lines: Iterable[str]) -> None:
    """Tell the operator by mail, or the service desk where none is named, once a day for each trouble.

    The log has it in any case.
    """
    now, to = desk.clock.now(), _operators(desk)
    with desk.store.transaction():
        if not to or _told_lately(f"alarm:{key}", desk, now):
            return
        said = list(lines)
        notices: list[Notice] = [alarm_notice(title, said, address, desk.service) for address in to]
        desk.store.outbox.owe(notices, 0, f"alarm:{key}", "", now)
        desk.store.write_note(f"alarm:{key}", now.isoformat(), now)


def _told_lately(key: str, desk: Desk, now: datetime) -> bool:
    """Whether the note of this key, which holds when somebody was told, is less than a day old."""
    note = desk.store.note(key)
    return note is not None and note[0] > (now - _ALARM_AGAIN).isoformat()


def _operators(desk: Desk) -> list[str]:
    if desk.operator:
        return [desk.operator]
    people = desk.rulebook.people_with(Role.DESK)
    return [p.address for p in people if not desk.service.owns(p.address)]
