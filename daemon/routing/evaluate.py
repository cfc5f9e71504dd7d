"""Run a mail through the rules, top to bottom, and say what they decide and why.

What comes in: MailFacts and a Rulebook. What goes out: a Routing, or the trials that it comes from, which `ticketd
explain` shows (daemon.routing.traces). A rule that fails is skipped and noted: it never blocks mail. The first rule to
set a fact wins; severity may only be raised by a later one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, assert_never

from daemon.figures import figure_in
from daemon.routing.actions import (
    RECORD,
    Action,
    AddTags,
    AddToParent,
    AddWatchers,
    Drop,
    Ending,
    FieldValue,
    ForwardTo,
    NeedsApproval,
    Notify,
    Reject,
    SetField,
    SeverityAtLeast,
    UseTemplates,
)
from daemon.routing.alerts import Sighting
from daemon.routing.conditions import NOT_MET, Finding, MailFacts, Verdict
from daemon.routing.notes import of_alert
from daemon.rulebook import Category, Rule, Rulebook
from daemon.words import Kind, Level, LooksAt, Severity

# One user who can go on working: what is meant where neither a rule nor the category says more.
USUAL_IMPACT = Level.LOW
USUAL_URGENCY = Level.MEDIUM
_MOST_CODES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """What the rules say about a mail; "" and 0 where they say nothing.

    `rejected` and `ignored` hold the reason and `forward` to whom it goes, at most one of them, and `ended_by` which
    rule says so; `because` the names of all rules that matched; `problems` a sentence for each rule that failed and was
    skipped. `fields` are further ones of the record, `notify` whom to tell and `notified_by` which rules say so,
    `templates` the variants to write by, `approval` who has to approve it.
    """

    category: str = ""
    kind: Kind = Kind.INCIDENT
    impact: Level = USUAL_IMPACT
    urgency: Level = USUAL_URGENCY
    severity: Severity = Severity.LOW
    team: str = ""
    line: int = 0
    assignee: str = ""
    ci: str = ""
    service: str = ""
    place: str = ""
    region: str = ""
    order: str = ""
    affected: int = 0
    error_codes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    watchers: tuple[str, ...] = ()
    rejected: str = ""
    ignored: str = ""
    forward: ForwardTo | None = None
    ended_by: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    level: str = ""
    parent: AddToParent | None = None
    templates: Mapping[str, str] = field(default_factory=dict)
    notify: tuple[str, ...] = ()
    notified_by: tuple[str, ...] = ()
    approval: str = ""
    at_least: Severity = Severity.LOW
    because: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def route(mail: MailFacts, rulebook: Rulebook) -> Routing:
    """Return what the rules decide about this mail; never raises because of a rule."""
    said = _Said()
    for trial in trials(mail, rulebook):
        said.note(trial, mail)
    said.read(rulebook.captures, mail)
    return said.routing(rulebook)


def with_alert(routing: Routing, sighting: Sighting) -> Routing:
    """Return the routing of a mail that is an alert: an incident, about this CI, at least as grave as the tool says."""
    graver = min(routing.severity, sighting.severity or routing.severity)
    because = (*routing.because, of_alert(sighting.alert.name))
    unclear = () if sighting.key else (f"the alert '{sighting.alert.name}' has no key: nothing in it was found",)
    return replace(
        routing, kind=Kind.INCIDENT, severity=graver, ci=routing.ci or sighting.ci, because=because,
        problems=(*routing.problems, *unclear),
    )  # fmt: skip


class Trial(NamedTuple):
    """One rule, tried on one mail; `error` says why it failed."""

    rule: Rule
    verdict: Verdict
    error: str = ""


def trials(mail: MailFacts, rulebook: Rulebook) -> Iterator[Trial]:
    """Yield the rules tried, up to the one that matches and stops."""
    for rule in rules_for(mail, rulebook):
        trial = _try(rule, mail)
        yield trial
        if trial.verdict.met and rule.stop:
            return


def rules_for(mail: MailFacts, rulebook: Rulebook) -> list[Rule]:
    """Return the rules that look at such mails: on a ticket that is there already, or not."""
    mine = (LooksAt.ALL, LooksAt.REPLIES if mail.on_ticket else LooksAt.NEW)
    return [rule for rule in rulebook.rules if rule.looks_at in mine]


def _try(rule: Rule, mail: MailFacts) -> Trial:
    try:
        return Trial(rule, rule.when.met(mail))
    except Exception as error:  # noqa: BLE001 - whatever a condition does, mail goes on
        return Trial(rule, NOT_MET, f"{type(error).__name__}: {error}")


def found(finding: Finding, mail: MailFacts) -> tuple[tuple[str, ...], str]:
    """Return what a capture finds in a mail, and "" or why it could not be tried: mail goes on."""
    try:
        return finding.found(mail), ""
    except Exception as error:  # noqa: BLE001 - whatever a capture does, mail goes on
        return (), f"{type(error).__name__}: {error}"


def value_of(finding: Finding, words: tuple[str, ...]) -> FieldValue:
    """Return what goes into the field: the first words, of numbers the largest; "" where nothing was found."""
    if finding.into == "affected":
        return max((figure_in(word) or 0 for word in words), default=0)
    return next(iter(words), "")


@dataclass(slots=True)
class _Said:
    """What the rules have said so far."""

    facts: dict[str, FieldValue] = field(default_factory=dict)
    at_least: list[Severity] = field(default_factory=list)
    tags: dict[str, None] = field(default_factory=dict)
    watchers: dict[str, None] = field(default_factory=dict)
    templates: dict[str, str] = field(default_factory=dict)
    notify: dict[str, None] = field(default_factory=dict)
    notified_by: list[str] = field(default_factory=list)
    parent: AddToParent | None = None
    approval: str = ""
    ending: Ending | None = None
    ended_by: str = ""
    because: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    codes: dict[str, None] = field(default_factory=dict)

    def read(self, findings: Iterable[Finding], mail: MailFacts) -> None:
        """Take down what these captures find, for fields that nothing has been said of yet."""
        for finding in findings:
            words, error = found(finding, mail)
            if error:
                self.problems.append(f"a capture ({finding.describe()}) was skipped: {error}")
            if finding.into == "code":
                self.codes |= dict.fromkeys(words)
            elif value := value_of(finding, words):
                self.facts.setdefault(finding.into, value)

    def note(self, trial: Trial, mail: MailFacts) -> None:
        """Take down what this rule says, if it matched."""
        if trial.error:
            self.problems.append(f"the rule '{trial.rule.name}' ({trial.rule.where}) was skipped: {trial.error}")
        if trial.verdict.met:
            self.because.append(trial.rule.name)
            self.notified_by += [trial.rule.name] if any(isinstance(a, Notify) for a in trial.rule.then) else []
            for action in trial.rule.then:
                self._do(action)
            self.ended_by = self.ended_by or (trial.rule.name if self.ending else "")
            self.read(trial.rule.captures, mail)

    def _do(self, action: Action) -> None:
        match action:
            case SetField("code", value):
                self.codes |= {str(value): None}
            case SetField(name, value):
                self.facts.setdefault(name, value)
            case SeverityAtLeast(severity):
                self.at_least.append(severity)
            case AddTags(tags):
                self.tags |= dict.fromkeys(tags)
            case AddWatchers(watchers):
                self.watchers |= dict.fromkeys(watchers)
            case Notify(audience):
                self.notify |= dict.fromkeys(audience)
            case _:
                self._do_once(action)

    def _do_once(self, action: Ending | AddToParent | UseTemplates | NeedsApproval) -> None:
        """Take down what only the first rule to say it decides."""
        match action:
            case AddToParent():
                self.parent = self.parent or action
            case UseTemplates(variants):
                self.templates = dict(variants) | self.templates
            case NeedsApproval(by):
                self.approval = self.approval or by
            case Reject() | Drop() | ForwardTo():
                self.ending = self.ending or action
            case _:
                assert_never(action)

    def routing(self, rulebook: Rulebook) -> Routing:
        """Return the whole, with the category's defaults where no rule said anything."""
        category = rulebook.categories.get(str(self.facts.get("category", "")))
        facts = _defaults(category) | self.facts
        impact, urgency = Level(str(facts["impact"])), Level(str(facts["urgency"]))
        graded = rulebook.matrix.get((impact, urgency), Severity.LOW)
        return Routing(
            category=str(facts.get("category", "")),
            kind=Kind(str(facts["kind"])),
            impact=impact,
            urgency=urgency,
            severity=min(graded, *self.at_least, Severity.LOW),
            team=str(facts["team"]),
            line=int(facts["line"]),
            assignee=str(facts.get("assignee", "")),
            ci=str(facts.get("ci", "")),
            service=str(facts.get("service", "")),
            place=str(facts.get("place", "")),
            region=str(facts.get("region", "")),
            order=str(facts.get("order", "")),
            affected=int(facts.get("affected", 0)),
            error_codes=tuple(self.codes)[:_MOST_CODES],
            tags=tuple(self.tags),
            watchers=tuple(self.watchers),
            fields={name: str(facts[name]) for name in RECORD if name in facts},
            level=str(facts.get("service level", "")),
            rejected=self.ending.reason if isinstance(self.ending, Reject) else "",
            ignored=self.ending.reason if isinstance(self.ending, Drop) else "",
            forward=self.ending if isinstance(self.ending, ForwardTo) else None,
            ended_by=self.ended_by,
            parent=self.parent,
            templates=self.templates,
            notify=tuple(self.notify),
            notified_by=tuple(self.notified_by),
            approval=self.approval,
            at_least=min(self.at_least, default=Severity.LOW),
            because=tuple(self.because),
            problems=tuple(self.problems),
        )


def _defaults(category: Category | None) -> dict[str, FieldValue]:
    if category is None:
        return {
            "kind": Kind.INCIDENT,
            "impact": USUAL_IMPACT,
            "urgency": USUAL_URGENCY,
            "team": "",
            "line": 0,
        }
    return {
        "kind": Kind(category.kind),
        "impact": category.impact or USUAL_IMPACT,
        "urgency": category.urgency or USUAL_URGENCY,
        "team": category.team,
        "line": category.line,
    }
