"""Machines are told from people, so that we answer people only; what people write about machines stays theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.intake.letter import read_letter
from daemon.intake.nature import judge
from daemon.words import Nature

MAILS = Path(__file__).parent / "mails"


def nature(headers: dict[str, str], subject: str = "", sender: str = "ann@customer.example", words: str = "") -> Nature:
    found, reason = judge(lambda name: headers.get(name, ""), subject, sender, words, frozenset({"text/plain"}))
    assert reason
    return found


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("outlook_answers_out_of_office", Nature.AUTOMATIC),
        ("qq_answers_automatically", Nature.AUTOMATIC),
        ("netease_answers_automatically", Nature.AUTOMATIC),
        ("cron_reports_a_failure", Nature.AUTOMATIC),
        ("monitoring_reports_a_disk", Nature.AUTOMATIC),
        ("customer_returns_a_read_receipt", Nature.AUTOMATIC),
        ("customer_accepts_an_invitation_in_outlook", Nature.AUTOMATIC),
        ("list_member_writes_to_the_list", Nature.LIST),
        ("newsletter_arrives", Nature.LIST),
        ("exchange_user_writes_normally", Nature.HUMAN),
        ("customer_reports_a_server_down", Nature.HUMAN),
        ("customer_answers_in_outlook_chinese", Nature.HUMAN),
    ],
)
def test_real_mails(name: str, kind: Nature) -> None:
    assert read_letter((MAILS / f"{name}.eml").read_bytes()).nature is kind


@pytest.mark.parametrize(
    ("header", "value", "kind"),
    [
        ("auto-submitted", "auto-replied", Nature.AUTOMATIC),
        ("auto-submitted", "Auto-Generated; x=y", Nature.AUTOMATIC),
        ("auto-submitted", "no", Nature.HUMAN),
        ("auto-submitted", "", Nature.HUMAN),
        ("x-autoreply", "yes", Nature.AUTOMATIC),
        ("x-autoreply", "no", Nature.HUMAN),
        ("x-autorespond", "", Nature.HUMAN),
        ("x-autorespond", "Re: x", Nature.AUTOMATIC),
        ("precedence", "auto_reply", Nature.AUTOMATIC),
        ("precedence", "junk", Nature.AUTOMATIC),
        ("precedence", "bulk", Nature.LIST),
        ("precedence", "list", Nature.LIST),
        ("precedence", "normal", Nature.HUMAN),
        ("list-id", "<ops.lists.example>", Nature.LIST),
        ("list-post", "<mailto:ops@lists.example>", Nature.LIST),
        ("x-auto-response-suppress", "All", Nature.HUMAN),
        ("return-path", "<>", Nature.HUMAN),
        ("list-unsubscribe", "<https://x.example>", Nature.HUMAN),
    ],
)
def test_one_header(header: str, value: str, kind: Nature) -> None:
    assert nature({header: value}) is kind


@pytest.mark.parametrize(
    ("headers", "sender", "words"),
    [
        ({"x-auto-response-suppress": "All"}, "zabbix@customer.example", ""),
        ({"x-auto-response-suppress": "All"}, "no-reply@shop.example", ""),
        ({"x-auto-response-suppress": "All", "return-path": "<>"}, "ann@customer.example", ""),
        ({"return-path": "<>"}, "ann@customer.example", "I am currently out of the office."),
        ({"list-unsubscribe": "<x>"}, "noreply@shop.example", ""),
    ],
)
def test_two_weak_signs_are_enough(headers: dict[str, str], sender: str, words: str) -> None:
    assert nature(headers, sender=sender, words=words) is Nature.AUTOMATIC


@pytest.mark.parametrize(
    "subject",
    [
        "Automatic reply: [T-7]",
        "Auto: Re: help",
        "AutoReply: help",
        "Out of Office",
        "Out of Office: [T-7]",
        "Out of the office until Monday",
        "自动回复: [T-7] 数据库",
        "自动回复：在吗",
        "自动答复",
        "【自动回复】您好",
        "Automatische Antwort: [T-7]",
        "Abwesenheitsnotiz: [T-7]",
        "Réponse automatique : [T-7]",
        "Respuesta automática: [T-7]",
        "Risposta automatica: [T-7]",
        "Resposta automática: [T-7]",
        "Automatisch antwoord: [T-7]",
        "Autosvar: [T-7]",
        "Automatiskt svar: [T-7]",
        "Automaattinen vastaus: [T-7]",
        "Automatyczna odpowiedź: [T-7]",
        "Автоответ: [T-7]",
        "自動応答: [T-7]",
        "자동 회신: [T-7]",
        "Otomatik yanıt: [T-7]",
        "I am on vacation",
        "AUTO: Ann is away",
        "Auto：Re: help",
        "Odpowiedź automatyczna: [T-7]",
        "Automatická odpověď: [T-7]",
        "Automatikus válasz: [T-7]",
        "Αυτόματη απάντηση: [T-7]",
        "Автоматична відповідь: [T-7]",
        "מענה אוטומטי: [T-7]",
        "رد تلقائي: [T-7]",
        "ตอบกลับอัตโนมัติ: [T-7]",
        "Balasan otomatis: [T-7]",
        "自動回覆: [T-7]",
    ],
)
def test_subjects_of_auto_replies(subject: str) -> None:
    assert nature({}, subject) is Nature.AUTOMATIC


@pytest.mark.parametrize(
    "subject",
    [
        "自动回复功能坏了",
        "休假系统无法登录",
        "Auto reply does not work in Outlook",
        "Out of office plugin crashes",
        "On leave balance page: error 500",
        "Re: automatic reply rules",
        "vacation calendar is empty",
        "Abwesenheitsantrag geht nicht",
        "Auto-start of the service fails",
        "Automatic reply does not work",
        "自动答复规则怎么设置",
        "",
    ],
)
def test_people_who_write_about_absence_are_people(subject: str) -> None:
    assert nature({}, subject) is Nature.HUMAN


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("This is an automatic reply. I will read your mail later.", Nature.AUTOMATIC),
        ("您好，这是一封自动回复邮件，我已收到您的来信。", Nature.AUTOMATIC),
        ("我正在出差，请先重启一下服务器。", Nature.HUMAN),
        ("I am out of the office tomorrow, please call Bob about #7.", Nature.HUMAN),
    ],
)
def test_words(words: str, kind: Nature) -> None:
    assert nature({}, "Re: [T-7]", words=words) is kind


@pytest.mark.parametrize(
    "words",
    [
        "I am away until Friday. In urgent cases contact Bob.",
        "Ich bin bis Freitag im Urlaub. Dringende Fälle: Frau Kurz.",
        "Je suis en congés jusqu'au 30. En cas d'urgence, appelez Paul.",
        "我目前正在休假，11月30日返回公司。如有急事请联系赵磊。",
        "30日まで休暇をいただいております。お急ぎの方は鈴木まで。",
        "(This e-mail was sent automatically, do not reply.)",
        "本邮件由系统自动发送，请勿回复。",
    ],
)
def test_words_of_a_vacation_notice(words: str) -> None:
    assert nature({}, "Re: [T-7]", words=words) is Nature.AUTOMATIC


@pytest.mark.parametrize(
    "words",
    ["I am away until Friday. In urgent cases contact Bob.", "我目前正在休假，11月30日返回公司。如有急事请联系赵磊。"],
)
def test_somebody_who_is_away_and_asks_for_help_is_a_person(words: str) -> None:
    assert nature({}, "Re: [T-7]", words=f"{words} Could you restart db-01?") is Nature.HUMAN


@pytest.mark.parametrize(
    "words",
    [
        "ERP is unavailable until now and returns error 500, it is urgent.",
        "I am out of the office until Monday.",
        "Der Server ist bis jetzt nicht erreichbar, dringend!",
        "我出差到28日，请处理ERP的紧急故障。",
        "Your robot says: this is an automatic reply",
        "Please confirm that you sent the laptop to li.na@customer.example.",
        "Boxbe and Spam Arrest block your mails to us.",
    ],
)
def test_people_who_write_about_the_same_are_people(words: str) -> None:
    assert nature({}, "Re: [T-7]", words=words) is Nature.HUMAN


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        ("Please confirm your message", ""),
        ("Re: [T-7] [Spam Arrest verification]", ""),
        ("Re: [T-7]", "To release your message, simply reply to this mail."),
        ("Re: [T-7]", "I now allow incoming messages only from senders I have approved."),
    ],
)
def test_a_challenge_is_not_answered(subject: str, words: str) -> None:
    assert nature({}, subject, words=words) is Nature.AUTOMATIC


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"precedence": "bulk"}, Nature.AUTOMATIC),
        ({"precedence": "bulk", "list-id": "<ops.lists.example>"}, Nature.LIST),
        ({}, Nature.HUMAN),
    ],
)
def test_absence_in_bulk_is_a_vacation_notice(headers: dict[str, str], kind: Nature) -> None:
    assert nature(headers, words="I am on vacation.") is kind


def test_a_desk_that_acknowledges_is_a_machine_and_its_people_are_not() -> None:
    words = "We have received your request, its number is 4711."
    assert nature({}, "Re: [T-7]", "support@supplier.example", words) is Nature.AUTOMATIC
    assert nature({}, "Re: [T-7]", "ann@supplier.example", words) is Nature.HUMAN
    assert nature({}, "Re: [T-7]", "support@supplier.example", "The printer is broken.") is Nature.HUMAN
