"""What requesters say in plain words on a solved ticket."""

import pytest

from daemon.words import State
from tests.desk import TestDesk, reply
from tests.test_conversations import CUSTOMER, PM, mail_to, resolved

SOLVED = ["已解决，谢谢", "好了，谢谢！", "可以了，辛苦了", "已经恢复正常了", "It works now, thanks!", "Works now.", "All good, thank you",
          "没问题了，多谢", "Confirmed.", "解决了"]  # fmt: skip
THANKS = ["谢谢！", "Thanks a lot", "好的，收到", "辛苦了，不好意思打扰了", "OK, noted.", "Thank you very much", "感谢"]
NOT_SOLVED = ["还是不行", "VPN is broken", "It broke this morning", "Looks the same to me", "The problem has not been resolved.",
              "It remains unresolved", "It is not yet resolved", "It isn't resolved", "无法确认是否恢复", "解决了一半，另一半报错",
              "Thank you, but it fails every hour", "谢谢，但是打印机卡纸", "It still doesn't work", "又断了", "什么时候能好？",
              "请问为什么会出现这个问题？", "OK but slow", "没好"]  # fmt: skip


@pytest.fixture
def desk(tmp_path):
    return TestDesk(tmp_path)


@pytest.mark.parametrize("words", SOLVED)
def test_it_works_is_a_confirmation(desk, words):
    to_customer, _ = resolved(desk)
    desk.receives(reply(to_customer, CUSTOMER, words))
    assert desk.ticket(1).state is State.PENDING_REVIEW


@pytest.mark.parametrize("words", THANKS)
def test_a_mere_thank_you_changes_nothing(desk, words):
    to_customer, _ = resolved(desk)
    desk.receives(reply(to_customer, CUSTOMER, words))
    assert desk.ticket(1).state is State.RESOLVED


@pytest.mark.parametrize("words", NOT_SOLVED)
def test_anything_else_puts_it_back_to_work(desk, words):
    to_customer, _ = resolved(desk)
    desk.receives(reply(to_customer, CUSTOMER, words))
    assert desk.ticket(1).state is State.IN_PROGRESS


def archived(desk):
    to_customer, _ = resolved(desk)
    review = mail_to(desk.receives(reply(to_customer, CUSTOMER, "#确认")), "sun.li")
    return mail_to(desk.receives(reply(review, PM, "#归档")), "zhang.san")


@pytest.mark.parametrize("words", ["谢谢！", "Thanks!", "好的，收到，辛苦了"])
def test_thanks_for_a_closed_ticket_open_no_new_one(desk, words):
    closed = archived(desk)
    desk.receives(reply(closed, CUSTOMER, words))
    assert desk.ticket(2) is None and desk.ticket(1).state is State.ARCHIVED


@pytest.mark.parametrize("words", ["又坏了", "#reopen broken again since noon, everything red", "#未解决 又断了"])
def test_not_solved_on_a_closed_ticket_opens_a_linked_one(desk, words):
    closed = archived(desk)
    desk.receives(reply(closed, CUSTOMER, words))
    assert desk.ticket(2).follows == 1 and desk.ticket(1).state is State.ARCHIVED
