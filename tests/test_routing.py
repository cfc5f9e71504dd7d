"""Conditions, actions and what the rules decide together; the starter rules on ordinary mail."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.config import shipped
from daemon.intake.letter import Attachment, Letter
from daemon.routing.actions import ActionError, AddTags, SetField, SeverityAtLeast, action_from
from daemon.routing.conditions import (
    AllOf,
    Always,
    AnyOf,
    ConditionError,
    MailFacts,
    Not,
    Verdict,
    condition_from,
)
from daemon.routing.evaluate import Routing, route
from daemon.routing.loader import load_rulebook
from daemon.routing.traces import explain_routing
from daemon.rulebook import Category, Rule, Rulebook
from daemon.words import Address, Kind, Level, Nature, Role, Severity

SHANGHAI = ZoneInfo("Asia/Shanghai")
MONDAY_MORNING = datetime(2026, 11, 23, 10, 0, tzinfo=SHANGHAI)
SATURDAY_NIGHT = datetime(2026, 11, 28, 23, 30, tzinfo=SHANGHAI)


def letter(subject: str = "", text: str = "", **more: object) -> Letter:
    plain = Letter(
        message_id="<1@acme.example>",
        in_reply_to=(),
        references=(),
        date=None,
        subject=subject,
        senders=(Address("Ann Lee", "ann@acme.example"),),
        reply_to=(),
        to=(Address("", "support@example.com"),),
        cc=(Address("", "boss@acme.example"),),
        delivered_to=(),
        return_path=None,
        nature=Nature.HUMAN,
        nature_reason="",
        text=text + "\n> old words",
        html_text="",
        new_text=text,
        quoted_text="> old words",
        language="en",
        attachments=(Attachment(name="Fehler.XLSX", content_type="application/x", size=5_000_000, sha256=""),),
        bounce=None,
        headers=(("X-Priority", "1 (Highest)"),),
        defects=(),
        size=6_000_000,
        sha256="",
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def facts(mail: Letter, now: datetime = MONDAY_MORNING, **more: object) -> MailFacts:
    plain = MailFacts(
        letter=mail,
        mailbox="support",
        customer="acme",
        person_roles=frozenset({Role.ENGINEER}),
        now_local=now,
        working={"business": now.weekday() < 5, "always": True},
    )
    return replace(plain, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("sender is", "Ann@Acme.example", "ann@acme.example"),
        ("sender domain in", ["other.example", "acme.example"], "acme.example"),
        ("sender name contains", "lee", "Ann Lee"),
        ("customer is", "acme", "acme"),
        ("person role in", ["desk", "engineer"], "engineer"),
        ("recipient starts with", "boss@", "boss@acme.example"),
        ("mailbox is", "support", "support"),
        ("subject contains", ["专线", "vpn"], "ＶＰＮ断了"),
        ("subject mentions", "断了", "ＶＰＮ断了"),
        ("subject equals", "vpn断了", "ＶＰＮ断了"),
        ("subject matches", "vpn断", "VPN断"),
        ("text contains", "ERROR 691", "I get error 691 again"),
        ("text matches", r"err(or)?[ -]?\d+", "error 691"),
        ("whole text contains", "old words", "I get error 691 again\n> old words"),
        ("language is", "en", "en"),
        ("nature is", "human", "human"),
        ("attachment name ends with", [".xls", ".xlsx"], "Fehler.XLSX"),
        ("attachment type is", "application/x", "application/x"),
        ("attachment size over", "2 MB", "5000000 bytes"),
        ("size under", 7_000_000, "6000000 bytes"),
        ("header x-priority starts", 1, "1 (Highest)"),
        ("within working hours", "business", "Mon 10:00"),
        ("weekday is", ["mon", "Tuesday"], "Mon"),
        ("time between", "09:00-12:00", "10:00"),
    ],
)
def test_condition_is_met_and_shows_what_met_it(key: str, value: object, text: str) -> None:
    condition = condition_from(key, value)
    mail = facts(letter("ＶＰＮ断了", "I get error 691 again"))
    assert condition.met(mail) == Verdict(True, text)
    assert condition.describe()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sender is", "ann@acme.example.net"),
        ("sender domain is", "example"),
        ("text contains", "old words"),
        ("subject mentions", "ups"),
        ("customer is", "huaxin"),
        ("header X-Spam is", "yes"),
        ("attachment size over", "5 MB"),
        ("outside working hours", "business"),
        ("weekday in", ["sat", "sun"]),
        ("time between", "18:00-08:00"),
        ("subject matches", "^vpn"),
    ],
)
def test_condition_is_not_met(key: str, value: object) -> None:
    mail = facts(letter("backups of groups fail", "new words"))
    assert condition_from(key, value).met(mail) == Verdict(False)


def test_a_span_over_midnight_holds_on_both_sides() -> None:
    night = condition_from("time between", "18:00-08:00")
    for clock, met in (("17:59", False), ("18:00", True), ("00:00", True), ("07:59", True), ("08:00", False)):
        hour, minute = map(int, clock.split(":"))
        now = MONDAY_MORNING.replace(hour=hour, minute=minute)
        assert night.met(facts(letter(), now)).met is met


def test_all_any_not_and_always() -> None:
    vpn, down = condition_from("subject contains", "vpn"), condition_from("subject contains", "down")
    only_vpn = facts(letter("vpn"))
    assert AnyOf((down, vpn)).met(only_vpn) == Verdict(True, "vpn")
    assert not AllOf((vpn, down)).met(only_vpn).met
    assert Not(down).met(only_vpn).met
    assert Always().met(only_vpn).met
    assert AnyOf((vpn, AllOf((down, Not(vpn))))).describe() == (
        "subject contains: vpn or (subject contains: down and not (subject contains: vpn))"
    )


def test_a_pattern_that_makes_others_backtrack_for_ever_is_answered() -> None:
    hostile = facts(letter("a" * 100_000))
    assert not condition_from("subject matches", "(a+)+$b").met(hostile).met


def test_long_text_is_shown_by_the_place_that_met() -> None:
    mail = facts(letter("", "bla " * 500 + "the VPN is down " + "bla " * 500))
    shown = condition_from("text contains", "vpn is down").met(mail).text
    assert "the VPN is down" in shown
    assert len(shown) <= 120


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("subjct contains", "x", "no condition is called 'subjct contains' (did you mean 'subject contains'?)"),
        ("subject", "x", "'subject' needs a word after it: is, in, contains, mentions, starts with, ends with, "
         "matches; as in 'subject is: …'"),
        ("subject contain", "x", "'subject' cannot be compared by 'contain' (did you mean 'contains'?); it knows is, "
         "in, contains, mentions, starts with, ends with, matches"),
        ("size is", 3, "'size' cannot be compared by 'is'; it knows over, under"),
        ("size over", "big", "'big' is not a size; write it as 500 kB or 10 MB"),
        ("nature is", "humane", "no nature is called 'humane' (did you mean 'human'?)"),
        ("subject contains", [], "'contains' has an empty list; write at least one word"),
        ("subject contains", None, "'contains' wants one text, got nothing: so YAML reads null, ~ and an empty place; put "
             "quotes around the word, as in 'null'"),
        ("time between", "evening", "'evening' is not a span of time; write it as 18:00-08:00"),
        ("time between", "25:00-26:00", "'25:00' is not a time of day; write it as 09:00"),
        ("weekday is", "frosday", "'frosday' is not a weekday; write one of mon, tue, wed, thu, fri, sat, sun"),
        ("subject matches", "x" * 1001, "the pattern has 1001 characters; write at most 1000"),
        ("text matches", "(?=x)", "the pattern '(?=x)' cannot be used: invalid perl operator: (?= (RE2 has no "
         "look-ahead, look-behind or back-references; say it with all:, any: and not:)"),
        ("text matches", "a(b", "the pattern 'a(b' cannot be used: missing ): a(b (to find the character itself, "
         "write a backslash before it)"),
    ],
)  # fmt: skip
def test_condition_that_makes_no_sense_is_refused_with_a_cure(key: str, value: object, message: str) -> None:
    with pytest.raises(ConditionError) as caught:
        condition_from(key, value)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("word", "value", "message"),
    [
        ("teem", "x", "no action is called 'teem' (did you mean 'team'?)"),
        (
            "severity",
            1,
            "no action is called 'severity'; write 'severity at least: 2', or set impact and urgency",
        ),
        ("stop", True, "no action is called 'stop'; write 'stop: true' beside 'then:', not in it"),
        ("impact", "hgh", "'impact' is high, medium or low, got 'hgh' (did you mean 'high'?)"),
        ("severity at least", 5, "'severity at least' is 1 (critical), 2, 3 or 4 (low), got 5"),
        ("line", "two", "'line' is a number from 1, as in 'line: 2', got 'two'"),
        ("reject", None, "'reject' wants one word or sentence, got nothing"),
        (
            "kind",
            "incidnt",
            "'kind' is incident or service_request, got 'incidnt' (did you mean 'incident'?)",
        ),
    ],
)
def test_action_that_makes_no_sense_is_refused_with_a_cure(word: str, value: object, message: str) -> None:
    with pytest.raises(ActionError) as caught:
        action_from(word, value)
    assert str(caught.value) == message


# --- what rules decide together ---

MATRIX = {
    (impact, urgency): Severity(min(4, 1 + i + u)) for i, impact in enumerate(Level) for u, urgency in enumerate(Level)
}


def rule(name: str, *then: tuple[str, object], when: object = None, stop: bool = False) -> Rule:
    return Rule(
        name=name,
        when=when or Always(),  # type: ignore[arg-type]
        then=tuple(action_from(word, value) for word, value in then),
        stop=stop,
        where=f"routing.yaml:{len(name)}",
    )


def decide(*rules: Rule, **book: object) -> Routing:
    return route(facts(letter("vpn")), Rulebook(rules=rules, matrix=MATRIX, **book))  # type: ignore[arg-type]


def test_first_rule_to_set_a_fact_wins_and_all_names_are_kept() -> None:
    routing = decide(
        rule("one", ("team", "network"), ("tags", ["a", "b"])),
        rule("two", ("team", "desk"), ("line", 2), ("tags", "a"), ("watchers", "x@example.com")),
    )
    assert (routing.team, routing.line, routing.tags) == ("network", 2, ("a", "b"))
    assert routing.watchers == ("x@example.com",)
    assert routing.because == ("one", "two")


def test_severity_comes_from_the_matrix_and_is_only_raised() -> None:
    graded = rule("graded", ("impact", "medium"), ("urgency", "high"))
    assert decide(graded).severity is Severity.HIGH
    assert decide(graded, rule("low", ("severity at least", 4))).severity is Severity.HIGH
    assert decide(rule("raise", ("severity at least", 1)), graded).severity is Severity.CRITICAL


def test_nothing_said_means_an_incident_of_one_user() -> None:
    routing = decide()
    assert (routing.kind, routing.impact, routing.urgency) == (Kind.INCIDENT, Level.LOW, Level.MEDIUM)
    assert (routing.severity, routing.team, routing.category) == (Severity.LOW, "", "")


def test_category_fills_in_what_no_rule_said() -> None:
    vpn = Category(
        key="vpn",
        name={},
        kind="service_request",
        team="network",
        line=2,
        impact=Level.HIGH,
        urgency=Level.HIGH,
    )
    plain = decide(rule("r", ("category", "vpn")), categories={"vpn": vpn})
    assert (plain.kind, plain.team, plain.line, plain.severity) == (
        Kind.SERVICE_REQUEST,
        "network",
        2,
        Severity(1),
    )
    said = decide(rule("r", ("category", "vpn"), ("team", "desk"), ("impact", "low")), categories={"vpn": vpn})
    assert (said.team, said.severity) == ("desk", Severity.MEDIUM)


def test_stop_ends_the_search_only_if_the_rule_matched() -> None:
    missed = rule("missed", when=condition_from("subject is", "other"), stop=True)
    hit = rule("hit", ("team", "a"), stop=True)
    assert decide(missed, hit, rule("later", ("line", 3))).because == ("hit",)


def test_the_first_refusal_counts() -> None:
    assert decide(rule("r", ("reject", "no contract")), rule("i", ("ignore", "spam"))).rejected == "no contract"
    ignored = decide(rule("i", ("ignore", "spam")), rule("r", ("reject", "no contract")))
    assert (ignored.ignored, ignored.rejected) == ("spam", "")


def test_rule_that_fails_is_skipped_and_noted() -> None:
    broken = rule("broken", ("team", "x"), when=condition_from("within working hours", "nowhere"))
    routing = decide(broken, rule("good", ("team", "desk")))
    assert (routing.team, routing.because) == ("desk", ("good",))
    assert routing.problems == ("the rule 'broken' (routing.yaml:6) was skipped: KeyError: 'nowhere'",)


def test_explain_shows_every_rule_with_its_conditions() -> None:
    mail = facts(letter("vpn"))
    both = AnyOf((condition_from("subject is", "x"), condition_from("subject is", "vpn")))
    broken = rule("broken", when=condition_from("within working hours", "nowhere"))
    book = Rulebook(
        rules=(broken, rule("hit", ("team", "a"), when=both, stop=True), rule("later", ("line", 3))),
        matrix=MATRIX,
    )
    first, hit, later = explain_routing(mail, book)
    assert (first.error, first.met, first.conditions[0].error) == (
        "KeyError: 'nowhere'",
        False,
        "KeyError: 'nowhere'",
    )
    assert [(c.depth, c.condition, c.met, c.text, c.looked_at) for c in hit.conditions] == [
        (0, "any of", True, "", ""),
        (1, "subject is: x", False, "", "vpn"),
        (1, "subject is: vpn", True, "vpn", ""),
    ]
    assert (hit.met, hit.reached, hit.stop, hit.actions) == (True, True, True, ("team: a",))
    assert (later.reached, later.met, later.stopped_by) == (False, False, "hit")


STARTER = load_rulebook(shipped("rules"))


@given(st.text(max_size=60), st.text(max_size=200))
def test_explain_agrees_with_the_live_path(subject: str, text: str) -> None:
    mail = facts(letter(subject, text))
    routing = route(mail, STARTER)
    assert routing.because == tuple(t.name for t in explain_routing(mail, STARTER) if t.met)
    assert routing.problems == ()


@pytest.mark.parametrize(
    ("subject", "text", "category", "team", "severity"),
    [
        ("VPN连不上", "从今天早上开始提示错误691", "network/vpn", "network", 4),
        ("Cannot reach the office", "the vpn says error 691", "network/vpn", "network", 4),
        ("办公室断网了，很急", "全公司都上不了网", "network/outage", "network", 1),
        ("【告警】UPS 转电池供电", "", "facility/power", "facility", 2),
        ("nightly backups failed", "groups are not synced", "other", "desk", 4),
        ("忘记密码", "请帮我重置密码", "account/password", "desk", 4),
        ("打印机卡纸", "", "hardware/printer", "desktop", 4),
        ("申请开通财务系统权限", "", "request/access", "desk", 4),
        ("机房漏水", "", "facility/emergency", "facility", 1),
        ("URGENT: ERP is slow", "all users complain", "software/application", "application", 1),
        ("文件服务器宕机", "", "hardware/server", "server", 2),
        ("你好", "请问一下", "other", "desk", 4),
    ],
)
def test_starter_rules_on_ordinary_mail(subject: str, text: str, category: str, team: str, severity: int) -> None:
    routing = route(facts(letter(subject, text, headers=())), STARTER)
    assert (routing.category, routing.team, routing.severity) == (category, team, severity)


def test_starter_rules_tag_what_comes_at_night_and_ignore_spam() -> None:
    night = route(facts(letter("VPN", headers=()), SATURDAY_NIGHT), STARTER)
    assert night.tags == ("out-of-hours",)
    spam = route(facts(letter("代开各类发票")), STARTER)
    assert (spam.ignored, spam.because) == ("垃圾邮件 spam", ("垃圾广告 spam",))


def test_actions_say_what_they_do() -> None:
    actions = (SetField("team", "x"), SeverityAtLeast(Severity.HIGH), AddTags(("a", "b")))
    assert [a.describe() for a in actions] == ["team: x", "severity at least: 2", "tags: a, b"]
