"""One story of twelve mails and two hours when only the clock speaks, told by a Chinese and an English customer.

What comes in: a world that mails arrive in and that works when asked to (tests.office.Office, tests.desk.TestDesk). What
goes out: nothing but the same mails in the same order, each an answer to what really left before. It is played straight
(test_story), with a kill -9 after every mail (test_crash) and on PostgreSQL (test_postgres): all have to end alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, Protocol

from tests.desk import Sent, reply, write

ZHANG = "张三 <zhang.san@huaxin.example>"
ANN = "Ann Lee <ann.lee@acme.example>"
WANG = "王伟 <wang.wei@example.com>"
TOM = "Tom Baker <tom.baker@example.com>"
SUN = "孙莉 <sun.li@example.com>"


class World(Protocol):
    """Where the story happens."""

    def arrives(self, mail: EmailMessage | bytes) -> object: ...

    def round(self, **later: float) -> list[Sent]: ...


@dataclass
class Story:
    """The story so far: all that left, so that the next mail can answer it."""

    sent: list[Sent] = field(default_factory=list)

    def last(self, to: str, subject: str = "") -> Sent:
        """Return the newest mail to somebody whose subject holds these words."""
        return next(m for m in reversed(self.sent) if m.to.startswith(to) and subject in m.subject)

    def first(self, to: str, subject: str = "") -> Sent:
        return next(m for m in self.sent if m.to.startswith(to) and subject in m.subject)

    def play(self, world: World, each: Callable[[World, Step], list[Sent]] | None = None) -> Story:
        """Let every step happen; `each` does the round when it is to be done in a way of its own."""
        for step in STEPS:
            if step.write is not None:
                world.arrives(step.write(self))
            self.sent += each(world, step) if each else world.round(**step.later)
        return self


@dataclass(frozen=True)
class Step:
    """One mail (or None: only time passes) and how long after the step before."""

    name: str
    write: Callable[[Story], EmailMessage | bytes] | None
    later: dict[str, float]


def _zh_report(_: Story) -> EmailMessage:
    return write(ZHANG, "各位好，VPN 今早连不上，提示错误 691。\n\n张三")


def _en_report(_: Story) -> EmailMessage:
    return write(ANN, "Hello, since nine o'clock nobody can save an order.\n\nAnn", subject="CRM does not save orders")


def _en_taken_and_held(story: Story) -> EmailMessage:
    return reply(story.last("tom.baker", "INC-2"), TOM, "#accept\n#hold customer please send the log file")


def _en_answers(story: Story) -> EmailMessage:
    return reply(story.last("ann.lee", "INC-2"), ANN, "Here it is: error 42 in the order table.")


def _en_progress(story: Story) -> EmailMessage:
    return reply(story.last("tom.baker", "INC-2"), TOM, "#progress The table is being repaired.")


def _zh_taken_up(story: Story) -> EmailMessage:
    return reply(story.last("wang.wei", "INC-1"), WANG, "#受理\n#进展 已定位，正在更换网关证书。")


def _vacation(story: Story) -> EmailMessage:
    notice = story.last("zhang.san", "INC-1")
    return reply(notice, ZHANG, "我正在休假，周一回来。", auto_submitted="auto-replied", precedence="bulk")


def _forged(_: Story) -> EmailMessage:
    return write(WANG, "#已解决 一切正常", subject="Re: [INC-1] VPN 连不上")


def _bounce(story: Story) -> bytes:
    return bounce_of(story.last("ann.lee", "INC-2"))


def _resolved(story: Story) -> EmailMessage:
    return reply(story.first("wang.wei", "INC-1"), WANG, "#已解决 更换了网关证书\n#原因 证书过期")


def _confirmed(story: Story) -> EmailMessage:
    return reply(story.last("zhang.san", "INC-1"), ZHANG, "#确认")


def _archived(story: Story) -> EmailMessage:
    return reply(story.last("sun.li", "INC-1"), SUN, "#归档")


STEPS: tuple[Step, ...] = (
    Step("a Chinese customer reports", _zh_report, {}),
    Step("an English customer reports", _en_report, {"minutes": 5}),
    Step("an engineer takes it up and asks back", _en_taken_and_held, {"minutes": 10}),
    Step("the customer answers: work goes on", _en_answers, {"minutes": 30}),
    Step("the engineer tells how it stands", _en_progress, {"minutes": 10}),
    Step("nobody responds to the first: escalation", None, {"hours": 5}),
    Step("the other engineer takes it up", _zh_taken_up, {"minutes": 5}),
    Step("a vacation reply", _vacation, {"minutes": 1}),
    Step("a forged command", _forged, {"minutes": 5}),
    Step("a notice bounces", _bounce, {"minutes": 5}),
    Step("it is resolved", _resolved, {"minutes": 30}),
    Step("the customer confirms", _confirmed, {"hours": 1}),
    Step("the project manager archives", _archived, {"hours": 16}),
    Step("the second is overdue: escalation", None, {"days": 4}),
)
MAILS = sum(step.write is not None for step in STEPS)


def bounce_of(notice: Sent) -> bytes:
    """Return what a mail server sends back when it cannot deliver this notice of ours (RFC 3464)."""
    head = notice.raw.partition(b"\r\n\r\n")[0].decode("ascii")
    text = f"""\
From: Mail Delivery System <MAILER-DAEMON@mx.acme.example>
To: {notice.mail.envelope_from}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
Date: Mon, 23 Nov 2026 16:00:00 +0800
Message-ID: <bounce-1@mx.acme.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_dsn"

--=_dsn
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.acme.example. Your message could not be delivered.

<{notice.to}>: host mx.acme.example said: 550 5.1.1 User unknown

--=_dsn
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.acme.example

Final-Recipient: rfc822; {notice.to}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown

--=_dsn
Content-Type: text/rfc822-headers

"""
    return (text.replace("\n", "\r\n") + head + "\r\n\r\n--=_dsn--\r\n").encode("ascii")


# --- how it has to end, whatever happens on the way ---

STATES = {1: "archived", 2: "in_progress"}

HISTORY = {
    1: [
        "Opened",
        "MessageAdded",
        "Routed",
        "ClockStarted",
        "ClockStarted",
        "Assigned",
        "StepReached",
        "MessageAdded",
        "StateChanged",
        "ProgressTold",
        "ClockStopped",
        "MessageAdded",
        "MessageAdded",
        "CommandsRefused",
        "MessageAdded",
        "SolutionGiven",
        "StateChanged",
        "SolutionGiven",
        "ClockStopped",
        "AnswerAwaited",
        "MessageAdded",
        "StateChanged",
        "MessageAdded",
        "StateChanged",
    ],
    2: [
        "Opened",
        "MessageAdded",
        "Routed",
        "ClockStarted",
        "ClockStarted",
        "Assigned",
        "MessageAdded",
        "StateChanged",
        "StateChanged",
        "ClockStopped",
        "ClockPaused",
        "MessageAdded",
        "StateChanged",
        "ClockResumed",
        "MessageAdded",
        "ProgressTold",
        "NoticeFailed",
        "StepReached",
        "StepReached",
        "StepReached",
    ],
}

NOTICES = {
    1: [
        ("zhang.san", "acknowledgement"), ("wang.wei", "assignment"),
        ("zhao.min", "escalation"),
        ("zhang.san", "progress"), ("wang.wei", "transcript"),
        ("wang.wei", "new_reply"),
        ("wang.wei", "transcript"),
        ("zhang.san", "resolved"), ("wang.wei", "transcript"),
        ("sun.li", "review_request"), ("zhang.san", "transcript"),
        ("zhang.san", "closed"), ("sun.li", "transcript"),
    ],
    2: [
        ("ann.lee", "acknowledgement"), ("tom.baker", "assignment"),
        ("ann.lee", "taken_up"), ("ann.lee", "on_hold"), ("tom.baker", "transcript"),
        ("tom.baker", "new_reply"),
        ("ann.lee", "progress"), ("tom.baker", "transcript"),
        ("tom.baker", "notice_failed"),
        ("tom.baker", "escalation"), ("mary.jones", "escalation"), ("zhou.qiang", "escalation"),
    ],
}  # fmt: skip

LISTS = ["mary.jones"]
"""Who gets a list at the end of the day: a mail of its own, on no ticket."""
MAILS_OUT = sum(map(len, NOTICES.values())) + len(LISTS)


def kinds(ticket: dict[str, Any]) -> list[str]:
    return [e["kind"] for e in ticket["events"]]


def notices(ticket: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(n["to"].partition("@")[0], n["template"], n["state"]) for n in ticket["notices"]]


def check_the_end(tickets: Mapping[int, dict[str, Any]]) -> None:
    """Fail unless these tickets (as `ticket show --json` prints them) are how the story has to end."""
    found = {n: (t["state"], kinds(t), notices(t)) for n, t in tickets.items()}
    expected = {n: (STATES[n], HISTORY[n], [(*x, "sent") for x in NOTICES[n]]) for n in STATES}
    assert found == expected, f"\n{found}\n{expected}"
