"""Through a real Postfix: our mails arrive unharmed, its refusals are understood, its bounces find their notice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from daemon.config import SmtpConfig
from daemon.intake.letter import read_letter
from daemon.notify.notice import OutgoingMail
from daemon.notify.postman import Fate, Postman
from tests.desk import TestDesk, reply, write
from tests.office import as_sent
from tests.servers.postfix import Postfix, running_postfix, why_not
from tests.servers.smtp_sink import SmtpSink, Taken
from tests.story import WANG, ZHANG

WHY_NOT = why_not()
pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT),
]

PATIENCE = 30.0
REFUSED = {"nobody@huaxin.example": "550 5.1.1 no such user", "full@huaxin.example": "452 4.2.2 mailbox full"}


@dataclass
class Way:
    """Postfix in front of a server that keeps what it is given, and a postman who knows the way to it."""

    sink: SmtpSink
    postfix: Postfix
    postman: Postman

    def arrives(self, fits: Callable[[Taken], bool]) -> Taken:
        give_up = time.monotonic() + PATIENCE
        while not (found := [t for t in self.sink.mails if fits(t)]):
            assert time.monotonic() < give_up, f"it did not come out of Postfix:\n{self.postfix.log()}"
            time.sleep(0.05)
        return found[-1]


@pytest.fixture(scope="module")
def way() -> Iterator[Way]:
    with SmtpSink() as sink, running_postfix(sink.port, refuse=REFUSED, size_limit=200_000) as postfix:
        postman = Postman(SmtpConfig(host=postfix.host, port=postfix.port, tls="none"))
        yield Way(sink, postfix, postman)
        postman.close()


@dataclass
class ThroughPostfix:
    """The postman of a desk: hands everything to Postfix and remembers what was handed over."""

    way: Way
    sent: list[OutgoingMail] = field(default_factory=list)

    def send(self, mail: OutgoingMail, at_the_end: Callable[[], None] | None = None) -> Fate:
        fate = self.way.postman.send(mail, at_the_end)
        if fate.outcome == "sent":
            self.sent.append(mail)
        return fate

    def close(self) -> None: ...


@pytest.fixture
def desk(way: Way, tmp_path: Path) -> Iterator[TestDesk]:
    made = TestDesk(tmp_path, sink=ThroughPostfix(way))  # type: ignore[arg-type]
    way.sink.mails.clear()
    way.sink.refuse.clear()
    yield made
    made.desk.store.close()


def notices(desk: TestDesk) -> list[dict[str, Any]]:
    return desk.desk.store.outbox.notices(1)


def test_our_mails_come_through_unharmed(desk: TestDesk, way: Way) -> None:
    """Postfix puts its Received on top and changes nothing below it, so a signature over it all would hold."""
    sent = desk.receives(write(ZHANG, "VPN 连不上，" + "很长的一行" * 300))
    assert len(sent) == 2
    for mail in sent:
        taken = way.arrives(lambda t, mail=mail: mail.mail.message_id.encode() in t.content)  # type: ignore[misc]
        assert taken.content.endswith(mail.mail.content)
        assert taken.content[: -len(mail.mail.content)].startswith(b"Received:")
        assert (taken.mail_from, taken.rcpt_tos) == (mail.mail.envelope_from, (mail.to,))
        assert read_letter(taken.content).text == mail.letter.text


def test_an_answer_to_what_came_through_is_understood(desk: TestDesk, way: Way) -> None:
    desk.receives(write(ZHANG, "VPN 连不上。"))
    taken = way.arrives(lambda t: t.rcpt_tos == ("wang.wei@example.com",))
    desk.receives(reply(as_sent(taken), WANG, "#受理"))
    assert desk.ticket(1).assignee == "wang.wei"


def test_a_refused_recipient_is_dead_at_once_and_the_ticket_knows(desk: TestDesk, way: Way) -> None:
    desk.receives(write("某人 <nobody@huaxin.example>", "VPN 连不上。"))
    (first, *_) = notices(desk)
    assert (first["to"], first["state"], first["attempts"]) == ("nobody@huaxin.example", "dead", 1)
    assert "550" in first["last_reply"] and "no such user" in first["last_reply"]
    (failed,) = desk.events(1, "NoticeFailed")
    assert failed.permanent and failed.address == "nobody@huaxin.example"
    told = [n["to"] for n in notices(desk) if n["template"] == "notice_failed"]
    assert "wang.wei@example.com" in told and "nobody@huaxin.example" not in told


def test_a_full_mailbox_is_tried_again_and_the_other_mails_are_not_held_up(desk: TestDesk, way: Way) -> None:
    sent = desk.receives(write("某人 <full@huaxin.example>", "VPN 连不上。"))
    assert {m.to for m in sent} == {"wang.wei@example.com"}
    first = notices(desk)[0]
    assert (first["state"], first["attempts"]) == ("owed", 1) and "452" in first["last_reply"]
    desk.waits(minutes=2)
    assert notices(desk)[0]["attempts"] == 2


def test_what_is_too_large_for_the_server_is_dead_and_not_tried_for_days(way: Way) -> None:
    content = b"From: a@example.com\r\nTo: b@huaxin.example\r\nSubject: x\r\n\r\n" + b"line of text\r\n" * 20_000
    fate = way.postman.send(OutgoingMail(message_id="<big@example.com>", envelope_from="a@example.com",
                                         to="b@huaxin.example", content=content))  # fmt: skip
    assert (fate.outcome, fate.code) == ("permanent", 552)


def test_a_real_bounce_finds_its_notice(desk: TestDesk, way: Way) -> None:
    """The server behind Postfix refuses, Postfix writes a bounce to our bounce address, and we read that very mail."""
    way.sink.refuse["zhang.san@huaxin.example"] = "550 5.1.1 User unknown"
    desk.receives(write(ZHANG, "VPN 连不上。"))
    assert notices(desk)[0]["state"] == "sent", "Postfix took it"
    bounce = way.arrives(lambda t: t.mail_from.strip("<>") == "")
    assert bounce.rcpt_tos == (desk.sink.sent[0].envelope_from,)
    desk.receives(bounce.content)
    (failed,) = desk.events(1, "NoticeFailed")
    assert (failed.address, failed.template, failed.permanent) == ("zhang.san@huaxin.example", "acknowledgement", True)
    assert desk.ticket(2) is None, "a bounce is no incident"
    assert not [t for t in way.sink.mails if "mailer-daemon" in str(t.rcpt_tos).lower()], "and is not answered"


def test_it_waits_while_postfix_is_away(tmp_path: Path) -> None:
    with SmtpSink() as sink:
        postfix = Postfix(sink.port)
        postman = Postman(SmtpConfig(host=postfix.host, port=postfix.port, tls="none"))
        desk = TestDesk(tmp_path, sink=ThroughPostfix(Way(sink, postfix, postman)))  # type: ignore[arg-type]
        try:
            assert desk.receives(write(ZHANG, "VPN 连不上。")) == []
            assert {n["state"] for n in notices(desk)} == {"owed"}
            postfix.start()
            assert len(desk.waits(minutes=10)) == 2
            assert {n["state"] for n in notices(desk)} == {"sent"}
        finally:
            postman.close()
            postfix.stop()
            desk.desk.store.close()
