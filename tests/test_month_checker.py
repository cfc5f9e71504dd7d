"""The judge of the played month is put to the test: each planted fault must be found, and nothing else."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.month import books, case, checker, hours, staffing
from tests.month.books import RULES, Books, read_rules
from tests.month.checker import Evidence, Mail, judge
from tests.month.play import WEEKS, campaign, in_one_process

VENDOR = "service@frost.example"
HOUR, TEN = timedelta(hours=1), timedelta(minutes=10)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Three weeks with outages, absences, a make-up Saturday and a change of clocks, without servers."""
    place = in_one_process(tmp_path_factory.mktemp("month") / "desk", WEEKS)
    return campaign(place, WEEKS, seed=6, incidents=30).play()


@pytest.fixture
def evidence(played: Evidence) -> Evidence:
    return replace(played, mails=list(played.mails), tickets=copy.deepcopy(played.tickets))


@pytest.mark.parametrize("module", [hours, books, case, checker, staffing], ids=lambda m: m.__name__)
def test_the_judge_shares_no_code_with_the_daemon(module: object) -> None:
    """It imports the standard library, a reader of YAML, and its own five files."""
    allowed = {"tests.month.hours", "tests.month.books", "tests.month.case", "tests.month.staffing", "ruamel.yaml"}
    tree = ast.parse(Path(str(module.__file__)).read_text("utf-8"))  # type: ignore[attr-defined]
    named = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    named |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert not {n for n in named if n.split(".")[0] in ("daemon", "tests")} - allowed
    assert "import_module" not in ast.dump(tree) and "__import__" not in ast.dump(tree)


def test_what_was_sent_is_what_was_owed(evidence: Evidence) -> None:
    verdict = judge(evidence)
    assert verdict.differences == []
    assert verdict.owed == verdict.found == len(evidence.mails) > 250
    kinds = {n["template"] for shown in evidence.tickets.values() for n in shown["notices"]}
    assert {"escalation", "confirm_reminder", "review_request", "next_action", "follow_up", "assignment"} <= kinds
    assert {"queued", "alert_repeated", "alert_recovered", "scope_refused", "scope_insisted", "scope_question"} <= kinds
    assert {"new_reply"} <= {n["template"] for n in handed_to_a_vendor(evidence)["notices"]}


def handed_to_a_vendor(evidence: Evidence) -> dict:
    return next(
        s
        for s in evidence.tickets.values()
        if any(e["kind"] == "HandedUp" and e["data"]["line"] == 3 for e in s["events"])
    )


# --- what somebody may do to the mails ---


def template_of(mail: Mail, evidence: Evidence) -> str:
    found = (n for shown in evidence.tickets.values() for n in shown["notices"] if n["message_id"] == mail.message_id)
    return next((str(n["template"]) for n in found), "list")


def some(evidence: Evidence, template: str, nth: int = 0) -> int:
    return [i for i, m in enumerate(evidence.mails) if template_of(m, evidence) == template][nth]


def dropped(template: str) -> Callable[[Evidence], None]:
    def plant(evidence: Evidence) -> None:
        mail = evidence.mails.pop(some(evidence, template))
        for shown in evidence.tickets.values():
            shown["notices"] = [n for n in shown["notices"] if n["message_id"] != mail.message_id]

    return plant


def doubled(template: str) -> Callable[[Evidence], None]:
    def plant(evidence: Evidence) -> None:
        evidence.mails.append(evidence.mails[some(evidence, template)])

    return plant


def moved(template: str, by: timedelta, nth: int = 1) -> Callable[[Evidence], None]:
    def plant(evidence: Evidence) -> None:
        at = some(evidence, template, nth)
        evidence.mails[at] = replace(evidence.mails[at], at=evidence.mails[at].at + by)

    return plant


def misdirected(evidence: Evidence) -> None:
    at = some(evidence, "escalation")
    mail = evidence.mails[at]
    wrong = "li.na@example.com" if mail.to != "li.na@example.com" else "wu.fang@example.com"
    evidence.mails[at] = replace(mail, to=wrong)
    for shown in evidence.tickets.values():
        for notice in shown["notices"]:
            if notice["message_id"] == mail.message_id:
                notice["to"] = wrong


def invented(evidence: Evidence) -> None:
    mail = evidence.mails[some(evidence, "acknowledgement")]
    evidence.mails.append(replace(mail, message_id="<nobody@knows.example>", to="wu.fang@example.com"))


def never_left(evidence: Evidence) -> None:
    evidence.mails.pop(some(evidence, "resolved"))


def silent_about_lateness(evidence: Evidence) -> None:
    for at, mail in enumerate(evidence.mails):
        text = mail.text
        for words in ("原应在", "本应在", "迟到了", "should have reached you", "it is late because"):
            text = text.replace(words, "…")
        evidence.mails[at] = replace(mail, text=text)


def forgets_a_ticket_on_a_list(evidence: Evidence) -> None:
    begins = ("今天没有解决的工单", "Not solved today")
    at = next(i for i, m in enumerate(evidence.mails) if m.subject.startswith(begins) and m.text.count("INC-") > 1)
    evidence.mails[at] = replace(evidence.mails[at], text=evidence.mails[at].text.replace("INC-", "…", 1))


def speaks_of_another_step(evidence: Evidence) -> None:
    at = next(i for i, m in enumerate(evidence.mails) if "75%" in m.text)
    evidence.mails[at] = replace(evidence.mails[at], text=evidence.mails[at].text.replace("75%", "50%"))


def promises_another_hour(evidence: Evidence) -> None:
    at = some(evidence, "acknowledgement")
    text = re.sub(r"\d\d:\d\d", "00:07", evidence.mails[at].text)
    evidence.mails[at] = replace(evidence.mails[at], text=text)


def shows_another_due_time(evidence: Evidence) -> None:
    shown = next(t for t in evidence.tickets.values() if t["resolve_by"])
    shown["resolve_by"] = (datetime.fromisoformat(shown["resolve_by"]) + HOUR).isoformat()


def leaves_a_step_out_of_history(evidence: Evidence) -> None:
    shown = next(t for t in evidence.tickets.values() if any(e["kind"] == "StepReached" for e in t["events"]))
    shown["events"].remove(next(e for e in shown["events"] if e["kind"] == "StepReached"))


def event_of(evidence: Evidence, kind: str, **values: object) -> tuple[dict, dict]:
    """Return the first event of a kind with these data, and the ticket that has it."""
    return next(
        (event, shown) for shown in evidence.tickets.values() for event in shown["events"]
        if event["kind"] == kind and all(event["data"][name] == value for name, value in values.items())
    )  # fmt: skip


def loses_an_alarm(evidence: Evidence) -> None:
    event, shown = event_of(evidence, "AlertRepeated", told=False, back=False)
    shown["events"].remove(event)


def joins_another_trouble(evidence: Evidence) -> None:
    event, _ = event_of(evidence, "AlertRepeated", told=False)
    event["data"]["subject"] = "Problem: mail01 queue No.0"


def nobody_answers_for_the_vendor(evidence: Evidence) -> None:
    """The mail that tells the one who answers for a vendor what the vendor wrote goes to nobody."""
    shown = handed_to_a_vendor(evidence)
    at = next(e["at"] for e in shown["events"] if e["kind"] == "MessageAdded" and e["data"]["author"] == VENDOR)
    mail = next(
        m for m in evidence.mails if m.at == datetime.fromisoformat(at) and template_of(m, evidence) == "new_reply"
        and m.message_id in {n["message_id"] for n in shown["notices"]}
    )  # fmt: skip
    evidence.mails.remove(mail)
    shown["notices"] = [n for n in shown["notices"] if n["message_id"] != mail.message_id]


PLANTED = [
    (dropped("escalation"), "missing: escalation"),
    (dropped("confirm_reminder"), "missing: confirm_reminder"),
    (dropped("next_action"), "missing: next_action"),
    (dropped("transcript"), "missing: transcript"),
    (doubled("escalation"), "unexpected: escalation"),
    (doubled("acknowledgement"), "unexpected: acknowledgement"),
    (doubled("list"), "unexpected: "),
    (moved("escalation", TEN), "wrong time: escalation"),
    (moved("escalation", -TEN), "wrong time: escalation"),
    (moved("review_request", HOUR), "wrong time: review_request"),
    (misdirected, "wrong person: escalation"),
    (invented, "unexpected: unknown"),
    (never_left, "resolved"),
    (silent_about_lateness, "does not say that it is late"),
    (forgets_a_ticket_on_a_list, "should name"),
    (promises_another_hour, "acknowledgement"),
    (shows_another_due_time, "resolve is due"),
    (leaves_a_step_out_of_history, "history has none"),
    (speaks_of_another_step, "does not speak of 75%"),
    (dropped("queued"), "missing: queued"),
    (doubled("queued"), "unexpected: queued"),
    (dropped("scope_question"), "missing: scope_question"),
    (dropped("scope_refused"), "missing: scope_refused"),
    (moved("scope_insisted", HOUR, 0), "wrong time: scope_insisted"),
    (dropped("scope_passed_on"), "missing: scope_passed_on"),
    (dropped("alert_repeated"), "missing: alert_repeated"),
    (doubled("alert_recovered"), "unexpected: alert_recovered"),
    (loses_an_alarm, "no ticket knows"),
    (joins_another_trouble, "trouble"),
    (nobody_answers_for_the_vendor, "missing: new_reply"),
]


@pytest.mark.parametrize(("plant", "finding"), PLANTED, ids=[f"{n:02} {f}" for n, (_, f) in enumerate(PLANTED, 1)])
def test_a_fault_in_one_mail_is_found_and_nothing_else(
    evidence: Evidence, plant: Callable[[Evidence], None], finding: str
) -> None:
    plant(evidence)
    differences = judge(evidence).differences
    assert differences and all(finding in d for d in differences), differences


# --- what a daemon may reckon wrongly: here the rules of the judge are changed instead, which comes to the same ---


def without_lunch(files: dict) -> None:
    files["calendars"]["calendars"]["business"]["week"] = {"mon-fri": ["09:00-18:00"]}


def without_make_up_days(files: dict) -> None:
    files["calendars"]["calendars"]["business"]["workdays"] = []


def without_clock_changes(files: dict) -> None:
    files["customers"]["customers"]["rhein"]["zone"] = "Etc/GMT-2"


def without_pauses(files: dict) -> None:
    files["service_levels"]["hold_stops_clock"] = []


def without_absences(files: dict) -> None:
    for person in files["people"]["people"].values():
        person.pop("absences", None)


def without_forecast(files: dict) -> None:
    for level in files["service_levels"]["service_levels"].values():
        level.pop("forecast", None)


def without_reminder(files: dict) -> None:
    files["duties"]["duties"]["closing_by_silence"]["remind_days_before"] = 2


def with_a_step_more(files: dict) -> None:
    steps = files["service_levels"]["service_levels"]["standard"]["steps"]
    steps.append({"clock": "resolve", "percent": 60, "tell": ["manager"]})


def with_more_room(files: dict) -> None:
    files["people"]["people"]["wang.wei"]["capacity"] = 60


def with_less_room(files: dict) -> None:
    files["people"]["people"]["li.na"]["capacity"] = 1


def without_skills(files: dict) -> None:
    for name in ("li.na", "wang.wei"):
        files["people"]["people"][name]["skills"] = []


def without_office_hours(files: dict) -> None:
    files["people"]["people"]["wang.wei"].pop("calendar")


def without_rota(files: dict) -> None:
    files["rota"]["out_of_hours"] = []


def with_the_rota_turned(files: dict) -> None:
    files["rota"]["rota"]["desktop"]["order"].reverse()


def without_contract(files: dict) -> None:
    files["customers"]["customers"]["rhein"].pop("contract")


def without_a_tool_that_solves(files: dict) -> None:
    files["alerts"]["alerts"][1]["on_recovery"] = "note"


def where_a_tool_weighs_much(files: dict) -> None:
    for tool in files["alerts"]["alerts"]:
        tool["severity"] = {"average": 1}


DISPATCH = [
    with_more_room, with_less_room, without_skills, without_office_hours, without_rota, with_the_rota_turned,
]  # fmt: skip
MISTAKEN = [
    *DISPATCH, without_contract, without_a_tool_that_solves, where_a_tool_weighs_much,
    without_lunch, without_make_up_days, without_clock_changes, without_pauses, without_absences, without_forecast,
    without_reminder, with_a_step_more,
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKEN, ids=lambda m: m.__name__)
def test_who_reckons_otherwise_is_told_apart(evidence: Evidence, mistake: Callable[[dict], None]) -> None:
    files = copy.deepcopy(read_rules(RULES))
    mistake(files)
    assert judge(evidence, Books(files)).differences


def test_a_pause_that_was_not_kept_is_found(evidence: Evidence) -> None:
    """The judge is told that nobody ever put a ticket on hold: the clock of the daemon stood still for no reason."""
    for shown in evidence.tickets.values():
        for event in shown["events"]:
            if event["kind"] == "StateChanged" and event["data"]["new"] == "on_hold":
                event["data"]["hold_reason"] = "vendor"
    assert judge(evidence).differences
