"""What is wrong with a rulebook although each of its files can be read: the checks across files.

What comes in: a Rulebook and the names of the templates that exist. What goes out: Problems; those that begin
with "warning:" need not be mended before the daemon runs. Pure: `ticketd check` reads, this judges.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date, timedelta

from daemon.errors import Problem, did_you_mean, problem_at
from daemon.rota import planned_on, swaps_on
from daemon.routing.actions import Action, AddWatchers, ForwardTo, NeedsApproval, Notify, SetField, UseTemplates
from daemon.routing.conditions import Always
from daemon.routing.doubts import WARNING as WARNING
from daemon.routing.doubts import Found, doubts
from daemon.rulebook import Rule, Rulebook
from daemon.words import APPROVALS, STAFF_ROLES, Dispatch, Outside, Role

_DECEMBER = 12  # by then the State Council has announced the holidays of the next year
_ROLE_AUDIENCES = {"desk": Role.DESK, "pm": Role.PM, "manager": Role.MANAGER, "director": Role.DIRECTOR}
_ROLE_AUDIENCES |= {"sales": Role.SALES, "duty": Role.DUTY}


def check_rulebook(rulebook: Rulebook, templates: Collection[str], folder: str = "") -> list[Problem]:
    """Return what is wrong across the rule files; `folder` is put before the names of the files."""
    found = (
        *doubts(rulebook),
        *_categories_never_routed_to(rulebook),
        *_templates_missing(rulebook, templates),
        *_teams_without_anybody(rulebook),
        *_teams_that_can_choose_nobody(rulebook),
        *_skills_that_are_no_category(rulebook),
        *_rotas_of_outsiders(rulebook),
        *_rotas_for_nothing(rulebook),
        *_swaps_for_nothing(rulebook),
        *_roles_without_anybody(rulebook),
        *_managers_without_the_role(rulebook),
        *_silence_without_a_reminder(rulebook),
        *_duties_without_an_end_of_day(rulebook),
        *_contracts_that_refuse_the_unclassified(rulebook),
        *_actions_that_nobody_hears_of(rulebook),
    )
    return sorted(problem_at(where, what, folder) for where, what in found)


def check_addresses(rulebook: Rulebook, owns: Callable[[str], bool], folder: str = "") -> list[Problem]:
    """Return the people and teams whose address is our own: mail to them would come back to us and reach nobody."""
    people = ((p.key, p.addresses) for p in rulebook.people.values())
    teams = ((t.key, (t.address,)) for t in rulebook.teams.values() if t.address)
    ours = ((key, address) for key, addresses in (*people, *teams) for address in addresses if owns(address))
    said = "'{}' has the address {}, which is our own; write an address that they read"
    found = [("people.yaml", said.format(key, address)) for key, address in ours]
    written = ((r, address) for r in rulebook.rules for action in r.then for address in _written_to(action))
    said = "the rule '{}' writes to {}, which is our own address; write one of other people"
    found += [(rule.where, said.format(rule.name, address)) for rule, address in written if owns(address)]
    return sorted(problem_at(where, what, folder) for where, what in found)


def _written_to(action: Action) -> tuple[str, ...]:
    """Return the addresses that an action names."""
    match action:
        case ForwardTo(address):
            return (address,)
        case Notify(names) | AddWatchers(names):
            return tuple(name for name in names if "@" in name)
        case _:
            return ()


def check_variants(
    rulebook: Rulebook, templates: Mapping[str, Collection[str]], ours: Mapping[str, bool], folder: str = ""
) -> list[Problem]:
    """Return the variants of templates that rules name and nobody would get, or not in every language.

    `templates` is language → names of files; `ours` says of each template that we send whether it may belong to one
    ticket, which alone has variants.
    """
    found = [
        (rule.where, _of_rule(rule, what))
        for rule in rulebook.rules
        for action in rule.then
        for name, variant in (action.variants if isinstance(action, UseTemplates) else ())
        if (what := _wrong_with_variant(name, variant, templates, ours))
    ]
    return sorted(problem_at(where, what, folder) for where, what in found)


def _of_rule(rule: Rule, what: str) -> str:
    """Return what is wrong with a rule, with its name; a warning stays one."""
    return f"{WARNING if what.startswith(WARNING) else ''}the rule '{rule.name}' {what.removeprefix(WARNING)}"


def _wrong_with_variant(
    name: str, variant: str, templates: Mapping[str, Collection[str]], ours: Mapping[str, bool]
) -> str:
    if name not in ours:
        cure = did_you_mean(name, ours) or f"; write one of {', '.join(sorted(ours))}"
        return f"names the template '{name}', which is none{cure}"
    if not ours[name]:
        return f"has no say in '{name}': it belongs to no single ticket, so a variant never applies; take it out"
    if variant in ours:
        return f"names '{variant}', which is a template of its own; call the variant otherwise"
    lacking = sorted(language for language, names in templates.items() if variant not in names)
    if len(lacking) == len(templates):
        return f"names '{variant}', but there is none; write a file {variant}.txt in the folder of each language"
    there = f"names '{variant}', but there is none in {', '.join(lacking)}: readers there get '{name}'"
    return f"{WARNING}{there}; add {variant}.txt to that folder, or leave it so" if lacking else ""


def check_calendars(rulebook: Rulebook, today: date, folder: str = "") -> list[Problem]:
    """Return the calendars that know no holiday of this year or, from December on, of the next one."""
    years = [today.year] + ([today.year + 1] if today.month == _DECEMBER else [])
    said = WARNING + "the calendar '{}' has no holidays in {}: they will count as worked; add them under 'holidays:'"
    found = [
        (calendar.where, said.format(calendar.key, year))
        for calendar in rulebook.calendars.values()
        for year in years
        if not calendar.always and year not in {day.year for day in calendar.holidays}
    ]
    return sorted(problem_at(where, what, folder) for where, what in found)


def check_contracts(rulebook: Rulebook, today: date, folder: str = "") -> list[Problem]:
    """Return the contracts that have ended: the mails of these customers are refused."""
    said = WARNING + "the contract of '{}' ended on {}: what they report is outside; write a later 'until'"
    ended = [
        (c.contract.where, said.format(c.key, c.contract.until))
        for c in rulebook.customers.values()
        if c.contract and c.contract.until and c.contract.until < today
    ]
    return sorted(problem_at(where, what, folder) for where, what in ended)


def check_templates_named(rulebook: Rulebook, templates: Collection[str], folder: str = "") -> list[Problem]:
    """Return the announcements of templates that nobody has: the one check that a half-read rulebook can stand."""
    return sorted(problem_at(where, what, folder) for where, what in _templates_missing(rulebook, templates))


def check_languages(rulebook: Rulebook, languages: Collection[str], folder: str = "") -> list[Problem]:
    """Return whoever is to be written to in a language that no mail is written in: they get another one."""
    people = (("people.yaml", p.key, p.language) for p in rulebook.people.values())
    customers = (("customers.yaml", c.key, c.language) for c in rulebook.customers.values())
    cure = f"write one of {', '.join(sorted(languages))}, or add a folder of templates"
    said = (
        WARNING + "'{}' has the language '{}', but there are no mails in it: they go out in the service's own; " + cure
    )
    return sorted(
        problem_at(file, said.format(key, language), folder)
        for file, key, language in (*people, *customers)
        if language and not {language.lower(), language.lower().partition("-")[0]} & set(languages)
    )


def is_warning(problem: Problem) -> bool:
    """Return whether the daemon can run in spite of this problem."""
    return problem.what.startswith(WARNING)


def _categories_never_routed_to(rulebook: Rulebook) -> Found:
    """Yield the branches of the tree that no rule leads into; single leaves may be for people to choose."""
    actions = (action for rule in rulebook.rules for action in rule.then)
    used = {str(a.value).partition("/")[0] for a in actions if isinstance(a, SetField) and a.field == "category"}
    for key, category in rulebook.categories.items():
        if "/" not in key and key not in used:
            yield (
                category.where,
                f"{WARNING}no rule routes to the category '{key}' nor to one below it; "
                f"write a rule with 'then: {{category: {key}}}', or take the category out",
            )


def _templates_missing(rulebook: Rulebook, templates: Collection[str]) -> Found:
    for announcement in rulebook.announcements:
        name = announcement.template
        if name not in templates:
            cure = did_you_mean(name, templates) or f"; write one of {', '.join(sorted(templates))}"
            yield announcement.where, f"there is no template '{name}'{cure}"


def _teams_without_anybody(rulebook: Rulebook) -> Found:
    for team in rulebook.teams.values():
        if not team.members and not team.address:
            yield (
                "people.yaml",
                f"nobody gets the mail of the team '{team.key}'; give it members: or an address:",
            )


def _teams_that_can_choose_nobody(rulebook: Rulebook) -> Found:
    """Yield the teams whose tickets would wait for ever, because none of their people may be chosen."""
    for team in rulebook.teams.values():
        ours = [m for m in team.members if m in rulebook.people and rulebook.people[m].roles & STAFF_ROLES]
        if team.dispatch is Dispatch.AUTO and not ours:
            cure = "give it members of our own (a vendor is never chosen), or take 'dispatch: auto' out"
            yield "people.yaml", f"nobody of the team '{team.key}' can be chosen for its tickets; {cure}"


def _skills_that_are_no_category(rulebook: Rulebook) -> Found:
    for person in rulebook.people.values():
        for skill in person.skills:
            if skill not in rulebook.categories:
                cure = did_you_mean(skill, rulebook.categories) or "; write one, as in network/vpn"
                yield "people.yaml", f"{WARNING}'{person.key}' has the skill '{skill}', which is no category{cure}"


def _rotas_of_outsiders(rulebook: Rulebook) -> Found:
    """Yield who is on call for a team without being in it, or without being of ours: they would get no ticket."""
    for rota in rulebook.rota.values():
        for key in dict.fromkeys((*rota.order, *(s.who for s in rota.swaps))):
            if key not in rulebook.teams[rota.team].members:
                cure = "add them to its members in people.yaml, or take them out of the rota"
                yield rota.where, f"'{key}' is on call for the team '{rota.team}', but not in it; {cure}"
            elif not rulebook.people[key].roles & STAFF_ROLES:
                yield rota.where, f"'{key}' is a vendor, who is never chosen by itself; take them out of the rota"


def _rotas_for_nothing(rulebook: Rulebook) -> Found:
    for rota in rulebook.rota.values():
        if rulebook.teams[rota.team].dispatch is not Dispatch.AUTO:
            cure = f"write 'dispatch: auto' at the team '{rota.team}' in people.yaml"
            yield rota.where, f"{WARNING}nobody is called by this rota, since the whole team gets each ticket; {cure}"


def _swaps_for_nothing(rulebook: Rulebook) -> Found:
    """Yield the swaps that name somebody whose turn it is not on any of these days."""
    for rota in rulebook.rota.values():
        for swap in rota.swaps if rota.order else ():
            days = (swap.first + timedelta(days=n) for n in range((swap.last - swap.first).days + 1))
            if not any(swaps_on(swap, rota, day) for day in days):
                whose = planned_on(rota, swap.first)
                yield (
                    swap.where,
                    f"{WARNING}'{swap.instead_of}' is not on call then, '{whose}' is; the swap does nothing",
                )


def _managers_without_the_role(rulebook: Rulebook) -> Found:
    """Yield the project managers of customers who may not review: their tickets could never be archived."""
    for customer in rulebook.customers.values():
        manager = rulebook.people.get(customer.pm)
        if manager and Role.PM not in manager.roles:
            cure = f"give '{manager.key}' the role pm in people.yaml, or name another person"
            yield (
                "customers.yaml",
                f"'{customer.key}' has the project manager '{manager.key}', who has no such role; {cure}",
            )


def _silence_without_a_reminder(rulebook: Rulebook) -> Found:
    """Yield that silence would be taken for consent although nobody was reminded."""
    told = {name for a in rulebook.announcements if a.event == "Reminded" for name in a.audience}
    if rulebook.duties.closing and "requester" not in told:
        cure = "{event: Reminded, template: confirm_reminder, to: [requester]}"
        yield (
            "announcements.yaml",
            f"tickets are closed by silence (duties.yaml), but no requester is reminded; write - {cure}",
        )


def _duties_without_an_end_of_day(rulebook: Rulebook) -> Found:
    """Yield that the duties count on a calendar whose day never ends."""
    calendar = rulebook.calendars.get(rulebook.duties.calendar)
    if calendar and calendar.always:
        yield (
            "duties.yaml",
            f"'calendar: {calendar.key}' never rests, so its day has no end; name a calendar with working hours",
        )


def _contracts_that_refuse_the_unclassified(rulebook: Rulebook) -> Found:
    """Yield the contracts by which a mail is refused only since no rule knows what it is about."""
    last = [a.value for r in rulebook.rules if isinstance(r.when, Always) for a in r.then if isinstance(a, SetField)
            and a.field == "category"]  # fmt: skip
    for customer in rulebook.customers.values():
        contract = customer.contract
        if not contract or not contract.services or contract.outside is not Outside.REFUSE:
            continue
        for category in last:
            if not any(f"{category}/".startswith(f"{service}/") for service in contract.services):
                cure = f"add {category} to 'services', or write outside: ask_desk"
                yield (
                    contract.where,
                    f"{WARNING}what no rule classifies ('{category}') is refused to '{customer.key}'; {cure}",
                )


_HEARD_BY: tuple[tuple[type[Action], str, str], ...] = (
    (Notify, "RuleNotified", "{event: RuleNotified, template: rule_notice, to: [step]}"),
    (NeedsApproval, "ApprovalAsked", "{event: ApprovalAsked, template: approval_question, to: [step]}"),
    (NeedsApproval, "ApprovalOwed", "{event: ApprovalOwed, template: approval_question, to: [step]}"),
)
"""What an action comes to, and the announcement without which nobody would know."""


def _actions_that_nobody_hears_of(rulebook: Rulebook) -> Found:
    """Yield the rules that tell or ask somebody, where no mail is written about it, or no keyword answers it."""
    announced = {a.event for a in rulebook.announcements}
    for kind, event, cure in _HEARD_BY:
        rule = next((r for r in rulebook.rules if any(isinstance(a, kind) for a in r.then)), None)
        if rule and event not in announced:
            what = f"the rule '{rule.name}' leads to {event}, but announcements.yaml tells nobody of it"
            yield rule.where, f"{what}; write there - {cure}"
    asks = next((r for r in rulebook.rules if any(isinstance(a, NeedsApproval) for a in r.then)), None)
    missing = APPROVALS - {k.verb for k in rulebook.keywords}
    if asks and missing:
        names = ", ".join(sorted(missing))
        yield (
            asks.where,
            f"the rule '{asks.name}' asks for approval, but keywords.yaml lacks {names}; add who: [approver]",
        )


def _roles_without_anybody(rulebook: Rulebook) -> Found:
    """Yield the audiences that mail goes to, and that are nobody. Without a desk mail can go unseen."""
    told = {name for level in rulebook.service_levels.values() for s in level.steps for name in s.audience}
    told |= {name for announcement in rulebook.announcements for name in announcement.audience}
    told |= {name for p in rulebook.plans.values() for name in (p.coordinator, *(t.who for t in p.tasks))}
    told |= {rulebook.major.owner, *rulebook.major.then} if rulebook.major.levels else set()
    told |= {name for time in rulebook.duties.times for name in time.audience}
    told |= {name for rule in rulebook.rules for a in rule.then if isinstance(a, Notify) for name in a.audience}
    told |= {a.by for rule in rulebook.rules for a in rule.then if isinstance(a, NeedsApproval)}
    if not rulebook.people_with(Role.DESK):
        yield (
            "people.yaml",
            "nobody has the role desk, which gets what no team gets; write roles: [desk] somewhere",
        )
    for name in sorted(told & _ROLE_AUDIENCES.keys() - {"desk"}):
        if not rulebook.people_with(_ROLE_AUDIENCES[name]):
            yield (
                "people.yaml",
                f"{WARNING}'{name}' is told of things, but nobody has that role; write roles: [{name}]",
            )
