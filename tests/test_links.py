"""Tying records together: related, merged, duplicate, parent, split; and what it means for everybody concerned."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from daemon import flow
from daemon.cli import cli
from daemon.views import ticket_whole
from daemon.words import LinkKind, State
from tests.desk import BEIJING, Sent, TestDesk, reply, to, write
from tests.test_conversations import DESK, ENGINEER, LEAD, PM
from tests.test_procedure_keywords import TRUSTED, VENDOR, answer_to
from tests.test_procedure_keywords import desk as desk_with_vendor

desk = desk_with_vendor
ZHANG = "张三 <zhang.san@huaxin.example>"
LI = "李四 <li.si@huaxin.example>"
ANN = "Ann Lee <ann@acme.example>"
BOB = "Bob Ray <bob@acme.example>"


def reported(desk: TestDesk, who: str, text: str, subject: str = "VPN 连不上", **more: str) -> list[Sent]:
    return desk.receives(write(who, text, subject=subject, **more))


def orders(desk: TestDesk, number: int, text: str, who: str = ENGINEER, **more: str) -> list[Sent]:
    """One of ours writes about a ticket by its number; the server vouches for them."""
    headers = {**TRUSTED, **more}
    return desk.receives(write(who, text, subject=f"[INC-{number}] VPN", **headers))


def two(desk: TestDesk) -> tuple[Sent, Sent]:
    """Two people of one customer report the same thing; return the mails that they got."""
    first = to(reported(desk, ZHANG, "VPN 今早连不上，提示 691。"), "zhang.san")[0]
    second = to(reported(desk, LI, "我也连不上 VPN，canary-li", cc="wang.wu@huaxin.example"), "li.si")[0]
    return first, second


def numbers(desk: TestDesk, ticket: int, kind: LinkKind) -> tuple[int, ...]:
    return desk.ticket(ticket).linked(kind)


# --- related ---


@pytest.mark.procedure("7/related")
@pytest.mark.parametrize("words", ["#关联 1", "#related INC-1", "＃关联：1。"])
def test_related_links_both_ways_and_tells_the_others(desk: TestDesk, words: str) -> None:
    two(desk)
    orders(desk, 1, "#转派 赵敏", who=DESK)
    sent = orders(desk, 2, words)
    assert numbers(desk, 2, LinkKind.RELATED) == (1,) and numbers(desk, 1, LinkKind.RELATED) == (2,)
    assert "相关 INC-1" in answer_to(sent, "wang.wei")
    (told,) = [m for m in to(sent, "zhao.min") if m.subject.startswith("[INC-1]")]
    assert "INC-2" in told.subject and "互相关联" in told.letter.text
    assert not to(sent, "zhang.san") and not to(sent, "li.si"), "what is linked is our own business"
    assert desk.desk.store.register.rebuild() == []


def test_several_may_be_named_and_what_is_linked_is_linked_once(desk: TestDesk) -> None:
    two(desk)
    reported(desk, ZHANG, "打印机也坏了", subject="打印机")
    orders(desk, 3, "#related 1 2")
    assert numbers(desk, 3, LinkKind.RELATED) == (1, 2)
    sent = orders(desk, 1, "#关联 3")
    assert "已经关联过了" in answer_to(sent, "wang.wei") and numbers(desk, 1, LinkKind.RELATED) == (3,)


def test_a_link_is_taken_back_at_both_ends(desk: TestDesk) -> None:
    two(desk)
    orders(desk, 2, "#关联 1")
    orders(desk, 2, "#撤销")
    assert desk.ticket(1).links == () and desk.ticket(2).links == ()
    assert desk.desk.store.register.rebuild() == []


# --- merge ---


@pytest.mark.procedure("7/merge")
def test_merging_brings_people_and_words_to_the_other(desk: TestDesk) -> None:
    two(desk)
    orders(desk, 1, "#转派 赵敏", who=DESK)
    sent = orders(desk, 2, "#合并 1")
    old, new = desk.ticket(2), desk.ticket(1)
    assert (old.state, old.moved_to) == (State.CANCELLED, 1)
    assert {"li.si@huaxin.example", "wang.wu@huaxin.example"} <= set(new.participants)
    (to_li,) = to(sent, "li.si")
    assert "[INC-2]" in to_li.subject and "INC-1 一起处理" in to_li.letter.text
    (to_lead,) = [m for m in to(sent, "zhao.min") if m.subject.startswith("[INC-1]")]
    assert "canary-li" in to_lead.letter.text and "INC-2" in to_lead.letter.text
    assert not to(sent, "zhang.san"), "the other requester does not hear of it"
    assert desk.desk.store.register.rebuild() == []


def test_the_requester_of_a_merged_ticket_hears_progress_and_solution_under_their_own_number(desk: TestDesk) -> None:
    two(desk)
    orders(desk, 2, "#合并 1")
    orders(desk, 1, "#受理")
    sent = orders(desk, 1, "#进展 正在换证书，canary-news")
    (news,) = to(sent, "li.si")
    assert "[INC-2]" in news.subject and "canary-news" in news.letter.text and "INC-1" in news.letter.text
    assert len(to(sent, "zhang.san")) == 1
    sent = orders(desk, 1, "#解决 换好了证书，canary-fix")
    (solved,) = to(sent, "li.si")
    assert "已解决" in solved.subject and "canary-fix" in solved.letter.text
    assert desk.ticket(2).state is State.CANCELLED and desk.history(2).count("NewsShared") == 2


@pytest.mark.procedure("7/merge")
def test_each_hears_in_their_own_language(desk: TestDesk) -> None:
    reported(desk, "Ann Lee <ann@branch.example>", "The VPN is down.", subject="VPN down")
    reported(desk, "林 <lin@branch.example>", "VPN 断了，大家都连不上。")
    orders(desk, 2, "#merge 1")
    sent = orders(desk, 1, "#accept\n#progress Renewing the certificate.")
    assert "There is news" not in to(sent, "lin")[0].letter.text and "有了新的进展" in to(sent, "lin")[0].letter.text
    sent = orders(desk, 1, "#resolve Renewed.")
    assert "已经解决" in to(sent, "lin")[0].letter.text and "Renewed." in to(sent, "ann")[0].letter.text


def test_later_mails_to_the_old_number_go_to_the_new_one_and_say_so_once(desk: TestDesk) -> None:
    _, ack = two(desk)
    told = to(orders(desk, 2, "#合并 1"), "li.si")[0]
    sent = desk.receives(reply(ack, LI, "还是不行，canary-later"))
    (answer,) = to(sent, "li.si")
    assert "已归到 INC-1" in answer.subject and "INC-2 已并到 INC-1" in answer.letter.text
    assert "canary-later" in to(sent, "wang.wei")[0].letter.text
    assert desk.ticket(2).state is State.CANCELLED and desk.events(1, "MessageAdded")[-1].note.endswith("handled here")
    sent = desk.receives(reply(told, LI, "补充一下：换了电脑也不行"))
    assert not to(sent, "li.si"), "once is enough"
    assert desk.ticket(3) is None


def test_commands_to_the_old_number_are_for_the_new_one(desk: TestDesk) -> None:
    two(desk)
    orders(desk, 2, "#合并 1")
    sent = orders(desk, 2, "#受理\n#级别 2")
    assert desk.ticket(1).state is State.IN_PROGRESS and int(desk.ticket(1).severity) == 2
    assert "INC-2 已并到 INC-1" in answer_to(sent, "wang.wei")


def test_it_is_followed_to_its_end_and_a_circle_cannot_be_made(desk: TestDesk) -> None:
    two(desk)
    third = to(reported(desk, "王五 <wang.wu@huaxin.example>", "VPN 断了"), "wang.wu")[0]
    orders(desk, 2, "#合并 1")
    orders(desk, 3, "#合并 2")
    assert desk.ticket(3).moved_to == 1, "2 is 1 by now"
    sent = orders(desk, 1, "#合并 3")
    assert "自己的编号" in answer_to(sent, "wang.wei") and desk.ticket(1).open
    sent = orders(desk, 1, "#受理\n#进展 快好了")
    assert len(to(sent, "wang.wu")) == 1 and len(to(sent, "li.si")) == 1
    desk.receives(reply(third, "王五 <wang.wu@huaxin.example>", "好的，等你们消息"))
    assert desk.events(1, "MessageAdded")[-1].author == "wang.wu@huaxin.example"


def test_a_chain_made_link_by_link_is_followed_too(desk: TestDesk) -> None:
    two(desk)
    third = to(reported(desk, "王五 <wang.wu@huaxin.example>", "VPN 断了"), "wang.wu")[0]
    orders(desk, 3, "#合并 2")
    orders(desk, 2, "#合并 1")
    sent = orders(desk, 1, "#受理\n#进展 快好了")
    assert {m.to.partition("@")[0] for m in sent} >= {"zhang.san", "li.si", "wang.wu"}
    desk.receives(reply(third, "王五 <wang.wu@huaxin.example>", "收到，等消息"))
    assert desk.events(1, "MessageAdded")[-1].author == "wang.wu@huaxin.example"


def test_nothing_of_one_customer_reaches_another(desk: TestDesk) -> None:
    reported(desk, ZHANG, "VPN 断了")
    reported(desk, ANN, "VPN is down", subject="VPN down")
    for words in ("#合并 1", "#重复 1"):
        sent = orders(desk, 2, words)
        assert "另一个客户" in answer_to(sent, "wang.wei") and desk.ticket(2).open
    assert not desk.ticket(1).links and not desk.ticket(1).participants


def test_a_merge_into_what_is_solved_brings_the_solution(desk: TestDesk) -> None:
    two(desk)
    orders(desk, 1, "#受理\n#解决 换了证书，canary-fix")
    (mail,) = to(orders(desk, 2, "#合并 1"), "li.si")
    assert "canary-fix" in mail.letter.text and "已经解决" in mail.letter.text


def archived(desk: TestDesk, number: int = 1, who: str = ZHANG) -> None:
    solved = to(orders(desk, number, "#受理\n#解决 换了网关证书\n#原因 过期"), who.partition("<")[2].partition("@")[0])[
        0
    ]
    desk.receives(reply(solved, who, "#确认"))
    orders(desk, number, "#归档", who=PM)
    assert desk.ticket(number).state is State.ARCHIVED


def test_not_into_what_is_archived(desk: TestDesk) -> None:
    two(desk)
    archived(desk)
    assert "已经结束" in answer_to(orders(desk, 2, "#合并 1"), "wang.wei") and desk.ticket(2).open


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("#合并", "只写工单编号"),
        ("#合并 网络那张", "只写工单编号"),
        ("#合并 1 3", "只写工单编号"),
        ("#合并 2", "自己的编号"),
        ("#合并 99", "没有编号 99"),
        ("#合并 999999999", "没有编号"),
        ("#关联 2", "自己的编号"),
        ("#关联 1 99", "没有编号 99"),
        ("#父单 77", "没有编号 77"),
        ("#父单 无", "没有父单"),
        ("#重复 1\n#合并 1", "互相矛盾"),
        ("#合并 1\n#解决 好了", "互相矛盾"),
        ("#知识 1", "还没有归档"),
        ("#变更", "后面请写上内容"),
        ("#问题 1", "不是问题记录"),
        ("#变更 1", "不是变更"),
        ("#合并 1\n#关联 99", "不能这样做"),
    ],
)
def test_what_makes_no_sense_changes_nothing_and_says_why(desk: TestDesk, words: str, why: str) -> None:
    two(desk)
    before = (desk.ticket(1), desk.ticket(2).links)
    sent = orders(desk, 2, words)
    assert why in answer_to(sent, "wang.wei")
    assert (desk.ticket(1), desk.ticket(2).links) == before and desk.ticket(2).open and desk.ticket(3) is None
    assert [m.to for m in sent] == ["wang.wei@example.com"]


def test_who_is_not_of_ours_may_not_link(desk: TestDesk) -> None:
    _, ack = two(desk)
    sent = desk.receives(reply(ack, LI, "#合并 1"))
    assert "我方人员" in answer_to(sent, "li.si") and desk.ticket(2).open
    orders(desk, 2, "#转厂商 高峰")
    orders(desk, 2, "#merge 1", who=VENDOR)
    assert desk.ticket(2).open and not desk.ticket(1).links


def test_without_proof_nothing_is_merged(desk: TestDesk) -> None:
    two(desk)
    desk.receives(write(ENGINEER, "#合并 1", subject="[INC-2] VPN"))
    assert desk.ticket(2).open and not desk.ticket(1).links


def test_the_same_mail_twice_and_a_crash_merge_once(desk: TestDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    two(desk)
    mail = write(ENGINEER, "#合并 1", subject="[INC-2] VPN", **TRUSTED)
    finish = desk.desk.store.ledger.finish

    def dies(*_: object, **__: object) -> None:
        raise RuntimeError("the power went")

    monkeypatch.setattr(desk.desk.store.ledger, "finish", dies)
    desk.arrives(mail)
    flow.handle_waiting(desk.desk)
    assert desk.ticket(2).open and not desk.ticket(1).links, "both tickets or neither"
    monkeypatch.setattr(desk.desk.store.ledger, "finish", finish)
    sent = desk.waits(minutes=5)
    assert desk.ticket(2).moved_to == 1 and len(to(sent, "li.si")) == 1
    assert not desk.receives(mail)
    assert desk.history(1).count("Linked") == 1


def test_a_merge_is_taken_back_whole(desk: TestDesk) -> None:
    two(desk)
    orders(desk, 1, "#转派 赵敏", who=DESK)
    orders(desk, 2, "#合并 1")
    desk.waits(minutes=5)
    sent = orders(desk, 2, "#撤销")
    assert desk.ticket(2).open and desk.ticket(2).links == desk.ticket(1).links == ()
    assert "li.si@huaxin.example" not in desk.ticket(1).participants
    assert desk.ticket(2).due("resolve") is not None, "its clock runs on"
    (told,) = to(sent, "li.si")
    assert "刚才的通知有误" in told.subject
    assert any("不再关联" in m.subject and m.subject.startswith("[INC-1]") for m in to(sent, "zhao.min"))
    mine = desk.desk.store.register.mine("li.si@huaxin.example", "")
    assert [t.number for t in mine] == [2], "and the list of their tickets has no trace of it"
    assert desk.desk.store.register.rebuild() == []


def test_undo_at_the_other_end_says_where(desk: TestDesk) -> None:
    two(desk)
    orders(desk, 2, "#合并 1")
    sent = orders(desk, 1, "#撤销")
    assert "2" in answer_to(sent, "wang.wei") and desk.ticket(2).moved_to == 1


# --- duplicate ---


@pytest.mark.procedure("7/duplicate")
def test_a_duplicate_is_closed_and_leads_to_the_other(desk: TestDesk) -> None:
    first = to(reported(desk, ZHANG, "VPN 断了"), "zhang.san")[0]
    again = to(reported(desk, ZHANG, "VPN 断了，请处理", subject="再报一次：VPN"), "zhang.san")[0]
    sent = orders(desk, 2, "#重复 1")
    assert desk.ticket(2).state is State.CANCELLED and numbers(desk, 1, LinkKind.DUPLICATE) == (2,)
    assert desk.events(1, "Linked")[0].text == "", "the words stay where they are"
    assert "同一件事" in to(sent, "zhang.san")[0].letter.text
    desk.receives(reply(again, ZHANG, "请尽快"))
    assert desk.events(1, "MessageAdded")[-1].author == "zhang.san@huaxin.example"
    sent = orders(desk, 1, "#受理\n#进展 正在看")
    assert len(to(sent, "zhang.san")) == 1, "the same person hears it once"
    assert first.subject.startswith("[INC-1]")


@pytest.mark.procedure("7/duplicate")
def test_ends_as_duplicate_in_the_history_and_without_a_clock(desk: TestDesk) -> None:
    two(desk)
    orders(desk, 2, "#duplicate 1")
    (moved,) = [e for e in desk.events(2, "StateChanged") if e.new is State.CANCELLED]
    assert moved.verb == "duplicate" and numbers(desk, 2, LinkKind.DUPLICATE_OF) == (1,)
    assert desk.ticket(2).next_due_at is None
    assert not desk.waits(hours=1) or not any("[INC-2]" in m.subject for m in desk.waits(days=1))


# --- parent ---


def family(desk: TestDesk) -> None:
    reported(desk, ZHANG, "VPN 断了")
    reported(desk, LI, "VPN 断了，canary-child")
    reported(desk, ANN, "VPN is down", subject="VPN down")
    for child in (2, 3):
        orders(desk, child, "#父单 1" if child == 2 else "#parent INC-1")


@pytest.mark.procedure("7/parent")
def test_children_follow_the_news_of_their_parent_each_in_their_language(desk: TestDesk) -> None:
    family(desk)
    assert numbers(desk, 1, LinkKind.CHILD) == (2, 3) and numbers(desk, 3, LinkKind.PARENT) == (1,)
    sent = orders(desk, 1, "#受理\n#进展 正在换证书")
    assert {m.to.partition("@")[0] for m in sent if "正在换证书" in m.letter.text} >= {"zhang.san", "li.si", "ann"}
    ann = to(sent, "ann")[0]
    assert "[INC-3]" in ann.subject and "has news for you about" in ann.letter.text
    assert "canary-child" not in ann.letter.text and "VPN 断了" not in ann.letter.text


def test_an_update_of_a_major_incident_reaches_the_requesters_of_its_children(desk: TestDesk) -> None:
    family(desk)
    orders(desk, 1, "#重大 红色", who=PM)
    sent = orders(desk, 1, "#通报 正在抢修", who=PM)
    assert {m.to.partition("@")[0] for m in sent if "正在抢修" in m.letter.text} >= {"zhang.san", "li.si", "ann"}


def test_a_vendor_speaks_for_the_ticket_they_were_given_and_for_no_other(desk: TestDesk) -> None:
    family(desk)
    orders(desk, 1, "#转厂商 华岳网络")
    verdict = {"Authentication-Results": "mx.example.com; dmarc=pass header.from=vendor.example"}
    sent = orders(desk, 1, "#解决 换了模块", who=VENDOR, **verdict)
    assert desk.ticket(1).state is State.RESOLVED and desk.ticket(2).open and desk.ticket(3).open
    assert not to(sent, "ann") and not to(sent, "li.si")


def test_a_vendor_does_not_hear_what_hangs_together(desk: TestDesk) -> None:
    two(desk)
    orders(desk, 1, "#转厂商 华岳网络")
    sent = orders(desk, 2, "#关联 1", who=DESK)
    assert not to(sent, "gao.feng") and to(sent, "chen.jing")


def test_a_major_incident_is_not_merged_away(desk: TestDesk) -> None:
    two(desk)
    orders(desk, 1, "#重大 红色", who=PM)
    sent = orders(desk, 1, "#合并 2", who=DESK)
    assert desk.ticket(1).open and desk.ticket(1).in_alarm and "它是重大事件" in answer_to(sent, "chen.jing")


def test_the_unproved_objection_of_a_merged_requester_is_no_silence(desk: TestDesk) -> None:
    two(desk)
    orders(desk, 2, "#合并 1", who=DESK)
    orders(desk, 1, "#受理\n#解决 换了证书")
    desk.waits(days=2)
    desk.receives(write(LI, "还是不行，连不上！", subject="Re: [INC-2] VPN"))
    assert len(desk.events(1, "AnswerAwaited")) == 2, "the wait for a word begins anew"
    desk.waits(days=1)
    assert desk.ticket(1).state is State.RESOLVED


@pytest.mark.procedure("7/parent")
def test_solving_the_parent_solves_the_open_children_and_asks_each_requester(desk: TestDesk) -> None:
    family(desk)
    orders(desk, 3, "#accept\n#workaround Use the branch line.")
    sent = orders(desk, 1, "#受理\n#解决 换了证书")
    assert [desk.ticket(n).state for n in (1, 2, 3)] == [State.RESOLVED] * 3
    assert desk.ticket(3).workaround == "Use the branch line.", "its own facts stay"
    assert "#确认" in to(sent, "li.si")[0].letter.text and "#confirm" in to(sent, "ann")[0].letter.text
    assert all(desk.ticket(n).clock("resolve").met for n in (1, 2, 3))
    desk.receives(reply(to(sent, "ann")[0], ANN, "Still broken here."))
    assert desk.ticket(3).state is State.IN_PROGRESS and desk.ticket(1).state is State.RESOLVED
    desk.receives(reply(to(sent, "li.si")[0], LI, "#确认"))
    assert desk.ticket(2).state is State.PENDING_REVIEW
    assert desk.desk.store.register.rebuild() == []


def test_the_engineer_of_a_child_hears_that_it_was_solved(desk: TestDesk) -> None:
    family(desk)
    orders(desk, 2, "#转派 赵敏", who=DESK)
    sent = orders(desk, 1, "#受理\n#解决 换了证书")
    (told,) = [m for m in to(sent, "zhao.min") if m.subject.startswith("[INC-2]")]
    assert "已随父单解决" in told.subject and "INC-1" in told.letter.text


def test_a_child_leaves_its_parent(desk: TestDesk) -> None:
    family(desk)
    orders(desk, 2, "#父单 无")
    orders(desk, 3, "#parent none")
    assert desk.ticket(1).links == desk.ticket(2).links == desk.ticket(3).links == ()
    orders(desk, 1, "#受理\n#解决 换了证书")
    assert desk.ticket(2).open and desk.ticket(3).open


def test_there_is_one_generation_and_one_parent(desk: TestDesk) -> None:
    family(desk)
    reported(desk, BOB, "VPN down too", subject="VPN")
    assert "只能有一层" in answer_to(orders(desk, 4, "#父单 2"), "wang.wei")
    assert "只能有一层" in answer_to(orders(desk, 1, "#父单 4"), "wang.wei")
    orders(desk, 2, "#父单 4")
    assert numbers(desk, 2, LinkKind.PARENT) == (4,) and numbers(desk, 1, LinkKind.CHILD) == (3,)


def test_a_solved_parent_with_children_is_not_taken_back(desk: TestDesk) -> None:
    family(desk)
    orders(desk, 1, "#受理")
    orders(desk, 1, "#解决 换了证书")
    sent = orders(desk, 1, "#撤销")
    assert "不能撤销" in answer_to(sent, "wang.wei") and desk.ticket(1).state is State.RESOLVED


def test_many_children_in_one_mail(desk: TestDesk) -> None:
    reported(desk, ZHANG, "VPN 断了")
    desk.receives(write(ENGINEER, "#受理", subject="[INC-1]", **TRUSTED))
    for n in range(60):
        desk.arrives(write(f"u{n} <u{n}@huaxin.example>", f"VPN 断了 {n}", subject="VPN 断了"))
    desk.works()
    for n in range(2, 62):
        desk.arrives(write(ENGINEER, "#父单 1", subject=f"[INC-{n}]", **TRUSTED))
    desk.works()
    assert len(numbers(desk, 1, LinkKind.CHILD)) == 60
    sent = orders(desk, 1, "#解决 换了证书")
    assert sum(m.to.endswith("@huaxin.example") for m in sent) == 61
    assert all(desk.ticket(n).state is State.RESOLVED for n in (2, 30, 61))


# --- split ---


@pytest.mark.procedure("7/split")
def test_a_second_matter_gets_a_ticket_of_its_own(desk: TestDesk) -> None:
    reported(desk, ZHANG, "VPN 断了。另外三楼的打印机也卡纸了。")
    sent = orders(desk, 1, "#拆分 三楼打印机卡纸\n请去现场看一下，canary-split")
    assert "拆出 INC-2" in answer_to(sent, "wang.wei")
    ticket = desk.ticket(2)
    assert (ticket.subject, ticket.requester, ticket.customer) == (
        "三楼打印机卡纸", "zhang.san@huaxin.example", "huaxin",
    )  # fmt: skip
    assert numbers(desk, 2, LinkKind.SPLIT_FROM) == (1,) and numbers(desk, 1, LinkKind.SPLIT_INTO) == (2,)
    assert ticket.category != desk.ticket(1).category, "it is routed by what it is about"
    assert ticket.due("resolve") is not None
    (ack,) = to(sent, "zhang.san")
    assert ack.subject.startswith("[INC-2]") and "从 INC-1 里分出来" in ack.letter.text
    assert "canary-split" not in ack.letter.text, "our own words stay among us"
    assert any("canary-split" in m.letter.text for m in sent if m.to.endswith("@example.com"))
    desk.receives(reply(ack, ZHANG, "是二楼，不是三楼"))
    assert desk.events(2, "MessageAdded")[-1].author == "zhang.san@huaxin.example"
    assert desk.desk.store.register.rebuild() == []


@pytest.mark.procedure("7/split")
def test_without_words_the_customers_last_ones_go_along(desk: TestDesk) -> None:
    reported(desk, ANN, "VPN is down. The printer on floor 3 is jammed too, canary-own.", subject="VPN down")
    sent = orders(desk, 1, "#split Printer jam on floor 3")
    assert desk.ticket(2).subject == "Printer jam on floor 3" and desk.ticket(2).language == "en"
    assert any("canary-own" in m.letter.text for m in sent if m.to.endswith("@example.com"))


def test_a_split_cannot_be_taken_back_but_its_ticket_can_be_cancelled(desk: TestDesk) -> None:
    reported(desk, ZHANG, "VPN 断了")
    orders(desk, 1, "#拆分 打印机")
    sent = orders(desk, 1, "#撤销")
    assert "已经开了新记录 2" in answer_to(sent, "wang.wei") and desk.ticket(2) is not None


def test_two_new_records_in_one_mail_have_numbers_of_their_own(desk: TestDesk) -> None:
    reported(desk, ZHANG, "VPN 断了")
    orders(desk, 1, "#拆分 打印机卡纸\n#问题 证书为什么没人续\n#变更 换成自动续期")
    assert [desk.ticket(n).subject for n in (2, 3, 4)] == ["打印机卡纸", "证书为什么没人续", "换成自动续期"]
    assert [x.ticket for x in desk.ticket(1).links] == [2, 3, 4]


# --- a mail that opens a ticket ---


def test_a_ticket_may_be_linked_as_it_is_opened(desk: TestDesk) -> None:
    reported(desk, ZHANG, "VPN 断了")
    desk.receives(write(DESK, "#关联 1\n#代报 li.si@huaxin.example\n客户来电，网也慢。", subject="网慢", **TRUSTED))
    assert numbers(desk, 2, LinkKind.RELATED) == (1,) and numbers(desk, 1, LinkKind.RELATED) == (2,)
    sent = desk.receives(write(DESK, "#合并 1\n客户又来电。", subject="又来电", **TRUSTED))
    assert "刚刚开了一张新工单" in answer_to([m for m in sent if "指令" in m.subject], "chen.jing")
    assert desk.ticket(3).open


# --- what one can see ---


def test_links_show_in_assignments_reports_and_json(desk: TestDesk) -> None:
    two(desk)
    orders(desk, 2, "#关联 1")
    sent = orders(desk, 2, "#转派 赵敏", who=DESK)
    assert "相关 INC-1" in to(sent, "zhao.min")[0].letter.text
    shown = ticket_whole(desk.ticket(2), desk.desk.store, BEIJING)
    assert shown["links"] == [{"kind": "related", "ticket": 1}] and shown["moved_to"] is None


def test_a_customer_is_not_offered_our_keywords(desk: TestDesk) -> None:
    _, ack = two(desk)
    sent = desk.receives(reply(ack, LI, "#帮助"))
    assert "#合并" not in to(sent, "li.si")[0].letter.text
    sent = orders(desk, 2, "#help", who=LEAD)
    assert all(w in to(sent, "zhao.min")[0].letter.text for w in ("#合并", "#重复", "#关联", "#父单", "#拆分", "#知识"))


def test_words_that_begin_like_a_keyword_are_words(desk: TestDesk) -> None:
    _, ack = two(desk)
    desk.receives(reply(ack, LI, "问题\n还是老样子"))
    assert desk.ticket(2).open and desk.ticket(3) is None


def test_ticket_show_names_the_links(desk: TestDesk) -> None:
    two(desk)
    orders(desk, 2, "#父单 1")
    said = CliRunner().invoke(cli, ["--config", str(desk.folder / "ticketd.toml"), "ticket", "show", "1"])
    assert said.exit_code == 0 and "child 2" in said.output
