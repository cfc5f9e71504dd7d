"""Which language a mail is written in: by its sender's own sentences, not by names, logs and what is cited."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.intake.language import language_of

LOG = "2026-11-20 09:31:07,112 ERROR [http-nio-8080-exec-{}] The connection to the server is not available for us"
TRACE = "	at org.example.pool.Pool{0}.get(Pool{0}.java:{0})"


@pytest.mark.parametrize(
    ("words", "language"),
    [
        ("打印机还是脱机，重启过两次了。", "zh"),
        ("#受理", "zh"),
        ("重启 server", "zh"),
        ("VPN 打不开", "zh"),
        ("已经恢复正常", "zh"),
        ("請改用另一個信箱 wong.alt@customer.example，謝謝。", "zh"),
        ("個 server 今朝又 hang 咗，麻煩 check 下個 log。\n聽日 UAT，好急，thanks！", "zh"),
        ("附件是 2026 年 11 月的 invoice list，please help 确认一下。", "zh"),
        ("报错：The server is not available, please try again later. 这个怎么办？", "zh"),
        ("Hi, the VPN is down again.\n\n王强", "en"),
        ("OK thanks\n王强", "en"),
        ("Please ask 李娜 and 王强 from 信息部 about the firewall change.", "en"),
        ("Disk full on db-02", "en"),
        ("OS: no COM port on /dev/sda, VI crashed", "en"),
        ("Plus per user: LA, DE, EST", "en"),
        ("The Łódź office (ul. Piotrkowska) cannot reach München and Zürich.", "en"),
        ("先ほど確認したところ、正常に印刷できました。\nありがとうございました。", "ja"),
        ("承知しました。再起動してみます。", "ja"),
        ("네, 오후 세 시 이후에 가능합니다.", "ko"),
        ("Спасибо, всё работает.", "ru"),
        ("Привет, server db-02 не отвечает, проверьте пожалуйста", "ru"),
        ("Дякую, все працює, але інший сервер ні.", "uk"),
        ("Το σύστημα δεν λειτουργεί.", "el"),
        ("המערכת לא עובדת מהבוקר", "he"),
        ("النظام لا يعمل منذ الصباح", "ar"),
        ("ระบบใช้งานไม่ได้ตั้งแต่เช้า", "th"),
        ("Läuft wieder, danke schön.", "de"),
        ("Danke!", "de"),
        ("Guten Tag,\n\nseit heute Morgen kann ich mich nicht anmelden. Bitte prüfen.\n\nViele Grüße", "de"),
        ("Tout fonctionne, merci.", "fr"),
        ("Ya funciona, muchas gracias.", "es"),
        ("Non funziona ancora, grazie.", "it"),
        ("Ainda não funciona, obrigado.", "pt"),
        ("Het werkt weer, bedankt.", "nl"),
        ("Nadal nie działa, proszę o pomoc.", "pl"),
        ("Det fungerar inte, kan ni hjälpa oss? Tack", "sv"),
        ("Merhaba, yazıcı çalışmıyor, lütfen yardım. Teşekkürler", "tr"),
        ("Vẫn không được, xin vui lòng kiểm tra.", "vi"),
        ("Mohon bantuan, printer tidak bisa dipakai. Terima kasih", "id"),
        ("", ""),
        ("123 456 ...", ""),
        ("👍", ""),
    ],
)
def test_a_language_is_told_from_few_words(words: str, language: str) -> None:
    assert language_of(words) == language


def test_a_chinese_mail_stays_chinese_above_an_english_log() -> None:
    log = "\n".join([LOG.format(i) for i in range(40)] + [TRACE.format(i) for i in range(40)])
    assert language_of(f"订单服务从九点半开始报错，用户下不了单，日志如下：\n\n{log}\n麻烦尽快处理，谢谢。") == "zh"


def test_a_log_that_looks_like_speech_counts_once() -> None:
    said = "Connection refused by the remote host, please check that it is running.\n"
    assert language_of("服务起不来，请看：\n" + said * 40) == "zh"


def test_how_a_mail_begins_outweighs_what_is_pasted_beneath() -> None:
    pasted = "The backup of the database has failed, please check the disk and the log of the host.\n"
    lines = "".join(f"{i}. {pasted}" for i in range(20))
    assert language_of(f"这台服务器的备份又失败了，请你们看一下邮件里的提示。\n{lines}") == "zh"
    chinese = "".join(f"{i}. 数据库的备份失败了，请检查磁盘和日志。\n" for i in range(20))
    assert language_of(f"Can you tell us what this means? We have no idea and it is urgent.\n{chinese}") == "en"


def test_an_english_mail_stays_english_above_a_chinese_signature() -> None:
    name = "王强 Wang Qiang\n信息技术部 高级工程师\n示范科技（北京）有限公司\n电话：010-5550 1234\n地址：北京市海淀区示范路 88 号"
    assert language_of(f"The portal shows an error when we log in.\n\nBest regards,\n{name}") == "en"


def test_what_is_cited_does_not_tell_how_its_sender_speaks() -> None:
    assert language_of("I get “无法连接到服务器，请检查您的网络设置。” What is it?") == "en"
    assert language_of('一打开就提示 "You do not have the permission to open this file", 请处理') == "zh"
    assert language_of("> 请问现在还慢吗？\n> 我们已经扩容了。\nYes, it is.") == "en"


@pytest.mark.parametrize(
    ("words", "subject", "language"),
    [
        ("1234", "打印机坏了", "zh"),
        ("job=nightly host=db01 rc=3", "备份失败：数据库服务器", "zh"),
        ("job=nightly host=db01 rc=3", "BACKUP FAILED", "en"),
        ("#accept", "回复：[INC-1] 数据库无法连接", "zh"),
        ("#accept", "Re: [INC-1] Database down", "en"),
        ("", "VPN down", "en"),
        ("", "AW: Der Drucker ist kaputt", "de"),
        ("", "", ""),
        # where there are words, they decide: the subject of an answer is ours
        ("It works now, thanks.", "回复：您的问题已经解决了，请确认", "en"),
        ("OK, thanks", "回复：您的问题已经解决了，请确认", "en"),
        ("收到", "Re: Please confirm that it works", "zh"),
        ("好的，谢谢", "Re: Your ticket has been resolved", "zh"),
        ("Спасибо", "Re: Your ticket has been resolved", "ru"),
        ("はい", "Re: Your ticket has been resolved", "ja"),
    ],
)
def test_the_subject_is_asked_where_words_tell_nothing(words: str, subject: str, language: str) -> None:
    assert language_of(words, subject) == language


@given(st.text(max_size=600), st.text(max_size=100))
def test_any_text_has_one_language_or_none(words: str, subject: str) -> None:
    found = language_of(words, subject)
    assert found == "" or (len(found) == 2 and found.isalpha() and found.islower())


@given(st.text(alphabet="打印机脱机重启服务器故障处理数据库，。\n ", min_size=1, max_size=200))
def test_chinese_letters_alone_are_chinese(words: str) -> None:
    assert language_of(words) == ("zh" if words.strip("，。\n ") else "")
