"""Rules that hide each other, do nothing, or fit all or nothing; and conditions of which one implies the other."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.config import shipped
from daemon.routing.actions import AddTags, SetField, SeverityAtLeast
from daemon.routing.conditions import AllOf, Always, AnyOf, Condition, Named, Not, condition_from
from daemon.routing.doubts import doubts
from daemon.routing.facts import TEXT_FIELDS
from daemon.routing.implied import implies
from daemon.routing.impossible import ONE_VALUE, excludes
from daemon.routing.loader import load_rulebook
from daemon.rulebook import Rule, Rulebook
from daemon.words import Severity
from tests.test_rule_language import full


def c(key: str, value: object) -> Condition:
    return condition_from(key, value)


SUBJECT = c("subject contains", ["vpn", "wifi"])
VPN = c("subject contains", "vpn")

IMPLIED: dict[str, tuple[Condition, Condition]] = {
    "the same": (VPN, c("subject contains", "VPN")),
    "fewer words": (VPN, SUBJECT),
    "a longer word": (c("subject contains", "vpn client"), SUBJECT),
    "exactly": (c("subject is", "no VPN"), SUBJECT),
    "exactly, as a whole word": (c("subject is", "no VPN"), c("subject mentions", "vpn")),
    "in fewer": (c("sender domain in", ["a.example"]), c("sender domain in", ["b.example", "A.example"])),
    "a longer beginning": (c("subject starts with", "[alert] x"), c("subject starts with", "[alert]")),
    "a beginning stands in it": (c("subject starts with", "[alert]"), c("subject contains", "alert")),
    "an end stands in it": (c("sender ends with", ".acme.example"), c("sender ends with", "acme.example")),
    "a whole word stands in it": (c("subject mentions", "vpn"), SUBJECT),
    "more must hold": (AllOf((VPN, c("text contains", "x"))), SUBJECT),
    "one of several": (VPN, AnyOf((c("text contains", "x"), SUBJECT))),
    "each of several": (AnyOf((VPN, c("subject is", "wifi"))), SUBJECT),
    "all of what one asks": (VPN, AllOf((SUBJECT, Always()))),
    "the opposite of more": (Not(SUBJECT), Not(VPN)),
    "a larger size": (c("size over", "10 MB"), c("size over", "5 MB")),
    "what a name stands for": (Named("wires", VPN), SUBJECT),
    "what the other's name stands for": (VPN, Named("wires", SUBJECT)),
    "fewer days": (c("weekday is", "sat"), c("weekday is", ["sat", "sun"])),
}
NOT_IMPLIED: dict[str, tuple[Condition, Condition]] = {
    "more words": (SUBJECT, VPN),
    "another field": (VPN, c("text contains", "vpn")),
    "another header": (c("header X-A is", "1"), c("header X-B is", "1")),
    "in it, but not as a whole word": (VPN, c("subject mentions", "vpn")),
    "in it, but not at the beginning": (VPN, c("subject starts with", "vpn")),
    "one of several is wider": (AnyOf((VPN, c("subject contains", "x"))), SUBJECT),
    "something more is asked": (VPN, AllOf((VPN, c("text contains", "x")))),
    "the opposite of less": (Not(VPN), Not(SUBJECT)),
    "a smaller size": (c("size over", "5 MB"), c("size over", "10 MB")),
    "another pattern": (c("subject matches", "vpnx"), c("subject matches", "vpn")),
    "over and under": (c("size over", "5 MB"), c("size under", "10 MB")),
}


@pytest.mark.parametrize("what", IMPLIED)
def test_a_condition_that_can_only_hold_where_the_other_does_is_seen(what: str) -> None:
    assert implies(*IMPLIED[what])


@pytest.mark.parametrize("what", NOT_IMPLIED)
def test_a_condition_that_may_hold_alone_is_not_taken_for_implied(what: str) -> None:
    assert not implies(*NOT_IMPLIED[what])


def said(*rules: Rule) -> list[str]:
    return [what for _, what in doubts(Rulebook(rules=rules))]


def rule(name: str, when: Condition, *then: object, stop: bool = False) -> Rule:
    return Rule(name=name, when=when, then=then or (AddTags((name,)),), stop=stop, where=f"routing.yaml:{len(name)}")  # type: ignore[arg-type]


def test_a_rule_behind_a_stop_that_matches_all_of_its_mails_is_never_reached() -> None:
    assert said(rule("wide", SUBJECT, stop=True), rule("narrow", VPN)) == [
        "the rule 'narrow' is never reached: 'wide' (routing.yaml:4) matches whatever this one would, and stops; "
        "move it up, or take 'stop: true' out there"
    ]
    assert said(rule("narrow", VPN, stop=True), rule("wide", SUBJECT)) == []


def test_a_rule_that_earlier_ones_have_said_is_hidden_by_them() -> None:
    wide = rule("wide", SUBJECT, SetField("team", "network"), AddTags(("a", "b")), SeverityAtLeast(Severity.HIGH))
    narrow = rule("narrow", VPN, SetField("team", "desk"), AddTags(("b",)), SeverityAtLeast(Severity.MEDIUM))
    (only,) = said(wide, narrow)
    assert only == (
        "warning: the rule 'narrow' changes nothing: 'wide' (routing.yaml:4) said it all before; "
        "put the special rule before the general one, or take it out"
    )
    assert said(narrow, wide) == []
    for more in (SetField("ci", "x"), AddTags(("c",)), SeverityAtLeast(Severity.CRITICAL)):
        assert said(wide, replace(narrow, then=(*narrow.then, more))) == []


CLASHES = {
    "two words for one thing": ("subject is", "a", "subject is", "b"),
    "lists without a word in common": ("customer in", ["acme", "huaxin"], "customer in", ["northwind"]),
    "the whole and what is not in it": ("subject is", "VPN", "subject contains", "打印"),
    "two beginnings": ("subject starts with", "Re:", "subject starts with", "Fwd:"),
    "over and under": ("size over", "5 MB", "size under", "1 MB"),
    "more than three and two": ("attachment count over", 3, "attachment count is", 2),
    "older and newer": ("ticket older than", "3d", "ticket newer than", "2d"),
    "known and not": ("ci known", True, "ci known", False),
    "other days": ("weekday is", ["mon", "tue"], "weekday is", ["sat", "sun"]),
    "in hours and out of them": ("within working hours", "business", "outside working hours", "business"),
    "new and of a ticket": ("mail is", "new", "ticket state is", "resolved"),
}
NO_CLASHES = {
    "two senders": ("sender is", "a@b.example", "sender is", "c@d.example"),
    "two words in one subject": ("subject contains", "a", "subject contains", "b"),
    "one beginning in the other": ("subject starts with", "Re:", "subject starts with", "re: vpn"),
    "one list in the other": ("customer in", ["acme", "huaxin"], "customer is", "acme"),
    "two files": ("attachment size over", "5 MB", "attachment size under", "1 MB"),
    "several figures": ("customers affected over", 10, "customers affected under", 5),
    "room between": ("size over", "1 MB", "size under", "5 MB"),
    "another calendar": ("within working hours", "business", "outside working hours", "24x7"),
    "an age between": ("ticket older than", "2d", "ticket newer than", "3d"),
}


@pytest.mark.parametrize("what", CLASHES)
def test_conditions_that_exclude_each_other_are_told(what: str) -> None:
    key, value, other, more = CLASHES[what]
    one, two = c(key, value), c(other, more)
    for parts in ((one, two), (two, one)):
        (told,) = said(rule("x", AllOf(parts)))
        assert told.startswith("warning: the rule 'x': no mail can meet both ") and "; take one out, or write" in told
    assert excludes(one, AnyOf((two, two))) and excludes(AllOf((c("text contains", "x"), one)), two)


@pytest.mark.parametrize("what", NO_CLASHES)
def test_conditions_that_may_hold_together_are_not_told(what: str) -> None:
    key, value, other, more = NO_CLASHES[what]
    assert said(rule("x", AllOf((c(key, value), c(other, more))))) == []


def test_a_condition_and_its_not_exclude_each_other_also_in_names_and_in_any() -> None:
    vpn, not_vpn = c("subject is", "vpn"), Not(c("subject contains", "vpn"))
    for when in (
        AllOf((vpn, not_vpn)), AllOf((Named("n", AllOf((vpn, c("text contains", "x")))), not_vpn)),
        AnyOf((c("text contains", "y"), AllOf((vpn, not_vpn)))),
    ):  # fmt: skip
        (told,) = said(rule("x", when))
        assert "both 'subject is: vpn' and 'not (subject contains: vpn)'" in told
    assert said(rule("x", AllOf((c("subject contains", "v"), not_vpn)))) == []


def test_a_field_of_one_value_never_has_two() -> None:
    mail = full()
    texts = ONE_VALUE & TEXT_FIELDS.keys()
    assert texts | {"size", "attachment count", "recipient count"} == ONE_VALUE
    assert all(len(TEXT_FIELDS[name].read(mail)) == 1 for name in texts)


def test_a_size_without_its_unit_is_told() -> None:
    (told,) = said(rule("x", c("size over", 10)))
    assert told == (
        "warning: the rule 'x': 'size over: 10 bytes' is smaller than any size that is worth asking for; write the unit, "
        "as in 10 MB or 10 kB"
    )
    assert said(rule("x", c("size over", "10 kB"))) == []


def test_so_many_rules_that_they_are_not_compared_are_told() -> None:
    rules = [rule(f"r{n}", c("subject contains", f"word{n}")) for n in range(1001)]
    (told,) = said(*rules)
    assert told.startswith("warning: there are 1001 rules: beyond 1000 they are not compared with each other")
    assert said(*rules[:1000]) == []


def test_rules_that_ask_the_same_are_told() -> None:
    (only,) = said(rule("one", VPN), rule("three", c("subject contains", ["vpn"])))
    assert only == (
        "warning: the rule 'three' asks the same as 'one' (routing.yaml:3); join them into one, or say how they differ"
    )


def test_rules_without_effect_are_told() -> None:
    stops, nothing = replace(rule("stops", VPN, stop=True), then=()), replace(rule("idle", SUBJECT), then=())
    assert [what.partition(";")[0] for what in said(nothing, stops)] == [
        "the rule 'idle' does nothing",
        "warning: the rule 'stops' only stops: its mails are left to no rule below",
    ]


FIT_NOTHING = {
    "sender is": "acme.example", "sender domain in": "@acme.example", "recipient is": "support",
    "attachment type is": "pdf", "subject matches": "vpn^", "text matches": "down$ now",
}  # fmt: skip


@pytest.mark.parametrize("key", FIT_NOTHING)
def test_conditions_that_no_mail_can_meet_are_told(key: str) -> None:
    (only,) = said(rule("r", c(key, FIT_NOTHING[key])))
    assert only.startswith("the rule 'r': no mail ")


@pytest.mark.parametrize("pattern", ["(vpn)?", "a*", ".*", "x|"])
def test_patterns_that_fit_every_mail_are_told(pattern: str) -> None:
    (only,) = said(rule("r", c("text matches", pattern)))
    assert only.startswith(f"the rule 'r': the pattern '{pattern}' fits every mail, even an empty one; ")
    assert said(rule("r", c("header X-A matches", pattern))) == [], "this asks whether there is such a header"


@pytest.mark.parametrize("pattern", [r"^vpn$", r"(^|\s)vpn", r"[^x]vpn", r"\^vpn", r"costs \$x", "(?m)a$\nb", "a?^b"])
def test_patterns_with_anchors_where_they_may_be_are_not_told(pattern: str) -> None:
    assert said(rule("r", c("text matches", pattern))) == []


def test_words_that_are_not_what_they_seem_are_told() -> None:
    found = said(rule("r", c("subject contains", [" vpn", "ＷＩＦＩ", "wifi"])))
    assert [what.partition(";")[0] for what in found] == [
        "warning: the rule 'r': ' vpn' has spaces around it, which count too",
        "warning: the rule 'r': 'wifi' is there twice (as 'ＷＩＦＩ': case, width and the form of signs do not count)",
    ]


def test_rules_that_are_off_are_remarked_on_once_and_hide_nothing() -> None:
    off = tuple(replace(rule(name, VPN, stop=True), off=True) for name in ("a", "b"))
    found = list(doubts(Rulebook(rules=(rule("c", VPN),), switched_off=off)))
    assert found == [
        ("routing.yaml:1", "warning: 2 rules are switched off: 'a', 'b'; take 'off: true' out, or the rule")
    ]


def test_lists_and_conditions_that_nothing_uses_are_told(tmp_path: Path) -> None:
    shutil.copytree(shipped("rules"), tmp_path / "rules")
    routing = tmp_path / "rules" / "routing.yaml"
    text = routing.read_text("utf-8")
    text = text.replace("\nlists:\n", "\nlists:\n  a: [x]\n  b: [y]\n", 1)
    more = "  c: {subject contains: {list: b}}\n  d: {condition: c}\n"
    routing.write_text(text.replace("\nconditions:\n", f"\nconditions:\n{more}", 1), "utf-8")
    assert [what for _, what in doubts(load_rulebook(tmp_path / "rules"))] == [
        "warning: no rule uses the list 'a'; use it, or take it out",
        "warning: no rule uses the condition 'd'; use it, or take it out",
    ]


def test_the_starter_rules_are_beyond_doubt() -> None:
    assert list(doubts(load_rulebook(shipped("rules")))) == []


def test_whatever_is_said_to_be_implied_is_never_refuted() -> None:
    """Every pair of these conditions, on values that meet some of them and not others."""
    from tests.test_routing import facts, letter

    words = ["vpn", "vpn client", "no vpn", "vpnx", "x"]
    keys = ["subject is", "subject contains", "subject mentions", "subject starts with", "subject ends with"]
    single = [c(key, word) for key in keys for word in words]
    several = [c(key, words[:2]) for key in keys] + [
        Not(single[0]),
        AllOf((single[5], single[10])),
        AnyOf(tuple(single[:3])),
    ]
    values = [
        facts(letter(subject)) for subject in ("", "vpn", "no vpn", "vpn client", "avpnx y", "x", "x vpn x", "vpnx")
    ]
    met = {id(x): [x.met(v).met for v in values] for x in (*single, *several)}
    for one, other in itertools.product((*single, *several), repeat=2):
        if implies(one, other):
            assert all(b or not a for a, b in zip(met[id(one)], met[id(other)], strict=True)), (one, other)
