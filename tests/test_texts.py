"""Replies as plain text in tests/texts: of mailing lists, desks and clients, and words that only look like a quote.

A case is a line `=== name | options` and the mail beneath, each line behind one character: "+" for the sender's new
words, a space for what is not, "?" for what may stay. Options: `new` for a mail that answers nothing, `s=` its subject.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.intake.keywords import find_commands, spoken
from daemon.intake.letter import Letter, read_letter
from daemon.intake.nature import judge
from daemon.intake.prose import read_prose
from daemon.routing.loader import load_rulebook
from daemon.words import Nature, Verb
from tests.desk import ROOT

TEXTS = Path(__file__).parent / "texts"
KEYWORDS = load_rulebook(ROOT / "rules").keywords


def _cases() -> Iterator[tuple[str, list[str], list[str]]]:
    for path in sorted(TEXTS.glob("*.txt")):
        for case in f"\n{path.read_text(encoding='utf-8')}".split("\n=== ")[1:]:
            head, *lines = case.split("\n")
            name, *options = (x.strip() for x in head.split(" | "))
            yield f"{path.stem}: {name}", options, lines


def _marked(lines: list[str], mark: str) -> set[str]:
    return {line[1:].strip() for line in lines if line.startswith(mark) and line[1:].strip()}


CASES = list(_cases())


@pytest.mark.parametrize(("options", "lines"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_a_sender_writes_is_told_from_what_he_quotes(options: list[str], lines: list[str]) -> None:
    reply = "new" not in options
    subject = next((x[2:] for x in options if x.startswith("s=")), "Re: db-02 is down" if reply else "db-02 is down")
    text = "\n".join(line[1:] for line in lines)
    split = read_prose([(text, None)]).words(subject, reply=reply)
    kept = {line.strip() for line in split.new.split("\n")}
    assert _marked(lines, "+") <= kept
    assert kept <= _marked(lines, "+") | _marked(lines, "?") | {""}
    everything = kept | {line.strip() for line in split.rest.split("\n")}
    assert {line[1:].strip() for line in lines} <= everything | {""}


def _letter(text: str, *, reply: bool) -> Letter:
    head = "From: eng@desk.example\nTo: help@desk.example\nMessage-ID: <a@desk.example>\n"
    head += "Subject: Re: x\nIn-Reply-To: <n1@desk.example>\n" if reply else "Subject: x\n"
    return read_letter(f"{head}Content-Type: text/plain; charset=utf-8\n\n{text}".encode())


QUOTED = ["您好，", "", "服务器恢复了吗？", "#已解决", "#resolve", "", "谢谢"]
ABOVE = [
    '在 2026-11-20 10:11:12，"王伟" <wangwei@customer.example> 写道：',
    "王伟 <wangwei@customer.example> 于2026年11月20日周五 10:11写道：",
    "在 2026年11月20日，10:11，王伟 <wangwei@customer.example> 写道：",
    "在 2026年11月20日星期五 GMT+8 10:11:12，王伟<wangwei@customer.example> 写道：",
    "王伟 2026-11-20 10:11:12 写道：",
    "王伟 写道于 2026/11/20 10:11:",
    'At 2026-11-20 10:11:12, "王伟" <wangwei@customer.example> wrote:',
    "On Fri, Nov 20, 2026 at 10:11 AM Wei Wang <wangwei@customer.example> wrote:",
    "Wei Wang wrote on 2026/11/20 10:11:",
    "Am 20.11.26 um 10:11 schrieb Wei Wang:",
    "2026年11月20日(金) 10:11 王伟 <wangwei@customer.example>:",
    '---Original---\nFrom: "王伟"<wangwei@customer.example>\nDate: Fri, Nov 20, 2026 10:11 AM\nSubject: Re:x\n',
    '------------------ Original ------------------\nFrom: "王伟"\nDate: x\nTo: y\nSubject: z\n',
    '------------------ 原始邮件 ------------------\n发件人: "王伟"\n发送时间: 2026年11月20日\n主题: x\n',
    "-----邮件原件-----\n发件人: 王伟 [mailto:wangwei@customer.example]\n发送时间: 2026年11月20日 10:11\n主题: x\n",
    "---- 回复的原邮件 ----\n| 发件人 | 王伟<wangwei@customer.example> |\n| 日期 | 2026年11月20日 10:11 |\n| 主题 | x |\n",
    "---- Replied Message ----\n| From | 王伟<wangwei@customer.example> |\n| Date | 11/20/2026 10:11 |\n",
    "-----原始邮件-----\n发件人:王伟 <wangwei@customer.example>\n发送时间:2026-11-20 10:11:12 (星期五)\n主题: x\n",
    "发件人：王伟\n日期：2026年11月20日 10:11\n收件人：help\n主题：x\n",
    "________________________________\n发件人: 王伟\n发送时间: 2026年11月20日\n主题: x\n",
    "------------------------------------------------------------------\n发件人：王伟\n发送时间：2026年\n主　题：x\n",
    "From: 王伟\nDate: 2026-11-20 10:11\nTo: help\nSubject: x",
    "Von: Wei Wang\nGesendet: Freitag, 20. November 2026 10:11\nAn: help\nBetreff: x\n",
    "差出人: 王伟\n送信日時: 2026年11月20日\n宛先: help\n件名: x\n",
    "发自我的iPhone\n\n在 2026年11月20日，10:11，王伟 <wangwei@customer.example> 写道：",
]


@pytest.mark.parametrize("reply", [True, False], ids=["answers", "new"])
@pytest.mark.parametrize("mark", ["", "> ", ">"], ids=["unmarked", "marked", "tightly"])
@pytest.mark.parametrize("above", ABOVE)
def test_a_quoted_keyword_is_nobodys_and_the_one_above_is_found(above: str, mark: str, *, reply: bool) -> None:
    quote = "\n".join(mark + line for line in QUOTED)
    assert find_commands(spoken(_letter(f"{above}\n\n{quote}\n", reply=reply)), KEYWORDS)[0] == ()
    for own, verb in (("#进展 正在处理", Verb.PROGRESS), ("＃受理", Verb.ACCEPT), ("已解决\n换了硬盘", Verb.RESOLVE)):
        letter = _letter(f"{own}\n\n{above}\n\n{quote}\n", reply=reply)
        assert [c.verb for c in find_commands(spoken(letter), KEYWORDS)[0]] == [verb]


def _lines(name: str) -> list[str]:
    return (TEXTS / "lines" / f"{name}.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("line", _lines("of_devices"))
def test_what_a_device_adds_is_not_its_owners(line: str) -> None:
    assert read_prose([(f"I have done it.\n\n{line}", None)]).words("Re: x").new == "I have done it."


@pytest.mark.parametrize("line", _lines("of_people"))
def test_what_begins_as_a_device_line_may_be_a_persons(line: str) -> None:
    assert read_prose([(f"I have done it.\n\n{line}", None)]).words("Re: x").new == f"I have done it.\n\n{line}"


@pytest.mark.parametrize("answer", ["", "Re: "], ids=["new", "answer"])
@pytest.mark.parametrize("report", _lines("reports_of_people"))
def test_who_reports_about_mail_is_a_person(report: str, answer: str) -> None:
    subject, words = report.split(" | ")
    assert judge(lambda _: "", answer + subject, "ann@customer.example", words, frozenset())[0] is Nature.HUMAN


@pytest.mark.parametrize("words", _lines("away"))
def test_who_is_away_answers_automatically_in_any_language(words: str) -> None:
    assert judge(lambda _: "", "Re: [T-7] x", "ann@customer.example", words, frozenset())[0] is Nature.AUTOMATIC
