"""Layer L7: robots that answer whatever they get, and hide what they are.

What comes in: a seed. What goes out: what was broken. A robot and ticketd write to each other until one of them falls
silent; no robot may get more than three automatic mails out of ticketd, and people are served all the while.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from functools import partial
from pathlib import Path

from daemon.config import starter_config
from tests.desk import Sent, TestDesk, reply, write
from tests.faults.outcome import Outcome

MOST = 3
"""So many automatic mails a robot may get until it is quiet."""
_ROUNDS = 12
_MARKS = ("Auto-Submitted", "X-Auto-Response-Suppress", "X-Ticketd-Id", "Precedence", "Return-Path")
_WORDS = (
    "Thank you, we received your mail.", "您好，您的邮件已收到，我们会尽快处理。", "Your request has been registered.",
    "I will look into it.", "收到。",
)  # fmt: skip


@dataclass
class Robot:
    """Something that answers; `answer` makes a mail out of the one that it got and the number of the turn."""

    domain: str
    begins: Callable[[random.Random], EmailMessage]
    answer: Callable[[Sent, int, random.Random], EmailMessage | None]
    got: list[Sent] = field(default_factory=list)


# --- the robots ---


def responder() -> Robot:
    """A vacation notice in its plainest form: no mark, the thread is kept."""
    who = "boss@away.example"
    return Robot(
        "away.example",
        begins=lambda dice: write(who, dice.choice(_WORDS), subject="about our contract"),
        answer=lambda sent, n, dice: reply(sent, who, f"{dice.choice(_WORDS)} {n}"),
    )


def many_addresses() -> Robot:
    """A customer system with an address for every case, that answers in the thread."""
    return Robot(
        "crm.example",
        begins=lambda dice: write("case-0@crm.example", dice.choice(_WORDS), subject="case opened"),
        answer=lambda sent, n, dice: reply(sent, f"case-{n}-{dice.random()}@crm.example", f"{dice.choice(_WORDS)} {n}"),
    )


def many_addresses_without_thread() -> Robot:
    """The same, and it answers to the plain address, under a subject of its own, with no reference to anything."""

    def answer(_: Sent, n: int, dice: random.Random) -> EmailMessage:
        who = f"no{n}{dice.randrange(10**6)}@shop.example"
        return write(who, f"{dice.choice(_WORDS)} {n}", subject=f"Request {n} received")

    return Robot("shop.example", begins=lambda dice: answer(None, 0, dice), answer=answer)  # type: ignore[arg-type]


def other_system() -> Robot:
    """A ticket system that opens a case for each mail and puts its own number before what it leaves of the subject."""
    who = "help@rt.example"

    def answer(sent: Sent, n: int, dice: random.Random) -> EmailMessage:
        bare = sent.subject.partition("]")[2].strip()
        return write(who, f"{dice.choice(_WORDS)} (#{n})", subject=f"[RT #{1000 + n}] AutoReply: {bare}")

    return Robot("rt.example", begins=lambda dice: write(who, "disk full", subject="disk full on db-01"), answer=answer)


def relay() -> Robot:
    """A forwarding address that sends our own mails back under its name, without the marks they left with."""
    who = "forward@loop.example"

    def answer(sent: Sent, n: int, _: random.Random) -> EmailMessage:
        return write(who, sent.letter.text, subject=sent.subject, message_id=f"<r{n}@loop.example>")

    return Robot("loop.example", begins=lambda _: write(who, "please register", subject="new case"), answer=answer)


ROBOTS = {r.__name__: r for r in (responder, many_addresses, many_addresses_without_thread, other_system, relay)}


# --- one meeting ---


def run(seed: int) -> list[Outcome]:
    """Let every robot meet a desk, and two desks each other; which words and how long they wait is the seed's."""
    plays: list[Callable[[Path], tuple[int, list[str]]]] = [partial(meets, name=name, seed=seed) for name in ROBOTS]
    plays += [partial(two_desks, seed=seed, bare=bare) for bare in (False, True)]
    return [_outcome(f"L7 --seed {seed} --meetings 1", play) for play in plays]


def _outcome(replay: str, play: Callable[[Path], tuple[int, list[str]]]) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="robots") as folder:
        mails, broken = play(Path(folder))
    return Outcome(replay=replay, faults=mails, violations=broken)


def meets(folder: Path, name: str, seed: int) -> tuple[int, list[str]]:
    """Let a robot and a desk write to each other; return how many mails the robot wrote, and what was broken."""
    dice, robot, desk = random.Random(f"{name} {seed}"), ROBOTS[name](), TestDesk(folder)
    sent, turn, wrote = desk.receives(robot.begins(dice)), 0, 1
    for _ in range(_ROUNDS):
        mine = [m for m in sent if m.to.endswith(f"@{robot.domain}")]
        robot.got += mine
        desk.clock.at += timedelta(minutes=dice.choice((0, 1, 20)))
        sent = []
        # Where it got nothing it tries once more by itself: a brake that holds for one turn only is none.
        for got in mine or robot.got[-1:]:
            turn += 1
            answer = robot.answer(got, turn, dice)
            sent += desk.receives(answer) if answer else []
            wrote += 1
    broken = [] if len(robot.got) <= MOST else [f"{name} got {len(robot.got)} automatic mails: {robot.got}"]
    broken += _serves_people(desk)
    desk.desk.store.close()
    return wrote, broken


def two_desks(folder: Path, seed: int, *, bare: bool) -> tuple[int, list[str]]:
    """Let two ticketd's meet, each a customer to the other; `bare`: something between them strips every mark."""
    dice = random.Random(seed)
    ours = TestDesk(folder / "ours")
    theirs = TestDesk(folder / "theirs", toml=starter_config(address="help@other.example"))
    waiting: list[EmailMessage] = [write("help@other.example", dice.choice(_WORDS), subject="case opened")]
    at, there, to_there, to_here = ours, theirs, 0, 0
    for _ in range(_ROUNDS):
        left = [m for mail in waiting for m in at.receives(mail)]
        across = [m for m in left if m.to == ("help@other.example" if at is ours else "support@example.com")]
        to_there, to_here = to_there + len(across) * (at is ours), to_here + len(across) * (at is theirs)
        waiting = [_as_it_arrives(m, bare=bare) for m in across]
        at, there = there, at
    broken = []
    if max(to_there, to_here) > MOST:
        broken.append(f"{to_there} automatic mails went to the other ticketd, {to_here} came from it")
    broken += [*_serves_people(ours), *_serves_people(theirs)]
    for desk in (ours, theirs):
        desk.desk.store.close()
    return to_there + to_here, broken


def _as_it_arrives(sent: Sent, *, bare: bool) -> EmailMessage:
    mail = message_from_bytes(sent.raw, policy=SMTP)
    assert isinstance(mail, EmailMessage)
    if bare:
        for mark in _MARKS:
            del mail[mark]
        mail.replace_header("Message-ID", f"<{abs(hash(sent.raw))}@gateway.example>")
    return mail


def _serves_people(desk: TestDesk) -> list[str]:
    """A person who writes now is answered as ever."""
    sent = desk.receives(write("Li Na <li.na@people.example>", "我的打印机坏了。", subject="打印机"))
    answers = [m for m in sent if m.to == "li.na@people.example"]
    return [] if len(answers) == 1 else [f"a person got {len(answers)} answers beside the robot"]
