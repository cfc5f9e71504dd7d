"""What requesters say in plain words on a solved ticket."""

from email.policy import SMTP

import pytest

from daemon.intake.letter import read_letter
from daemon.intake.understand import may_object
from daemon.routing.loader import load_rulebook
from daemon.words import State
from tests.desk import ROOT, TestDesk, reply, write
from tests.test_conversations import CUSTOMER, ENGINEER, PM, mail_to, resolved

SOLVED = ["已解决，谢谢", "好了，谢谢！", "可以了，辛苦了", "已经恢复正常了", "It works now, thanks!", "Works now.", "All good, thank you",
          "没问题了，多谢", "Confirmed.", "解决了"]  # fmt: skip
THANKS = ["谢谢！", "Thanks a lot", "好的，收到", "辛苦了，不好意思打扰了", "OK, noted.", "Thank you very much", "感谢"]
NOT_SOLVED = ["还是不行", "VPN is broken", "It broke this morning", "Looks the same to me", "The problem has not been resolved.",
              "It remains unresolved", "It is not yet resolved", "It isn't resolved", "无法确认是否恢复", "解决了一半，另一半报错",
              "Thank you, but it fails every hour", "谢谢，但是打印机卡纸", "It still doesn't work", "又断了", "什么时候能好？",
              "请问为什么会出现这个问题？", "OK but slow", "没好"]  # fmt: skip


# What a requester may write who has nothing to object to, and what says that it is not solved.
POLITE = [
    "谢谢", "谢谢！", "谢谢您", "非常感谢", "多谢", "感谢！", "谢谢，辛苦了", "辛苦啦", "收到", "收到，谢谢", "好的", "好的，谢谢", "好的，收到，谢谢！", "知道了，谢谢",
    "明白了", "麻烦您了", "谢谢支持", "感谢您的及时处理", "太好了，谢谢", "已经好了，谢谢！", "好了", "可以了", "可以用了，谢谢", "能用了", "能上网了，谢谢", "正常了",
    "现在正常了，辛苦", "恢复了", "已恢复，感谢", "问题已解决", "解决了，谢谢王工", "没问题了", "没有问题了，谢谢", "确认已解决", "确认，谢谢", "OK", "ok，谢谢",
    "测试通过，谢谢", "测试正常", "不客气", "Thanks", "Thanks!", "Thank you", "Thank you very much.", "Many thanks",
    "Thanks a lot!", "Thx", "Cheers", "Great, thanks", "Perfect, thank you!", "Got it, thanks",
    "Noted with thanks", "Much appreciated", "Works now, thanks", "It works again, thank you", "It's working now",
    "Working fine now. Thanks", "All good now", "All good, thanks!", "Solved, thank you", "Resolved. Thanks",
    "Confirmed", "I confirm it works", "Fixed, thanks", "It is fixed, thank you so much",
    "Everything is working again, thanks", "Looks good, thanks", "Problem solved", "Back to normal, thanks",
    "No more errors, thank you", "Excellent, thank you for the quick help", "Awesome, thanks!",
    "现在不报错了，谢谢", "已经不断了，多谢", "没有再出现，谢谢", "好使了", "妥了", "试了一下，没问题，谢谢", "已正常", "没有其他问题了，谢谢",
    "问题不再出现，可以关闭", "不用再处理了，已经好了", "刚试了，网速恢复正常", "嗯嗯", "是的，好了", "满意", "👍", "可以了👍",
    "It worked!", "Works like a charm", "I can log in again, thanks", "Working well now", "You can close the ticket", "Yes",
    "Yes, it works", "Not a problem anymore, thanks", "Everything is fine now", "VPN is up again, thanks", "Still works, thanks",
    "Vielen Dank", "That did it", "Brilliant, cheers", "You can close this, thanks", "可以关闭了，谢谢", "可以关单了", "搞定了，谢谢", "点赞，效率真高",
]  # fmt: skip
OBJECTING = [
    "没解决", "还是不行", "谢谢，但是还是连不上", "又断了", "还没好", "打不开", "谢谢，不过现在更慢了", "收到，可是打印机还是坏的", "好的，什么时候能好？", "问题依旧",
    "重启后又出现了", "我这边还是报错", "登录不了", "没有恢复", "好像没好", "仍然连不上，谢谢", "Still not working", "Thanks, but it still fails",
    "It broke again", "Not fixed", "No change here", "The same error again", "It doesn't work",
    "Thank you, however the printer is still offline", "Works on my laptop but not on my phone",
    "It stopped working again this morning", "Cannot log in, please help", "Still the same, thanks",
    "Thanks. When will it be solved?", "Not solved yet", "一直转圈，进不去", "Thanks, now the other server is down",
    "谢谢，现在变成另外一个错误了", "It is worse than before", "不稳定，时好时坏",
    "谢谢，还是慢", "还是断", "还有一台不行", "先别关单，明天再试", "thanks, almost: printing is slow", "Please don't close this",
    "I have to log in again every five minutes", "Yes, still the old page", "银行系统很慢",
]  # fmt: skip
# An objection in so many words is heard as often as it is made, not only once a day.
AGAIN = [
    "还是连不上", "又来了", "老样子", "没效果", "和之前一样", "时断时续", "请重新打开", "Still no luck", "Same problem", "Not yet",
    "It came back", "The problem persists", "Nothing changed", "down again", "I still get the error",
]  # fmt: skip
BOOK = load_rulebook(ROOT / "rules")


@pytest.fixture
def desk(tmp_path):
    return TestDesk(tmp_path)


@pytest.mark.procedure("7/plain_words")
@pytest.mark.parametrize("words", SOLVED)
def test_it_works_is_a_confirmation(desk, words):
    to_customer, _ = resolved(desk)
    desk.receives(reply(to_customer, CUSTOMER, words))
    assert desk.ticket(1).state is State.PENDING_REVIEW


@pytest.mark.procedure("3/reopen/thanks")
@pytest.mark.parametrize("words", THANKS)
def test_a_mere_thank_you_changes_nothing(desk, words):
    to_customer, _ = resolved(desk)
    desk.receives(reply(to_customer, CUSTOMER, words))
    assert desk.ticket(1).state is State.RESOLVED


@pytest.mark.procedure("3/reopen/reply")
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


@pytest.mark.procedure("3/follow_up")
@pytest.mark.parametrize("words", ["又坏了", "#reopen broken again since noon, everything red", "#未解决 又断了"])
def test_not_solved_on_a_closed_ticket_opens_a_linked_one(desk, words):
    closed = archived(desk)
    desk.receives(reply(closed, CUSTOMER, words))
    assert desk.ticket(2).follows == 1 and desk.ticket(1).state is State.ARCHIVED


def letter(words):
    return read_letter(write(CUSTOMER, words).as_bytes(policy=SMTP))


def test_there_are_phrases_enough_in_both_languages():
    chinese = [any("\u4e00" <= c <= "\u9fff" for c in words) for words in POLITE]
    assert min(chinese.count(True), chinese.count(False)) >= 30 and len(set(POLITE)) >= 60
    assert len(set(OBJECTING)) >= 20


@pytest.mark.procedure("3/reopen/thanks")
@pytest.mark.parametrize("words", POLITE)
def test_a_thank_you_objects_to_nothing(words):
    assert not may_object(letter(words), BOOK)


@pytest.mark.parametrize("words", OBJECTING)
def test_not_solved_is_heard_as_such(words):
    assert may_object(letter(words), BOOK)


@pytest.mark.parametrize("words", POLITE[::9])
def test_no_thank_you_reopens_whatever_its_phrasing(desk, words):
    to_customer, _ = resolved(desk)
    desk.receives(reply(to_customer, CUSTOMER, words))
    assert desk.ticket(1).state in (State.RESOLVED, State.PENDING_REVIEW) and desk.ticket(1).reopened == 0


@pytest.mark.procedure("3/reopen/not_solved")
@pytest.mark.parametrize("words", OBJECTING[::7])
def test_every_objection_puts_it_back_to_work(desk, words):
    to_customer, _ = resolved(desk)
    desk.receives(reply(to_customer, CUSTOMER, words))
    assert desk.ticket(1).state is State.IN_PROGRESS and desk.ticket(1).reopened == 1


@pytest.mark.procedure("3/reopen/not_solved")
@pytest.mark.parametrize("words", AGAIN)
def test_who_says_twice_a_day_that_it_is_not_solved_is_heard_twice(desk, words):
    to_customer, to_engineer = resolved(desk)
    for times in (1, 2):
        desk.receives(reply(to_customer, CUSTOMER, words, message_id=f"<{times}@huaxing.example.com>"))
        assert desk.ticket(1).state is State.IN_PROGRESS and desk.ticket(1).reopened == times
        desk.receives(reply(to_engineer, ENGINEER, f"#已解决 第 {times} 次"))
