"""The wiring: opens everything from a configuration, runs one round or runs until told to stop.

What comes in: a Config. What goes out: an exit status. This file alone knows threads, signals, systemd's notify socket
and `schedule`, which only wakes us: what is owed is always asked of the database.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import schedule
import structlog

from daemon import flow, inforce
from daemon.access import TokenSources, bearer_of, token_sources
from daemon.backoff import Backoff
from daemon.backtest import Question, back_test, trial_data
from daemon.bearer import Bearer
from daemon.clock import Clock
from daemon.config import Config, MailboxConfig, TrustConfig, secret_file_fault, shipped
from daemon.disk import room_in
from daemon.errors import ConfigError, Problem, RulesChangedError, TicketdError, UnreachableError
from daemon.flow import Desk
from daemon.inforce import Found, InForce, Places, Wish
from daemon.intake.mailbox import Mailbox, MailboxUnreachableError
from daemon.intake.reader import ReadsHere, ReadsInChild, calm_collector
from daemon.intake.signers import Signers
from daemon.notify.envelope import Keys, parse_keys
from daemon.notify.postman import Postman
from daemon.notify.render import Renderer, ServiceFacts, check_templates, word_lists
from daemon.placing import is_locked, locked
from daemon.pulse import Pulse, Signs, loops_of, mailbox_loop, this_version, write_signs
from daemon.reports.wording import Wording
from daemon.routing.check import is_warning
from daemon.routing.loader import load_rulebook
from daemon.rulebook import Rulebook
from daemon.service import Service, Trust
from daemon.spool import Spool
from daemon.store import SPOOL, Store

log = structlog.get_logger()

_WAKE_SECONDS = 5
_ALARM_AFTER = 600.0
_STUCK_AFTER = 900.0
_TRIED_AT_RELOAD = 100
_LOCK = "lock"
UNFINISHED = "restore.unfinished"
"""A file in the state directory while a restore is at work: nobody may start from what is there."""
_ROOM = "Mail waits on the server; what is owed still goes out. Make room: it goes on by itself."
_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


class AlreadyRunningError(TicketdError):
    """Another ticketd works on this state directory."""


# --- opening ---


def service_of(config: Config) -> Service:
    """Return what the process must know about the service."""
    s, limits = config.service, config.limits
    return Service(
        name=s.name,
        address=s.address.lower(),
        language=s.language,
        timezone=s.timezone,
        subject_tag=s.subject_tag,
        own_addresses=config.own_addresses,
        trust=trust_of(config.trust),
        plus_addresses=s.reply_addresses == "plus",
        answers_per_address_per_hour=limits.answers_per_address_per_hour,
        answers_per_subject_per_day=limits.answers_per_subject_per_day,
        answers_per_domain_per_hour=limits.answers_per_domain_per_hour,
        answers_per_ticket_per_hour=limits.answers_per_ticket_per_hour,
        answers_per_hour=limits.answers_per_hour,
        opens_per_address_per_hour=limits.max_ticket_opens_per_address_per_hour,
        forwards_per_target_per_day=limits.forwards_per_target_per_day,
        forwards_per_sender_per_day=limits.forwards_per_sender_per_day,
        forwards_per_subject_per_day=limits.forwards_per_subject_per_day,
    )


def trust_of(said: TrustConfig) -> Trust:
    """Return whose word counts about a sender."""
    return Trust(
        authserv_ids=frozenset(said.authserv_ids),
        received_by=said.received_by,
        microsoft365=said.microsoft365,
        arc_sealers=frozenset(said.arc_sealers),
    )


def open_store(config: Config) -> Store:
    """Open the database, bringing its schema up to this version."""
    state = Path(config.service.state_dir)
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Store(config.database.url, state)


def open_desk(config: Config, clock: Clock, in_force: tuple[Store, Rulebook] | None = None) -> Desk:
    """Open everything that the story needs, with the rules in the folder where it is not said which are in force.

    Raises ConfigError with every problem found.
    """
    keys = read_keys(Path(config.service.secret_file))
    service = service_of(config)
    store, rulebook = in_force or (open_store(config), load_rulebook(Path(config.paths.rules)))
    return Desk(
        store=store,
        rulebook=rulebook,
        service=service,
        keys=keys,
        renderer=open_renderer(config, service, keys),
        clock=clock,
        operator=config.service.operator_address,
        attempts=config.limits.attempts,
        reader=ReadsHere(signatures=config.trust.check_dkim),
        signers=Signers() if config.trust.check_dkim else None,
    )


def open_for_work(config: Config, clock: Clock, *, unfinished: bool = False) -> tuple[Desk, InForce]:
    """Open everything, with the rules that are in force, for whoever handles mail. Raises ConfigError.

    What a restore has left half done may only be opened by a restore (`unfinished`).
    """
    if not unfinished and (Path(config.service.state_dir) / UNFINISHED).exists():
        raise TicketdError(f"a restore was not finished: empty {config.service.state_dir}, and restore again")
    store = open_store(config)
    try:
        _claim(store)
        inforce.taken_up(store, 0, clock.now())  # one that was killed cannot say any more that it is gone
        found = inforce.at_start(places_of(config), store, clock.now())
        return open_desk(config, clock, (store, found.rulebook)), found
    except BaseException:
        store.close()
        raise


def places_of(config: Config) -> Places:
    """Return where the rules are, and what belongs to changing them."""
    paths = config.paths
    return Places(Path(paths.rules), Path(paths.templates), Path(config.service.state_dir), service_of(config))


def open_renderer(config: Config, service: Service, keys: Keys) -> Renderer:
    """Open the templates: the operator's own folder first, the shipped one behind it."""
    facts = ServiceFacts(
        name=service.name,
        address=service.address,
        language=service.language,
        timezone=service.timezone,
        subject_tag=service.subject_tag,
        reply_addresses="plus" if service.plus_addresses else "none",
    )
    return Renderer(Path(config.paths.templates), shipped("templates") / "email", facts, keys)


def wording(config: Config, language: str) -> Wording:
    """Return how reports say things in this language ("" for the service's): the words and names that mails use."""
    service = config.service
    words = word_lists(
        Path(config.paths.templates), shipped("templates") / "email", language or service.language, service.language,
        service.timezone,
    )  # fmt: skip
    return Wording(words=words, rulebook=load_rulebook(Path(config.paths.rules)), zone=ZoneInfo(service.timezone))


def read_keys(path: Path) -> Keys:
    """Read the keys of the reply tokens from a file that only we may read. Raises ConfigError."""
    if fault := secret_file_fault(path):
        raise ConfigError([Problem(str(path), 0, fault)])
    return parse_keys(path.read_text("utf-8"), str(path))


@contextlib.contextmanager
def instance_lock(config: Config) -> Iterator[None]:
    """Hold the state directory for this process; the lock dies with it, however it dies."""
    state = Path(config.service.state_dir)
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(state / inforce.LOCK, wait=False))
        except BlockingIOError as e:
            raise AlreadyRunningError(f"another ticketd is running on {state}: stop it first") from e
        yield


def is_running(config: Config) -> bool:
    """Return whether a process works on the state directory."""
    return is_locked(Path(config.service.state_dir) / inforce.LOCK)


# --- one round ---


def run_once(config: Config, as_of: datetime | None = None) -> int:
    """Do one full round: every mailbox's new mail, everything due by the clock, everything owed once. Returns 0,
    or 1 where a mailbox could not be read."""
    with instance_lock(config):
        desk, found = open_for_work(config, Clock(as_of))
        _tell_of_broken_rules(desk, found.faults)
        desk.reader = ReadsInChild(signatures=config.trust.check_dkim)
        calm_collector()
        desk.store.outbox.release_leases()
        spool = _open_spool(config)
        tokens = token_sources(config)
        links = [(m, link) for m in config.mailbox if (link := _opened(m, bearer_of(m, config, tokens), spool, desk))]
        while flow.handle_waiting(desk):
            pass
        flow.handle_tick(desk)
        _offer_everything(Postman(config.smtp, bearer=bearer_of(config.smtp, config, tokens)), desk)
        _tell_of_tokens(desk, tokens)
        for settings, link in links:
            _file_and_close(settings, link, desk)
        desk.reader.close()
        desk.store.close()
        return 0 if len(links) == len(config.mailbox) else 1


def _claim(store: Store) -> None:
    """Refuse to work on a database that another ticketd, on whatever host, is working on."""
    if not store.base.alone():
        raise AlreadyRunningError("another ticketd is running on this database: stop it first")


def _open_spool(config: Config) -> Spool:
    spool = Spool(Path(config.service.state_dir) / SPOOL)
    spool.sweep()
    return spool


def _opened(settings: MailboxConfig, bearer: Bearer | None, spool: Spool, desk: Desk) -> Mailbox | None:
    """Connect and keep what is new; a mailbox that fails does not stop the others."""
    link = Mailbox(settings, spool, desk.clock.now, bearer)
    try:
        link.connect()
        flow.keep_new(link, settings.name, settings.first_run, desk)
    except (UnreachableError, OSError) as e:
        log.warning("mailbox.unreachable", mailbox=settings.name, error=str(e))
        link.close()
        return None
    return link


def _offer_everything(postman: Postman, desk: Desk) -> None:
    try:
        while flow.deliver_outbox(desk, postman)[0]:
            pass
    finally:
        postman.close()


def _file_and_close(settings: MailboxConfig, link: Mailbox, desk: Desk) -> None:
    try:
        flow.file_away(link, settings.name, desk)
    except UnreachableError as e:
        log.warning("mailbox.not_filed", mailbox=settings.name, error=str(e))
    finally:
        link.close()


# --- running ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """Rules and templates that were read again, for the handling loop to take up."""

    found: Found
    renderer: Renderer
    wish: Wish


@dataclass(kw_only=True)
class Daemon:
    """The running process: one loop per mailbox, one for handling, one for sending, and the main one that watches.

    `number` is the version of the rules that it works with, `faults` why the files in the folder do not count,
    `refused` a version that it could not take up, `fresh` what the handling loop is to take up.
    """

    config: Config
    desk: Desk
    spool: Spool
    stop: threading.Event = field(default_factory=threading.Event)
    work: threading.Event = field(default_factory=threading.Event)
    outbox: threading.Event = field(default_factory=threading.Event)
    nudges: dict[str, threading.Event] = field(default_factory=dict)
    pulses: dict[str, Pulse] = field(default_factory=dict)
    started: datetime = field(init=False)
    number: int = 0
    faults: tuple[Problem, ...] = ()
    refused: int = 0
    fresh: Fresh | None = None
    failed: str = ""
    tokens: TokenSources = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.desk.clock.now()
        self.tokens = token_sources(self.config)

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; 0 then, 1 where a loop has died (systemd starts us again)."""
        inforce.taken_up(self.desk.store, self.number, self.desk.clock.now())
        threads = [self._thread("handling", self._handle, _STUCK_AFTER), self._sender()]
        threads += [self._fetcher(settings) for settings in self.config.mailbox]
        for thread in threads:
            thread.start()
        notify_systemd("READY=1", f"STATUS=watching {len(self.config.mailbox)} mailboxes")
        log.info("daemon.started", mailboxes=[m.name for m in self.config.mailbox], rules=self.desk.rulebook.version)
        self._watch()
        notify_systemd("STOPPING=1")
        for thread in threads:
            thread.join(timeout=60)
        self.desk.reader.close()
        with contextlib.suppress(UnreachableError):  # it is only for those who wait for us
            inforce.taken_up(self.desk.store, 0, self.desk.clock.now())
        log.info("daemon.stopped", failed=self.failed)
        return 1 if self.failed else 0

    def quit(self) -> None:
        """Ask every loop to finish the mail at hand and end."""
        self.stop.set()
        for event in (self.work, self.outbox, *self.nudges.values()):
            event.set()

    def reload(self) -> None:
        """Read the rules and templates again: whole, or not at all. They count from the next handful of mails on."""
        places, now = places_of(self.config), self.desk.clock.now()
        try:
            found = inforce.found_in(places.rules, places, self.desk.store, now)
            _refuse_bad_templates(self.config)
            for warning in found.warnings:
                log.warning("rules.doubtful", problem=str(warning))
            renderer = open_renderer(self.config, self.desk.service, self.desk.keys)
            wish = Wish(who=inforce.DAEMON, how="reload", at=now, trial=self._trial(found.rulebook))
            self.fresh = Fresh(found=found, renderer=renderer, wish=wish)
            self.work.set()
        except ConfigError as e:
            self._kept(e.problems)
        except OSError as e:
            what = f"cannot be read ({e.strerror}); give it to the user that runs ticketd"
            self._kept([Problem(str(e.filename or places.rules), 0, what)])
        except UnreachableError as e:
            log.error("rules.kept", version=self.desk.rulebook.version, problems=[str(e)])

    def _trial(self, rulebook: Rulebook) -> dict[str, Any]:
        """Return what new rules would change of the last mails: few enough not to keep the watchdog waiting."""
        desk = self.desk
        question = Question(old=desk.rulebook, new=rulebook, service=desk.service, limit=_TRIED_AT_RELOAD)
        return trial_data(back_test(question, desk.store, workers=1), ZoneInfo(desk.service.timezone), most=20)

    def _kept(self, problems: Iterable[Problem]) -> None:
        """Say in the log and to the operator that the rules stay as they are, and why."""
        log.error("rules.kept", version=self.desk.rulebook.version, problems=list(map(str, problems)))
        self._alarm("New rules were refused; the old ones stay", problems)

    def _alarm(self, subject: str, problems: Iterable[Problem]) -> None:
        """Tell the operator; each fault once a day."""
        said = [str(p) for p in problems]
        key = hashlib.sha256("\n".join(said).encode()).hexdigest()[:12]
        flow.raise_alarm(self.desk, f"reload:{key}", subject, said)

    # --- the loops ---

    def _fetcher(self, settings: MailboxConfig) -> threading.Thread:
        """Return the loop of one mailbox: it is alive as long as the server answers what we ask."""
        name = mailbox_loop(settings.name)
        bearer = bearer_of(settings, self.config, self.tokens)
        link = Mailbox(settings, self.spool, self.desk.clock.now, bearer)
        self.nudges[settings.name] = threading.Event()
        patience = _STUCK_AFTER + settings.poll_seconds
        return self._thread(name, partial(self._fetch, settings, link), patience, lambda: link.last_ok)

    def _sender(self) -> threading.Thread:
        """Return the loop that sends: it is alive as long as the server answers, mail by mail."""
        postman = Postman(self.config.smtp, bearer=bearer_of(self.config.smtp, self.config, self.tokens))
        patience = _STUCK_AFTER + self.config.smtp.data_timeout
        return self._thread("sending", partial(self._send, postman), patience, lambda: postman.last_ok)

    def _thread(
        self,
        name: str,
        body: Callable[[], None],
        patience: float,
        answered: Callable[[], float | None] = lambda: None,
    ) -> threading.Thread:
        self.pulses[name] = Pulse(name=name, beat=Clock.monotonic(), patience=patience, answered=answered)

        def supervised() -> None:
            try:
                body()
            except BaseException:
                log.critical("loop.died", loop=name, exc_info=True)
                self.failed = name
            finally:
                self.desk.store.close()
                self.quit()

        return threading.Thread(target=supervised, name=name, daemon=True)

    def _fetch(self, settings: MailboxConfig, link: Mailbox) -> None:
        """One mailbox: connect, keep, file, wait; on any trouble wait longer and begin anew."""
        pulse, nudge = self.pulses[mailbox_loop(settings.name)], self.nudges[settings.name]
        backoff = Backoff(random.random)
        while not self.stop.is_set():
            try:
                link.connect()
                while not (self.stop.is_set() or link.stale):
                    nudge.clear()  # before the turn: a nudge that comes during it must end the wait
                    self._fetch_turn(link, settings)
                    backoff.succeeded()
                    pulse.well(link.last_ok or pulse.beat)
                    if not self.stop.is_set():
                        link.wait(settings.poll_seconds, nudge)
            except (UnreachableError, OSError) as e:  # OSError: our own disk is full or fails; the mail waits
                wish = e.wish if isinstance(e, MailboxUnreachableError) else None
                kind = e.kind if isinstance(e, MailboxUnreachableError) else "transport"
                self._trouble(pulse, str(e), backoff.failed(kind, wish))
            finally:
                link.close()

    def _fetch_turn(self, link: Mailbox, settings: MailboxConfig) -> None:
        self._make_sure_of_room()
        if flow.keep_new(link, settings.name, settings.first_run, self.desk):
            self.work.set()
        flow.file_away(link, settings.name, self.desk)

    def _make_sure_of_room(self) -> None:
        """Fetch nothing while the disk is nearly full: on the server mail is safe, and what we have needs the rest."""
        state = Path(self.config.service.state_dir)
        if lack := room_in(state).lacks(self.config.limits.disk_reserve_mb):
            flow.raise_alarm(
                self.desk, "disk", "The disk is nearly full; no mail is fetched", [f"{state}: {lack}", _ROOM]
            )
            raise UnreachableError(f"{lack}: no mail is fetched until there is room")

    def _handle(self) -> None:
        """Handle kept mail and the clock whenever woken."""
        pulse = self.pulses["handling"]
        while not self.stop.is_set():
            self.work.wait(timeout=_WAKE_SECONDS)
            self.work.clear()
            try:
                if self._handle_turn():
                    self.outbox.set()
                    for nudge in self.nudges.values():
                        nudge.set()
                pulse.well(Clock.monotonic())
            except UnreachableError as e:
                self._trouble(pulse, str(e), _WAKE_SECONDS)

    def _handle_turn(self) -> int:
        done = 0
        while not self.stop.is_set():
            self._take_fresh_rules()
            some = flow.handle_waiting(self.desk)
            if not some:
                break
            done += some
            self.outbox.set()
            self.pulses["handling"].beat = Clock.monotonic()
        return done + flow.handle_tick(self.desk)

    def _take_fresh_rules(self) -> None:
        """Swap the books between two handfuls of mails, so that no mail is judged by two versions."""
        if fresh := self.fresh:
            self._take(fresh)
            self.fresh = None
        last = self.desk.store.versions.last_id()
        if last not in (self.number, self.refused):
            self._take_applied(last)

    def _take(self, fresh: Fresh) -> None:
        """Put what was read again in force, also behind a version that could not be taken up.

        Where somebody has applied other rules meanwhile, those count.
        """
        rulebook, files = fresh.found.rulebook, fresh.found.files
        try:
            number = inforce.put_in_force(rulebook, files, fresh.wish, self.desk.store, self.refused or self.number)
        except RulesChangedError as e:
            log.warning("rules.overtaken", version=rulebook.version, why=str(e))
            return
        self._work_with(rulebook, number)
        self.desk.renderer = fresh.renderer
        changed = {k: fresh.wish.trial[k] for k in ("mails", "changed")}
        log.info("rules.reloaded", version=rulebook.version, number=number, backtest=changed)

    def _take_applied(self, number: int) -> None:
        """Take up what `ticketd rules apply` has put in force, and the templates beside it if they are sound."""
        version = self.desk.store.versions.get(number)
        if version is None:
            return
        try:
            rulebook = inforce.load_kept(version, self.desk.store)
        except ConfigError as e:
            self.refused = number
            inforce.refused(self.desk.store, number, "; ".join(map(str, e.problems)), self.desk.clock.now())
            self._kept(e.problems)
            return
        self._work_with(rulebook, number)
        log.info("rules.applied", version=version.version, number=number, by=version.who, note=version.note)
        self._take_templates()

    def _take_templates(self) -> None:
        try:
            _refuse_bad_templates(self.config)
            self.desk.renderer = open_renderer(self.config, self.desk.service, self.desk.keys)
        except ConfigError as e:
            log.error("templates.kept", problems=[str(p) for p in e.problems])
            self._alarm("The templates are broken; those that were read before stay", e.problems)

    def _work_with(self, rulebook: Rulebook, number: int) -> None:
        self.desk.rulebook, self.number, self.faults, self.refused = rulebook, number, (), 0
        inforce.taken_up(self.desk.store, number, self.desk.clock.now())

    def _send(self, postman: Postman) -> None:
        """Offer what is owed whenever woken; wait longer while the mail server is away."""
        pulse, backoff = self.pulses["sending"], Backoff(random.random)
        while not self.stop.is_set():
            self.outbox.wait(timeout=_WAKE_SECONDS)
            self.outbox.clear()
            try:
                answers = self._send_turn(postman, pulse)
            except UnreachableError as e:
                self._trouble(pulse, str(e), _WAKE_SECONDS)
                self._forget_leases()
                continue
            if answers:
                backoff.succeeded()
                pulse.well(Clock.monotonic())
            else:
                what = "the mail server for outgoing mail does not answer"
                self._trouble(pulse, what, backoff.failed("transport"))
        postman.close()

    def _forget_leases(self) -> None:
        """After the database was away, take back what was claimed: nobody else can hold it, we run alone."""
        with contextlib.suppress(UnreachableError):  # it is still away: the next turn says so and comes here again
            self.desk.store.outbox.release_leases()

    def _send_turn(self, postman: Postman, pulse: Pulse) -> bool:
        while not self.stop.is_set():
            offered, answers = flow.deliver_outbox(self.desk, postman)
            pulse.beat = Clock.monotonic()
            if not answers:
                return False
            if not offered:
                break
        return True

    # --- watching over them ---

    def _watch(self) -> None:
        """Wake the loops and feed systemd's watchdog, but only while every loop gives a sign of life."""
        scheduler = schedule.Scheduler()
        scheduler.every(_WAKE_SECONDS).seconds.do(_safely(self._wake))
        for job in (self._look_after, self._raise_alarms):
            scheduler.every(20).seconds.do(_safely(job))
            _safely(job)()
        while not self.stop.is_set():
            scheduler.run_pending()
            said = signal.sigtimedwait(_SIGNALS, 1.0)
            if said is not None and said.si_signo == signal.SIGHUP:
                self.reload()
            elif said is not None:
                self.quit()

    def _wake(self) -> None:
        self.work.set()
        self.outbox.set()

    def _look_after(self) -> None:
        """Feed the watchdog, and say in a file how we are. No server and no database has a say in it."""
        now = Clock.monotonic()
        stuck = [p.name for p in self.pulses.values() if p.stuck(now)]
        if stuck:
            log.error("loops.stuck", loops=stuck)
        else:
            notify_systemd("WATCHDOG=1", f"STATUS={self._status()}")
        self._show_signs(now)

    def _raise_alarms(self) -> None:
        """Tell the operator of what has been going wrong for a while."""
        now = Clock.monotonic()
        try:
            for pulse in self.pulses.values():
                if pulse.trouble_since is not None and now - pulse.trouble_since > _ALARM_AFTER:
                    flow.raise_alarm(self.desk, f"trouble:{pulse.name}", f"ticketd: {pulse.name} is in trouble",
                                     [pulse.trouble, "It goes on trying by itself."])  # fmt: skip
            _tell_of_broken_rules(self.desk, self.faults)
            _tell_of_tokens(self.desk, self.tokens)
        except UnreachableError as e:
            log.warning("alarm.waits", why=str(e))

    def _show_signs(self, now: float) -> None:
        """Say in a file how we are: `ticketd status` reads it, even when the database does not answer."""
        at, state = self.desk.clock.now(), Path(self.config.service.state_dir)
        faults = tuple(str(p) for p in self.faults)
        signs = Signs(version=this_version(), pid=os.getpid(), started=self.started, at=at, rules=self.number,
                      faults=faults, loops=loops_of(self.pulses.values(), at, now))  # fmt: skip
        try:
            write_signs(state, signs)
        except OSError as e:
            log.warning("signs.not_written", error=str(e))

    def _status(self) -> str:
        troubled = [f"{p.name}: {p.trouble}" for p in self.pulses.values() if p.trouble_since is not None]
        return "; ".join(troubled)[:200] or "all well"

    def _trouble(self, pulse: Pulse, what: str, rest: float) -> None:
        """Say that a loop could not get through, and let it rest before the next try."""
        log.warning("loop.trouble", loop=pulse.name, error=what)
        pulse.troubled(Clock.monotonic(), what, rest)
        self.stop.wait(rest)


def _tell_of_broken_rules(desk: Desk, faults: Iterable[Problem]) -> None:
    """Tell the operator, every day until it is mended, that older rules count than those in the folder."""
    if said := [str(p) for p in faults]:
        cure = "Mail is handled by the rules that were in force before. Mend the files, then: ticketd rules apply"
        flow.raise_alarm(
            desk, "rules", "The rule files are broken; the last rules that were in force count", [*said, cure]
        )


def _tell_of_tokens(desk: Desk, tokens: TokenSources) -> None:
    """Tell the operator, every day until it is mended, that a token server will not have us, and what to do."""
    for name, source in tokens.items():
        if trouble := source.trouble:
            flow.raise_alarm(desk, f"oauth:{name}", "Tokens for the mail server are refused", [trouble])


def _refuse_bad_templates(config: Config) -> None:
    shipped_ones = shipped("templates") / "email"
    found = check_templates(Path(config.paths.templates), shipped_ones, config.service.timezone)
    problems = [p for p in found if not is_warning(p)]
    if problems:
        raise ConfigError(problems)


def _safely(job: Callable[[], None]) -> Callable[[], None]:
    """Wrap a scheduled job: one that raises would keep `schedule` from ever running the later ones."""

    def run() -> None:
        try:
            job()
        except Exception:
            log.exception("job.failed", job=job.__name__)

    return run


def run_forever(config: Config) -> int:
    """Run the daemon in the foreground until it is told to stop."""
    # Signals are fetched by the main loop, not handled wherever it happens to be: a handler that sets an Event which
    # the main thread is just waiting on would wait for ever for a lock that this very thread holds.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    with instance_lock(config):
        desk, found = open_for_work(config, Clock())
        desk.reader = ReadsInChild(signatures=config.trust.check_dkim)
        desk.renderer.warm()
        calm_collector()
        desk.store.outbox.release_leases()
        # The loops mostly wait for servers and disk; one that computes must not keep the others waiting for long.
        sys.setswitchinterval(0.0005)
        daemon = Daemon(config=config, desk=desk, spool=_open_spool(config), number=found.number, faults=found.faults)
        return daemon.run()


def notify_systemd(*lines: str) -> None:
    """Tell systemd how we are; harmless where there is none."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
        link.connect("\0" + address[1:] if address.startswith("@") else address)
        link.sendall("\n".join(lines).encode())
