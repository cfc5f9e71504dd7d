"""Plays a month: people write, a real Dovecot keeps, ticketd does its rounds, a real SMTP server takes what leaves.

What comes in: a seed, how many incidents, and from when to when. What goes out: the evidence for the judge. The clock is
turned from one moment at which something happens to the next; a round costs a real process that starts and ends.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from daemon.config import shipped
from daemon.notify.postman import Fate
from daemon.views import ticket_whole
from tests.desk import TestDesk, prepare
from tests.month.actors import Actors, received
from tests.month.books import RULES, SERVICE_ZONE
from tests.month.checker import Evidence, Mail
from tests.month.engine import Engine
from tests.month.hours import DAY, duration
from tests.servers.dovecot import PASSWORD, Dovecot, running_dovecot
from tests.servers.smtp_sink import SmtpSink

USER = "support"
_NOBODY = "5.1.1 no such mailbox"
_NOT_PLAYED = ("major.yaml",)
_LIMITS = """
[limits]
answers_per_address_per_hour = 1000
answers_per_subject_per_day = 1000
answers_per_domain_per_hour = 10000
answers_per_ticket_per_hour = 1000
answers_per_hour = 10000
max_ticket_opens_per_address_per_hour = 1000
"""


@dataclass(frozen=True)
class Season:
    """What is played: the time, when the daemon is down, and whose mail server takes nothing for a while."""

    since: datetime
    until: datetime
    outages: tuple[tuple[datetime, datetime], ...]
    refused: tuple[tuple[str, datetime, datetime], ...] = ()


def _at(words: str) -> datetime:
    return datetime.fromisoformat(words).astimezone(UTC)


# A week in which clocks change in Berlin (Sunday the 29th), and in both countries a holiday is at its end.
WEEK = Season(
    since=_at("2026-03-27T12:00+08:00"),
    until=_at("2026-04-03T20:00+08:00"),
    outages=((_at("2026-03-29T02:10+08:00"), _at("2026-03-30T10:40+08:00")),),
)
# National Day, its make-up Saturday, people away, two nights and a weekend down, and the end of summer time.
WEEKS = Season(
    since=_at("2026-10-08T07:00+08:00"),
    until=_at("2026-10-27T20:00+08:00"),
    outages=(
        (_at("2026-10-09T15:10+08:00"), _at("2026-10-09T17:20+08:00")),
        (_at("2026-10-14T22:00+08:00"), _at("2026-10-15T10:15+08:00")),
        (_at("2026-10-23T17:45+08:00"), _at("2026-10-26T08:30+08:00")),
    ),
    refused=(("zhou.qiang@example.com", _at("2026-10-16T08:00+08:00"), _at("2026-10-18T08:00+08:00")),),
)
# The National Day week with its make-up Saturday, and the end of summer time in Berlin on 25 October.
AUTUMN = Season(
    since=_at("2026-09-28T07:00+08:00"),
    until=_at("2026-10-31T20:00+08:00"),
    outages=(
        (_at("2026-09-30T14:20+08:00"), _at("2026-09-30T17:50+08:00")),
        (_at("2026-10-08T19:30+08:00"), _at("2026-10-09T10:15+08:00")),
        (_at("2026-10-14T09:40+08:00"), _at("2026-10-14T09:55+08:00")),
        (_at("2026-10-23T17:45+08:00"), _at("2026-10-26T08:30+08:00")),
        (_at("2026-10-28T16:30+08:00"), _at("2026-10-29T14:00+08:00")),
    ),
    refused=(
        ("zhou.qiang@example.com", _at("2026-10-21T00:00+08:00"), _at("2026-10-23T12:00+08:00")),
        ("zhao.min@example.com", _at("2026-10-09T12:00+08:00"), _at("2026-10-10T12:00+08:00")),
    ),
)


class Place(Protocol):
    """Where it is played: mails go in, rounds are done, mails come out."""

    def arrives(self, mails: list[tuple[datetime, bytes]]) -> None:
        """Let mails arrive, each as of its moment."""

    def round(self, now: datetime, refused: Collection[str] = ()) -> list[tuple[str, bytes]]:
        """Do one round as of then; return what left: to whom, and the bytes. Mail to `refused` is not taken."""

    def next_due(self) -> datetime | None:
        """Return when a running daemon would look at a ticket next."""

    def numbers(self) -> list[int]:
        """Return the numbers of all tickets."""

    def show(self, number: int) -> dict[str, Any]:
        """Return what `ticket show --json` says."""


@dataclass
class Campaign:
    """One month being played."""

    season: Season
    place: Place
    actors: Actors
    mails: list[Mail] = field(default_factory=list)
    written: int = 0
    rounds: int = 0
    evidence: Evidence = field(init=False)

    def play(self) -> Evidence:
        """Play it to its end, and return what the judge may look at."""
        season, now = self.season, self.season.since
        self._round(now)
        while (following := self._next(now)) <= season.until:
            now = following
            self._deliver(now)
            self._round(now)
        tickets = {n: self.place.show(n) for n in self.place.numbers()}
        outages, refused = list(season.outages), list(season.refused)
        self.evidence = Evidence(self.mails, tickets, outages, season.since, now, refused, self.actors.alarms)
        return self.evidence

    def _next(self, now: datetime) -> datetime:
        """Return when something happens next: somebody writes, a ticket or a duty falls due, or the daemon is back."""
        due = self.place.next_due()
        if due is not None and due <= now:
            raise AssertionError(f"a round at {now} left undone what was due at {due}")
        known = [self.actors.next(), due, self._next_of_the_day(now)]
        moment = max(min(m for m in known if m), now + timedelta(seconds=1))
        return next((end for begin, end in self.season.outages if begin < moment < end), moment)

    def _next_of_the_day(self, now: datetime) -> datetime:
        """Return the next moment at which a list may be due or work begins, by the judge's own reckoning; or in six hours."""
        moments = [now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=6)]
        books = self.actors.books
        for place in books.places():
            hours = books.hours(*place)
            for day in (hours.today(now), hours.today(now) + DAY):
                if bounds := hours.bounds(day):
                    rules = [r for r in books.duties.values() if isinstance(r, dict)]
                    moments += [bounds[1] - duration(r["before_end"]) for r in rules if "before_end" in r]
                    moments += [bounds[0] + duration(r["after_start"]) for r in rules if "after_start" in r]
                    moments += [*bounds, *(begin for begin, _ in hours.days[day])]
        return min(m for m in moments if m > now)

    def _deliver(self, until: datetime) -> None:
        """Let what was written arrive, as of the moment at which it was."""
        written = self.actors.write(until)
        if written:
            self.place.arrives([(when, mail.as_bytes()) for when, mail in written])
        self.written += len(written)

    def _round(self, now: datetime) -> None:
        self.rounds += 1
        refused = [address for address, begin, end in self.season.refused if begin <= now < end]
        for to, content in self.place.round(now, refused):
            mail = received(content, to)
            self.mails.append(Mail(now, to, mail.subject, mail.message_id, mail.text))
            self.actors.read(mail, now)


def campaign(place: Place, season: Season, *, seed: int, incidents: int) -> Campaign:
    """Return a campaign, ready to be played."""
    actors = Actors(seed)
    actors.reports(incidents, season.since, season.since + 0.75 * (season.until - season.since))
    return Campaign(season, place, actors)


# --- with servers ---


@dataclass
class Servers:
    """A real Dovecot, a real SMTP server, and ticketd as a process for each round."""

    engine: Engine
    dovecot: Dovecot
    sink: SmtpSink

    def arrives(self, mails: list[tuple[datetime, bytes]]) -> None:
        with self.dovecot.login(USER) as imap:
            for when, content in mails:
                imap.append("INBOX", "", f'"{when:%d-%b-%Y %H:%M:%S} +0000"', content)

    def round(self, now: datetime, refused: Collection[str] = ()) -> list[tuple[str, bytes]]:
        before = len(self.sink.mails)
        self.sink.refuse = dict.fromkeys(refused, f"550 {_NOBODY}")
        self.engine.round(now)
        return [(taken.rcpt_tos[0], taken.content) for taken in self.sink.mails[before:]]

    def next_due(self) -> datetime | None:
        return self.engine.next_due()

    def numbers(self) -> list[int]:
        return self.engine.numbers()

    def show(self, number: int) -> dict[str, Any]:
        return self.engine.show(number)


@contextlib.contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Yield servers of its own, with the rules of the month."""
    with running_dovecot() as dovecot, SmtpSink() as sink:
        imap, smtp = (dovecot.host, dovecot.port, "none"), ("127.0.0.1", sink.port, "none")
        engine = Engine(prepare_folder(folder, imap=imap, smtp=smtp))
        try:
            yield Servers(engine, dovecot, sink)
        finally:
            engine.close()


# --- without ---


@dataclass
class InOneProcess:
    """No servers: mails are handed over in this very process. For many months in a short time."""

    desk: TestDesk

    def arrives(self, mails: list[tuple[datetime, bytes]]) -> None:
        now = self.desk.clock.at
        for when, content in mails:
            self.desk.clock.at = when
            self.desk.arrives(content)
        self.desk.clock.at = now

    def round(self, now: datetime, refused: Collection[str] = ()) -> list[tuple[str, bytes]]:
        self.desk.clock.at = now
        self.desk.sink.fates = dict.fromkeys(refused, Fate(outcome="permanent", code=550, text=_NOBODY))
        return [(sent.to, sent.raw) for sent in self.desk.works()]

    def next_due(self) -> datetime | None:
        return self.desk.desk.store.register.next_due()

    def numbers(self) -> list[int]:
        return [t.number for t in self.desk.desk.store.register.tickets()]

    def show(self, number: int) -> dict[str, Any]:
        ticket = self.desk.ticket(number)
        return json.loads(json.dumps(ticket_whole(ticket, self.desk.desk.store, ZoneInfo(SERVICE_ZONE))))


def in_one_process(folder: Path, season: Season) -> InOneProcess:
    """Return a place without servers, with the rules of the month."""
    toml = prepare_folder(folder).read_text("utf-8")
    return InOneProcess(TestDesk(folder, now=season.since, toml=toml))


def prepare_folder(folder: Path, **addresses: object) -> Path:
    """Write the configuration: the words and phrases that ship, and over them the rule files of the month."""
    (folder / "rules").mkdir(parents=True)
    for path in (*shipped("rules").glob("*.yaml"), *RULES.glob("*.yaml")):
        if path.name not in _NOT_PLAYED:
            shutil.copy(path, folder / "rules" / path.name)
    prepare(folder, username=USER, **addresses)
    (folder / "imap.password").write_text(PASSWORD + "\n", "utf-8")
    toml = folder / "ticketd.toml"
    text = toml.read_text("utf-8").replace("authserv_ids = []", 'authserv_ids = ["mx.example.com"]')
    assert "[limits]" not in text and "mx.example.com" in text
    toml.write_text(text + _LIMITS, "utf-8")
    return toml
