"""Several who wait for one thing: who of them is heard, who may end it, and that each of them is written to once."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.words import State
from tests.desk import Sent, TestDesk, one, reply, to, told, write
from tests.test_alerts import over, resolving, zabbix
from tests.test_conversations import DESK, ENGINEER, PM
from tests.test_links import ANN, LI, ZHANG, orders, reported, two
from tests.test_procedure_keywords import answer_to
from tests.test_procedure_keywords import desk as desk_with_vendor

desk = desk_with_vendor
WANG_WU = "王五 <wang.wu@huaxin.example>"
BOB = "Bob Ray <bob@acme.example>"


def merged(desk: TestDesk, solved: bool = True) -> Sent:
    """Two people of one customer, one case; return the last mail to the one who was merged into the other's."""
    two(desk)
    sent = orders(desk, 2, "#合并 1", who=DESK)
    if solved:
        sent = orders(desk, 1, "#受理\n#解决 换了证书", who=ENGINEER)
    return to(sent, "li.si")[0]


# --- who was merged into another one says how it is ---


@pytest.mark.parametrize("words", ["还是不行，连不上！", "#未解决", "#reopen canary-own", "还没好，canary-own"])
def test_who_was_merged_is_heard_when_it_is_not_solved(desk: TestDesk, words: str) -> None:
    sent = desk.receives(reply(merged(desk), LI, words))
    assert desk.ticket(1).state is State.IN_PROGRESS and desk.ticket(1).reopened == 1
    assert desk.ticket(1).clock("resolve").running and desk.ticket(1).silence is None
    assert words.partition(" ")[2] in told(sent, "wang.wei"), "who works on it reads their words"
    assert "INC-1" in told(sent, "wang.wei")
    assert "重新开始处理" in one(sent, "zhang.san").letter.text
    assert "canary-own" not in told(sent, "zhang.san"), "one requester's words are not for the other"
    assert any("我们接着处理" in m.letter.text and "[INC-2]" in m.subject for m in to(sent, "li.si"))
    assert desk.desk.store.register.rebuild() == []


def test_a_second_objection_within_a_day_needs_plain_words(desk: TestDesk) -> None:
    asked = merged(desk)
    desk.receives(reply(asked, LI, "还是不行"))
    again = to(orders(desk, 1, "#解决 又换了一次"), "li.si")[0]
    desk.receives(reply(again, LI, "我出差了，下周一再看"))
    assert desk.ticket(1).state is State.RESOLVED
    desk.receives(reply(again, LI, "还是连不上"))
    assert desk.ticket(1).state is State.IN_PROGRESS and desk.ticket(1).reopened == 2


@pytest.mark.parametrize("words", ["谢谢！", "好了，谢谢", "ok, thanks"])
def test_the_thanks_of_who_was_merged_close_nothing_for_the_others(desk: TestDesk, words: str) -> None:
    desk.receives(reply(merged(desk), LI, words))
    assert desk.ticket(1).state is State.RESOLVED and desk.ticket(1).silence is not None


def test_who_was_merged_may_not_confirm_or_cancel_for_the_others_and_is_told_why(desk: TestDesk) -> None:
    asked = merged(desk)
    sent = desk.receives(reply(asked, LI, "#确认"))
    assert desk.ticket(1).state is State.RESOLVED
    assert "不能由您一个人确认结束" in answer_to(sent, "li.si") and "#未解决" in answer_to(sent, "li.si")
    orders(desk, 1, "#受理")
    desk.receives(reply(asked, LI, "还是不行"))
    sent = desk.receives(reply(asked, LI, "#取消", message_id="<c@huaxin.example>"))
    assert desk.ticket(1).open and "正在等结果" in answer_to(sent, "li.si")


def test_the_requester_still_confirms_alone_and_an_objection_after_that_reopens(desk: TestDesk) -> None:
    two(desk)
    orders(desk, 2, "#合并 1", who=DESK)
    orders(desk, 1, "#受理")
    sent = orders(desk, 1, "#解决 换了证书")
    desk.receives(reply(one(sent, "zhang.san"), ZHANG, "#确认"))
    assert desk.ticket(1).state is State.PENDING_REVIEW
    desk.receives(reply(one(sent, "li.si"), LI, "我这里还是不行"))
    assert desk.ticket(1).state is State.IN_PROGRESS


def test_without_proof_who_was_merged_moves_nothing(desk: TestDesk) -> None:
    merged(desk)
    desk.receives(write(LI, "#未解决", subject="Re: [INC-2] VPN"))
    assert desk.ticket(1).state is State.RESOLVED


def test_all_along_a_chain_are_heard_and_one_who_was_only_in_copy_is_not(desk: TestDesk) -> None:
    two(desk)
    third = to(reported(desk, "赵六 <zhao.liu@huaxin.example>", "VPN 断了"), "zhao.liu")[0]
    orders(desk, 3, "#重复 2")
    orders(desk, 2, "#合并 1")
    orders(desk, 1, "#受理\n#解决 换了证书")
    assert desk.ticket(1).joined == ("li.si@huaxin.example", "zhao.liu@huaxin.example")
    desk.receives(write(WANG_WU, "还是不行", subject="Re: [INC-2] VPN", **verdict("huaxin.example")))
    assert desk.ticket(1).state is State.RESOLVED, "wang.wu was in copy, and reported nothing"
    desk.receives(reply(third, "赵六 <zhao.liu@huaxin.example>", "还是不行"))
    assert desk.ticket(1).state is State.IN_PROGRESS


def verdict(domain: str) -> dict[str, str]:
    return {"Authentication-Results": f"mx.example.com; dmarc=pass header.from={domain}"}


def test_a_merge_that_was_taken_back_gives_no_say(desk: TestDesk) -> None:
    asked = merged(desk, solved=False)
    orders(desk, 2, "#撤销", who=DESK)
    orders(desk, 1, "#受理\n#解决 换了证书")
    desk.receives(reply(asked, LI, "还是不行"))
    assert desk.ticket(1).state is State.RESOLVED and desk.ticket(1).joined == ()
    assert desk.events(2, "MessageAdded")[-1].author == "li.si@huaxin.example", "it is about their own again"


def test_the_rejection_of_the_project_manager_is_told_to_who_was_merged(desk: TestDesk) -> None:
    two(desk)
    orders(desk, 2, "#合并 1", who=DESK)
    orders(desk, 1, "#受理")
    sent = orders(desk, 1, "#解决 换了证书")
    desk.receives(reply(one(sent, "zhang.san"), ZHANG, "#确认"))
    sent = orders(desk, 1, "#驳回 原因没写，canary-pm", who=PM)
    assert "我们接着处理" in told(sent, "li.si") and "canary-pm" not in told(sent, "li.si")


# --- it is cancelled, or refused: nobody loses their case in silence ---


def test_the_requester_cannot_cancel_what_others_wait_for(desk: TestDesk) -> None:
    ack, _ = two(desk)
    orders(desk, 2, "#合并 1", who=DESK)
    sent = desk.receives(reply(ack, ZHANG, "#取消\n我这里不用了，canary-why"))
    assert desk.ticket(1).open and "正在等结果" in answer_to(sent, "zhang.san")
    assert "canary-why" in told(sent, "wang.wei"), "who works on it hears that one of them needs it no more"
    assert not to(sent, "li.si")


def test_a_duplicate_of_their_own_does_not_keep_a_requester_from_cancelling(desk: TestDesk) -> None:
    ack = one(reported(desk, ZHANG, "VPN 断了"), "zhang.san")
    reported(desk, ZHANG, "VPN 断了，请处理", subject="再报一次：VPN")
    orders(desk, 2, "#重复 1")
    sent = desk.receives(reply(ack, ZHANG, "#取消"))
    assert desk.ticket(1).state is State.CANCELLED and len([m for m in to(sent, "zhang.san")]) == 2


def test_when_the_desk_cancels_each_is_told_and_a_reply_opens_it_again(desk: TestDesk) -> None:
    two(desk)
    orders(desk, 2, "#合并 1", who=DESK)
    sent = orders(desk, 1, "#取消 客户说明天换线，canary-reason", who=DESK)
    mail = one(sent, "li.si")
    assert "[INC-2]" in mail.subject and "已经取消" in mail.letter.text and "canary-reason" in mail.letter.text
    assert "重新登记" in mail.letter.text
    desk.receives(reply(mail, LI, "谢谢"))
    assert desk.ticket(3) is None
    desk.receives(reply(mail, LI, "我这里还是要修"))
    assert (desk.ticket(3).requester, desk.ticket(3).follows) == ("li.si@huaxin.example", 1)


def test_when_it_is_refused_and_taken_in_again_each_is_told(desk: TestDesk) -> None:
    mail = merged(desk, solved=False)
    sent = orders(desk, 1, "#不受理 合同里没有这一项", who=DESK)
    assert "不在目前约定的服务范围内" in told(sent, "li.si") and "合同里没有这一项" in told(sent, "li.si")
    sent = desk.receives(reply(mail, LI, "我们有这个合同，canary-words"))
    assert "canary-words" in told(sent, "chen.jing"), "the desk reads it"
    sent = orders(desk, 1, "#受理范围内", who=DESK)
    assert "我们接着处理" in one(sent, "li.si").letter.text


def test_a_cancellation_that_was_a_mistake_is_put_right_for_each(desk: TestDesk) -> None:
    merged(desk, solved=False)
    orders(desk, 1, "#取消", who=DESK)
    sent = orders(desk, 1, "#撤销", who=DESK)
    assert desk.ticket(1).open and "我们接着处理" in one(sent, "li.si").letter.text


@pytest.mark.parametrize(("words", "said"), [("#取消", "已经取消"), ("#不受理 没有合同", "没有受理")])
def test_children_go_on_without_their_parent(desk: TestDesk, words: str, said: str) -> None:
    two(desk)
    orders(desk, 2, "#父单 1")
    orders(desk, 2, "#转派 赵敏", who=DESK)
    sent = orders(desk, 1, words, who=DESK)
    assert desk.ticket(2).open and desk.ticket(2).due("resolve") is not None
    (mail,) = [m for m in to(sent, "zhao.min") if "[INC-2]" in m.subject]
    assert said in mail.letter.text and "单独继续" in mail.letter.text
    assert not to(sent, "li.si"), "for them nothing has changed"


# --- an alert that ends by itself ---


TOOL = {"sender": "Zabbix <zabbix@huaxin.example>"}
PROVED_TOOL = {**TOOL, "Authentication-Results": "mx.example.com; dmarc=pass header.from=huaxin.example"}


def alerted(tmp_path: Path) -> TestDesk:
    """A monitoring tool of a customer's reports something, and so does one of their people."""
    desk = resolving(tmp_path, sender="huaxin.example")
    desk.receives(zabbix(**PROVED_TOOL))
    reported(desk, ZHANG, "系统很慢", subject="系统慢")
    return desk


def test_the_end_of_an_alert_solves_the_children_of_its_ticket(tmp_path: Path) -> None:
    desk = alerted(tmp_path)
    orders(desk, 2, "#父单 1", who=DESK)
    sent = desk.receives(over(**PROVED_TOOL))
    assert [desk.ticket(n).state for n in (1, 2)] == [State.RESOLVED] * 2
    asked = one(sent, "zhang.san")
    assert "[INC-2]" in asked.subject and "#确认" in asked.letter.text and "自行恢复" in asked.letter.text
    desk.receives(reply(asked, ZHANG, "还是很慢"))
    assert desk.ticket(2).open and desk.ticket(1).state is State.RESOLVED
    assert desk.desk.store.register.rebuild() == []


def test_the_end_of_an_alert_is_told_to_who_was_merged_into_it_and_they_may_object(tmp_path: Path) -> None:
    desk = alerted(tmp_path)
    orders(desk, 2, "#合并 1", who=DESK)
    sent = desk.receives(over(**PROVED_TOOL))
    asked = one(sent, "zhang.san")
    assert desk.ticket(1).state is State.RESOLVED and "请您试一下" in asked.letter.text
    desk.receives(reply(asked, ZHANG, "还是很慢"))
    assert desk.ticket(1).open


def test_an_unproved_alert_writes_to_no_customer(tmp_path: Path) -> None:
    desk = alerted(tmp_path)
    orders(desk, 2, "#合并 1", who=DESK)
    desk.receives(over(**PROVED_TOOL))
    assert not to(desk.receives(zabbix(**TOOL)), "zhang.san")
    desk.receives(over(**PROVED_TOOL))
    desk.waits(days=2)
    assert desk.ticket(1).open, "what came back within a day is left to people"


# --- one mail to a person, however many tickets ---


def many(desk: TestDesk, who: str = ZHANG, parent: str = ZHANG) -> None:
    """A parent and three children, of which two are of the same person."""
    reported(desk, parent, "VPN 断了", subject="VPN 0")
    for n, reporter in ((2, who), (3, LI), (4, who)):
        reported(desk, reporter, f"VPN 断了 {n}", subject=f"VPN {n}")
        orders(desk, n, "#父单 1")


def test_news_of_many_tickets_is_one_mail_to_each_person(desk: TestDesk) -> None:
    many(desk)
    for words in ("#受理\n#进展 正在换证书", "#进展 快好了"):
        sent = orders(desk, 1, words)
        news = [m for m in to(sent, "zhang.san") if "进展" in m.letter.text]
        assert [m.subject.partition("]")[0] for m in news] == ["[INC-1"]
        assert "INC-2 VPN 2" in news[0].letter.text and "INC-4 VPN 4" in news[0].letter.text
        assert "VPN 3" not in news[0].letter.text and len(to(sent, "li.si")) == 1
    assert [desk.history(n).count("ProgressTold") for n in (1, 2, 3, 4)] == [2] * 4


def test_an_update_of_a_major_incident_is_one_mail_to_each_person(desk: TestDesk) -> None:
    many(desk)
    orders(desk, 1, "#重大 红色", who=PM)
    sent = orders(desk, 1, "#通报 正在抢修", who=PM)
    assert "INC-4 VPN 4" in one(sent, "zhang.san").letter.text and "正在抢修" in one(sent, "li.si").letter.text


def test_one_answer_confirms_all_that_one_mail_asked_about(desk: TestDesk) -> None:
    many(desk)
    sent = orders(desk, 1, "#受理\n#解决 换了证书")
    asked = next(m for m in to(sent, "zhang.san") if "#确认" in m.letter.text)
    assert len([m for m in to(sent, "zhang.san") if "解决" in m.subject]) == 1 and "[INC-1]" in asked.subject
    assert "INC-2 VPN 2" in asked.letter.text and "都算数" in asked.letter.text
    desk.receives(reply(asked, ZHANG, "#确认"))
    states = [desk.ticket(n).state for n in (1, 2, 3, 4)]
    assert states == [State.PENDING_REVIEW, State.PENDING_REVIEW, State.RESOLVED, State.PENDING_REVIEW]
    assert desk.desk.store.register.rebuild() == []


def test_one_mail_reminds_of_all_that_one_mail_asked_about(desk: TestDesk) -> None:
    many(desk, who=ANN)
    orders(desk, 1, "#受理\n#解决 换了证书")
    sent = [m for _ in range(6) for m in desk.waits(days=1)]
    mail = one([m for m in sent if "confirm" in m.letter.text.lower()], "ann")
    assert "[INC-2]" in mail.subject and "INC-4 VPN 4" in mail.letter.text
    assert [desk.history(n).count("Reminded") for n in (1, 2, 3, 4)] == [1] * 4
    assert len([m for m in to(sent, "li.si") if "#确认" in m.letter.text]) == 1


def test_one_objection_brings_all_of_them_back_in_ordinary_words(desk: TestDesk) -> None:
    many(desk)
    sent = orders(desk, 1, "#受理\n#解决 换了证书")
    asked = next(m for m in to(sent, "zhang.san") if "#确认" in m.letter.text)
    sent = desk.receives(reply(asked, ZHANG, "还是不行，canary-all"))
    assert [desk.ticket(n).open for n in (1, 2, 3, 4)] == [True, True, False, True]
    assert "INC-4 VPN 4" in one(sent, "zhang.san").letter.text and "canary-all" in told(sent, "wang.wei")
    again = one(orders(desk, 1, "#解决 又换了一次"), "zhang.san")
    desk.receives(reply(again, ZHANG, "好了，谢谢"))
    assert [desk.ticket(n).state for n in (1, 2, 4)] == [State.PENDING_REVIEW] * 3


def test_the_children_of_another_person_than_the_parents_are_asked_about_in_one_mail_too(desk: TestDesk) -> None:
    many(desk, who=ANN)
    sent = orders(desk, 1, "#受理\n#解决 换了证书")
    asked = one(sent, "ann")
    assert "[INC-2]" in asked.subject and "INC-4 VPN 4" in asked.letter.text
    desk.receives(reply(asked, ANN, "#confirm"))
    states = [desk.ticket(n).state for n in (1, 2, 3, 4)]
    assert states == [State.RESOLVED, State.PENDING_REVIEW, State.RESOLVED, State.PENDING_REVIEW]


def test_an_answer_about_another_number_is_about_that_one_alone(desk: TestDesk) -> None:
    many(desk)
    orders(desk, 1, "#受理\n#解决 换了证书")
    desk.receives(write(ZHANG, "还是不行", subject="[INC-4] VPN 4", **verdict("huaxin.example")))
    assert [desk.ticket(n).open for n in (1, 2, 3, 4)] == [False, False, False, True]


def test_what_was_solved_for_itself_is_not_confirmed_with_the_parent(desk: TestDesk) -> None:
    many(desk)
    orders(desk, 2, "#解决 换了网线")
    sent = orders(desk, 1, "#受理\n#解决 换了证书")
    asked = next(m for m in to(sent, "zhang.san") if "#确认" in m.letter.text)
    assert "VPN 2" not in asked.letter.text
    desk.receives(reply(asked, ZHANG, "#确认"))
    assert desk.ticket(2).state is State.RESOLVED and desk.ticket(4).state is State.PENDING_REVIEW


def test_the_engineer_of_many_children_hears_once_that_they_were_solved(desk: TestDesk) -> None:
    many(desk)
    for n in (2, 3, 4):
        orders(desk, n, "#转派 赵敏", who=DESK)
    (mail,) = [m for m in to(orders(desk, 1, "#受理\n#解决 换了证书"), "zhao.min") if "父单" in m.letter.text]
    assert "INC-3 VPN 3" in mail.letter.text and "INC-4 VPN 4" in mail.letter.text


# --- the parent goes on again ---


def test_who_works_on_a_parent_that_goes_on_hears_which_children_are_still_solved(desk: TestDesk) -> None:
    many(desk, who=ANN)
    orders(desk, 1, "#转派 赵敏", who=DESK)
    orders(desk, 1, "#受理", who="赵敏 <zhao.min@example.com>")
    sent = orders(desk, 1, "#解决 换了证书", who="赵敏 <zhao.min@example.com>")
    desk.receives(reply(one(sent, "ann"), ANN, "#confirm"))
    sent = desk.receives(reply(one(sent, "zhang.san"), ZHANG, "还是不行"))
    assert [desk.ticket(n).open for n in (1, 2, 3, 4)] == [True, False, False, False]
    mail = one(sent, "zhao.min").letter.text
    assert "INC-2 VPN 2" in mail and "INC-3 VPN 3" in mail and "仍算已解决" in mail
    assert "VPN 3" not in told(sent, "zhang.san") and not to(sent, "ann") and not to(sent, "li.si")


def test_an_end_of_a_major_incident_that_was_a_mistake_is_put_right_in_one_mail(desk: TestDesk) -> None:
    two(desk)
    orders(desk, 1, "#重大 红色", who=PM)
    orders(desk, 1, "#取消", who=DESK)
    sent = orders(desk, 1, "#撤销", who=DESK)
    assert desk.ticket(1).in_alarm
    names = [m.to for m in sent if "INC-1" in m.subject and m.letter.header("Auto-Submitted") != "auto-replied"]
    assert sorted(set(names)) == sorted(names) and "zhang.san@huaxin.example" in names
    assert "刚才的通知有误" in one(sent, "zhang.san").subject


# --- vendors and watchers ---


def test_a_vendor_hears_of_a_further_report_without_its_words(desk: TestDesk) -> None:
    two(desk)
    orders(desk, 1, "#转厂商 华岳网络", who=ENGINEER)
    sent = orders(desk, 2, "#合并 1", who=DESK)
    mail = one(sent, "gao.feng")
    assert "INC-2" in mail.letter.text and "又有人报告" in mail.letter.text
    assert "canary-li" not in mail.letter.text and "关联记录" not in mail.letter.text
    assert "canary-li" in told(sent, "wang.wei"), "who answers for the vendor among us reads it"
    orders(desk, 1, "#转派 赵敏", who=DESK)
    sent = orders(desk, 1, "#转厂商 华岳网络", who="赵敏 <zhao.min@example.com>")
    assert "canary-li" not in told(sent, "gao.feng") and "INC-2" not in told(sent, "gao.feng")


def test_who_only_follows_a_ticket_is_not_asked_to_confirm_it(desk: TestDesk) -> None:
    reported(desk, ZHANG, "我要投诉，VPN 三天都没有修好", subject="投诉：服务态度差")
    assert desk.ticket(1).watchers == ("zhou.qiang@example.com",)
    orders(desk, 1, "#受理", who=DESK)
    sent = orders(desk, 1, "#解决 已经登门道歉", who=DESK)
    mail = one(sent, "zhou.qiang")
    assert "已经登门道歉" in mail.letter.text and "您在关注这张工单" in mail.letter.text
    assert "请您试一下" not in mail.letter.text and "您反映的" not in mail.letter.text
    assert "请您试一下" in one(sent, "zhang.san").letter.text
