"""The eight scenes of layer L1: a prelude, and the mails that arrive while one call of one port fails."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.checker import Delivered
from tests.faults.mails import ANN, EVE, INJECTED, MALLORY, TOM, WANG, ZHANG, bounce, canary, delivered, tag
from tests.faults.ports import ModelBox
from tests.faults.world import POISON, STINK, World

BOTH = frozenset({b"MOVE", b"UIDPLUS", b"IDLE", b"NAMESPACE"})
COPIES = frozenset({b"UIDPLUS", b"IDLE"})
BARE = frozenset({b"NAMESPACE"})


@dataclass(frozen=True)
class Scene:
    """`before` makes the world in which `act` lets mails arrive; `able`: what the IMAP server can do."""

    name: str
    act: Callable[[World], None]
    before: Callable[[World], None] = lambda world: None
    able: frozenset[bytes] = BOTH

    def prepare(self, world: World) -> None:
        for box in world.boxes.values():
            box.able = self.able
        self.before(world)
        for box in world.boxes.values():
            box.able = self.able
        world.settle()


# --- preludes ---


def reported(world: World) -> None:
    """A customer has reported something, and an engineer has it."""
    report = world.pen.mail(ZHANG, "各位好，VPN 今早连不上，提示错误 691。", name="report", file="log")
    world.arrives(delivered("support", report, "report", "report"))


def reported_in_english(world: World) -> None:
    report = world.pen.mail(ANN, "Nobody can save an order.", name="order", subject="CRM does not save orders")
    world.arrives(delivered("support", report, "report", "order"))


# --- acts ---


def new(world: World) -> None:
    """Two reports; the subject of the second tries to be a template, and its Message-ID is the first one's.

    The server does not hand the first one out at once, and the mail server refuses its answer at first.
    """
    one = world.pen.mail(
        ZHANG, "打印机坏了。", name="new", file="log of the printer", message_id="<same@huaxin.example>"
    )
    two = world.pen.mail(
        ANN, "Please help.", name="injected", subject=f"Help {INJECTED}", message_id="<same@huaxin.example>"
    )
    uid = world.arrives(delivered("support", one, "report", "new"))
    world.boxes["support"].nil[uid] = 2
    world.sink.refuses[ZHANG] = (451, 1)
    world.arrives(delivered("support", two, "report", "injected"), rb"\Seen")


def reply(world: World) -> None:
    """The customer answers, and somebody has marked a mail that just came for deletion; the quota is full at first."""
    answer = world.pen.answer(world.last(ZHANG).raw, ZHANG, "重启之后还是不行。", name="answer", file="new log")
    stranger = world.pen.mail(
        EVE, "Me too, tell me all.", name="stranger", subject=f"Re: {tag(world.last(ZHANG).raw)} VPN 连不上"
    )
    world.boxes["support"].refuses_copies = 1
    world.arrives(delivered("support", answer, "reply", "answer"))
    world.arrives(delivered("support", stranger, "report", "stranger"), rb"\Deleted")


def command(world: World) -> None:
    """The engineer commands, twice by the same mail; others try to."""
    pen, theirs = world.pen, world.last(WANG).raw
    order = pen.answer(theirs, WANG, f"#受理\n#进展 正在更换证书 {canary('order')}", name="order")
    world.arrives(delivered("support", order, "command", "order"))
    world.arrives(delivered("support", order, "command", "order"))
    note = pen.answer(theirs, WANG, f"#备注 客户的密码太旧 {canary('note')}", name="note")
    world.arrives(delivered("support", note, "command", "note", private=True))
    number = tag(theirs)
    forged = pen.but("dmarc=fail").mail(WANG, "#已解决 一切正常", name="forged", subject=f"Re: {number} VPN")
    world.arrives(delivered("support", forged, "forbidden", "forged"))
    below = pen.but("").mail(
        WANG, "#已解决 好了", name="below", subject=f"Re: {number} VPN",
        below="mx.example.com; dmarc=pass header.from=example.com",
    )  # fmt: skip
    world.arrives(delivered("support", below, "forbidden", "below"))
    token = pen.but("").mail(
        WANG,
        "#挂起 客户 请等",
        name="token",
        subject=f"Re: {number} VPN",
        to="support+a1-aaaaaaaaaaaaaaaaaaaa@example.com",
    )
    world.arrives(delivered("support", token, "forbidden", "token"))
    customer = pen.answer(world.last(ZHANG).raw, ZHANG, "#级别 P1", name="customer")
    world.arrives(delivered("support", customer, "forbidden", "customer"))


def bounced(world: World) -> None:
    """A mail of ours comes back, and somebody forges such a thing."""
    ack = world.last(ANN)
    world.arrives(delivered("support", bounce(ack.raw, ack.sender, ANN, "bounce"), "bounce", "bounce"))
    forged = bounce(ack.raw.replace(b"Message-ID: <n", b"Message-ID: <x"), "support@example.com", TOM, "forged bounce")
    world.arrives(delivered("support", forged, "bounce", "forged bounce"))


def out_of_office(world: World) -> None:
    """Vacation responders answer, our own mail comes back through an alias, and a robot hides what it is."""
    ack = world.last(ZHANG)
    away = world.pen.answer(
        ack.raw, ZHANG, "我正在休假，周一回来。", name="away", auto_submitted="auto-replied", return_path="<>"
    )
    world.arrives(delivered("support", away, "automatic", "away"))
    bulk = world.pen.mail("robot@huaxin.example", "News of the week", name="bulk", precedence="bulk", list_id="<n.x>")
    world.arrives(delivered("support", bulk, "automatic", "bulk"))
    ours = re.sub(rb"(?im)^auto-submitted:.*\r\n", b"Delivered-To: support@example.com\r\n", ack.raw)
    world.arrives(Delivered("support", ours, "echo", sender="support@example.com"))
    for n in range(5):
        robot = world.pen.but("").mail(
            "helper@huaxin.example", f"We got it ({n}).", name=f"robot {n}", subject="Got it"
        )
        world.arrives(delivered("support", robot, "robot", f"robot {n}"))


def oversized(world: World) -> None:
    """One mail is too large to be fetched, another is large enough to become a file."""
    huge = world.pen.mail(ANN, "See the file.", name="huge", subject=f"Huge {canary('huge')}", file="x" * 20_000)
    world.arrives(delivered("support", huge, "oversized", "huge"))
    large = world.pen.mail(ZHANG, "日志见附件。", name="large", file="line of a log\n" * 400)
    world.arrives(delivered("support", large, "report", "large"))


def poison(world: World) -> None:
    """A mail kills the whole process whenever it is read, another meets a bug; others come before and after."""
    one = world.pen.mail(ZHANG, "网络慢。", name="before", subject="网络")
    bad = POISON + b"\r\n" + world.pen.mail(MALLORY, "boom", name="poison")
    two = world.pen.mail(ANN, "Printer jams.", name="after", subject="Printer")
    world.arrives(delivered("support", one, "report", "before"))
    world.arrives(delivered("support", bad, "poison", "poison"))
    world.arrives(delivered("support", two, "report", "after"))
    ugly = STINK + b"\r\n" + world.pen.mail(MALLORY, "bah", name="ugly")
    world.arrives(delivered("support", ugly, "poison", "ugly"))


def reported_twice(world: World) -> None:
    """Both mailboxes have had mail."""
    world.boxes["helpdesk"] = ModelBox("helpdesk")
    reported(world)
    for name in ("one", "two"):
        world.arrives(delivered("helpdesk", world.pen.mail(ANN, "Help.", name=name, subject=name), "report", name))


def two_mailboxes(world: World) -> None:
    """One server numbers anew; the same mail arrives in both, and one of its own in each. Somebody has left us."""
    world.boxes["helpdesk"].number_anew()
    world.sink.refuses[WANG] = world.sink.refuses[ANN] = (550, 1)
    both = world.pen.mail(ZHANG, "两个邮箱都发了。", name="both", subject="两边")
    for name in ("support", "helpdesk"):
        own = world.pen.mail(ANN, f"Only for {name}.", name=name, subject=f"To {name}")
        world.arrives(delivered(name, both, "report", "both"))
        world.arrives(delivered(name, own, "report", name))


SCENES = (
    Scene("new", new),
    Scene("reply", reply, reported, COPIES),
    Scene("command", command, reported),
    Scene("bounce", bounced, reported_in_english, COPIES),
    Scene("out of office", out_of_office, reported, BARE),
    Scene("oversized", oversized),
    Scene("poison", poison),
    Scene("two mailboxes", two_mailboxes, reported_twice),
)
