"""The sender's own words are told from what stands beneath, in the ways of real mail clients; no text can hang it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.intake.body import split_words
from daemon.intake.letter import read_letter
from daemon.intake.markup import html_lines

MAILS = Path(__file__).parent / "mails"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("customer_answers_in_gmail_chinese", "重启之后恢复了，谢谢。"),
        ("customer_answers_in_gmail_with_a_wrapped_attribution", "It works again, thank you!"),
        ("engineer_accepts_in_netease_163", "已接单，正在排查。"),
        ("engineer_answers_in_netease_163_without_marks", "网线松动，已重新插好。"),
        ("customer_answers_in_qq_mail", "还是不行，登录页面报 500。"),
        ("customer_answers_in_outlook_chinese", "今天下午又断了一次。\n\n李娜"),
        ("customer_answers_in_outlook_english", "It is down again since noon.\n\nAnn"),
        ("customer_answers_in_outlook_html_only", "It is down again\n\nsince noon."),
        ("customer_answers_in_outlook_on_the_web", "Fixed, thanks."),
        ("customer_answers_in_apple_mail", "Restarted it, all good now."),
        ("customer_answers_on_an_iphone", "Works now"),
        ("customer_answers_on_an_iphone_chinese", "已经恢复正常"),
        ("customer_answers_inline_in_thunderbird", "db-02, the standby.\n\n\nSince about noon."),
        ("customer_answers_in_german_thunderbird", "Läuft wieder, danke schön."),
        ("customer_answers_in_french_gmail", "Tout fonctionne, merci."),
        ("customer_answers_in_japanese", "復旧しました。ありがとうございます。"),
        ("customer_answers_above_our_marker", "可以了"),
        ("customer_answers_with_nothing_above_our_marker", ""),
        ("customer_forwards_an_alert_with_a_word", "Please look at this."),
    ],
)
def test_new_words_in_real_clients(name: str, words: str) -> None:
    letter = read_letter((MAILS / f"{name}.eml").read_bytes())
    assert letter.new_text == words
    assert letter.quoted_text.strip()
    assert "#confirm" not in letter.new_text and "#accept" not in letter.new_text


@pytest.mark.parametrize("name", ["customer_answers_in_foxmail", "engineer_answers_in_netease_mail_master"])
def test_a_signature_of_unknown_form_is_kept_with_the_words(name: str) -> None:
    letter = read_letter((MAILS / f"{name}.eml").read_bytes())
    assert letter.new_text.splitlines()[0] in ("恢复了，可以关单。", "收到，十分钟后到机房。")
    assert "发件人" not in letter.new_text and "工单 T-7" not in letter.new_text


QUOTE = "\n\n> the quoted mail\n> #resolve\n"


@pytest.mark.parametrize(
    "attribution",
    [
        "On Mon, Nov 23, 2026 at 2:00 AM Desk <help@desk.example> wrote:",
        "On Mon, Nov 23, 2026 at 2:00 AM Desk and Incident Management of Example\n<help@desk.example> wrote:",
        "On Mon, Nov 23, 2026 at 2:00 AM\nDesk and Incident Management\n<help@desk.example>\nwrote:",
        "---- On Mon, 23 Nov 2026 09:10:00 +0800 Desk <help@desk.example> wrote ----",
        "Desk <help@desk.example> 于2026年11月23日周一 02:00写道：",
        "Desk <help@desk.example>于2026年11月23日 周一02:00写道：",
        '在 2026-11-23 09:10:00，"IT 服务台" <help@desk.example> 写道：',
        "于 2026/11/23 9:10, Desk 写道:",
        'At 2026-11-23 09:10:00, "IT 服务台" <help@desk.example> wrote:',
        "Am 23.11.26 um 09:10 schrieb IT Service Desk:",
        "Am Mo., 23. Nov. 2026 um 09:10 Uhr schrieb Desk <help@desk.example>:",
        "Le lun. 23 nov. 2026 à 09:10, Desk <help@desk.example> a écrit :",
        "El lun, 23 nov 2026 a las 9:10, Desk (<help@desk.example>) escribió:",
        "Il giorno lun 23 nov 2026 alle ore 09:10 Desk <help@desk.example> ha scritto:",
        "Em seg., 23 de nov. de 2026 às 09:10, Desk <help@desk.example> escreveu:",
        "Op ma 23 nov 2026 om 09:10 schreef Desk <help@desk.example>:",
        "Den mån 23 nov. 2026 kl 09:10 skrev Desk <help@desk.example>:",
        "pon., 23 lis 2026 o 09:10 Desk <help@desk.example> napisał(a):",
        "пн, 23 нояб. 2026 г. в 09:10, Desk <help@desk.example>:",
        "23.11.2026 9:10, Desk пишет:",
        "2026年11月23日(月) 9:10 Desk <help@desk.example>:",
        "2026년 11월 23일 (월) 오전 9:10, Desk <help@desk.example>님이 작성:",
        "23 Kas 2026 Pzt 09:10 tarihinde Desk <help@desk.example> şunu yazdı:",
    ],
)
@pytest.mark.parametrize("quote", [QUOTE, "\n\nthe quoted mail\n#resolve\n"], ids=["marked", "unmarked"])
def test_attributions_in_many_languages(attribution: str, quote: str) -> None:
    words, rest = split_words(f"my own words\n\n{attribution}{quote}")
    assert words == "my own words"
    assert "#resolve" in rest


@pytest.mark.parametrize(
    "block",
    [
        "From: Desk <help@desk.example>\nSent: Monday\nTo: Ann\nSubject: T-7",
        "*From:* Desk <help@desk.example>\n*Sent:* Monday\n*To:* Ann\n*Subject:* T-7",
        "发件人: Desk <help@desk.example>\n发送时间: 2026年11月23日 9:10\n收件人: Ann\n主题: T-7",
        "发件人：Desk\n日期：2026-11-23\n收件人：Ann\n主题：T-7",
        "寄件者: Desk\n寄件日期: 2026年11月23日\n收件者: Ann\n主旨: T-7",
        "差出人: Desk\n送信日時: 2026年11月23日\n宛先: Ann\n件名: T-7",
        "Von: Desk\nGesendet: Montag\nAn: Ann\nBetreff: T-7",
        "De : Desk\nEnvoyé : lundi\nÀ : Ann\nObjet : T-7",
        "De: Desk\nEnviado el: lunes\nPara: Ann\nAsunto: T-7",
        "От: Desk\nОтправлено: 23 ноября\nКому: Ann\nТема: T-7",
        "-----Original Message-----\nFrom: Desk\nSubject: T-7",
        "----- 原始邮件 -----\n发件人: Desk",
        "------------------ 原始邮件 ------------------\n发件人: Desk",
        "---- 回复的原邮件 ----\n| 发件人 | Desk |",
        "-------- Ursprüngliche Nachricht --------\nVon: Desk",
        "________________________________\nFrom: Desk <help@desk.example>\nSubject: T-7",
        "##- Please reply above this line -##",
        "> ##- 请在此行以上回复 -##",
    ],
)
def test_what_stands_above_a_quoted_mail_ends_the_words(block: str) -> None:
    words, rest = split_words(f"my own words\n\n{block}\n\nold text\n#resolve\n")
    assert words == "my own words"
    assert "#resolve" in rest


@pytest.mark.parametrize(
    "text",
    [
        "One thing: he wrote it down.\nOn Monday we restart.\nIs that right?",
        "On your remote host you can run:\n\n    telnet 127.0.0.1 52698\n\nand it should answer.",
        "From: the left door\nTo the right one.",
        "Steps:\n1. login\n2. it fails at 10:30 on 2026-11-23\nThat is all.",
        "> a single line that nobody announced, meant as a prompt\nand words",
        "-- first point\n-- second point\nthank you",
        "价格：100\n时间：明天\n请安排。",
        "He said: no\nI said: yes",
    ],
)
def test_what_only_looks_like_a_quote_is_kept(text: str) -> None:
    assert split_words(text) == (text, "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("done\n\n-- \nAnn Baker\n+49 123", "done"),
        ("done\n--\nAnn", "done"),
        ("done\n\nSent from my iPhone", "done"),
        ("done\n\n发自我的iPhone", "done"),
        ("done\n\n来自我的华为手机", "done"),
        ("done\n\nGet Outlook for iOS<https://aka.ms/x>", "done"),
        ("done\n\nVon meinem iPhone gesendet", "done"),
        ("done\n\nBest regards,\nAnn Baker", "done\n\nBest regards,\nAnn Baker"),
        ("done\n_____________\nops mailing list\nops@lists.example", "done"),
        ("Sent from my desk, which is easier than my phone.", "Sent from my desk, which is easier than my phone."),
        ("done\n____________\nplease call me. It is urgent!", "done\n____________\nplease call me. It is urgent!"),
    ],
)
def test_signatures(text: str, words: str) -> None:
    assert split_words(text)[0] == words


def test_answers_between_and_below_quotes_are_kept() -> None:
    text = "On 23.11.26 09:10, Desk wrote:\n> first?\nyes\n> second?\n> third?\nno and no\n"
    assert split_words(text)[0] == "yes\nno and no"


def test_a_wrapped_quote_leaves_no_scraps() -> None:
    text = (
        "thanks\n\nOn 23.11.26 09:10, Desk wrote:\n> this is a very long line that the client has wrapped in the mid\n"
        "dle of it\n> and goes on\n"
    )
    assert split_words(text)[0] == "thanks"


@pytest.mark.parametrize(
    "quote",
    [
        '<div class="gmail_quote"><blockquote>old</blockquote></div>',
        '<blockquote type="cite">old</blockquote>',
        '<div class="moz-cite-prefix">old</div><blockquote type="cite">old</blockquote>',
        '<div id="divRplyFwdMsg">old</div><div>old</div>',
        '<div id="appendonsend"></div><div>old</div>',
        '<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3pt 0 0 0">old</div><p>old</p>',
        '<div style="border:none; border-top:solid #B5C4DF 1.0pt;">old</div><p>old</p>',
        '<blockquote id="isReplyContent">old</blockquote>',
        '<div class="yahoo_quoted">old</div>',
    ],
)
def test_what_a_page_marks_as_quoted(quote: str) -> None:
    lines = html_lines(f"<html><body><p>new</p>{quote}</body></html>")
    assert {line.text for line in lines if not line.quoted and line.text} == {"new"}
    assert {line.text for line in lines if line.quoted and line.text} == {"old"}


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("a<br>b<br><br>c", "a\nb\n\nc"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("a &lt;b&gt; &amp;&nbsp;c", "a <b> & c"),
        ('<img src=x alt="a picture">', "a picture"),
        ("<style>p{}</style><script>x()</script><title>t</title>words", "words"),
        ('<span style="display: none">hidden</span><b hidden>too</b>seen', "seen"),
        ('<p style="font-size:0px">tiny</p>seen', "seen"),
        ("<table><tr><td>a<td>b<tr><td>c</table>", "a b\nc"),
        ("unclosed <div><p>tags <b>everywhere", "unclosed\n\ntags everywhere"),
        ("<ul><li>one<li>two<p>more</p></ul>", "- one\n- two\n\nmore"),
        ('<p style="display:none">hidden<p>seen', "seen"),
        ('<table><tr style="display:none"><td>hidden<tr><td>seen</table>', "seen"),
        ("", ""),
    ],
)
def test_pages_become_text(page: str, text: str) -> None:
    assert "\n".join(line.text for line in html_lines(page)).strip() == text


@given(st.text(max_size=400), st.sets(st.integers(0, 20)))
def test_any_text_is_divided_without_loss(text: str, quoted: set[int]) -> None:
    words, rest = split_words(text, frozenset(quoted))
    assert sorted("".join((words + rest).split())) == sorted("".join(text.split()))


LINES = st.sampled_from(
    [
        "words",
        "",
        "> quoted",
        "On Mon, 23 Nov 2026 Ann <a@b.example> wrote:",
        "From: Ann <a@b.example>",
        "Date: 2026-11-23",
        "Subject: x",
        "-----Original Message-----",
        "-- ",
        "Best regards,",
        "Sent from my iPhone",
        "##- above -##",
        "发件人：王强",
        "主题：x",
        "____________",
    ]
)


@given(st.lists(LINES, max_size=15))
def test_any_page_is_divided_in_order(lines: list[str]) -> None:
    words, rest = split_words("\n".join(lines))
    kept, left = words.split("\n"), rest.split("\n")
    assert sorted(x.strip() for x in kept + left if x.strip()) == sorted(x.strip() for x in lines if x.strip())
    assert not any(x.startswith("##-") for x in kept)


@pytest.mark.parametrize(
    "line",
    [
        "On Mon " * 3000,
        "wrote" + " " * 900 + "x",
        "-" * 900 + "x",
        "--a" + "_" * 900 + "x",
        "2026-01-x<" + "@" * 900 + ">",
        "a@b " * 240 + ">:",
        "##- " + " -" * 400,
        "From: x",
        "(" * 900,
    ],
)
def test_killers_of_other_scanners_are_divided(line: str) -> None:
    text = "\n".join([line] * 250)
    words, rest = split_words(text)
    assert len(words) + len(rest) > 0
