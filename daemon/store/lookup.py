"""What the database knows about a letter before anything is decided: LOOK UP.

What comes in: a Letter, the kept mail, the books and keys. What goes out: Known. Evidence for a ticket is ranked: reply
token in an address, token in In-Reply-To, token in References, a reference to a mail that we have, the subject tag.
Only a token that we issued proves anything; the others merely tell where a participant's words belong.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from daemon.decide import alert_in, facts_for_rules
from daemon.events import Told
from daemon.intake.arguments import leading_numbers, numbers_in
from daemon.intake.identity import flaw_in, prove
from daemon.intake.keywords import Command, find_commands, spoken
from daemon.intake.letter import FailedRecipient, Letter
from daemon.intake.understand import (
    Answered,
    FailedNotice,
    Happened,
    Known,
    PassedOn,
    Past,
    Sender,
    looks_of,
    sender_of,
)
from daemon.linking import follow
from daemon.notify.envelope import (
    Keys,
    bounced_notice,
    check_token,
    find_tag,
    find_tokens,
    is_echo,
    token_ticket,
)
from daemon.notify.notice import FORWARDED, PASSED_ON
from daemon.routing.actions import AddToParent, ForwardTo
from daemon.routing.alerts import Sighting
from daemon.rulebook import Rulebook
from daemon.service import LATE, Service
from daemon.store.base import Database, marks
from daemon.store.ledger import KeptMail
from daemon.store.outbox import Outbox, OwedNotice, stem
from daemon.store.register import Register
from daemon.store.tables import stamp
from daemon.ticket import Ticket
from daemon.words import (
    JOINED,
    LINKS,
    REVIEWS,
    STAFF_ROLES,
    LinkKind,
    MailStatus,
    Matched,
    Nature,
    NoticeState,
    State,
    TokenSeen,
    Verb,
    domain_of,
)

_MOST_REFERENCES = 40
_MOST_ANSWERED = 5
_MOST_NAMED = 100
_MOST_LINKED = 50
_SHORTEST_STEM = 4
"""A subject shorter than this says too little to be found at the end of another one."""
_ASKS = frozenset({Verb.STATUS, Verb.LIST})
_REACHES = frozenset(
    {
        Verb.PROGRESS, Verb.UPDATE, Verb.RESOLVE, Verb.CONFIRM, Verb.REOPEN, Verb.REJECT, Verb.CANCEL,
        Verb.OUT_OF_SCOPE, Verb.IN_SCOPE, Verb.UNDO, *LINKS,
    }
)  # fmt: skip
"""The verbs that may mean something for the records linked to a ticket."""
_SOLVED = (State.RESOLVED, State.PENDING_REVIEW)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    """The ticket that the evidence points to; `issued_to` is set where a genuine token was found."""

    ticket: Ticket | None = None
    matched: Matched = Matched.NOTHING
    issued_to: str | None = None
    conflict: bool = False
    claimed: int = 0
    moved_from: int = 0


class Lookup:
    """Answers LOOK UP from the tables."""

    def __init__(self, base: Database, register: Register, outbox: Outbox) -> None:
        self._base, self._register, self._outbox = base, register, outbox

    def what_we_know(
        self, letter: Letter, mail: KeptMail, rulebook: Rulebook, service: Service, keys: Keys, now: datetime
    ) -> Known:
        """Return everything that deciding on this letter needs to know."""
        sender = sender_of(letter, rulebook)
        match = self._match(letter, sender, rulebook, service, keys)
        looks = looks_of(letter, sender, rulebook, service)
        proof, why = prove(letter, match.issued_to, _addresses_of(sender, rulebook), service.trust, mail.signed, looks)
        asking = Known(sender=sender, mailbox=mail.mailbox, received_at=mail.received_at, proof=proof)
        answer = match.matched is Matched.TOKEN  # who answers a mail of ours sounds no alert
        alert = None if answer else alert_in(letter, asking, rulebook, service, now)
        match = self._of_alert(alert, match) if alert else match
        duplicate, repeated = self._seen_before(letter, mail)
        commands = find_commands(spoken(letter), rulebook.keywords)[0] if letter.nature is Nature.HUMAN else ()
        verbs = {c.verb for c in commands}
        match = match if Verb.UNDO in verbs else self._moved(match)
        asked = [c for c in commands if c.verb in _ASKS]
        numbers = {n for c in asked for n in numbers_in(c.argument, service.subject_tag)}
        named = {n for c in commands if c.verb in REVIEWS for n in leading_numbers(c.argument, service.subject_tag)[0]}
        named |= set(match.ticket.asked_with) if match.ticket else set()
        wanted = (*sorted(numbers)[:20], *sorted(named)[:_MOST_NAMED])
        ticket = match.ticket
        named_ones = self._register.tickets_of(wanted)
        related = self._linked(commands, ticket, named_ones, service.subject_tag, by_tool=alert is not None)
        assignee = sender.person.key if sender.person else ""
        return Known(
            sender=sender,
            proof=proof,
            proof_why=why,
            token=TokenSeen.NONE if flaw_in(letter, looks) else _token_seen(match.issued_to, sender, rulebook),
            looks_like=looks,
            ticket=match.ticket,
            matched=match.matched,
            conflict=match.conflict,
            claimed=match.claimed,
            repeated_id=repeated,
            own_echo=is_echo(letter.header("X-Ticketd-Id"), f"<{letter.message_id}>", keys),
            duplicate_of=duplicate,
            failed=self._failed(letter, service, keys),
            related=related,
            report=self._register.report(ticket.number) if ticket and Verb.MERGE in verbs else "",
            last_words=self._register.last_words(ticket.number, ticket.requester)
            if ticket and Verb.SPLIT in verbs
            else "",
            moved_from=match.moved_from,
            told_moved=match.moved_from > 0 and self._noted(moved_key(match.moved_from, sender.address)),
            pasts=self._pasts(commands, ticket, named),
            steps_told=self._steps_told(commands, match.ticket, sender, rulebook),
            complaints=self._complaints(commands, rulebook, service, now),
            mine=self._register.mine(sender.address, assignee) if asked else (),
            answered_lately=self._answered_lately(letter, sender, match.ticket, service, now),
            opens_by_address=self._opens_lately(letter, sender, rulebook, now),
            replies_told=self._replies_told(match.ticket, now),
            reopened_lately=match.ticket is not None and self._reopened_lately(match.ticket, now),
            hinted=match.ticket is not None and self._noted(hint_key(match.ticket.number, sender.address)),
            quiet=mail.quiet,
            late=now - mail.received_at > LATE,
            mailbox=mail.mailbox,
            alert=alert,
            parents=self._parents(rulebook),
            passed_on=self._passed_on(letter, sender, rulebook, service, now),
            answers_passed_on=self._answers_passed_on(letter),
            lost=self._lost(letter, service, keys),
            answered=self._answered(letter, sender, rulebook),
            received_at=mail.received_at,
            similar=self._similar(letter, ticket, rulebook, service, now) if rulebook.asks_similar else (),
        )

    def _similar(
        self, letter: Letter, ticket: Ticket | None, rulebook: Rulebook, service: Service, now: datetime
    ) -> tuple[int, ...]:
        """Return the open incidents that are like this mail; only rules that ask for them need it."""
        facts = facts_for_rules(letter, Known(sender=sender_of(letter, rulebook)), rulebook, service, now)
        items = {item for item in facts.captured("ci") if item}
        return self._register.alike(f"{letter.subject} {letter.words}", items, ticket.number if ticket else 0)

    def _moved(self, match: _Match) -> _Match:
        """Return the match with the ticket under which the case is handled since its own was merged into that."""
        ticket = match.ticket
        if ticket is None or not ticket.moved_to:
            return match
        return replace(match, ticket=follow(ticket, self._register.ticket), moved_from=ticket.number)

    def _linked(
        self, commands: tuple[Command, ...], ticket: Ticket | None, named: dict[int, Ticket], tag: str, *, by_tool: bool
    ) -> dict[int, Ticket]:
        """Return the tickets that are named, those that link commands name, and those that the news would reach.

        What is solved may go on again by mere words, and a monitoring tool commands nothing at all.
        """
        verbs = {c.verb for c in commands}
        reaches = verbs & _REACHES or by_tool or (ticket is not None and ticket.state in _SOLVED)
        numbers = {n for c in commands if c.verb in LINKS for n in leading_numbers(c.argument, tag)[0][:_MOST_LINKED]}
        found = named | self._register.tickets_of(numbers - named.keys())
        reach = [*found.values(), *([ticket] if ticket else [])] if reaches else []
        while reach:
            further = {x.ticket for t in reach for x in t.links} - found.keys() - {ticket.number if ticket else 0}
            reached = self._register.tickets_of(further)
            found |= reached
            reach = [t for t in reached.values() if t.linked(*JOINED, LinkKind.CHILD) or t.moved_to]
        return found

    def _parents(self, rulebook: Rulebook) -> tuple[Ticket, ...]:
        """Return the tickets that rules name as parents, and the major incidents if some rule asks for these."""
        wanted = {a.number for rule in rulebook.rules for a in rule.then if isinstance(a, AddToParent)}
        named = self._register.tickets_of(wanted - {0}).values() if wanted else ()
        return (*named, *(self._register.in_alarm() if 0 in wanted else ()))

    def _pasts(self, commands: tuple[Command, ...], ticket: Ticket | None, named: Iterable[int]) -> dict[int, Past]:
        """Return the histories that taking back needs: of the ticket and of those named, and who was told what."""
        if all(c.verb is not Verb.UNDO for c in commands):
            return {}
        return {n: self._past(n) for n in sorted({*named, *([ticket.number] if ticket else [])})[:_MOST_NAMED]}

    def _past(self, number: int) -> Past:
        events = tuple(Happened(event=e, at=at, cause=cause) for _, e, at, cause in self._register.events(number))
        told: dict[str, tuple[Told, ...]] = {}
        sql = "SELECT cause, recipient, template FROM notice WHERE ticket = ? AND state <> ? ORDER BY id"
        for cause, address, template in self._base.rows(sql, (number, str(NoticeState.DEAD))):
            told[cause] = (*told.get(cause, ()), Told(address=address, template=template))
        return Past(events=events, told=told)

    def _steps_told(
        self, commands: tuple[Command, ...], ticket: Ticket | None, sender: Sender, rulebook: Rulebook
    ) -> tuple[str, ...]:
        """Return the steps of the timetable that this sender had a mail about, oldest first; #ack asks for them."""
        if ticket is None or all(c.verb is not Verb.ACK for c in commands):
            return ()
        addresses = _addresses_of(sender, rulebook)
        sql = f"""SELECT facts FROM notice WHERE ticket = ? AND template = 'escalation'
         AND recipient IN ({marks(addresses)}) ORDER BY id"""
        facts = (json.loads(row[0]) for row in self._base.rows(sql, (ticket.number, *addresses)))
        return tuple(str((f.get("step") or {}).get("name", "")) for f in facts)

    def _complaints(
        self, commands: tuple[Command, ...], rulebook: Rulebook, service: Service, now: datetime
    ) -> tuple[int, int]:
        """Return how many complaints came today, and how many of them were escalated; #major asks for them."""
        categories = rulebook.major.complaints
        if not categories or all(c.verb is not Verb.MAJOR for c in commands):
            return 0, 0
        midnight = datetime.combine(now.astimezone(ZoneInfo(service.timezone)), time(), ZoneInfo(service.timezone))
        asked = "EXISTS (SELECT 1 FROM event WHERE event.ticket = ticket.number AND event.kind = 'EscalationAsked')"
        which = " OR ".join(["category = ? OR category LIKE ?"] * len(categories))
        sql = f"""SELECT COUNT(*), SUM(CASE WHEN {asked} THEN 1 ELSE 0 END) FROM ticket
         WHERE opened_at >= ? AND ({which})"""
        row = self._base.one(sql, (stamp(midnight), *(v for c in categories for v in (c, f"{c}/%"))))
        return int(row[0] or 0), int(row[1] or 0)

    # --- which ticket ---

    def _match(self, letter: Letter, sender: Sender, rulebook: Rulebook, service: Service, keys: Keys) -> _Match:
        ranked = list(self._by_token(letter, sender, rulebook, service, keys))
        claimed = find_tag(letter.subject, service.subject_tag) or 0
        if not ranked and not claimed and (reader := self._answers_no_ticket(letter, sender, rulebook, service, keys)):
            return _Match(issued_to=reader)
        if ranked:
            ticket, issued_to = ranked[0]
            tagged = self._register.ticket(claimed) if claimed else None
            others = {self._end(t) for t, _ in ranked} | ({self._end(tagged) if tagged else claimed} - {0})
            return _Match(ticket=ticket, matched=Matched.TOKEN, issued_to=issued_to,
                          conflict=bool(others - {self._end(ticket)}))  # fmt: skip
        tagged = self._register.ticket(claimed) if claimed else None
        if referred := self._by_reference(letter, sender):
            named = self._end(tagged) if tagged else claimed
            return _Match(ticket=referred, matched=Matched.REFERENCE, conflict=named not in (0, self._end(referred)))
        if tagged and _on_record(tagged, sender):
            return _Match(ticket=tagged, matched=Matched.TAG)
        return _Match(claimed=claimed if tagged else 0)

    def _end(self, ticket: Ticket) -> int:
        """Return the number under which this ticket's case is handled."""
        return follow(ticket, self._register.ticket).number

    def _of_alert(self, alert: Sighting, match: _Match) -> _Match:
        """Return the last ticket of the same alert: what it refers to does not count, its key does."""
        found = self._register.alerted(alert.key) if alert.key else None
        return _Match(ticket=found, matched=Matched.ALERT if found else Matched.NOTHING, claimed=match.claimed)

    def _by_token(
        self, letter: Letter, sender: Sender, rulebook: Rulebook, service: Service, keys: Keys
    ) -> Iterable[tuple[Ticket, str]]:
        """Yield (ticket, whom the token was issued to) for the genuine tokens that count, strongest first.

        Old References name every ticket that a long thread ever touched, so they count only where nothing newer does.
        """
        addresses = [a.address for a in (*letter.to, *letter.cc)] + list(letter.delivered_to)
        recent = list(
            self._genuine(find_tokens(addresses, letter.in_reply_to, service.address), sender, rulebook, keys)
        )
        if recent:
            yield from recent
            return
        older = letter.references[::-1][:_MOST_REFERENCES]
        yield from list(self._genuine(find_tokens((), older, service.address), sender, rulebook, keys))[:1]

    def _genuine(
        self, tokens: Iterable[tuple[str, str]], sender: Sender, rulebook: Rulebook, keys: Keys
    ) -> Iterable[tuple[Ticket, str]]:
        for _, token in tokens:
            ticket = self._register.ticket(token_ticket(token) or 0)
            if ticket is None:
                continue
            ours = (a for p in rulebook.people.values() for a in p.addresses)
            teams = (t.address for t in rulebook.teams.values() if t.address)
            on_record = (ticket.requester, *ticket.participants, *ticket.watchers)
            candidates = dict.fromkeys((*_addresses_of(sender, rulebook), *on_record, *ours, *teams))
            issued_to = check_token(token, candidates, keys)
            if issued_to is not None:
                yield ticket, issued_to

    def _answers_no_ticket(
        self, letter: Letter, sender: Sender, rulebook: Rulebook, service: Service, keys: Keys
    ) -> str | None:
        """Return to whom the mail of ours went that this one answers, if it was about no ticket: a list, an answer."""
        addresses = [a.address for a in (*letter.to, *letter.cc)] + list(letter.delivered_to)
        tokens = [t for _, t in find_tokens(addresses, letter.in_reply_to, service.address) if token_ticket(t) == 0]
        return next((a for t in tokens if (a := check_token(t, _addresses_of(sender, rulebook), keys))), None)

    def _answered(self, letter: Letter, sender: Sender, rulebook: Rulebook) -> str:
        """Return the template of the mail of ours, written to this very sender, that the letter replies to, or ""."""
        ids, theirs = letter.in_reply_to[:_MOST_ANSWERED], _addresses_of(sender, rulebook)
        if not ids:
            return ""
        sql = f"""SELECT template FROM notice
         WHERE message_id IN ({marks(ids)}) AND recipient IN ({marks(theirs)}) LIMIT 1"""
        row = self._base.one(sql, (*ids, *theirs))
        return str(row[0]) if row else ""

    def _by_reference(self, letter: Letter, sender: Sender) -> Ticket | None:
        """Return the ticket of a mail that this one answers, if its sender is on that record."""
        ids = list(dict.fromkeys((*letter.in_reply_to, *letter.references[::-1][:_MOST_REFERENCES])))
        if not ids:
            return None
        sql = f"SELECT message_id, ticket FROM message WHERE message_id IN ({marks(ids)})"
        found = sorted(self._base.rows(sql, ids), key=lambda row: ids.index(row[0]))
        referred = (self._register.ticket(number) for _, number in found)
        return next((t for t in referred if t and _on_record(t, sender)), None)

    # --- seen before ---

    def _seen_before(self, letter: Letter, mail: KeptMail) -> tuple[int, bool]:
        """Return (the mail that this is a copy of, or 0; whether its Message-ID came before with other words).

        Without a Message-ID only the same bytes under another generation of UIDs are a copy: two mails that merely
        look alike are two mails.
        """
        over = (str(MailStatus.RECEIVED), str(MailStatus.QUARANTINED), str(MailStatus.VANISHED))
        if not letter.message_id:
            sql = """SELECT id FROM mail WHERE sha256 = ? AND id <> ? AND mailbox = ? AND uidvalidity <> ?
             AND status NOT IN (?,?,?) LIMIT 1"""
            row = self._base.one(sql, (mail.sha256, mail.id, mail.mailbox, mail.uidvalidity, *over))
            return (int(row[0]) if row else 0), False
        sql = "SELECT id, core FROM mail WHERE message_id = ? AND id <> ? AND status NOT IN (?,?,?) ORDER BY id"
        rows = self._base.rows(sql, (letter.message_id, mail.id, *over))
        copies = [int(r[0]) for r in rows if r[1] == core_of(letter)]
        return (copies[0] if copies else 0), bool(rows) and not copies

    def _answered_lately(
        self, letter: Letter, sender: Sender, ticket: Ticket | None, service: Service, now: datetime
    ) -> Answered:
        """Return how many automatic answers went out lately that this one would be added to."""
        hour, day = stamp(now - timedelta(hours=1)), stamp(now - timedelta(days=1))
        sql = """SELECT COUNT(*), SUM(CASE WHEN ticket = ? THEN 1 ELSE 0 END) FROM notice
         WHERE automatic AND created_at > ?"""
        altogether, about = self._base.one(sql, (ticket.number if ticket else -1, hour))
        sql = """SELECT recipient, stem, created_at > ? FROM notice WHERE automatic AND created_at > ?
         AND recipient LIKE ?"""
        domain = self._base.rows(sql, (hour, day, f"%@{domain_of(sender.address)}"))
        own = [row for row in domain if row[0] == sender.address]
        subject = stem(letter.subject, service.subject_tag)
        return Answered(
            address=sum(bool(lately) for _, _, lately in own), domain=sum(bool(lately) for _, _, lately in domain),
            ticket=about or 0, altogether=altogether,
            subject=sum(_one_subject(subject, s) for _, s, _ in own),
            subject_in_domain=sum(_one_subject(subject, s) for _, s, _ in domain),
        )  # fmt: skip

    def _opens_lately(self, letter: Letter, sender: Sender, rulebook: Rulebook, now: datetime) -> int:
        """Return how many tickets this address opened within an hour, for itself or by passing a mail on; its mails
        that rules passed on elsewhere count too."""
        since = stamp(now - timedelta(hours=1))
        sql = "SELECT COUNT(*) FROM ticket WHERE requester = ? AND opened_at > ?"
        own = int(self._base.one(sql, (sender.address, since))[0]) + self._passed_on_lately(sender, rulebook, since)
        if sender.person is None or letter.forwarded is None:
            return own
        sql = "SELECT COUNT(*) FROM event WHERE kind = 'Opened' AND at > ? AND data LIKE ?"
        return own + int(self._base.one(sql, (since, f'%"recorded_by": "{sender.address}"%'))[0])

    def _passed_on_lately(self, sender: Sender, rulebook: Rulebook, since: str) -> int:
        to = _targets(rulebook)
        if not to:
            return 0
        sql = f"""SELECT COUNT(*) FROM notice WHERE recipient IN ({marks(to)}) AND created_at > ?
         AND template = ? AND facts LIKE ?"""
        return int(self._base.one(sql, (*to, since, FORWARDED, f'%"reply_to": "{sender.address}"%'))[0])

    def _passed_on(
        self, letter: Letter, sender: Sender, rulebook: Rulebook, service: Service, now: datetime
    ) -> dict[str, PassedOn]:
        """Return how many mails went to each address that rules pass mails on to, within a day.

        Each turn of a loop puts words before the subject: it is the same where one ends with the other.
        """
        to = _targets(rulebook)
        if not to:
            return {}
        sql = f"""SELECT recipient, COUNT(*), SUM(CASE WHEN facts LIKE ? THEN 1 ELSE 0 END),
         SUM(CASE WHEN stem = ? OR (stem <> '' AND (? LIKE '%' || stem OR stem LIKE ?)) THEN 1 ELSE 0 END) FROM notice
         WHERE recipient IN ({marks(to)}) AND created_at > ? AND template = ? GROUP BY recipient"""
        subject, since = stem(letter.subject, service.subject_tag), stamp(now - timedelta(days=1))
        theirs = f'%"reply_to": "{sender.address}"%'
        ends = f"%{subject}" if subject else ""
        rows = self._base.rows(sql, (theirs, subject, subject, ends, *to, since, FORWARDED))
        return {a: PassedOn(total=int(n), of_sender=int(s), of_subject=int(t)) for a, n, s, t in rows}

    def _answers_passed_on(self, letter: Letter) -> bool:
        """Whether this answers a mail by which a rule passed another one on, or the word about that to its sender."""
        ids = list(dict.fromkeys((*letter.in_reply_to[:_MOST_ANSWERED], *letter.references[::-1][:_MOST_REFERENCES])))
        if not ids:
            return False
        sql = f"SELECT 1 FROM notice WHERE message_id IN ({marks(ids)}) AND template IN (?,?) LIMIT 1"
        return self._base.one(sql, (*ids, FORWARDED, PASSED_ON)) is not None

    def _reopened_lately(self, ticket: Ticket, now: datetime) -> bool:
        sql = """SELECT 1 FROM event WHERE ticket = ? AND kind = 'StateChanged' AND at > ? AND data LIKE ? LIMIT 1"""
        row = self._base.one(sql, (ticket.number, stamp(now - timedelta(days=1)), '%"verb": "reopen"%'))
        return row is not None

    def _noted(self, key: str) -> bool:
        return self._base.one("SELECT 1 FROM note WHERE key = ?", (key,)) is not None

    def _replies_told(self, ticket: Ticket | None, now: datetime) -> int:
        """Return how many mails about new words on this ticket the person who had most of them had within an hour."""
        if ticket is None:
            return 0
        sql = """SELECT COUNT(*) FROM notice WHERE ticket = ? AND template = 'new_reply' AND created_at > ?
         GROUP BY recipient ORDER BY COUNT(*) DESC LIMIT 1"""
        row = self._base.one(sql, (ticket.number, stamp(now - timedelta(hours=1))))
        return int(row[0]) if row else 0

    # --- bounces ---

    def _failed(self, letter: Letter, service: Service, keys: Keys) -> tuple[FailedNotice, ...]:
        """Return the mail of ours that a bounce names, if it was about a ticket."""
        owed = self._bounced(letter, service, keys)
        ticket = self._register.ticket(owed.ticket) if owed else None
        if letter.bounce is None or owed is None or ticket is None:
            return ()
        named = next((r for r in letter.bounce.recipients if r.address.lower() == owed.notice.to), None)
        first = named or next(iter(letter.bounce.recipients), None)
        return (
            FailedNotice(
                notice=owed.id, ticket=ticket, address=owed.notice.to, template=owed.notice.template,
                reason=_said(first) or letter.subject[:200],
                permanent=first.permanent if first else True,
                known=self._noted(failed_key(owed.id)),
                facts=owed.notice.facts,
            ),
        )  # fmt: skip

    def _bounced(self, letter: Letter, service: Service, keys: Keys) -> OwedNotice | None:
        """Return the notice of ours that a bounce names: by its signed bounce address, or by its Message-ID."""
        if letter.bounce is None:
            return None
        addresses = [a.address for a in (*letter.to, *letter.cc)] + list(letter.delivered_to)
        notice = bounced_notice(addresses, service.address, keys) or self._notice_with(
            letter.bounce.original_message_id, letter.in_reply_to
        )
        return self._outbox.get(notice) if notice else None

    def _lost(self, letter: Letter, service: Service, keys: Keys) -> tuple[str, str] | None:
        """Return to whom a mail that we passed on did not arrive, and why, where this one says so."""
        owed = self._bounced(letter, service, keys)
        if letter.bounce is None or owed is None or owed.notice.template != FORWARDED:
            return None
        return owed.notice.to, _said(next(iter(letter.bounce.recipients), None)) or letter.subject[:200]

    def _notice_with(self, original: str, answered: tuple[str, ...]) -> int:
        for message_id in (original, *answered):
            if message_id:
                row = self._base.one("SELECT id FROM notice WHERE message_id = ? LIMIT 1", (message_id,))
                if row:
                    return int(row[0])
        return 0


def _targets(rulebook: Rulebook) -> list[str]:
    """Return the addresses that rules pass mails on to."""
    return sorted({a.address for rule in rulebook.rules for a in rule.then if isinstance(a, ForwardTo)})


def failed_key(notice: int) -> str:
    """Return the key of the note that this mail of ours is known not to have arrived."""
    return f"failed:{notice}"


def hint_key(ticket: int, address: str) -> str:
    """Return the key of the note that this person was told once that words without a keyword stay among colleagues."""
    return f"hint:{ticket}:{address}"


def _one_subject(subject: str, earlier: str) -> bool:
    """Whether two subjects are one. Each turn of a loop may put words before it: one ends with the other."""
    if min(len(subject), len(earlier)) < _SHORTEST_STEM:
        return subject == earlier
    return subject.endswith(earlier) or earlier.endswith(subject)


def moved_key(ticket: int, address: str) -> str:
    """Return the key of the note that this person was told once under which number their case is handled."""
    return f"moved:{ticket}:{address}"


def _said(failed: FailedRecipient | None) -> str:
    """Return why a recipient was not reached: the server's words, which hold the code, or the code alone."""
    if failed is None:
        return ""
    return failed.diagnostic or failed.status


def core_of(letter: Letter) -> str:
    """Return a digest of what a mail says, leaving out how it travelled: copies by two ways have the same one."""
    parts = [a.address for a in letter.senders] + [str(letter.date), letter.subject, letter.text]
    parts += [a.sha256 for a in letter.attachments]
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def _addresses_of(sender: Sender, rulebook: Rulebook) -> tuple[str, ...]:
    """Return every address at which this sender may have been given a token; their own comes first."""
    person = sender.person
    if person is None:
        return (sender.address,)
    teams = [t.address for t in rulebook.teams.values() if t.address and person.key in t.members]
    return tuple(dict.fromkeys((sender.address, *person.addresses, *teams)))


def _token_seen(issued_to: str | None, sender: Sender, rulebook: Rulebook) -> TokenSeen:
    """Return whose genuine token came with a letter."""
    if issued_to is None:
        return TokenSeen.NONE
    return TokenSeen.OWN if issued_to.lower() in _addresses_of(sender, rulebook) else TokenSeen.OTHER


def _on_record(ticket: Ticket, sender: Sender) -> bool:
    ours = sender.person is not None and bool(sender.person.roles & STAFF_ROLES)
    return ours or any(map(ticket.concerns, _known_addresses(sender)))


def _known_addresses(sender: Sender) -> tuple[str, ...]:
    return (sender.address, *(sender.person.addresses if sender.person else ()))
