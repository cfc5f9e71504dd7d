"""Every mail of the procedure, in Chinese and in English: who gets it, what it says, and how to answer it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.policy import default
from html import unescape
from pathlib import Path

import pytest

from daemon.words import State
from tests.desk import BEIJING, Sent
from tests.two_languages import CUSTOMER, DESK, ENGINEER, PM, Office, chinese, readers, to


@dataclass
class Lived:
    """One incident from its report to the rating: the desk, and what left at each station."""

    desk: Office
    left: dict[str, list[Sent]]

    def mail(self, station: str, who: str, words: str = "") -> Sent:
        return to(self.left[station], who, words)


def clock(desk: Office, day: int, hour: int, minute: int = 0, month: int = 11) -> list[Sent]:
    desk.clock.at = datetime(2026, month, day, hour, minute, tzinfo=BEIJING)
    return desk.works()


@pytest.fixture(scope="module", params=["zh", "en"])
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """The longest life that an incident can have without anybody making a mistake: Monday to the week after."""
    zh = request.param == "zh"
    desk = Office(tmp_path_factory.mktemp(request.param), request.param)
    desk.works()
    left: dict[str, list[Sent]] = {}
    left["reported"] = desk.reports()
    left["taken"] = desk.says(ENGINEER, "#受理" if zh else "#accept")
    left["asked for an action"] = clock(desk, 23, 16)
    left["progress"] = desk.says(
        ENGINEER, "#进展 证书过期，正在申请新的" if zh else "#progress It has expired, a new one is ordered"
    )
    left["day list"] = clock(desk, 23, 17)
    left["open list"] = clock(desk, 23, 17, 30)
    left["held"] = desk.says(
        ENGINEER,
        "#挂起 客户 到2026-11-24 14:00 请提供日志" if zh else "#hold customer until 24 Nov 2026 14:00 the log, please",
    )
    left["woken"] = clock(desk, 24, 14)
    left["reply"] = desk.says(CUSTOMER, "日志在附件里。" if zh else "Here is the log.")
    left["solved"] = desk.says(ENGINEER, "#已解决 换了新证书" if zh else "#resolve The certificate was renewed.")
    left["reopened"] = desk.says(CUSTOMER, "还是不行。" if zh else "It still does not work.")
    left["refused"] = desk.says(ENGINEER, "#级别 7" if zh else "#severity 7")
    left["solved again"] = desk.says(
        ENGINEER, "#已解决 网关也重启了" if zh else "#resolve The gateway was restarted too."
    )
    left["reminded"] = clock(desk, 26, 9)
    left["silent"] = clock(desk, 27, 18)
    left["review list"] = clock(desk, 30, 9, 30)
    left["archived"] = desk.says(PM, "#归档" if zh else "#archive")
    left["follow-up"] = clock(desk, 4, 10, month=12)
    desk.says(CUSTOMER, "#评价 4 很快" if zh else "#rate 4 quick")
    left["follow-up result"] = clock(desk, 8, 10, month=12)
    assert desk.ticket(1).state is State.ARCHIVED
    return Lived(desk, left)


MAILS = [
    pytest.param("reported", CUSTOMER, ("编号 INC-1", "四级（低）", "11月23日（周一）15:00", "11月30日（周一）10:00", "接下来"),
                 ("number is INC-1", "4 (low)", "Mon 23 Nov, 15:00", "Mon 30 Nov, 10:00", "What happens next"),
                 marks=pytest.mark.procedure("8/acknowledgement", "3/new")),
    pytest.param("reported", ENGINEER, ("691", "Zhang San", "Huaxin", "VPN 与专线", "最迟解决", "#受理", "#退回", "怎么回"),
                 ("691", "Zhang San", "Huaxin", "VPN and leased lines", "Solution due", "#accept", "#return", "How to answer"),
                 marks=pytest.mark.procedure("8/assignment")),
    pytest.param("taken", CUSTOMER, ("由 Wang Wei 开始处理了", "接下来"), ("Wang Wei is now working on", "What happens next"),
                 marks=pytest.mark.procedure("8/dispatched")),
    pytest.param("taken", ENGINEER, ("已经执行", "#受理", "处理中"), ("has been carried out", "#accept", "In progress"),
                 marks=pytest.mark.procedure("8/transcript", "7/answer")),
    pytest.param("refused", ENGINEER, ("都没有执行", "后面请写 1、2、3 或 4"), ("nothing has changed", "Please write 1, 2, 3 or 4"),
                 marks=pytest.mark.procedure("8/transcript", "7/answer", "7/bad/severity")),
    pytest.param("asked for an action", ENGINEER, ("下一步", "怎么回", "#进展"), ("what comes next", "How to answer", "#progress"),
                 marks=pytest.mark.procedure("9/ask_action")),
    pytest.param("progress", CUSTOMER, ("证书过期，正在申请新的", "直接回复"), ("It has expired", "just reply"),
                 marks=pytest.mark.procedure("8/progress")),
    pytest.param("day list", PM, ("INC-1", "处理中", "Wang Wei", "证书过期，正在申请新的"),
                 ("INC-1", "In progress", "Wang Wei", "It has expired, a new one is ordered"),
                 marks=pytest.mark.procedure("8/day_list", "9/pm_list")),
    pytest.param("open list", CUSTOMER, ("INC-1", "正在处理", "证书过期，正在申请新的"),
                 ("INC-1", "In progress", "It has expired, a new one is ordered"),
                 marks=pytest.mark.procedure("8/open_list", "9/customer_list")),
    pytest.param("held", CUSTOMER, ("请提供日志", "11月24日（周二）14:00", "直接回复"), ("the log, please", "Tue 24 Nov, 14:00", "reply"),
                 marks=pytest.mark.procedure("8/on_hold")),
    pytest.param("woken", ENGINEER, ("挂起时间到了", "接着处理"), ("put on hold for is over", "go on with it"),
                 marks=pytest.mark.procedure("8/woken", "3/on_hold/date")),
    pytest.param("reply", ENGINEER, ("日志在附件里。", "Zhang San", "怎么回"), ("Here is the log.", "Zhang San", "How to answer"),
                 marks=pytest.mark.procedure("8/new_reply")),
    pytest.param("solved", CUSTOMER, ("换了新证书", "#确认", "还没有好", "11月27日（周五）18:00"),
                 ("The certificate was renewed.", "#confirm", "It works", "Fri 27 Nov, 18:00"),
                 marks=pytest.mark.procedure("8/resolved", "3/resolved")),
    pytest.param("reopened", CUSTOMER, ("重新开始处理", "还是不行。", "接下来"), ("the work goes on", "It still does not work.", "What happens next"),
                 marks=pytest.mark.procedure("8/reopened", "3/reopen/not_solved")),
    pytest.param("reminded", CUSTOMER, ("还没有收到您的回音", "#确认", "11月27日（周五）18:00"),
                 ("have not heard from you", "#confirm", "Fri 27 Nov, 18:00"),
                 marks=pytest.mark.procedure("8/confirm_reminder", "3/pending_review/silence")),
    pytest.param("silent", PM, ("用户没有答复", "#归档", "#驳回"), ("did not answer", "#archive", "#reject"),
                 marks=pytest.mark.procedure("3/pending_review/silence")),
    pytest.param("review list", PM, ("INC-1", "网关也重启了", "#归档 1"), ("INC-1", "The gateway was restarted too.", "#archive 1"),
                 marks=pytest.mark.procedure("8/review_list", "9/review_list")),
    pytest.param("archived", CUSTOMER, ("已经办结", "网关也重启了", "直接回复"), ("is done", "The gateway was restarted too.", "just reply"),
                 marks=pytest.mark.procedure("8/closed", "3/archived")),
    pytest.param("follow-up", CUSTOMER, ("您满意吗", "5 非常满意", "INC-1"), ("Are you satisfied", "5 very satisfied", "INC-1"),
                 marks=pytest.mark.procedure("8/follow_up", "9/follow_up")),
    pytest.param("follow-up result", PM, ("4 分", "平均 4.0", "很快"), ("4 of 5", "4.0", "quick"),
                 marks=pytest.mark.procedure("8/follow_up_result", "9/follow_up_result")),
]  # fmt: skip


@pytest.mark.parametrize(("station", "who", "zh", "en"), MAILS)
def test_the_mail_says_all_that_its_reader_needs(
    lived: Lived, station: str, who: str, zh: tuple[str, ...], en: tuple[str, ...]
) -> None:
    words = zh if lived.desk.language == "zh" else en
    sent = lived.left[station]
    mail = to(sent, who, words[0])
    page = html_of(mail)
    for said in words:
        assert said in mail.letter.text, f"the text lacks {said!r}"
        assert said in page, f"the page lacks {said!r}"


@pytest.mark.procedure("8/language")
def test_everybody_has_read_their_own_language_only_in_text_and_page(lived: Lived) -> None:
    for mail in (m for sent in lived.left.values() for m in sent):
        text, page = mail.letter.text, html_of(mail)
        assert "{{" not in text + page and "{%" not in text + page
        if lived.desk.language == "en":
            assert not chinese(text) and not chinese(page) and not chinese(mail.subject), str(mail)
        else:
            assert chinese(text) and chinese(page) and chinese(mail.subject), str(mail)


def test_nobody_hears_of_what_is_not_theirs(lived: Lived) -> None:
    theirs = {"zhang.san", "wang.wei", "sun.li"}
    about = {name: [m for m in sent if m.subject.startswith("[INC-1]")] for name, sent in lived.left.items()}
    everybody = {name: readers(sent) - theirs for name, sent in about.items()}
    assert {name: who for name, who in everybody.items() if who} in ({}, {"reported": {"zhao.min"}}), (
        "or the team's lead"
    )
    customers = [m for sent in lived.left.values() for m in sent if m.to in CUSTOMER]
    assert not [m for m in customers if "#退回" in m.letter.text or "#return" in m.letter.text]


@pytest.mark.procedure("8/scope_refused", "3/out_of_scope")
@pytest.mark.parametrize(
    ("language", "command", "words"),
    [
        ("zh", "#不受理 采购不在合同内", ("采购不在合同内", "不在")),
        ("en", "#outofscope buying is not covered", ("buying is not covered", "not")),
    ],
)
def test_what_is_outside_the_agreement_is_told_with_the_reason(
    tmp_path: Path, language: str, command: str, words: tuple[str, ...]
) -> None:
    desk = Office(tmp_path, language)
    desk.reports()
    mail = to(desk.says(DESK, command), CUSTOMER)
    assert all(w in mail.letter.text and w in html_of(mail) for w in words) and chinese(mail.letter.text) == (
        language == "zh"
    )


def html_of(mail: Sent) -> str:
    """Return what the HTML part of a mail shows, without its tags."""
    message = message_from_bytes(mail.raw, policy=default)
    part = next(p for p in message.walk() if p.get_content_type() == "text/html")
    return unescape(re.sub(r"\s+", " ", re.sub(r"<style.*?</style>|<[^>]+>", "", part.get_content(), flags=re.DOTALL)))
