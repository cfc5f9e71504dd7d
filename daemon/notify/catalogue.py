"""The catalogue of our mails: what each template is for, who may read it, and which facts it may speak of.

Nothing comes in. What goes out: tables, the sample facts that every template is tried with, and the table of
docs/templates.md. Facts are plain JSON; times are ISO 8601 with an offset, or "" where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from daemon.words import Visibility

PUBLIC, INTERNAL = Visibility.PUBLIC, Visibility.INTERNAL


@dataclass(frozen=True, slots=True)
class TemplateInfo:
    """One kind of mail: what it is for, whether requesters may get it, and its own facts."""

    purpose: str
    visibility: Visibility
    extra: tuple[str, ...] = ()


_SCOPE = ("reason", "why", "contract", "service_name", "until", "since", "final")

TEMPLATES: Mapping[str, TemplateInfo] = {
    "acknowledgement": TemplateInfo("we have your mail: its number, the times promised, what happens next", PUBLIC),
    "scope_refused": TemplateInfo("not within the agreement, why, and what can be done", PUBLIC, _SCOPE),
    "scope_passed_on": TemplateInfo("you want it all the same: sales will write to you", PUBLIC),
    "scope_accepted": TemplateInfo("we take it on after all", PUBLIC),
    "scope_question": TemplateInfo("to the desk: it is outside the contract; take it in or not?", INTERNAL, _SCOPE),
    "scope_insisted": TemplateInfo("to sales: the requester wants what was refused; please decide", INTERNAL, _SCOPE),
    "approval_question": TemplateInfo(
        "to whoever has to approve a ticket: yes or no, and again until they say",
        INTERNAL,
        ("repeat", "again_at"),
    ),
    "approved": TemplateInfo("it was approved, and the times promised begin", PUBLIC),
    "approval_refused": TemplateInfo("it was not approved, and why", PUBLIC, ("reason",)),
    "taken_up": TemplateInfo("somebody has begun to work on it", PUBLIC),
    "progress": TemplateInfo("news from the engineer", PUBLIC, ("also",)),
    "on_hold": TemplateInfo("the work waits: for what, until when, who has to move", PUBLIC),
    "resumed": TemplateInfo("the work goes on", PUBLIC),
    "resolved": TemplateInfo("the solution, and how to confirm or object", PUBLIC, ("confirms", "also")),
    "reopened": TemplateInfo("not solved after all: we go on", PUBLIC, ("reason", "solved_with", "also")),
    "closed": TemplateInfo("reviewed and closed", PUBLIC),
    "cancelled": TemplateInfo("withdrawn or not needed any more", PUBLIC, ("reason",)),
    "merged": TemplateInfo("the same case as another number, under which it is handled now", PUBLIC, ("other",)),
    "shared_news": TemplateInfo(
        "to the requester of a merged one: news of the case, or what became of it",
        PUBLIC,
        ("other", "solved", "outcome", "also"),
    ),
    "assignment": TemplateInfo(
        "to the engineer or team: everything known, deadlines, how to answer", INTERNAL, ("similar",)
    ),
    "linked": TemplateInfo(
        "to those at work: another record was linked, or a problem or change opened",
        INTERNAL,
        ("link", "other", "opened", "ended", "for_vendor", "also"),
    ),
    "new_reply": TemplateInfo(
        "to those at work: somebody wrote about the ticket", INTERNAL, ("author", "proved", "nature")
    ),
    "escalation": TemplateInfo(
        "steps of the timetable, or somebody asked", INTERNAL, ("step", "steps", "asked_by", "reason")
    ),
    "handed_up": TemplateInfo(
        "to the desk, and to who had it: line 2 or a vendor took over", INTERNAL, ("line", "reason", "by_itself")
    ),
    "queued": TemplateInfo(
        "to the lead and the desk: nobody of the team is free, it waits", INTERNAL, ("reasons", "opens")
    ),
    "recall": TemplateInfo(
        "to the engineer: put that down, take this up, with everything known", INTERNAL, ("name", "other")
    ),
    "recalled": TemplateInfo(
        "to the project manager and the desk: its engineer was called back from it", INTERNAL, ("name", "other")
    ),
    "regraded": TemplateInfo(
        "to the desk, and to who works on it: the severity changed", INTERNAL, ("field", "old", "new", "reason")
    ),
    "undone": TemplateInfo(
        "to everybody who was told: somebody took back what they had just done", PUBLIC, ("template", "done_at")
    ),
    "alert_repeated": TemplateInfo(
        "to those at work: the alert is back, is graver, or has not ended for a day", INTERNAL, ("back", "times")
    ),
    "alert_recovered": TemplateInfo(
        "to those at work: the monitoring tool says that it is over", INTERNAL, ("recovered_at", "times", "solved")
    ),
    "returned": TemplateInfo("to the desk: wrongly dispatched, please dispatch again", INTERNAL, ("reason",)),
    "review_request": TemplateInfo("to the project manager: please archive or reject", INTERNAL, ("silent",)),
    "notice_failed": TemplateInfo(
        "to the desk: one of our mails did not arrive",
        INTERNAL,
        ("address", "reason", "template", "permanent"),
    ),
    "woken": TemplateInfo("the time of a hold is over: to those at work", INTERNAL, ("reason", "other")),
    "confirm_reminder": TemplateInfo("no answer yet whether it is solved: please say so", PUBLIC, ("late_for", "also")),
    "next_action": TemplateInfo("to those at work: nobody knows the next step, please write it", INTERNAL),
    "day_list": TemplateInfo("to the project manager: what was not solved today", INTERNAL, ("tickets", "late_for")),
    "open_list": TemplateInfo("end of the day: how the reader's tickets stand", PUBLIC, ("tickets", "late_for")),
    "review_list": TemplateInfo("to the project manager: what waits for review", INTERNAL, ("tickets", "late_for")),
    "follow_up": TemplateInfo("after the end: are you satisfied, 1 to 5", PUBLIC, ("tickets",)),
    "follow_up_result": TemplateInfo(
        "to the project manager: how the requesters rated us", INTERNAL, ("tickets", "late_for", "answered", "average")
    ),
    "major_update": TemplateInfo(
        "to everybody concerned: a major incident was declared, an update, it is over",
        PUBLIC,
        ("news", "next_update_at", "also"),
    ),
    "update_owed": TemplateInfo(
        "to who owns a major incident: an update is missing",
        INTERNAL,
        ("due_at", "late_minutes", "repeat", "again_at"),
    ),
    "major_report": TemplateInfo(
        "a major incident is over: the draft of its report, to be filled in", INTERNAL, ("news", "aftermath")
    ),
    "task": TemplateInfo(
        "to the owner of a task of an emergency plan: what to do and by when, or that it is overdue",
        INTERNAL,
        ("plan", "tasks", "asked", "overdue"),
    ),
    "plan_progress": TemplateInfo(
        "to the coordinator of an emergency plan: what is new, and how all its tasks stand",
        INTERNAL,
        ("plan", "tasks", "news"),
    ),
    "kpi_report": TemplateInfo(
        "to managers: what the past month came to, with charts and a table of all figures",
        INTERNAL,
        ("report", "report_text", "report_html", "late_for"),
    ),
    "rule_proposals": TemplateInfo(
        "to the service desk: rules that people kept correcting the same way, and what to change",
        INTERNAL,
        ("proposals", "late_for"),
    ),
    "transcript": TemplateInfo(
        "answer to keywords: what was done and what was not, states asked for, help",
        PUBLIC,
        (
            "lines",
            "applied",
            "unproved",
            "tickets",
            "help",
            "kept_internal",
            "opened",
            "opened_for",
            "found_nothing",
            "moved_from",
        ),
    ),
    "rule_notice": TemplateInfo(
        "to those whom a rule has told: a mail came that it looks out for", INTERNAL, ("rules", "first")
    ),
    "forwarded": TemplateInfo("to whom a rule passes a mail on: the mail itself is enclosed", INTERNAL, ("original",)),
    "passed_on": TemplateInfo(
        "to its sender: your mail was passed on, and no ticket was opened", PUBLIC, ("original",)
    ),
    "alarm": TemplateInfo("to the operator: the daemon itself needs a hand", INTERNAL, ("title", "lines")),
}

NO_TICKET: Mapping[str, object] = {
    "number": 0,
    "subject": "",
    "kind": "incident",
    "state": "",
    "severity": 0,
    "impact": "",
    "urgency": "",
    "category": "",
    "category_name": "",
    "team_name": "",
    "line": 0,
    "assignee_name": "",
    "because": (),
    "requester_name": "",
    "requester_address": "",
    "customer_name": "",
    "opened_at": "",
    "occurred_at": "",
    "source": "",
    "user": "",
    "contact": "",
    "place": "",
    "ci": "",
    "service": "",
    "error_codes": (),
    "order": "",
    "affected": "",
    "respond_by": "",
    "resolve_by": "",
    "solution": "",
    "cause": "",
    "workaround": "",
    "hold_reason": "",
    "hold_until": "",
    "approval_by": "",
    "tags": (),
    "follows": 0,
    "links": (),
    "split_from": 0,
    "close_at": "",
    "major": "",
}
"""Every field of the fact `ticket`, with the value that stands for "not known"."""

NO_STEP: Mapping[str, object] = {
    "name": "",
    "clock": "",
    "percent": 0,
    "due_at": "",
    "late_minutes": 0,
    "forecast": False,
    "repeat": 0,
    "missed": 0,
    "again_at": "",
    "after_minutes": 0,
    "told_as": "",
}

NO_ORIGINAL: Mapping[str, object] = {"subject": "", "sender": "", "sender_name": ""}
"""A mail that is passed on, of which nothing is known."""

NO_AFTERMATH: Mapping[str, object] = {
    "level": "",
    "owner": "",
    "since": "",
    "ended_at": "",
    "minutes": 0,
    "region": "",
    "course": (),
    "promises": (),
    "updates": 0,
    "missed": 0,
    "tasks_done": 0,
    "tasks": 0,
}
"""The draft of a report of which nothing is known."""

_NO_REPORT: Mapping[str, object] = {
    "title": "",
    "service": "",
    "language": "",
    "period": {
        "name": "2026-01", "first": "2026-01-01", "last": "2026-01-31", "until": "2026-02-01T00:00:00+00:00",
        "over": True,
    },
    "zone": "UTC",
    "customers": [],
    "customer_name": "",
    "made_at": "2026-02-01T00:00:00+00:00",
    "kpis": [],
    "course": [],
}  # fmt: skip

COMMON: Mapping[str, str] = {
    "ticket": "the ticket, see below",
    "text": "the words that this is about (to requesters: public words only)",
    "by": "name of who did it",
    "attachments": "list of {name, size in bytes}",
    "keywords": "list of {verb, word, words, help}: what the reader may answer with",
    "to_name": "name of the reader, may be empty",
    "instead": "for whom the reader stands in: list of {told_as, why (absent, bounced, nobody), name, until (a date)}",
    "ref": "tag and number of the ticket, e.g. INC-12",
    "tag": "the letters before every number, e.g. INC",
    "service": "our own {name, address}",
    "sent_at": "the time of this mail",
    "language": "language of this mail",
    "zone": "the service's time zone in words",
    "words": "the word lists of _words.j2",
    "mailto": "mailto(line): link that opens a reply beginning with this line",
}
"""Facts that every template has."""

EXTRA: Mapping[str, tuple[object, str]] = {
    "reason": ("", "why, in somebody's words"),
    "why": (
        "",
        "why it is outside: unknown_customer, expired, not_begun, not_covered; empty where somebody said it",
    ),
    "contract": ("", "the number of the contract"),
    "service_name": ("", "what sort of service was asked for"),
    "until": ("", "the last day of the contract"),
    "since": ("", "its first day"),
    "final": (False, "true when sales has refused what the requester insisted on"),
    "author": ("", "name or address of who wrote"),
    "proved": (True, "false when the sender could not be verified"),
    "nature": ("human", "human, automatic, list or bounce"),
    "step": (
        NO_STEP,
        "the gravest step: {name, clock (respond or resolve), percent (0: on record), due_at, late_minutes, forecast, "
        "repeat, missed and again_at (of reminders after the breach), after_minutes, told_as (which audience)}",
    ),
    "steps": ((), "all the steps that this mail stands for, the gravest one among them"),
    "asked_by": ("", "name of who asked for the escalation, empty when the clock did"),
    "address": ("", "the address that was not reached"),
    "template": ("", "which of our mails it was"),
    "permanent": (True, "false when it may arrive later"),
    "line": (2, "the line of support that took over: 2, or 3 for a vendor"),
    "by_itself": (False, "true when nobody said so but the time of line 1 was used up"),
    "reasons": ((), "who of the team is not free: {name, why (away, off_hours, full), detail (until when, or 8/8)}"),
    "opens": ("", "when the next of them begins to work, or empty"),
    "rules": ((), "the names of the rules that say so"),
    "first": (True, "true when the mail has opened the ticket, false when it is one on it"),
    "original": (NO_ORIGINAL, "the mail that is passed on: {subject, sender, sender_name}"),
    "name": ("", "name of the engineer who was called back"),
    "field": ("", "severity, impact, urgency, category or ci"),
    "old": ("", "what it was"),
    "new": ("", "what it is now"),
    "done_at": ("", "when that was done which is now taken back"),
    "lines": (
        (),
        "transcript: {text, outcome, why, detail, did_you_mean, number, subject}, outcome being done, refused, "
        "unknown, unchanged or rule (what rules did); `line\\|sentence` says why, number which ticket was named. "
        "alarm: texts",
    ),
    "applied": (False, "true when the keywords were carried out"),
    "proposals": (
        (),
        "changes of the rules that corrections speak for: {rule, where (file:line), changes ({fact, old, new}), "
        "tickets, subjects, right (how many it got right), snippet (the new rule in YAML, or empty), tried (its "
        "back-test: {mails, changed, tickets, others (how many of these are not among the corrected)}, or none)}",
    ),
    "unproved": ("", "why no keyword was looked at (unproved, repeated, conflict, not_on_record), or empty"),
    "tickets": ((), "list of tickets that were asked for"),
    "tasks": (
        (),
        "all tasks of the plan: {number, what, who, state (waiting, open, blocked, done, dropped), due_at, by, text}",
    ),
    "help": (False, "true when help was asked for"),
    "found_nothing": (False, "true when states were asked for and no such ticket is the reader's"),
    "kept_internal": (False, "true when there was no keyword, so that the words went to colleagues only"),
    "opened": (False, "true when the mail became a ticket, or the link opened the other record"),
    "moved_from": (0, "the number to which the mail was written, where that was merged into this one; else 0"),
    "link": (
        "",
        "what the other record is to this one, or parent_solved, parent_cancelled, parent_out_of_scope: "
        '`link\\|word("link_told")` says it',
    ),
    "for_vendor": (False, "true when the reader is a vendor, who is told only that there is one more report"),
    "outcome": ("news", "news, or what became of the case: solved, reopened, cancelled, out_of_scope"),
    "confirms": (True, "true when the reader is the requester, who is to say whether it is solved"),
    "also": ((), "other tickets of which this mail tells the reader the same: {number, subject}"),
    "solved_with": ((), "children that were solved with it and still are: {number, subject}; for those at work"),
    "other": (
        NO_TICKET,
        "the other record, with the fields of `ticket`; number 0 where there is none. recall: what is put down, "
        "recalled: what the engineer is needed for (number, subject and severity only)",
    ),
    "ended": (False, "true when the link was taken away"),
    "similar": ((), "solved tickets like it: {number, subject, solution}"),
    "opened_for": ("", 'address of the customer whose mail one of ours passed on, or ""'),
    "title": ("", "the alarm in one line"),
    "late_for": ("", "when this mail was due, if it is late; else empty"),
    "silent": (False, "true when the requester did not answer and silence was taken for consent"),
    "back": (False, "true when the alert had ended meanwhile"),
    "times": (1, "how often the alert has come"),
    "recovered_at": ("", "when the monitoring tool said that it is over"),
    "solved": (False, "true when it is solved (by the end of the alert, or where the case is handled)"),
    "answered": (0, "how many requesters gave a rating"),
    "average": ("", "their average, e.g. 4.5, or empty"),
    "news": (
        (),
        "what is new, oldest first: {phase, text, by, and of a plan the task}. Major incidents: declared, changed, "
        "reopened, update, ended; plans: proposed, started, done, blocked, unanswered, finished, ended",
    ),
    "next_update_at": ("", "when the next update is due, empty once it is over"),
    "due_at": ("", "when it was due"),
    "late_minutes": (0, "how late it is"),
    "repeat": (1, "the how manieth reminder this is"),
    "again_at": ("", "when the next reminder comes"),
    "aftermath": (
        NO_AFTERMATH,
        "{level, owner, since, ended_at, minutes, region, course (list of {at, kind, by, text, detail, public}), "
        "promises (list of {clock, target_minutes, due_at, done_at, met}), updates, missed, tasks_done, tasks}",
    ),
    "plan": ({"key": "", "name": ""}, "the plan: {key, name}"),
    "asked": ((), "the tasks that the reader is asked to do, as in `tasks`"),
    "overdue": (False, "true when the reader is asked for the second time"),
    "report": (_NO_REPORT, "the report as `ticketd report --format json` puts it out"),
    "report_text": ("", "its tables as text"),
    "report_html": ("", "its figures, pictures and tables as HTML"),
}
"""Facts of single templates: what stands where the daemon gives none, and what it is."""

SAMPLE_TICKET: Mapping[str, object] = {
    **NO_TICKET,
    "number": 1207,
    "subject": "财务部 VPN 无法连接 / Finance cannot reach the VPN",
    "state": "assigned",
    "severity": 2,
    "impact": "high",
    "urgency": "medium",
    "category": "network/vpn",
    "category_name": "网络 / VPN",
    "team_name": "网络组",
    "line": 2,
    "assignee_name": "王芳",
    "because": [{"code": "skill", "detail": "VPN"}, {"code": "load", "detail": "2"}],
    "requester_name": "Li Wei",
    "requester_address": "li.wei@customer.example",
    "customer_name": "Example Ltd.",
    "opened_at": "2026-11-23T09:12:00+08:00",
    "occurred_at": "2026-11-23T08:40:00+08:00",
    "source": "mail",
    "user": "财务部 刘洋 / Liu Yang, Finance",
    "contact": "0755-8888 1234",
    "place": "广东, 深圳 3 楼 / Shenzhen, 3rd floor",
    "ci": "vpn-gw-2",
    "service": "VPN",
    "error_codes": ["809"],
    "order": "PO-2026-0417",
    "affected": "35",
    "respond_by": "2026-11-23T09:42:00+08:00",
    "resolve_by": "2026-11-23T17:30:00+08:00",
    "solution": "证书已更新，VPN 网关已重启。\nThe certificate was renewed and the gateway restarted.",
    "cause": "Certificate expired at midnight / 证书过期",
    "workaround": "Use the backup gateway vpn2.example.com",
    "hold_reason": "customer",
    "hold_until": "2026-11-25T10:00:00+08:00",
    "tags": ["vip"],
    "links": [{"kind": "problem", "number": 1190}, {"kind": "related", "number": 1201}],
}

_SAMPLE_WORDS: Mapping[str, object] = {
    "ticket": SAMPLE_TICKET,
    "text": "从今天早上开始，整个财务部都连不上 VPN，提示 <ERR 809>。\n\nSince this morning nobody in Finance gets in.",
    "by": "王芳",
    "attachments": [{"name": "screenshot.png", "size": 48211}],
    "keywords": [
        {"verb": "status", "word": "#状态", "words": ["#status", "#状态"], "help": "查询状态 / ask how it stands"},
        {"verb": "escalate", "word": "#升级", "words": ["#escalate", "#升级"], "help": "请求升级 / ask for escalation"},
        {
            "verb": "progress",
            "word": "#进展",
            "words": ["#progress", "#进展"],
            "help": "告诉用户进展 / tell the customer",
        },
        {"verb": "assign", "word": "#转派", "words": ["#assign", "#转派"], "help": "转给别人 / hand over"},
    ],
    "reason": "Not part of the contract & needs an offer",
    "author": "Li Wei",
}

_SAMPLE_WAITING = {
    **SAMPLE_TICKET, "state": "on_hold", "hold_reason": "approval", "hold_until": "", "approval_by": "manager",
    "kind": "service_request", "subject": "申请服务器内存扩容 / More memory for a server", "assignee_name": "",
}  # fmt: skip
_SAMPLE_ORIGINAL = {
    "subject": "十月发票 / Invoice for October", "sender": "li.wei@customer.example", "sender_name": "Li Wei",
}  # fmt: skip
_SAMPLE_OTHER = {**SAMPLE_TICKET, "number": 1203, "subject": "VPN 网关无响应 / VPN gateway does not answer"}

_SAMPLE_STEP = {
    **NO_STEP,
    "name": "resolve 75%",
    "clock": "resolve",
    "percent": 75,
    "due_at": "2026-11-23T15:27:00+08:00",
    "late_minutes": 12,
    "told_as": "pm",
}

_SAMPLE_LINES = [
    {"text": "#severity 1", "outcome": "unchanged", "why": "all_or_none", "detail": "", "did_you_mean": ""},
    {"text": "#resolv x", "outcome": "unknown", "why": "unknown", "detail": "", "did_you_mean": "#resolve"},
    {"text": "#archive", "outcome": "refused", "why": "not_yours", "detail": "pm", "did_you_mean": ""},
    {
        "text": "#reject 1207", "outcome": "refused", "why": "not_now", "detail": "assigned", "did_you_mean": "",
        "number": 1207, "subject": "财务部 VPN 无法连接 / Finance cannot reach the VPN",
    },
]  # fmt: skip

_SAMPLE_LISTED: Mapping[str, object] = {
    **SAMPLE_TICKET,
    "state": "in_progress",
    "hold_reason": "",
    "action": "更换备用网关的证书，预计 16:00 完成 / Renew the certificate, done by 16:00",
    "action_at": "2026-11-23T14:20:00+08:00",
    "overdue": False,
    "rating": 2,
    "rating_text": "等得太久了 / It took too long",
}
_SAMPLE_LIST = [
    _SAMPLE_LISTED,
    {**_SAMPLE_LISTED, "number": 1213, "subject": "打印机卡纸 / Printer jam", "state": "on_hold", "severity": 4,
     "hold_reason": "vendor", "action": "", "action_at": "", "overdue": True, "rating": 0, "rating_text": ""},
]  # fmt: skip

_SAMPLE_ALARM: Mapping[str, object] = {**SAMPLE_TICKET, "severity": 1, "major": "红色 red"}
_SAMPLE_TASKS = [
    {"number": 1, "what": "确认停电范围 / Find out what is without power", "who": "机房组", "state": "done",
     "due_at": "2026-11-23T09:30:00+08:00", "by": "刘洋", "text": "UPS 还能撑 40 分钟 / 40 minutes left"},
    {"number": 2, "what": "给供电部门打电话 / Call the power company", "who": "desk", "state": "blocked",
     "due_at": "2026-11-23T09:35:00+08:00", "by": "陈静", "text": "电话打不通 / nobody answers"},
    {"number": 3, "what": "准备关停 / Prepare to shut down", "who": "服务器组", "state": "waiting", "due_at": "",
     "by": "", "text": ""},
]  # fmt: skip
_SAMPLE_NUMBERS = [1207, 1208, 1213]


def _sample_kpi(key: str, name: str, column: str, unit: str, rows: list[tuple[str, str, float, str]]) -> object:
    return {
        "key": key, "name": name, "formula": "计数 / counted", "recorded": True,
        "columns": [{"key": unit, "name": column, "unit": unit}],
        "rows": [
            {
                "group": group, "key": "", "label": label,
                "figures": [{"value": value, "shown": shown, "numbers": _SAMPLE_NUMBERS, "of": []}],
            }
            for group, label, value, shown in rows
        ],
    }  # fmt: skip


_SAMPLE_REPORT: Mapping[str, object] = {
    **_NO_REPORT,
    "title": "服务报告 / Service report",
    "service": "Example Desk",
    "period": {
        "name": "2026-10", "first": "2026-10-01", "last": "2026-10-31", "until": "2026-11-01T00:00:00+08:00",
        "over": True,
    },
    "zone": "Asia/Shanghai",
    "customer_name": "Example Ltd.",
    "made_at": "2026-11-02T10:00:00+08:00",
    "kpis": [
        _sample_kpi("volume", "工单数量 / Volume", "数量 / tickets", "count", [
            ("total", "合计 / total", 3, "3"), ("kind", "事件 / incident", 2, "2"),
            ("kind", "服务请求 / request", 1, "1"),
        ]),
        _sample_kpi("resolve_attainment", "解决达成率 / Resolution attainment", "达成率 / share", "percent", [
            ("total", "合计 / total", 66.7, "66.7 %"),
        ]),
    ],
}  # fmt: skip

_SAMPLE_PROPOSALS = [
    {
        "rule": "VPN 与专线 vpn", "where": "routing.yaml:97", "right": 41,
        "changes": [
            {"fact": "category", "old": "network/vpn", "new": "security"},
            {"fact": "team", "old": "network", "new": "security"},
        ],
        "tickets": [1190, 1203, 1211], "subjects": ["VPN 被防火墙拦截", "防火墙拦了 VPN", "Firewall 防火墙 <VPN>"],
        "snippet": "- name: \"security (1190, 1203, 1211)\"\n  when:\n    subject contains: [防火墙]\n"
        "  then: {category: security, team: security}\n",
        "tried": {"mails": 200, "changed": 4, "tickets": [1190, 1203, 1208, 1211], "others": 1},
    },
    {
        "rule": "其余 everything else", "where": "routing.yaml:211", "right": 12,
        "changes": [{"fact": "category", "old": "other", "new": "hardware/printer"}],
        "tickets": [1188, 1199, 1207], "subjects": ["不好用", "Broken", "又坏了"], "snippet": "", "tried": None,
    },
]  # fmt: skip
_SAMPLE_SCOPE: Mapping[str, object] = {
    "reason": "", "why": "expired", "contract": "HX-2025-07", "service_name": "网络 / VPN", "until": "2026-10-31",
    "since": "2025-11-01", "final": False,
}  # fmt: skip

_SAMPLE_EXTRAS: Mapping[str, Mapping[str, object]] = {
    "scope_refused": {**_SAMPLE_SCOPE, "text": ""},
    "scope_question": {**_SAMPLE_SCOPE, "why": "not_covered"},
    "scope_insisted": _SAMPLE_SCOPE,
    "resolved": {
        "ticket": {**SAMPLE_TICKET, "state": "resolved", "close_at": "2026-11-26T18:00:00+08:00"},
        "text": SAMPLE_TICKET["solution"],
    },
    "merged": {"ticket": {**SAMPLE_TICKET, "state": "cancelled"}, "other": {**_SAMPLE_OTHER, "state": "in_progress"}},
    "shared_news": {"text": SAMPLE_TICKET["solution"], "other": _SAMPLE_OTHER, "solved": True, "outcome": "solved"},
    "linked": {"link": "merged", "other": _SAMPLE_OTHER},
    "assignment": {
        "similar": [
            {
                "number": 871,
                "subject": "VPN 连不上 / VPN down",
                "solution": "更换了网关证书。\nThe certificate was renewed.",
            }
        ],
    },
    "progress": {"text": "备用网关已开通，请先使用 vpn2.example.com。\nPlease use vpn2.example.com for now."},
    "on_hold": {"text": "请提供出错时的完整截图。\nPlease send us a full screenshot of the error."},
    "new_reply": {"proved": False, "nature": "human"},
    "escalation": {
        "step": _SAMPLE_STEP,
        "steps": [{**_SAMPLE_STEP, "name": "resolve 25%", "percent": 25, "late_minutes": 252}, _SAMPLE_STEP],
        "instead": [{"told_as": "lead", "why": "absent", "name": "赵敏", "until": "2026-11-25"}],
        "asked_by": "",
    },
    "notice_failed": {
        "address": "li.wei@customer.example",
        "reason": "550 5.1.1 no such user",
        "template": "resolved",
        "permanent": True,
    },
    "woken": {"reason": "customer"},
    "alert_repeated": {
        "back": True,
        "times": 4,
        "by": "Zabbix",
        "text": "Problem: 磁盘空间不足 / disk space low\nHost: db01",
    },
    "alert_recovered": {
        "recovered_at": "2026-11-23T11:20:00+08:00",
        "times": 4,
        "solved": False,
        "by": "Zabbix",
        "text": "Resolved: 磁盘空间不足 / disk space low\nHost: db01",
    },
    "handed_up": {"line": 2, "reason": "防火墙策略需要二线处理。\nThe firewall needs a specialist."},
    "queued": {
        "ticket": {**SAMPLE_TICKET, "assignee_name": "", "because": []},
        "reasons": [
            {"name": "王芳", "why": "full", "detail": "8/8"},
            {"name": "Tom Baker", "why": "away", "detail": "2026-11-25"},
            {"name": "赵敏", "why": "off_hours", "detail": "2026-11-24T09:00:00+08:00"},
        ],
        "opens": "2026-11-24T09:00:00+08:00",
    },
    "recall": {
        "ticket": {**SAMPLE_TICKET, "severity": 1, "because": [{"code": "recalled", "detail": "1198"}]},
        "name": "王芳",
        "other": {"number": 1198, "subject": "会议室无线信号弱 / Weak Wi-Fi in a meeting room", "severity": 4},
    },
    "recalled": {
        "ticket": {**SAMPLE_TICKET, "severity": 4, "assignee_name": "", "because": []},
        "name": "王芳",
        "other": {"number": 1213, "subject": "全公司断网 / The whole network is down", "severity": 1},
    },
    "regraded": {"field": "severity", "old": "3", "new": "2", "reason": "影响整个财务部\nAll of Finance is hit."},
    "undone": {"template": "resolved", "done_at": "2026-11-23T10:05:00+08:00"},
    "transcript": {
        "lines": _SAMPLE_LINES,
        "applied": False,
        "unproved": "",
        "tickets": [SAMPLE_TICKET],
        "help": True,
        "kept_internal": False,
        "opened": False,
        "opened_for": "",
        "found_nothing": False,
        "moved_from": 0,
    },
    "confirm_reminder": {"ticket": {**SAMPLE_TICKET, "state": "resolved", "close_at": "2026-11-26T18:00:00+08:00"}},
    "day_list": {"ticket": None, "tickets": _SAMPLE_LIST, "late_for": "2026-11-23T17:00:00+08:00"},
    "open_list": {"ticket": None, "tickets": _SAMPLE_LIST},
    "review_list": {"ticket": None, "tickets": _SAMPLE_LIST},
    "follow_up": {"ticket": {**SAMPLE_TICKET, "state": "archived"}, "tickets": _SAMPLE_LIST},
    "follow_up_result": {"ticket": None, "tickets": _SAMPLE_LIST, "answered": 1, "average": "2.0"},
    "major_update": {
        "ticket": _SAMPLE_ALARM,
        "news": [
            {
                "phase": "declared",
                "text": "核心网关故障，五个城市的 VPN 都不能用。\nThe core gateway is down.",
                "by": "何磊",
            },
            {"phase": "update", "text": "备件已到，正在更换，预计 16:00 恢复。\nSpares are here.", "by": "何磊"},
        ],
        "next_update_at": "2026-11-23T10:45:00+08:00",
    },
    "update_owed": {
        "ticket": _SAMPLE_ALARM,
        "due_at": "2026-11-23T10:45:00+08:00",
        "late_minutes": 15,
        "repeat": 2,
        "again_at": "2026-11-23T11:15:00+08:00",
        "instead": [{"told_as": "duty", "why": "absent", "name": "何磊", "until": "2026-11-25"}],
    },
    "major_report": {
        "ticket": {**_SAMPLE_ALARM, "state": "resolved"},
        "news": [{"phase": "ended", "text": "", "by": "何磊"}],
        "aftermath": {
            "level": "红色 red",
            "owner": "何磊",
            "since": "2026-11-23T09:15:00+08:00",
            "ended_at": "2026-11-23T12:40:00+08:00",
            "minutes": 205,
            "region": "广东",
            "course": [
                {
                    "at": "2026-11-23T09:12:00+08:00",
                    "kind": "reported",
                    "by": "Li Wei",
                    "text": "VPN",
                    "detail": "",
                    "public": True,
                },
                {
                    "at": "2026-11-23T09:15:00+08:00",
                    "kind": "declared",
                    "by": "何磊",
                    "text": "五个城市 / five cities",
                    "detail": "红色 red",
                    "public": True,
                },
                {
                    "at": "2026-11-23T09:45:00+08:00",
                    "kind": "missed",
                    "by": "",
                    "text": "",
                    "detail": "",
                    "public": False,
                },
                {
                    "at": "2026-11-23T12:40:00+08:00",
                    "kind": "resolved",
                    "by": "王芳",
                    "text": "更换网关 / replaced",
                    "detail": "",
                    "public": True,
                },
            ],
            "promises": [
                {
                    "clock": "respond",
                    "target_minutes": 15,
                    "due_at": "2026-11-23T09:27:00+08:00",
                    "done_at": "2026-11-23T09:20:00+08:00",
                    "met": True,
                },
                {
                    "clock": "resolve",
                    "target_minutes": 240,
                    "due_at": "2026-11-23T13:12:00+08:00",
                    "done_at": "",
                    "met": None,
                },
            ],
            "updates": 5,
            "missed": 1,
            "tasks_done": 5,
            "tasks": 6,
        },
    },
    "task": {
        "plan": {"key": "power-failure", "name": "机房停电 / Power failure"},
        "tasks": _SAMPLE_TASKS,
        "asked": _SAMPLE_TASKS[:2],
        "overdue": True,
        "instead": [],
    },
    "plan_progress": {
        "plan": {"key": "power-failure", "name": "机房停电 / Power failure"},
        "tasks": _SAMPLE_TASKS,
        "news": [
            {"phase": "done", "task": _SAMPLE_TASKS[0], "by": "刘洋", "text": "UPS 还能撑 40 分钟 / 40 minutes left"},
            {"phase": "blocked", "task": _SAMPLE_TASKS[1], "by": "陈静", "text": "电话打不通 / nobody answers"},
        ],
        "instead": [],
    },
    "kpi_report": {"ticket": None, "keywords": [], "report": _SAMPLE_REPORT},
    "rule_proposals": {"ticket": None, "keywords": [], "proposals": _SAMPLE_PROPOSALS},
    "acknowledgement": {"ticket": {**SAMPLE_TICKET, "hold_reason": "", "hold_until": ""}},
    "approval_question": {
        "ticket": _SAMPLE_WAITING,
        "repeat": 1,
        "again_at": "2026-11-25T09:00:00+08:00",
    },
    "approved": {"text": "同意，请尽快办理。/ Yes, please go ahead."},
    "approval_refused": {
        "ticket": {**_SAMPLE_WAITING, "state": "cancelled"},
        "reason": "本季度预算已用完 / No budget left",
    },
    "rule_notice": {"rules": ["重要客户 VIP"]},
    "forwarded": {"ticket": None, "keywords": [], "original": _SAMPLE_ORIGINAL},
    "passed_on": {"ticket": None, "keywords": [], "text": "", "original": _SAMPLE_ORIGINAL},
    "alarm": {
        "ticket": None,
        "keywords": [],
        "title": "IMAP: no mail could be fetched for 15 minutes",
        "lines": ["imap.example.com:993: connection refused", "tried 12 times, next try in 60 s"],
    },
}

SAMPLE_FACTS: Mapping[str, Mapping[str, object]] = {
    name: {**_SAMPLE_WORDS, **_SAMPLE_EXTRAS.get(name, {})} for name in TEMPLATES
}
"""Rich facts for every template: previews, `ticketd check` and the golden mails use them."""


ABOUT_A_TICKET = frozenset(name for name, facts in SAMPLE_FACTS.items() if facts["ticket"] is not None)
"""The templates that may belong to one ticket: only these can have variants."""


def sparse_facts(name: str) -> dict[str, object]:
    """Return facts of which nothing optional is known, so that a template's other branches are tried."""
    ticket = {**NO_TICKET, "number": 1, "state": "new", "severity": 4} if name in ABOUT_A_TICKET else None
    return {"ticket": ticket, **{fact: EXTRA[fact][0] for fact in TEMPLATES[name].extra}}


def templates_table() -> str:
    """Return the Markdown tables of docs/templates.md: the templates, their facts, the fields of a ticket."""
    rows = ["| template | read by | what it is for | facts beside the common ones |", "|---|---|---|---|"]
    for name, info in TEMPLATES.items():
        extra = ", ".join(f"`{fact}`" for fact in info.extra) or "–"
        rows.append(f"| `{name}` | {info.visibility.value} | {info.purpose} | {extra} |")
    rows += ["", "| common fact | is |", "|---|---|"]
    rows += [f"| `{fact}` | {meaning} |" for fact, meaning in COMMON.items()]
    rows += ["", "| fact of single templates | is |", "|---|---|"]
    rows += [f"| `{fact}` | {meaning} |" for fact, (_, meaning) in EXTRA.items()]
    rows += ["", "Fields of `ticket`: " + ", ".join(f"`{field}`" for field in NO_TICKET) + "."]
    return "\n".join(rows) + "\n"
