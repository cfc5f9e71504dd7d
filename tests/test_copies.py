"""A mail whose end the server got while ticketd died may have arrived: it is sent once more, and never a third time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from daemon import flow
from daemon.notify.notice import OutgoingMail
from daemon.notify.postman import Fate, Postman
from tests.desk import CarefulPostman, TestDesk, write
from tests.servers.smtp_sink import SmtpSink
from tests.test_postman import Settings, mail


class Killed(BaseException):
    """The process dies."""


@dataclass
class Dies(CarefulPostman):
    """Dies while it carries a mail, `after` its end was handed over or before that."""

    after: bool = True

    def send(self, mail: OutgoingMail, at_the_end: Callable[[], None] | None = None) -> Fate:
        if self.after:
            super().send(mail, at_the_end)
        raise Killed


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[TestDesk]:
    made = TestDesk(tmp_path)
    yield made
    made.desk.store.close()


def dies(desk: TestDesk, sink: CarefulPostman) -> None:
    """Let the desk die over its first mail, and start it again."""
    with pytest.raises(Killed):
        flow.deliver_outbox(desk.desk, sink)  # type: ignore[arg-type]
    desk.desk.store.outbox.release_leases()


def row(desk: TestDesk) -> dict[str, Any]:
    return desk.desk.store.outbox.notices(1)[0]


def test_a_mail_that_may_have_arrived_twice_is_not_sent_a_third_time(desk: TestDesk) -> None:
    desk.arrives(write("li@customer.example", "VPN 连不上了。"))
    flow.handle_waiting(desk.desk)
    sink = Dies()
    dies(desk, sink)
    dies(desk, sink)
    sent = desk.works()
    assert row(desk)["message_id"] not in [s.mail.message_id.strip("<>") for s in sent]
    assert row(desk)["state"] == "sent" and row(desk)["last_reply"].startswith("uncertain: ")
    assert [m.message_id for m in sink.sent] == [f"<{row(desk)['message_id']}>"] * 2


def test_dying_before_the_end_of_a_mail_costs_no_copy(desk: TestDesk) -> None:
    desk.arrives(write("li@customer.example", "VPN 连不上了。"))
    flow.handle_waiting(desk.desk)
    for _ in range(4):
        dies(desk, Dies(after=False))
    sent = desk.works()
    assert row(desk)["message_id"] in [s.mail.message_id.strip("<>") for s in sent]
    assert row(desk)["last_reply"] == "250 ok"


def test_an_answer_of_the_server_makes_it_known_again(desk: TestDesk) -> None:
    """Killed once, then told "later": nothing arrived on that try, and one further copy may go."""
    desk.arrives(write("li@customer.example", "VPN 连不上了。"))
    flow.handle_waiting(desk.desk)
    dies(desk, Dies())
    desk.sink.fates[row(desk)["to"]] = Fate(outcome="temporary", code=451, text="later")
    desk.works()
    desk.sink.fates.clear()
    assert row(desk)["message_id"] in [s.mail.message_id.strip("<>") for s in desk.waits(minutes=2)]


def test_the_end_is_announced_once_before_it_goes_and_who_objects_keeps_the_mail() -> None:
    with SmtpSink() as sink:
        postman, told = Postman(Settings(sink.port)), []
        assert postman.send(mail(), lambda: told.append(len(sink.mails))).outcome == "sent"
        assert told == [0] and len(sink.mails) == 1

        def objects() -> None:
            raise Killed

        with pytest.raises(Killed):
            postman.send(mail(), objects)
        assert len(sink.mails) == 1
        assert postman.send(mail()).outcome == "sent"
        postman.close()
        assert len(sink.mails) == 2
