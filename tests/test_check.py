"""The checks across rule files, and that the starter set passes them."""

from dataclasses import replace
from datetime import date

import pytest

from daemon.config import shipped
from daemon.notify.catalogue import ABOUT_A_TICKET, TEMPLATES
from daemon.routing.actions import AddTags, SetField, action_from
from daemon.routing.check import (
    WARNING,
    check_addresses,
    check_calendars,
    check_languages,
    check_rulebook,
    check_variants,
    is_warning,
)
from daemon.routing.conditions import Always, condition_from
from daemon.routing.loader import load_rulebook
from daemon.rulebook import Category, Rule, Rulebook, Team
from daemon.words import Role

TODAY = date(2026, 11, 23)
STARTER = load_rulebook(shipped("rules"))


def found(rulebook: Rulebook, templates: object = TEMPLATES) -> list[str]:
    return [str(p) for p in check_rulebook(rulebook, templates)]  # type: ignore[arg-type]


def test_starter_set_passes_with_the_shipped_templates() -> None:
    assert found(STARTER) == []


def test_rules_behind_an_unconditional_stop_are_never_reached() -> None:
    tagged = (AddTags(("x",)),)
    all_stop = Rule(name="all", when=Always(), then=tagged, stop=True, where="routing.yaml:1")
    some_stop = replace(all_stop, name="some", when=condition_from("subject is", "x"))
    last = Rule(name="last", when=Always(), then=(SetField("ci", "x"),), where="routing.yaml:9")
    assert found(replace(STARTER, rules=(*STARTER.rules, some_stop, all_stop, last))) == [
        "routing.yaml:9: the rule 'last' is never reached: 'all' (routing.yaml:1) matches every mail and stops; "
        "move it up, or take 'stop: true' out there"
    ]


def test_branch_that_no_rule_leads_to_is_a_warning() -> None:
    lone = Category(key="fax", name={}, where="categories.yaml:7")
    leaf = Category(key="fax/paper", name={}, where="categories.yaml:8")
    book = replace(STARTER, categories={**STARTER.categories, "fax": lone, "fax/paper": leaf})
    (problem,) = check_rulebook(book, TEMPLATES, folder="rules")
    assert is_warning(problem)
    assert str(problem) == (
        "rules/categories.yaml:7: warning: no rule routes to the category 'fax' nor to one below it; "
        "write a rule with 'then: {category: fax}', or take the category out"
    )
    rule = Rule(name="fax", when=condition_from("subject is", "fax"), then=(SetField("category", "fax/paper"),))
    assert found(replace(book, rules=(rule, *book.rules))) == []


def test_announced_template_must_exist() -> None:
    templates = [name for name in TEMPLATES if name != "returned"] + ["return"]
    (problem,) = check_rulebook(STARTER, templates)
    assert not is_warning(problem)
    assert problem.file == "announcements.yaml"
    assert problem.line > 1
    assert problem.what == "there is no template 'returned' (did you mean 'return'?)"


def test_mail_that_nobody_would_get_is_a_problem() -> None:
    empty = Team(key="night", name={}, members=())
    people = {k: p for k, p in STARTER.people.items() if not p.roles & {Role.DESK, Role.DIRECTOR}}
    book = replace(STARTER, teams={**STARTER.teams, "night": empty}, people=people)
    assert found(book) == [
        "people.yaml: nobody gets the mail of the team 'night'; give it members: or an address:",
        "people.yaml: nobody has the role desk, which gets what no team gets; write roles: [desk] somewhere",
        "people.yaml: warning: 'director' is told of things, but nobody has that role; write roles: [director]",
    ]


@pytest.mark.parametrize(
    ("today", "missing"),
    [(TODAY, []), (date(2026, 12, 1), [2027]), (date(2027, 5, 4), [2027]), (date(2027, 12, 31), [2027, 2028])],
)
def test_a_calendar_without_the_holidays_of_the_year_is_remarked_on(today: date, missing: list[int]) -> None:
    found = check_calendars(STARTER, today, "rules")
    assert all(is_warning(p) and p.file == "rules/calendars.yaml" and p.line > 0 for p in found)
    assert [p.what for p in found] == [
        f"{WARNING}the calendar 'business' has no holidays in {year}: they will count as worked; "
        "add them under 'holidays:'"
        for year in missing
    ]


def test_a_language_without_mails_falls_back_and_is_remarked_on() -> None:
    people = {k: replace(p, language="fr" if k == "wang.wei" else p.language) for k, p in STARTER.people.items()}
    customers = {k: replace(c, language="zh-CN") for k, c in STARTER.customers.items()}
    (problem,) = check_languages(replace(STARTER, people=people, customers=customers), {"en", "zh"}, "rules")
    assert is_warning(problem) and problem.file == "rules/people.yaml"
    assert problem.what == (
        "warning: 'wang.wei' has the language 'fr', but there are no mails in it: they go out in the service's own; "
        "write one of en, zh, or add a folder of templates"
    )


# --- what rules do, and what it needs elsewhere ---


def _doing(word: str, value: object) -> Rulebook:
    rule = Rule(name="x", when=condition_from("subject contains", "x"), then=(action_from(word, value),), where="r:7")
    return replace(STARTER, rules=(*STARTER.rules, rule))


def test_what_tells_somebody_needs_an_announcement_and_what_asks_a_keyword() -> None:
    assert found(_doing("notify", ["pm"])) == found(_doing("approval", "pm")) == []
    silent = tuple(a for a in STARTER.announcements if a.event not in ("RuleNotified", "ApprovalAsked", "ApprovalOwed"))
    (told,) = found(replace(_doing("notify", ["pm"]), announcements=silent))
    assert told == (
        "r:7: the rule 'x' leads to RuleNotified, but announcements.yaml tells nobody of it; "
        "write there - {event: RuleNotified, template: rule_notice, to: [step]}"
    )
    keywords = tuple(k for k in STARTER.keywords if k.verb not in ("approve", "refuse"))
    (asked,) = found(replace(_doing("approval", "pm"), keywords=keywords))
    assert "keywords.yaml lacks approve, refuse" in asked


@pytest.mark.parametrize(
    ("word", "value"), [("forward", "Support+x@example.com"), ("notify", ["support@example.com"]),
                        ("watchers", ["support@example.com"])],
)  # fmt: skip
def test_a_rule_cannot_write_to_ourselves(word: str, value: object) -> None:
    owns = lambda address: address.lower().partition("+")[0].startswith("support")  # noqa: E731
    (problem,) = map(str, check_addresses(_doing(word, value), owns))
    assert problem.startswith("r:7: the rule 'x' writes to ") and "our own address" in problem
    assert check_addresses(_doing("forward", "bills@partner.example"), owns) == []


OURS = {name: name in ABOUT_A_TICKET for name in TEMPLATES}


def test_variants_must_be_somewhere_and_had_better_be_everywhere() -> None:
    book = _doing("template", {"acknowledgement": "acknowledgement_vip"})
    usual = set(TEMPLATES)
    (none,) = check_variants(book, {"zh": usual, "en": usual}, OURS)
    assert "there is none; write a file acknowledgement_vip.txt" in none.what and not is_warning(none)
    (half,) = check_variants(book, {"zh": usual | {"acknowledgement_vip"}, "en": usual}, OURS)
    assert is_warning(half) and "in en: readers there get 'acknowledgement'" in half.what
    assert check_variants(book, {"zh": usual | {"acknowledgement_vip"}}, OURS) == []
    (unknown,) = check_variants(_doing("template", {"acknowlegement": "acknowlegement_vip"}), {"en": usual}, OURS)
    assert "did you mean 'acknowledgement'" in unknown.what


@pytest.mark.parametrize(
    ("name", "variant", "says"),
    [
        ("forwarded", "forwarded_vip", "has no say in 'forwarded': it belongs to no single ticket"),
        ("kpi_report", "kpi_report_vip", "a variant never applies; take it out"),
        ("follow_up", "follow_up_result", "which is a template of its own; call the variant otherwise"),
    ],
)
def test_variants_that_never_apply_are_told(name: str, variant: str, says: str) -> None:
    names = {*TEMPLATES, "forwarded_vip", "kpi_report_vip"}
    (problem,) = check_variants(_doing("template", {name: variant}), {"zh": names, "en": names}, OURS)
    assert says in problem.what and not is_warning(problem) and problem.line == 7
