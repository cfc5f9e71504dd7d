"""Reading in a child: whatever a mail does to it, the other mails are read."""

import os
import signal
from dataclasses import dataclass

import pytest

from daemon import flow
from daemon.intake.reader import ReadingFailedError, ReadsHere, ReadsInChild
from tests.desk import TestDesk, write


@dataclass(frozen=True)
class Mail:
    id: int
    content: bytes | None
    path: str = ""


def mails(count, start=1):
    return [Mail(n, write("a@b.example", f"text {n}").as_bytes()) for n in range(start, start + count)]


@pytest.fixture
def reader():
    reader = ReadsInChild(silence=2.0)
    yield reader
    reader.close()


def test_the_child_reads_what_this_process_would(reader, tmp_path):
    path = tmp_path / "mail"
    path.write_bytes(write("a@b.example", "from a file").as_bytes())
    some = [*mails(20), Mail(99, None, str(path))]
    reader.ahead(some)

    assert [reader.letter(m) for m in some] == [ReadsHere().letter(m) for m in some]


def test_a_mail_that_kills_the_child_is_named_and_the_others_are_read(reader):
    os.kill(reader._child.process.pid, signal.SIGSTOP)
    some = mails(3)
    reader.ahead(some)
    os.kill(reader._child.process.pid, signal.SIGKILL)

    with pytest.raises(ReadingFailedError):
        reader.letter(some[0])
    assert [reader.letter(m).new_text for m in some[1:]] == ["text 2", "text 3"]


def test_a_mail_that_hangs_the_child_is_named_and_the_others_are_read(reader):
    os.kill(reader._child.process.pid, signal.SIGSTOP)
    some = mails(2)
    reader.ahead(some)

    with pytest.raises(ReadingFailedError):
        reader.letter(some[0])
    assert reader.letter(some[1]).new_text == "text 2"


def test_the_same_mail_may_be_tried_again(reader):
    os.kill(reader._child.process.pid, signal.SIGKILL)
    (mail,) = mails(1)
    with pytest.raises(ReadingFailedError):
        reader.letter(mail)

    assert reader.letter(mail).new_text == "text 1"


class Poisoned(ReadsHere):
    """A reader that dies over mails with a certain word."""

    def letter(self, mail):
        if b"poison" in (mail.content or b""):
            raise ReadingFailedError("the process that reads mails died or hung over it")
        return super().letter(mail)


def test_a_poison_mail_is_quarantined_and_holds_up_nobody(tmp_path):
    desk = TestDesk(tmp_path)
    desk.desk.reader = Poisoned()
    desk.arrives(write("zhang.san@huaxing.example.com", "poison"))
    for n in range(30):
        desk.arrives(write("zhang.san@huaxing.example.com", f"VPN {n}", subject=f"VPN {n}"))
    desk.works()

    statuses = [s for s, _ in desk.mail_status()]
    assert statuses == ["received"] + ["handled"] * 30
    for _ in range(3):
        desk.waits(minutes=1)
    assert desk.mail_status()[0][0] == "quarantined"


def test_a_mail_whose_stored_bytes_are_damaged_is_set_aside_and_said_so(tmp_path):
    desk = TestDesk(tmp_path)
    desk.arrives(write("zhang.san@huaxing.example.com", "one"))
    desk.arrives(write("zhang.san@huaxing.example.com", "two"))
    desk.desk.store.base.run("UPDATE raw SET content = ? WHERE mail = 1", (b"other",))
    for _ in range(4):
        desk.waits(minutes=1)

    (first, reason), (second, _) = desk.mail_status()
    assert (first, second) == ("quarantined", "handled") and "damaged" in reason


def test_a_mail_over_which_the_process_died_goes_to_quarantine(tmp_path):
    desk = TestDesk(tmp_path)
    desk.arrives(write("zhang.san@huaxing.example.com", "one"))
    for _ in range(3):
        desk.desk.store.ledger.attempt([1])
    flow.handle_waiting(desk.desk)

    assert desk.mail_status()[0][0] == "quarantined"


class Remembers(ReadsHere):
    """A reader that writes down what it is asked to begin with."""

    def __init__(self):
        super().__init__()
        self.begun = []

    def ahead(self, mails):
        self.begun += [m.id for m in mails]


def test_a_mail_that_is_given_up_is_not_read_once_more(tmp_path):
    """It may be the very one that hangs the reader, and the others would wait for it."""
    desk = TestDesk(tmp_path)
    desk.desk.reader = reader = Remembers()
    desk.arrives(write("zhang.san@huaxing.example.com", "one"))
    desk.arrives(write("zhang.san@huaxing.example.com", "two", subject="VPN 2"))
    for _ in range(3):
        desk.desk.store.ledger.attempt([1])
    desk.works()

    assert [s for s, _ in desk.mail_status()] == ["quarantined", "handled"] and reader.begun == [2]
