"""Mails of monitoring tools: the first opens an incident, repeats join it, the end is noted, and nobody is flooded."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest

from daemon.config import shipped
from daemon.errors import ConfigError
from daemon.explaining import explain_mail
from daemon.intake.letter import read_letter
from daemon.routing.loader import load_rulebook
from daemon.words import Severity, State
from tests.desk import ROOT, Sent, TestDesk, reply, write
from tests.test_conversations import CUSTOMER, DESK, PM, mail_to

TOOL = "Zabbix <zabbix@ops.example.com>"
TRUSTED = {"Authentication-Results": "mx.example.com; dmarc=pass header.from=ops.example.com"}
STAFF_TRUSTED = {"Authentication-Results": "mx.example.com; dmarc=pass header.from=example.com"}
BODY = "Problem started at 10:00:00 on 2026.11.23\nProblem name: {0}\nHost: {1}\nSeverity: {2}\nOriginal problem ID: 4711\n"
_COUNT = iter(range(1, 100_000))


def zabbix(
    subject: str = "Problem: /data 磁盘空间不足", *, check: str = "/data 磁盘空间不足", host: str = "db01",
    level: str = "Average", sender: str = TOOL, **headers: str,
) -> EmailMessage:  # fmt: skip
    headers.setdefault("message_id", f"<{next(_COUNT)}@ops.example.com>")
    return write(sender, BODY.format(check, host, level), subject=subject, **headers)


def over(**more: str) -> EmailMessage:
    return zabbix("Resolved in 5m: /data 磁盘空间不足", **more)


@pytest.fixture
def desk(tmp_path: Path) -> TestDesk:
    return TestDesk(tmp_path)


def resolving(folder: Path, *, extra: str = "", sender: str = "ops.example.com") -> TestDesk:
    """A desk that believes mx.example.com, and lets the end of a Zabbix alert solve its ticket."""
    first = TestDesk(folder)
    rules = first.folder / "rules"
    rules.unlink()
    rules.mkdir()
    for file in (ROOT / "rules").iterdir():
        if file.is_file():
            (rules / file.name).write_text(file.read_text("utf-8"), "utf-8")
    alerts = rules / "alerts.yaml"
    text = alerts.read_text("utf-8").replace("    # from: [zabbix@example.com]\n", f"    from: [{sender}]\n", 1)
    text = text.replace("    on_recovery: note\n", f"    on_recovery: resolve\n{extra}", 1)
    alerts.write_text(text, "utf-8")
    toml = (first.folder / "ticketd.toml").read_text("utf-8")
    return TestDesk(folder, toml=toml.replace("authserv_ids = []", 'authserv_ids = ["mx.example.com"]'))


def subjects(sent: list[Sent]) -> list[str]:
    return [m.subject for m in sent]


# --- the first one ---


def test_the_first_alert_opens_an_incident_and_nobody_is_answered(desk: TestDesk) -> None:
    sent = desk.receives(zabbix())
    ticket = desk.ticket(1)
    assert (ticket.source, ticket.kind, ticket.category) == ("alert", "incident", "facility/storage")
    assert (ticket.ci, ticket.alerts, ticket.severity) == ("db01", 1, Severity.HIGH)
    assert sent and not [m for m in sent if m.to == "zabbix@ops.example.com"]
    assert desk.events(1, "AnswerWithheld")[0].reason == "a monitoring tool is not answered"
    assert "alert: Zabbix" in desk.events(1, "Routed")[0].because


def test_the_tool_never_hears_of_its_ticket(desk: TestDesk) -> None:
    sent = desk.receives(zabbix())
    to_staff = mail_to(sent, "tom.baker")
    for words in ("#accept", "#progress cleaning up", "#resolve deleted old logs"):
        desk.receives(reply(to_staff, "Tom Baker <tom.baker@example.com>", words))
    for _ in range(2):
        desk.waits(days=10)
    assert desk.ticket(1).state is State.PENDING_REVIEW, "silence closes it: there is nobody to ask"
    assert not [m for m in desk.sink.sent if m.to == "zabbix@ops.example.com"]


@pytest.mark.parametrize(("level", "severity"), [("Disaster", 1), ("High", 2), ("Information", 2), ("Warning", 2)])
def test_what_the_tool_says_can_only_raise_the_severity(desk: TestDesk, level: str, severity: int) -> None:
    desk.receives(zabbix(level=level))
    assert desk.ticket(1).severity == severity, "impact medium × urgency high is 2"


# --- the same again ---


def test_a_repeat_is_counted_on_the_open_ticket_and_mails_nobody(desk: TestDesk) -> None:
    desk.receives(zabbix())
    for _ in range(5):
        assert desk.waits(minutes=1) == [] and desk.receives(zabbix()) == []
    assert desk.ticket(1).alerts == 6 and desk.ticket(2) is None
    assert len(desk.events(1, "AlertRepeated")) == 5 and len(desk.events(1, "MessageAdded")) == 1
    assert all(status == "handled" for status, _ in desk.mail_status())


def test_after_a_day_those_at_work_hear_once_more(desk: TestDesk) -> None:
    desk.receives(zabbix())
    desk.clock.at = desk.clock.at.replace(day=24)
    desk.works()
    sent = desk.receives(zabbix())
    assert any("alert has not ended (2 times)" in s for s in subjects(sent))
    assert not [m for m in desk.receives(zabbix()) if "alert" in m.subject]


def test_a_graver_repeat_raises_the_severity_and_is_told(desk: TestDesk) -> None:
    desk.receives(zabbix())
    sent = desk.receives(zabbix(level="Disaster"))
    assert desk.ticket(1).severity == Severity.CRITICAL
    graded = desk.events(1, "Graded")[0]
    assert (graded.old, graded.new, graded.by) == ("2", "1", "Zabbix")
    assert [m.to for m in sent if "级别改为" in m.subject] == ["chen.jing@example.com"], "the desk hears of every raise"
    assert any(m.to == "tom.baker@example.com" and "(2 times)" in m.subject for m in sent)
    assert desk.receives(zabbix(level="Average")) == [] and desk.ticket(1).severity == Severity.CRITICAL


def test_another_check_another_host_another_customer_is_another_alert(desk: TestDesk) -> None:
    desk.receives(zabbix())
    desk.receives(zabbix(host="db02"))
    desk.receives(zabbix("Problem: CPU 过高", check="CPU 过高"))
    desk.receives(zabbix(sender="Zabbix <zabbix@huaxin.example>"))
    desk.receives(zabbix(sender="Zabbix <zabbix@acme.example>"))
    assert [desk.ticket(n).alerts for n in range(1, 6)] == [1, 1, 1, 1, 1]
    assert [desk.ticket(n).customer for n in (4, 5)] == ["huaxin", "acme"]


def test_two_at_once_open_one_ticket(desk: TestDesk) -> None:
    for _ in range(4):
        desk.arrives(zabbix())
    desk.works()
    assert desk.ticket(1).alerts == 4 and desk.ticket(2) is None


def test_the_same_mail_twice_counts_once(desk: TestDesk) -> None:
    mail = zabbix()
    desk.receives(mail)
    desk.receives(mail)
    assert desk.ticket(1).alerts == 1 and desk.mail_status()[1][0] == "duplicate"


def test_width_case_and_spaces_do_not_tell_alerts_apart(desk: TestDesk) -> None:
    desk.receives(zabbix(host="DB01"))
    desk.receives(zabbix(host="ｄｂ01"))
    assert desk.ticket(1).alerts == 2


def test_a_thousand_other_tickets_are_not_looked_through(desk: TestDesk) -> None:
    desk.receives(zabbix())
    sql = "SELECT picture FROM ticket WHERE alert = ? ORDER BY number DESC LIMIT 1"
    plan = desk.desk.store.base.rows(f"EXPLAIN QUERY PLAN {sql}", ("x",))
    assert any("ticket_alert_number" in str(row[-1]) for row in plan), plan


# --- the end ---


def test_the_end_is_noted_and_told_once(desk: TestDesk) -> None:
    desk.receives(zabbix())
    sent = desk.receives(over(**TRUSTED))
    ticket = desk.ticket(1)
    assert ticket.state is State.ASSIGNED and ticket.recovered_at == desk.clock.at
    assert {m.to for m in sent} == {"tom.baker@example.com"}, "who it was given to"
    assert any("The alert is over" in s for s in subjects(sent))
    assert desk.receives(over()) == []


def test_the_end_of_nothing_is_filed_quietly(desk: TestDesk) -> None:
    assert desk.receives(over()) == []
    assert desk.ticket(1) is None
    assert desk.mail_status() == [("ignored", "recovery of an alert without an open ticket")]


def test_with_resolve_it_is_solved_by_itself(tmp_path: Path) -> None:
    desk = resolving(tmp_path)
    desk.receives(zabbix())
    desk.waits(minutes=5)
    sent = desk.receives(over(**TRUSTED))
    ticket = desk.ticket(1)
    assert ticket.state is State.RESOLVED and "自行恢复" in ticket.solution and "10:05" in ticket.solution
    assert desk.events(1, "StateChanged")[-1].by == "Zabbix"
    assert any("the ticket is solved" in s for s in subjects(sent)) and not [
        m for m in sent if m.to.startswith("zabbix")
    ]


@pytest.mark.parametrize(
    "headers", [{}, {"Authentication-Results": "mx.example.com; dmarc=fail header.from=ops.example.com"}]
)
def test_who_is_not_proved_closes_nothing(tmp_path: Path, headers: dict[str, str]) -> None:
    desk = resolving(tmp_path)
    desk.receives(zabbix())
    desk.receives(over(**headers))
    ticket = desk.ticket(1)
    assert ticket.state is State.ASSIGNED and ticket.recovered_at is not None
    assert desk.events(1, "AlertRecovered")[0].proved is False


def test_the_end_of_an_alert_solves_nothing_that_waits_for_approval(tmp_path: Path) -> None:
    desk = resolving(tmp_path)
    routing = desk.folder / "rules" / "routing.yaml"
    rule = "rules:\n  - {name: spend, when: {subject contains: Problem}, then: {approval: manager}}\n"
    routing.write_text(routing.read_text("utf-8").replace("\nrules:\n", f"\n{rule}", 1), "utf-8")
    desk = TestDesk(tmp_path, toml=(desk.folder / "ticketd.toml").read_text("utf-8"))
    desk.receives(zabbix(**TRUSTED))
    desk.receives(over(**TRUSTED))
    assert desk.ticket(1).awaits_approval and desk.ticket(1).recovered_at == desk.clock.at


def test_a_stranger_with_a_proof_of_their_own_is_no_monitoring_tool(tmp_path: Path) -> None:
    desk = resolving(tmp_path)
    desk.receives(zabbix())
    proof = {"Authentication-Results": "mx.example.com; dmarc=pass header.from=evil.example"}
    desk.receives(over(sender="Zabbix <zabbix@evil.example>", **proof))
    assert desk.ticket(1).state is State.ASSIGNED and desk.ticket(1).recovered_at is None


def test_what_comes_and_goes_is_left_to_people_after_the_first_time(tmp_path: Path) -> None:
    desk = resolving(tmp_path)
    mails = []
    for _ in range(12):
        mails += desk.receives(zabbix(**TRUSTED))
        desk.waits(minutes=2)
        mails += desk.receives(over(**TRUSTED))
        desk.waits(minutes=2)
    ticket = desk.ticket(1)
    assert desk.ticket(2) is None and ticket.alerts == 12 and ticket.state is State.ASSIGNED
    per_person = [m.subject for m in mails if m.to == "tom.baker@example.com" and "alert" in m.subject]
    assert len(per_person) == 2, "one that it is over, one that it is back; then a day's rest"


# --- after the end ---


def test_back_within_the_time_reopens(tmp_path: Path) -> None:
    desk = resolving(tmp_path)
    desk.receives(zabbix(**TRUSTED))
    desk.receives(over(**TRUSTED))
    desk.waits(hours=3)
    sent = desk.receives(zabbix(**TRUSTED))
    ticket = desk.ticket(1)
    assert ticket.state is State.ASSIGNED and ticket.reopened == 1 and ticket.recovered_at is None
    assert any("The alert is back (2 times)" in s for s in subjects(sent)) and desk.ticket(2) is None
    assert len([m for m in sent if m.to == "tom.baker@example.com"]) == 1


def test_back_after_the_time_opens_a_linked_one(tmp_path: Path) -> None:
    desk = resolving(tmp_path, extra="    reopen_within: 2h\n")
    desk.receives(zabbix(**TRUSTED))
    desk.receives(over(**TRUSTED))
    desk.waits(hours=3)
    desk.receives(zabbix(**TRUSTED))
    assert desk.ticket(1).state is State.RESOLVED
    assert desk.ticket(2).follows == 1 and desk.ticket(1).followed_by == (2,)
    desk.receives(zabbix(**TRUSTED))
    assert desk.ticket(2).alerts == 2, "from now on the new one counts"


def test_back_after_the_archive_opens_a_linked_one(desk: TestDesk) -> None:
    sent = desk.receives(zabbix())
    tom = "Tom Baker <tom.baker@example.com>"
    for words in ("#accept", "#resolve cleaned"):
        desk.receives(reply(mail_to(sent, "tom.baker"), tom, words))
    told = [m for _ in range(2) for m in desk.waits(days=10)]
    review = next(m for m in told if m.to.startswith("sun.li") and "审核" in m.subject)
    desk.receives(reply(review, PM, "#归档"))
    assert desk.ticket(1).state is State.ARCHIVED
    assert desk.receives(over()) == [], "what is archived is read-only"
    desk.receives(zabbix())
    assert (desk.ticket(2).follows, desk.ticket(2).source) == (1, "alert")


def test_one_that_was_taken_up_goes_back_to_its_engineer(desk: TestDesk) -> None:
    sent = desk.receives(zabbix())
    tom = "Tom Baker <tom.baker@example.com>"
    desk.receives(reply(mail_to(sent, "tom.baker"), tom, "#accept"))
    desk.receives(reply(mail_to(sent, "tom.baker"), tom, "#resolve cleaned"))
    told = desk.receives(zabbix())
    assert desk.ticket(1).state is State.IN_PROGRESS
    assert {m.to for m in told} == {"tom.baker@example.com"}


# --- other tools, and what is no alert ---

TOOLS = {
    "alertmanager": (
        "Alertmanager <am@ops.example.com>", "[FIRING:1] InstanceDown (node web01)", "[FIRING:3] InstanceDown (node web01)",
        "[RESOLVED] InstanceDown (node web01)", "Labels\n - alertname = InstanceDown\n - instance = web01:9100\n - severity = critical\n",
    ),
    "nagios": (
        "nagios <nagios@ops.example.com>", "** PROBLEM Service Alert: web01/Disk is CRITICAL **",
        "** PROBLEM Service Alert: web01/Disk is WARNING **", "** RECOVERY Service Alert: web01/Disk is OK **", "DISK CRITICAL",
    ),
    "chinese": (
        "监控平台 <jiankong@ops.example.com>", "【告警】web01 磁盘使用率 95%", "【告警】web01 磁盘使用率 当前值：97.5%",
        "【恢复】web01 磁盘使用率 60%", "请处理",
    ),
    "generic": (
        "noreply@ops.example.com", "[ALERT] UPS on battery", "[alert] ups on battery", "[OK] UPS on battery", "see console",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TOOLS)
def test_the_shipped_rules_know_the_usual_tools(desk: TestDesk, name: str) -> None:
    sender, first, again, end, body = TOOLS[name]
    for n, subject in enumerate((first, again, end)):
        desk.receives(write(sender, body, subject=subject, message_id=f"<{name}{n}@ops.example.com>"))
    ticket = desk.ticket(1)
    assert desk.ticket(2) is None and (ticket.source, ticket.alerts) == ("alert", 2)
    assert ticket.recovered_at is not None


def test_a_tool_that_threads_its_mails_is_understood_all_the_same(desk: TestDesk) -> None:
    desk.receives(zabbix(message_id="<p1@ops.example.com>"))
    mail = over(in_reply_to="<p1@ops.example.com>", references="<p1@ops.example.com>", auto_submitted="auto-generated")
    desk.receives(mail)
    assert desk.ticket(1).recovered_at is not None


def test_news_of_an_alert_is_only_noted(desk: TestDesk) -> None:
    sender, first, _, _, body = TOOLS["nagios"]
    desk.receives(write(sender, body, subject=first))
    news = "** ACKNOWLEDGEMENT Service Alert: web01/Disk is CRITICAL **"
    assert desk.receives(write(sender, "looking", subject=news)) == []
    assert desk.ticket(1).alerts == 1 and len(desk.events(1, "MessageAdded")) == 2


@pytest.mark.parametrize(
    "subject", ["Problem: my printer", "[ALERT] nothing works", "告警：机房很热", "转发: 【告警】web01 磁盘使用率 95%"]
)
def test_people_who_write_like_machines_are_still_answered(desk: TestDesk, subject: str) -> None:
    sent = desk.receives(write(CUSTOMER, "请帮忙看看，谢谢。", subject=subject))
    assert desk.ticket(1).source == "mail" and mail_to(sent, "zhang.san")


def test_an_alert_without_anything_to_tell_it_apart_opens_its_own_ticket(desk: TestDesk) -> None:
    for n in (1, 2):
        desk.receives(write(TOOL, "something is wrong", subject="trouble", message_id=f"<x{n}@ops.example.com>"))
    assert desk.ticket(1).alerts == desk.ticket(2).alerts == 1
    assert any("has no key" in p for p in desk.events(1, "Routed")[0].problems)


def test_an_alert_turns_out_to_be_a_customers(desk: TestDesk) -> None:
    sent = desk.receives(zabbix())
    told = desk.receives(reply(mail_to(sent, "tom.baker"), "Tom Baker <tom.baker@example.com>", "#for it@acme.example"))
    assert desk.ticket(1).requester == "it@acme.example" and mail_to(told, "it@acme.example")


def test_explain_says_which_alert_it_is(desk: TestDesk) -> None:
    desk.receives(zabbix())
    said = explain_mail(read_letter(zabbix().as_bytes()), "x.eml", "support", desk.desk)
    assert said["alert"]["name"] == "Zabbix" and said["alert"]["about"] == "db01 / /data 磁盘空间不足"
    assert said["match"] == {"ticket": 1, "by": "alert", "conflict": False, "claims": None}
    assert said["notices"] == [] and desk.ticket(1).alerts == 1


def test_the_history_can_be_told_and_drawn_again(desk: TestDesk) -> None:
    desk.receives(zabbix())
    desk.receives(zabbix())
    desk.receives(over())
    assert desk.desk.store.register.rebuild() == []


def test_staff_who_pass_an_alert_on_record_an_incident_of_their_own(desk: TestDesk) -> None:
    desk.receives(write(DESK, "请处理\n", subject="FW: Problem: disk", **STAFF_TRUSTED))
    assert desk.ticket(1).source == "mail"


# --- bad files ---

GOOD = """alerts:
  - name: X
    when: {subject contains: x}
    find: [{subject: 'x (?P<host>\\S+) (?P<level>\\w+)'}]
    same: [host]
    recovery: {subject contains: ok}
    from: [ops.example.com]
    on_recovery: resolve
"""
BAD = {
    "no key": ("    same: [host]\n", "", "an alert lacks 'same'; write same: [host, check]"),
    "no such group": ("same: [host]", "same: [hots]", "no pattern has a group 'hots' (did you mean 'host'?)"),
    "broken pattern": ("x (?P<host>", "x ((?P<host>", "cannot be used"),
    "no names": ("(?P<host>\\S+) (?P<level>\\w+)", "(\\S+)", "the pattern names nothing"),
    "anybody may close": ("    from: [ops.example.com]\n", "", "lets a mail close tickets, so its sender must be named"),
    "never closes": ("    recovery: {subject contains: ok}\n", "", "'on_recovery: resolve' needs 'recovery:'"),
    "unknown word": ("resolve\n", "close\n", "'on_recovery' knows no 'close'"),
    "bad severity": ("    same:", "    severity: {bad: 7}\n    same:", "a severity is 1, 2, 3 or 4"),
    "unknown key": ("    same:", "    kee: 1\n    same:", "an alert has no key 'kee'"),
    "two of one name": ("alerts:\n", f"alerts:\n{GOOD.partition(chr(10))[2]}", "is called 'X'; names tell them apart"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_in_the_file_is_told_with_its_line_and_cure(name: str, tmp_path: Path) -> None:
    old, new, says = BAD[name]
    for file in shipped("rules").iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "alerts.yaml").write_text(GOOD, "utf-8")
    assert len(load_rulebook(tmp_path).alerts) == 1
    (tmp_path / "alerts.yaml").write_text(GOOD.replace(old, new, 1), "utf-8")
    with pytest.raises(ConfigError) as raised:
        load_rulebook(tmp_path)
    assert any("alerts.yaml:" in str(p) and says in str(p) for p in raised.value.problems), raised.value.problems
