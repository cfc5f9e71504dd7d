"""The checks across rule files, and that the starter set passes them."""

from dataclasses import replace
from datetime import date

import pytest

from daemon.config import shipped
from daemon.notify.catalogue import TEMPLATES
from daemon.routing.actions import AddTags, SetField
from daemon.routing.check import WARNING, check_calendars, check_languages, check_rulebook, is_warning
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
