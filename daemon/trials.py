"""Trying rules on mails in short: the examples of a rule, and the tables of tests beside the rules.

What comes in: Specimens, a Rulebook, the Service, and a way to get the files that they name. What goes out: what the
live path decides about each (a Trial), and Problems where that is not what was expected. Nothing is looked up in a
database: the sender is new here, has no ticket, and is taken at their word unless the mail in short says otherwise.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from daemon.decide import Decision, alert_in, decide, facts_for_rules
from daemon.errors import Problem, problem_at
from daemon.intake.identity import prove
from daemon.intake.letter import Attachment, Letter, read_letter
from daemon.intake.understand import Known, sender_of, understand
from daemon.routing.conditions import AllOf, AnyOf, Condition, MailFacts, Not
from daemon.routing.evaluate import Routing, route, trials
from daemon.routing.evaluate import Trial as RuleTrial
from daemon.routing.specimens import LISTED
from daemon.routing.traces import ConditionTrace, RuleTrace, conditions_tried, explain_routing, who_said
from daemon.rulebook import Enclosure, Rule, Rulebook, RuleTest, Specimen
from daemon.service import Service
from daemon.ticket import Ticket
from daemon.words import LooksAt, MailStatus, Proof, State

Fetch = Callable[[str], bytes | None]
"""Gives the bytes of a file in the folder of the rules, None where there is none."""
USUAL_MOMENT = datetime(2026, 11, 25, 10, 0)  # noqa: DTZ001 - the service's zone is added; a Wednesday, in working hours
USUAL_SENDER = "somebody@elsewhere.example"
_SHOWN_MISSES = 3


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One mail, and what the live path makes of it."""

    letter: Letter
    facts: MailFacts
    known: Known
    decision: Decision
    routing: Routing
    rulebook: Rulebook

    @cached_property
    def traces(self) -> list[RuleTrace]:
        """What became of each rule."""
        return explain_routing(self.facts, self.rulebook)

    @property
    def ticket(self) -> Ticket | None:
        """The ticket that it opens."""
        return self.decision.changes[0].now if self.decision.changes else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where mails in short are tried."""

    rulebook: Rulebook
    service: Service
    fetch: Fetch
    mailbox: str = "support"

    def facts(self, specimen: Specimen, *, on_ticket: bool = False) -> MailFacts | None:
        """Return what the conditions of rules look at in this mail; None where its file cannot be had."""
        letter, now = self._letter(specimen), self.moment(specimen)
        if letter is None:
            return None
        return self._facts(letter, self._known(letter, specimen, now), now, on_ticket=on_ticket)

    def trial(self, specimen: Specimen) -> Trial | None:
        """Return what the live path decides about this mail; None where its file cannot be had."""
        letter, now = self._letter(specimen), self.moment(specimen)
        return None if letter is None else self._judged(letter, self._known(letter, specimen, now), now)

    def judged(self, letter: Letter, mailbox: str, now: datetime, proof: Proof | None) -> Trial:
        """Return what the live path decides about a mail that is new at this moment, whose sender is so well proved."""
        return self._judged(letter, self._sighted(letter, mailbox, now, proof or Proof.NONE, ""), now)

    def _judged(self, letter: Letter, known: Known, now: datetime) -> Trial:
        decision = decide(
            understand(letter, known, self.rulebook), known, self.rulebook, self.service,
            now=now, received_at=now, mail=0,
        )  # fmt: skip
        facts = self._facts(letter, known, now)
        return Trial(
            letter=letter, facts=facts, known=known, decision=decision, routing=route(facts, self.rulebook),
            rulebook=self.rulebook,
        )  # fmt: skip

    def _facts(self, letter: Letter, known: Known, now: datetime, *, on_ticket: bool = False) -> MailFacts:
        return facts_for_rules(letter, known, self.rulebook, self.service, now, on_ticket=on_ticket)

    def moment(self, specimen: Specimen) -> datetime:
        """Return when this mail comes."""
        at, zone = specimen.at or USUAL_MOMENT, ZoneInfo(self.service.timezone)
        return at.replace(tzinfo=zone) if at.tzinfo is None else at

    def _letter(self, specimen: Specimen) -> Letter | None:
        if specimen.file:
            content = self.fetch(specimen.file)
            return None if content is None else read_letter(content)
        letter = read_letter(self._written(specimen).as_bytes())
        enclosed = tuple(map(_enclosed, specimen.attachments))
        size = specimen.size or letter.size + sum(e.size for e in enclosed)
        return replace(letter, attachments=enclosed, size=size)

    def _written(self, specimen: Specimen) -> EmailMessage:
        """Return the mail as its sender would have sent it."""
        mail = EmailMessage()
        mail["From"] = self._sender(specimen)
        mail["To"] = ", ".join(specimen.to) or self.service.address
        if specimen.cc:
            mail["Cc"] = ", ".join(specimen.cc)
        mail["Subject"] = " ".join(specimen.subject.split())
        mail["Date"] = format_datetime(self.moment(specimen))
        mail["Message-ID"] = "<mail-in-short@elsewhere.example>"
        for name, value in specimen.headers:
            if name.lower() in ("from", "to", "cc", "subject", "date", "message-id", "content-type"):
                del mail[name]
            mail[name] = " ".join(value.split())
        mail.set_content(specimen.text)
        return mail

    def _sender(self, specimen: Specimen) -> str:
        if specimen.person:
            person = self.rulebook.people[specimen.person]
            return f"{person.name} <{person.address}>"
        if specimen.customer:
            customer = self.rulebook.customers[specimen.customer]
            return (*customer.addresses, *(f"somebody@{d}" for d in customer.domains), USUAL_SENDER)[0]
        return specimen.sender or USUAL_SENDER

    def _known(self, letter: Letter, specimen: Specimen, now: datetime) -> Known:
        proof, why = specimen.proof, "as the mail in short says"
        if proof is None and specimen.file:
            proof, why = prove(letter, None, (), self.service.trust)
        return self._sighted(letter, specimen.mailbox or self.mailbox, now, proof or Proof.VERIFIED, why)

    def _sighted(self, letter: Letter, mailbox: str, now: datetime, proof: Proof, why: str) -> Known:
        """Return what is known of a mail whose sender has no ticket here, and which alert it is."""
        sender = sender_of(letter, self.rulebook)
        known = Known(sender=sender, proof=proof, proof_why=why, mailbox=mailbox)
        return replace(known, alert=alert_in(letter, known, self.rulebook, self.service, now))


def _enclosed(enclosure: Enclosure) -> Attachment:
    guessed = mimetypes.guess_type(enclosure.name)[0] or "application/octet-stream"
    return Attachment(name=enclosure.name, content_type=enclosure.type or guessed, size=enclosure.size, sha256="")


# --- examples ---


def failed_examples(bench: Bench, folder: str = "") -> list[Problem]:
    """Return the examples that their rule does not match, and the counter-examples that it does."""
    rules = bench.rulebook.rules
    return sorted(problem_at(where, what, folder) for rule in rules for where, what in _tried(rule, bench))


def _tried(rule: Rule, bench: Bench) -> Iterator[tuple[str, str]]:
    for judge, examples in ((_not_matched, rule.examples), (_matched, rule.counter_examples)):
        for example in examples:
            facts = bench.facts(example, on_ticket=rule.looks_at is LooksAt.REPLIES)
            what = judge(rule, example, facts, bench.rulebook) if facts else _no_file(example)
            if what:
                yield example.where, what


def _not_matched(rule: Rule, example: Specimen, facts: MailFacts, rulebook: Rulebook) -> str:
    """Return why this mail is no example of the rule, "" where it is."""
    *_, last = _up_to(rule, facts, rulebook)
    if last.error:
        return f"the rule '{rule.name}' fails on its example {example.shown}: {last.error}"
    if last.rule is not rule:
        return (
            f"the rule '{rule.name}' is not reached by its example {example.shown}: '{last.rule.name}' stops before; "
            "move the rule up, or make that one narrower"
        )
    if last.verdict.met:
        return ""
    missed = "; ".join(_missed(rule.when, facts))
    return f"the rule '{rule.name}' does not match its example {example.shown}: {missed}"


def _matched(rule: Rule, example: Specimen, facts: MailFacts, rulebook: Rulebook) -> str:
    """Return by what this mail is met, although it is a counter-example of the rule; "" where it is not."""
    *_, last = _up_to(rule, facts, rulebook)
    if last.rule is not rule or not last.verdict.met:
        return ""
    lines = conditions_tried(rule.when, facts)
    met = "; ".join(f"{line.condition} is met by «{line.text}»" for line in lines if line.met and line.text)
    why = met or "nothing in its conditions keeps such mails out"
    return f"the rule '{rule.name}' matches its counter-example {example.shown}: {why}"


def _up_to(rule: Rule, facts: MailFacts, rulebook: Rulebook) -> Iterator[RuleTrial]:
    """Yield what became of the rules up to this one, or up to one that stops before it."""
    for trial in trials(facts, rulebook):
        yield trial
        if trial.rule is rule:
            return


def _no_file(example: Specimen) -> str:
    return (
        f"there is no mail {example.shown} in the folder of the rules; write its path from there, as tests/mails/x.eml"
    )


def _missed(when: Condition, mail: MailFacts) -> list[str]:
    """Return the conditions for want of which the whole was not met, each with what it looked at."""
    found = [_miss(line) for line in _decisive(when, mail)]
    more = len(found) - _SHOWN_MISSES
    return found[:_SHOWN_MISSES] + ([f"and {more} more"] if more > 0 else [])


def _decisive(condition: Condition, mail: MailFacts) -> Iterator[ConditionTrace]:
    match condition:
        case AllOf(parts):
            for part in parts:
                if not part.met(mail).met:
                    yield from _decisive(part, mail)
        case AnyOf(parts):
            for part in parts:
                yield from _decisive(part, mail)
        case Not(part):
            yield from (replace(c, condition=f"not {c.condition}") for c in conditions_tried(part, mail) if c.met)
        case _:
            yield from conditions_tried(condition, mail)


def _miss(line: ConditionTrace) -> str:
    if line.met:
        return f"{line.condition} fails, since it has «{line.text}»"
    return f"{line.condition} is not met by «{line.looked_at}»" if line.looked_at else f"{line.condition} finds nothing"


# --- tests ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """One expectation that was not met, and the rule that decided otherwise ("" where none did)."""

    fact: str
    expected: str
    came: str
    by: str = ""

    def __str__(self) -> str:
        why = f", by the rule '{self.by}'" if self.by else ""
        return f"{self.fact}: expected {self.expected}, came {self.came}{why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one test; `problem` is set where it could not be tried."""

    test: RuleTest
    misses: tuple[Miss, ...] = ()
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether all came as expected."""
        return not self.misses and not self.problem


def verdict_data(verdict: Verdict) -> dict[str, object]:
    """Return what came of one test as plain data."""
    test = verdict.test
    return {
        "name": test.name, "where": test.where, "passed": verdict.passed, "problem": verdict.problem,
        "misses": [{"fact": m.fact, "expected": m.expected, "came": m.came, "rule": m.by} for m in verdict.misses],
    }  # fmt: skip


def run_test(test: RuleTest, bench: Bench) -> Verdict:
    """Return whether the live path makes of this mail what the test expects."""
    trial = bench.trial(test.mail)
    if trial is None:
        return Verdict(test=test, problem=_no_file(test.mail))
    misses = [m for fact in test.expect.keys() & LISTED if (m := _list_miss(fact, test.expect[fact], trial))]
    misses += [m for fact in test.expect.keys() - LISTED if (m := _miss_of(fact, test.expect[fact], trial))]
    order = list(test.expect)
    return Verdict(test=test, misses=tuple(sorted(misses, key=lambda m: order.index(m.fact))))


def _list_miss(fact: str, expected: object, trial: Trial) -> Miss | None:
    wanted = {str(x) for x in (expected if isinstance(expected, list | tuple) else [expected])}
    if fact in ("rules", "not_rules"):
        matched = set(trial.routing.because)
        wrong = wanted & matched if fact == "not_rules" else wanted - matched
        came = ", ".join(trial.routing.because) or "none"
    else:
        has = {str(x) for x in getattr(trial.routing, fact)}
        wrong, came = wanted - has, ", ".join(sorted(has)) or "none"
    missing = ", ".join(sorted(wrong))
    return Miss(fact=fact, expected=f"not {missing}" if fact == "not_rules" else missing, came=came) if wrong else None


def _miss_of(fact: str, expected: object, trial: Trial) -> Miss | None:
    came = _came(fact, trial)
    if str(expected) == came:
        return None
    by = who_said(trial.traces)
    reason = by.get(fact) or (by.get("category") if came else "") or ""
    if fact == "outcome":
        reason = next((by[a] for a in ("reject", "ignore", "drop", "forward") if a in by), "")
    elif fact == "severity":
        reason = next((by[a] for a in ("severity at least", "impact", "urgency", "category") if a in by), "")
    return Miss(fact=fact, expected=str(expected), came=came or "nothing", by=reason)


def _came(fact: str, trial: Trial) -> str:
    """Return what the mail has come to in this respect."""
    if fact == "outcome":
        return outcome(trial.decision)
    if fact == "alert":
        return trial.known.alert.alert.name if trial.known.alert else ""
    if fact == "customer":
        return trial.facts.customer
    by_rules = trial.ticket is None or fact in ("order", "approval")
    value = getattr(trial.routing if by_rules else trial.ticket, fact)
    return str(int(value)) if isinstance(value, int) else str(value)


def outcome(decision: Decision) -> str:
    """Return in one word what becomes of a mail."""
    if decision.status is not MailStatus.HANDLED:
        return str(decision.status)
    if decision.forward:
        return "forwarded"
    now = decision.changes[0].now if decision.changes else None
    if now is None:
        return "nothing"
    return "rejected" if now.state is State.OUT_OF_SCOPE else "ticket"
