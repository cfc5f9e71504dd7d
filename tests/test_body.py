"""The sender's own words are told from what stands beneath, in the ways of real mail clients; no text can hang it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.intake.body import KEPT_WHOLE, TOO_LONG, split_words
from daemon.intake.forward import find_forwarded
from daemon.intake.letter import read_letter
from daemon.intake.markup import html_lines
from daemon.intake.prose import read_prose
from daemon.words import Address, Confidence

MAILS = Path(__file__).parent / "mails"
INLINE = "> Which server is it?\n\ndb-02, the standby.\n\n> Since when is it down?\n\nSince about noon."


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
        ("customer_answers_in_outlook_html_only", "It is down again\nsince noon."),
        ("customer_answers_in_outlook_on_the_web", "Fixed, thanks."),
        ("customer_answers_in_apple_mail", "Restarted it, all good now."),
        ("customer_answers_on_an_iphone", "Works now"),
        ("customer_answers_on_an_iphone_chinese", "已经恢复正常"),
        ("customer_answers_inline_in_thunderbird", INLINE),
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


ATTRIBUTIONS = {
    "en gmail": "On Mon, Nov 23, 2026 at 9:10 AM Desk <help@desk.example> wrote:",
    "en apple": "On 23 Nov 2026, at 09:10, IT Service Desk <help@desk.example> wrote:",
    "en yahoo": "On Monday, November 23, 2026, 9:10 AM, Desk <help@desk.example> wrote:",
    "en proton": "On Monday, November 23rd, 2026 at 9:10 AM, Desk <help@desk.example> wrote:",
    "en superhuman": "On Mon, Nov 23, 2026 at 9:10 AM, Desk < help@desk.example > wrote:",
    "en spark": "On 23 Nov 2026, 09:10 +0800, Desk <help@desk.example>, wrote:",
    "en front": "On November 23, 2026, 9:10 AM GMT+8 help@desk.example wrote:",
    "en kmail": "On Monday, 23 November 2026 09:10:00 CST Ann Baker wrote:",
    "en evolution": "On Mon, 2026-11-23 at 09:10 +0800, Ann Baker wrote:",
    "en alpine": "On Mon, 23 Nov 2026, Ann Baker wrote:",
    "en fairemail": "On November 23, 2026 9:10:00 AM GMT+08:00, Desk <help@desk.example> wrote:",
    "en thebat": "Monday, November 23, 2026, 9:10:00 AM, you wrote:",
    "en lotus": "Ann Lee/ACME wrote on 11/23/2026 09:10:11 AM:",
    "en mutt wrapped": "On Mon, Nov 23, 2026 at 09:10:00AM +0800, IT Service Desk of Example\nvia helpdesk wrote:",
    "en gmail mobile": "Desk <help@desk.example> schrieb am Mo., 23. Nov. 2026, 09:10:",
    "de": "Am Mo., 23. Nov. 2026 um 09:10 Uhr schrieb Desk <help@desk.example>:",
    "de tb": "Am 23.11.26 um 09:10 schrieb IT Service Desk:",
    "de k9": "Am 23. November 2026 09:10:00 MEZ schrieb Desk <help@desk.example>:",
    "fr": "Le lun. 23 nov. 2026 à 09:10, Desk <help@desk.example> a écrit :",
    "fr apple": "Le 23 nov. 2026 à 09:10, Desk <help@desk.example> a écrit :",
    "es": "El lun, 23 nov 2026 a las 9:10, Desk (<help@desk.example>) escribió:",
    "pt-br": "Em seg., 23 de nov. de 2026 às 09:10, Desk <help@desk.example> escreveu:",
    "pt-pt": "Desk <help@desk.example> escreveu (segunda, 23/11/2026 à(s) 09:10):",
    "it": "Il giorno lun 23 nov 2026 alle ore 09:10 Desk <help@desk.example> ha scritto:",
    "nl": "Op ma 23 nov 2026 om 09:10 schreef Desk <help@desk.example>:",
    "sv": "Den mån 23 nov. 2026 kl 09:10 skrev Desk <help@desk.example>:",
    "nb": "man. 23. nov. 2026 kl. 09:10 skrev Desk <help@desk.example>:",
    "da": "Den man. 23. nov. 2026 kl. 09.10 skrev Desk <help@desk.example>:",
    "fi": "ma 23. marrask. 2026 klo 9.10 Desk (help@desk.example) kirjoitti:",
    "is": "Þann mán., 23. nóv. 2026 kl. 09:10 skrifaði Desk <help@desk.example>:",
    "pl": "pon., 23 lis 2026 o 09:10 Desk <help@desk.example> napisał(a):",
    "pl tb": "W dniu 23.11.2026 o 09:10, IT Service Desk pisze:",
    "cs": "po 23. 11. 2026 v 9:10 odesílatel Desk <help@desk.example> napsal:",
    "sk": "po 23. 11. 2026 o 9:10 Desk <help@desk.example> napísal(a):",
    "hu": "Desk <help@desk.example> ezt írta (időpont: 2026. nov. 23., H, 9:10):",
    "ro": "În lun., 23 nov. 2026 la 09:10, Desk <help@desk.example> a scris:",
    "bg": "На пн, 23.11.2026 г. в 9:10 Desk <help@desk.example> написа:",
    "ru": "пн, 23 нояб. 2026 г. в 09:10, Desk <help@desk.example>:",
    "ru tb": "23.11.2026 9:10, IT Service Desk пишет:",
    "ru mailru": "Понедельник, 23 ноября 2026, 9:10 +03:00 от Desk <help@desk.example>:",
    "ru yandex": '23.11.2026, 09:10, "Desk" <help@desk.example>:',
    "uk": "пн, 23 лист. 2026 р. о 09:10 Desk <help@desk.example> пише:",
    "el": "Στις Δευ 23 Νοε 2026 στις 9:10 π.μ., ο χρήστης Desk <help@desk.example> έγραψε:",
    "tr": "Desk <help@desk.example>, 23 Kas 2026 Pzt, 09:10 tarihinde şunu yazdı:",
    "he": "\u202b\u202aOn Mon, Nov 23, 2026 at 9:10 AM \u202aDesk\u202c\u200f <\u202ahelp@desk.example\u202c\u200f>\u202c wrote:",
    "he2": "\u202bבתאריך יום ב׳, 23 בנוב׳ 2026 ב-9:10 מאת \u202aDesk\u202c\u200f <\u202ahelp@desk.example\u202c\u200f>:\u202c",
    "ar": "في الاثنين، 23 نوفمبر 2026 في 9:10 ص تمت كتابة ما يلي بواسطة Desk <help@desk.example>:",
    "fa": "در تاریخ دوشنبه ۲۳ نوامبر ۲۰۲۶، ۹:۱۰ Desk <help@desk.example> نوشت:",
    "hi": "सोम, 23 नव॰ 2026 को 9:10 am बजे को Desk <help@desk.example> ने लिखा:",
    "th": "ในวันที่ จ. 23 พ.ย. 2026 เวลา 09:10 Desk <help@desk.example> เขียนว่า:",
    "th2569": "เมื่อ จ. 23 พ.ย. 2569 เวลา 09:10 น. Desk <help@desk.example> เขียนว่า:",
    "vi": "Vào Th 2, 23 thg 11, 2026 vào lúc 09:10 Desk <help@desk.example> đã viết:",
    "id": "Pada tanggal Sen, 23 Nov 2026 pukul 09.10 Desk <help@desk.example> menulis:",
    "ms": "Pada Isn, 23 Nov 2026 9:10 PG Desk <help@desk.example> menulis:",
    "ja": "2026年11月23日(月) 9:10 Desk <help@desk.example>:",
    "ja2": "IT サービスデスクさんは書きました (2026年11月23日 9:10):",
    "ja3": "2026/11/23 9:10、IT サービスデスク <help@desk.example>のメール:",
    "ko": "2026년 11월 23일 (월) 오전 9:10, Desk <help@desk.example>님이 작성:",
    "zh-cn": "Desk <help@desk.example> 于2026年11月23日周一 09:10写道：",
    "zh-tw": "Desk <help@desk.example> 於 2026年11月23日 週一 上午9:10寫道：",
    "hr": "pon, 23. stu 2026. u 09:10 Desk <help@desk.example> napisao je:",
    "sr": "пон, 23. нов 2026. у 09:10 Desk <help@desk.example> је написао/ла:",
    "sl": "V V pon., 23. nov. 2026 ob 09:10 je oseba Desk <help@desk.example> napisala:",
    "et": "Kuupäev E, 23. november 2026 kell 09:10 kirjutas Desk <help@desk.example>:",
    "lv": "Pirmd., 2026. g. 23. nov., plkst. 09:10, lietotājs Desk (<help@desk.example>) rakstīja:",
    "lt": "2026-11-23, pr, 09:10 Desk <help@desk.example> rašė:",
    "ca": "Missatge de Desk <help@desk.example> del dia dl., 23 de nov. 2026 a les 9:10:",
    "ca2": "El dl., 23 de nov. 2026 a les 9:10, Desk <help@desk.example> va escriure:",
    "gl": "O luns, 23 nov 2026 ás 9:10, Desk (<help@desk.example>) escribiu:",
    "eu": "Desk <help@desk.example> erabiltzaileak hau idatzi du (2026 aza. 23, al. 09:10):",
    "af": "Op Ma. 23 Nov. 2026 om 09:10 het Desk <help@desk.example> geskryf:",
    "mk": "На пон., 23 ное. 2026 г. во 09:10, Desk <help@desk.example> напиша:",
    "be": "пн, 23 ліс 2026 г. у 09:10, Desk <help@desk.example> піша:",
}


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
    words, rest, *_ = split_words(f"my own words\n\n{attribution}{quote}")
    assert words == "my own words"
    assert "#resolve" in rest


@pytest.mark.parametrize("attribution", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS)
@pytest.mark.parametrize("quote", [QUOTE, "\n\nthe quoted mail\n#resolve\n"], ids=["marked", "unmarked"])
def test_attributions_in_the_languages_of_the_world(attribution: str, quote: str) -> None:
    split = split_words(f"my own words\n\n{attribution}{quote}")
    assert split.new == "my own words"
    assert "#resolve" in split.rest and attribution.splitlines()[0] in split.rest
    assert split.reason.startswith("an attribution line")
    assert split.confidence is (Confidence.HIGH if quote is QUOTE else Confidence.MEDIUM)


BLOCKS = {
    "en": "From: {}|Sent: Monday, November 23, 2026 9:10 AM|To: Ann|Subject: T-7",
    "de": "Von: {}|Gesendet: Montag, 23. November 2026 09:10|An: Ann|Betreff: T-7",
    "de web": "Gesendet: Montag, 23. November 2026 um 09:10 Uhr|Von: {}|An: Ann|Betreff: T-7",
    "fr": "De : {}|Envoyé : lundi 23 novembre 2026 09:10|À : Ann|Objet : T-7",
    "es": "De: {}|Enviado el: lunes, 23 de noviembre de 2026 9:10|Para: Ann|Asunto: T-7",
    "pt": "De: {}|Enviada em: segunda-feira, 23 de novembro de 2026 09:10|Para: Ann|Assunto: T-7",
    "it": "Da: {}|Inviato: lunedì 23 novembre 2026 09:10|A: Ann|Oggetto: T-7",
    "nl": "Van: {}|Verzonden: maandag 23 november 2026 09:10|Aan: Ann|Onderwerp: T-7",
    "sv": "Från: {}|Skickat: den 23 november 2026 09:10|Till: Ann|Ämne: T-7",
    "no": "Fra: {}|Sendt: mandag 23. november 2026 09:10|Til: Ann|Emne: T-7",
    "fi": "Lähettäjä: {}|Lähetetty: maanantai 23. marraskuuta 2026 9.10|Vastaanottaja: Ann|Aihe: T-7",
    "is": "Frá: {}|Sent: mánudagur, 23. nóvember 2026 09:10|Til: Ann|Efni: T-7",
    "pl": "Od: {}|Wysłano: poniedziałek, 23 listopada 2026 09:10|Do: Ann|Temat: T-7",
    "cs": "Od: {}|Odesláno: pondělí 23. listopadu 2026 9:10|Komu: Ann|Předmět: T-7",
    "sk": "Od: {}|Odoslané: pondelok 23. novembra 2026 9:10|Komu: Ann|Predmet: T-7",
    "hu": "Feladó: {}|Elküldve: 2026. november 23., hétfő 9:10|Címzett: Ann|Tárgy: T-7",
    "ro": "De la: {}|Trimis: luni, 23 noiembrie 2026 09:10|Către: Ann|Subiect: T-7",
    "bg": "От: {}|Изпратено: понеделник, 23 ноември 2026 г. 9:10|До: Ann|Относно: T-7",
    "ru": "От: {}|Отправлено: 23 ноября 2026 г. 9:10|Кому: Ann|Тема: T-7",
    "uk": "Від: {}|Надіслано: 23 листопада 2026 р. 9:10|Кому: Ann|Тема: T-7",
    "el": "Από: {}|Στάλθηκε: Δευτέρα, 23 Νοεμβρίου 2026 9:10|Προς: Ann|Θέμα: T-7",
    "tr": "Kimden: {}|Gönderildi: 23 Kasım 2026 Pazartesi 09:10|Kime: Ann|Konu: T-7",
    "he": "מאת: {}|נשלח: יום שני 23 נובמבר 2026 09:10|אל: Ann|נושא: T-7",
    "ar": "من: {}|تاريخ الإرسال: الاثنين 23 نوفمبر 2026 09:10|إلى: Ann|الموضوع: T-7",
    "fa": "از: {}|تاریخ: دوشنبه ۲۳ نوامبر ۲۰۲۶|به: Ann|موضوع: T-7",
    "hi": "प्रेषक: {}|भेजा गया: सोमवार, 23 नवंबर 2026 09:10|प्रति: Ann|विषय: T-7",
    "th": "จาก: {}|ส่ง: วันจันทร์ที่ 23 พฤศจิกายน 2026 09:10|ถึง: Ann|เรื่อง: T-7",
    "vi": "Từ: {}|Đã gửi: Thứ Hai, 23 Tháng Mười Một 2026 09:10|Đến: Ann|Chủ đề: T-7",
    "id": "Dari: {}|Dikirim: Senin, 23 November 2026 09.10|Kepada: Ann|Subjek: T-7",
    "ja": "差出人: {}|送信日時: 2026年11月23日 9:10|宛先: Ann|件名: T-7",
    "ko": "보낸 사람: {}|보낸 날짜: 2026년 11월 23일 월요일 오전 9:10|받는 사람: Ann|제목: T-7",
    "zh": "发件人: {}|发送时间: 2026年11月23日 9:10|收件人: Ann|主题: T-7",
    "tw": "寄件者: {}|寄件日期: 2026年11月23日 上午 09:10|收件者: Ann|主旨: T-7",
    "hr": "Šalje: {}|Poslano: 23. studenog 2026. 9:10|Prima: Ann|Predmet: T-7",
    "sl": "Od: {}|Poslano: ponedeljek, 23. november 2026 09:10|Za: Ann|Zadeva: T-7",
    "sr": "Od: {}|Poslato: 23. novembar 2026. 9:10|Za: Ann|Naslov: T-7",
    "et": "Saatja: {}|Saadetud: esmaspäev, 23. november 2026 9:10|Adressaat: Ann|Teema: T-7",
    "lv": "No: {}|Nosūtīts: pirmdiena, 2026. gada 23. novembris 9:10|Kam: Ann|Tēma: T-7",
    "lt": "Nuo: {}|Išsiųsta: 2026 m. lapkričio 23 d. 9:10|Kam: Ann|Tema: T-7",
    "ca": "De: {}|Enviat: dilluns, 23 de novembre de 2026 9:10|Per a: Ann|Assumpte: T-7",
    "lotus": "From:	{}|To:	Ann/ACME@ACME|Cc:	|Date:	11/23/2026 09:10 AM|Subject:	T-7",
}


@pytest.mark.parametrize("sender", ["Desk <help@desk.example>", "Desk"])
@pytest.mark.parametrize("colon", [":", ":*", "：", "\u00a0:"], ids=["plain", "bold", "wide", "spaced"])
@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_header_blocks_in_the_languages_of_the_world(block: str, colon: str, sender: str) -> None:
    star = "*" if colon == ":*" else ""
    lines = [star + line.replace(":", colon, 1) for line in block.format(sender).split("|")]
    split = split_words("my own words\n\n" + "\n".join(lines) + "\n\nold\n#resolve\n")
    assert split.new == "my own words"
    assert "#resolve" in split.rest
    assert (split.confidence, split.reason) == (Confidence.MEDIUM, "a block of headers")


@pytest.mark.parametrize(
    "line",
    [
        "-----Original Message-----",
        "-----Ursprüngliche Nachricht-----",
        "-------- Original-Nachricht --------",
        "----- Message d'origine -----",
        "-----Message d'origine-----",
        "-----Mensaje original-----",
        "-----Mensagem original-----",
        "-----Messaggio originale-----",
        "-----Oorspronkelijk bericht-----",
        "-----Ursprungligt meddelande-----",
        "-----Opprinnelig melding-----",
        "-----Oprindelig meddelelse-----",
        "-----Alkuperäinen viesti-----",
        "-----Oryginalna wiadomość-----",
        "-----Původní zpráva-----",
        "-----Pôvodná správa-----",
        "-----Eredeti üzenet-----",
        "-----Mesaj original-----",
        "-----Исходное сообщение-----",
        "-----Оригинално съобщение-----",
        "-----Αρχικό μήνυμα-----",
        "-----Özgün İleti-----",
        "-----הודעה מקורית-----",
        "-----الرسالة الأصلية-----",
        "-----元のメッセージ-----",
        "-----원본 메시지-----",
        "-----邮件原件-----",
        "-----原始邮件-----",
        "-----原始郵件-----",
        "------- Original Message -------",
        "------ Original Message ------",
        "---- 回复的原邮件 ----",
        "------ Originalnachricht ------",
        "-----Izvorna poruka-----",
        "-----Thư gốc-----",
        "-----Pesan Asli-----",
        "----- Forwarded by Ann Lee/ACME on 11/23/2026 09:10 AM -----",
        "---------- Forwarded message ---------",
        "---------- Weitergeleitete Nachricht ---------",
        "---------- Message transféré ---------",
        "---------- 转发的邮件 ---------",
        "-------- Перенаправленное сообщение --------",
        "-------- Пересылаемое сообщение --------",
        "---- Forwarded Message ----",
        "Begin forwarded message:",
        "Anfang der weitergeleiteten Nachricht:",
        "Début du message réexpédié :",
        "Inicio del mensaje reenviado:",
        "开始转发的邮件：",
        ">>> Desk <help@desk.example> 11/23/2026 9:10 AM >>>",
        "Ann Lee---11/23/2026 09:10:11 AM---Dear desk,",
        "##- Please type your reply above this line -##",
        "--- Reply above this line ---",
        "-- Please reply above this line --",
        "=== Reply above this line ===",
        "------ 请在此行上方回复 ------",
        "*** Bitte antworten Sie oberhalb dieser Linie ***",
        "Reply above this line.",
        "Please reply above this line",
        "---- Répondez au-dessus de cette ligne ----",
        "##- Por favor, escriba su respuesta por encima de esta línea -##",
        "-=-=-=- Reply ABOVE THIS LINE -=-=-=-",
        "Write ABOVE THIS LINE to post a reply",
    ],
)
def test_separators_and_other_desks_markers(line: str) -> None:
    split = split_words(f"my own words\n\n{line}\nold\n#resolve\n")
    assert split.new == "my own words"
    assert "#resolve" in split.rest and split.confidence is Confidence.HIGH


@pytest.mark.parametrize(
    "line",
    [
        "Sent from my iPhone",
        "Sent from my iPad",
        "Sent from my BlackBerry 10 smartphone.",
        "Sent from my Samsung Galaxy smartphone.",
        "Sent from my Verizon, Samsung Galaxy smartphone",
        "Sent from Yahoo Mail on Android",
        "Sent from Mail for Windows 10",
        "Sent from Mail for Windows",
        "Sent from Outlook for iOS",
        "Get Outlook for Android",
        "Get Outlook for iOS<https://aka.ms/o0ukef>",
        "Get [Outlook for iOS](https://aka.ms/o0ukef)",
        "Sent from Proton Mail for iOS",
        "Sent with ProtonMail Secure Email.",
        "Sent with Proton Mail secure email.",
        "Sent via mobile device",
        "Sent from my Huawei phone",
        "Sent from Samsung Mobile",
        "Sent from my mobile. Please excuse brevity.",
        "Sent from my phone, please excuse typos",
        "(Sent from my iPhone)",
        "Von meinem iPhone gesendet",
        "Von meinem Samsung Galaxy Smartphone gesendet.",
        "Gesendet mit der GMX Mail App",
        "Gesendet von Mail für Windows",
        "Diese Nachricht wurde von meinem Android-Mobiltelefon mit WEB.DE Mail gesendet.",
        "Holen Sie sich Outlook für Android",
        "Envoyé de mon iPhone",
        "Envoyé depuis mon smartphone Samsung Galaxy.",
        "Obtenez Outlook pour iOS",
        "Enviado desde mi iPhone",
        "Enviado do meu iPhone",
        "Enviado desde Outlook para Android",
        "Inviato da iPhone",
        "Inviato dal mio telefono",
        "Verstuurd vanaf mijn iPhone",
        "Verzonden vanaf mijn Samsung Galaxy-smartphone",
        "Skickat från min iPhone",
        "Sendt fra min iPhone",
        "Hent Outlook til iOS",
        "Lähetetty iPhonesta",
        "Wysłane z iPhone'a",
        "Wysłano z mojego iPhone'a",
        "Odesláno z iPhonu",
        "Odoslané z iPhonu",
        "Elküldve az iPhone-omról",
        "Trimis de pe iPhone-ul meu",
        "Изпратено от моя iPhone",
        "Отправлено с iPhone",
        "Отправлено из мобильной Яндекс Почты",
        "Надіслано з iPhone",
        "Στάλθηκε από το iPhone μου",
        "iPhone'umdan gönderildi",
        "נשלח מה-iPhone שלי",
        "أرسلت من الـ iPhone",
        "iPhoneから送信",
        "나의 iPhone에서 보냄",
        "ส่งจาก iPhone ของฉัน",
        "Đã gửi từ iPhone của tôi",
        "Dikirim dari iPhone saya",
        "Poslano s mog iPhonea",
        "发自我的iPhone",
        "发自我的 iPhone",
        "發自我的 iPhone",
        "从我的 iPhone 发送",
        "发自我的华为手机",
        "发自网易邮箱大师",
        "来自我的华为手机",
        "发自 Outlook for iOS",
        "获取 Outlook for iOS",
        "從我的 iPhone 傳送",
        "Enviado desde mi dispositivo Samsung",
        "Sent from TypeApp",
        "Sent via BlackBerry by AT&T",
        "-- Sent from my Palm Pre",
    ],
)
def test_device_lines_in_the_languages_of_the_world(line: str) -> None:
    split = split_words(f"my own words\n\n{line}")
    assert split.new == "my own words" and split.rest == line
    assert split_words(line).new == line


@pytest.mark.parametrize(
    "line",
    [
        "Sent from my desk, is much easier than my mobile phone.",
        "Sent via courier, it will arrive tomorrow.",
        "Sent from the office at noon: three parcels.",
        "Please reply above the fold of the printed page, that is where we look.",
        "The log says 2026-11-23 09:10:",
        "From the office:",
        "We wrote:",
        "--- a/poller.c",
        "+++ b/poller.c",
        "| db-01 | 9.1 |",
        "mysql> select 1;",
        "Best option: restart it at night.",
    ],
)
def test_what_only_looks_like_the_end_is_kept(line: str) -> None:
    assert split_words(f"my own words\n\n{line}\nand more words")[:2] == (f"my own words\n\n{line}\nand more words", "")


@pytest.mark.parametrize(
    "line",
    [
        "Quoting Desk <help@desk.example>:",
        "Zitat von Desk <help@desk.example>:",
        "Ann Baker wrote:",
        "ann@customer.example wrote:",
        "Ann Baker <ann@customer.example> writes:",
        "* Ann Baker <ann@customer.example> [2026-11-23 09:10]:",
        "Excerpts from Ann Baker's message of Mon Nov 23 09:10:00 +0800 2026:",
        "In article <a1@news.example>, Ann Baker wrote:",
        "According to Ann Baker:",
        '>>>>> "AB" == Ann Baker <ann@customer.example> writes:',
        "李娜 写道:",
    ],
)
@pytest.mark.parametrize("mark", ["> ", ">", "AB> ", "  AB> ", "| "])
def test_over_marked_lines_a_name_is_enough(line: str, mark: str) -> None:
    split = split_words(f"{line}\n\n{mark}which one?\n{mark}#resolve\n\nmy own words")
    assert split.new == "my own words"
    assert split.rest.startswith(line) and "#resolve" in split.rest and split.confidence is Confidence.HIGH


def test_the_answered_lines_stay_with_answers_between_them() -> None:
    text = (
        "Two answers, see below.\n\nOn 23.11.26 09:10, Desk wrote:\n> first?\n\nyes\n\n> second?\n\nno\n\n> Regards\n"
    )
    split = split_words(text)
    assert split.new == text.removesuffix("\n\n> Regards\n") and split.rest == "> Regards"
    assert split.confidence is Confidence.HIGH


def test_of_a_long_quote_only_the_end_stays_above_its_answer() -> None:
    quote = "\n".join(f"> line {i}" for i in range(40))
    split = split_words(f"{quote}\n\nyes\n\n> second?\n\nno\n")
    assert split.new.splitlines()[0] == "> line 28" and "> second?" in split.new
    assert split.rest.splitlines()[-1] == "> line 27"


def test_lines_that_only_the_page_marks_as_quoted_are_marked_when_they_stay() -> None:
    lines = ["first?", "#resolve", "", "yes", "", "second?", "", "no"]
    split = split_words("\n".join(lines), frozenset({0, 1, 5}))
    assert (
        split.new.split() == ["> first?", "> #resolve", "yes", "> second?", "no"]
        or split.new.splitlines()[1] == "> #resolve"
    )
    assert not any(line.startswith("#") for line in split.new.splitlines())
    assert split.reason == "quoted by the page's structure"


def test_an_answer_beneath_one_quote_stands_alone() -> None:
    assert (
        split_words("On 23.11.26 09:10, Desk wrote:\n> first?\n\nYes, that is the one.\n").new
        == "Yes, that is the one."
    )


@pytest.mark.parametrize("top", ["From: Ann\nDate: 2026-11-23\nSubject: x", "On 23.11.26 09:10, Ann Baker wrote:"])
def test_what_begins_like_a_quoted_mail_is_kept_whole(top: str) -> None:
    text = f"{top}\n\nthe words"
    split = split_words(text)
    assert split == (text, "", Confidence.LOW, KEPT_WHOLE)
    assert split_words(text, forward=True).new == ""


@pytest.mark.parametrize(
    "text",
    [
        "-----Original Message-----\nFrom: Ann <a@b.example>\nSubject: x\n\nold",
        "From: Ann\nDate: 2026-11-23\nSubject: x\n\n##- Please reply above this line -##\n\n#resolve",
        "---------- Forwarded message ---------\nFrom: Ann <a@b.example>\n\nold",
    ],
)
def test_an_answer_without_a_word_has_none(text: str) -> None:
    assert split_words(text)[:2] == ("", text)


def test_headers_that_somebody_shows_are_no_quote() -> None:
    text = "The headers of the lost mail:\n\nFrom: a@b.example\nTo: c@d.example\nDate: 2026-11-23\nSubject: x\n\nWhere is it?"
    assert split_words(text, reply=False).new == text
    assert split_words(text, reply=True).new == "The headers of the lost mail:"


def test_how_sure_a_cut_is() -> None:
    assert split_words("words", reply=True)[2:] == (Confidence.LOW, "an answer in which nothing looks quoted")
    assert split_words("words", reply=False)[2:] == (Confidence.HIGH, "")
    assert split_words("words\n\n##- above -##\nold")[2:] == (Confidence.HIGH, "our marker")
    assert split_words("words\n\n-- \nAnn")[2:] == (Confidence.HIGH, "a signature")
    assert split_words("words\n\n> old\n> older")[2:] == (Confidence.MEDIUM, "marked lines")


def test_beyond_the_limit_nothing_is_lost() -> None:
    line = "a line of a log file, sixty characters long or thereabouts\n"
    text = "my own words\n" + line * 6000
    split = split_words(text)
    assert split.new.startswith("my own words\n") and len(split.new) <= 256_000
    assert f"{split.new}\n{split.rest}".strip() == text.strip()
    assert (split.confidence, split.reason) == (Confidence.LOW, TOO_LONG)
    assert split_words("x" * 300_000).rest == "x" * 44_000


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
    words, rest, *_ = split_words(f"my own words\n\n{block}\n\nold text\n#resolve\n")
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
    assert split_words(text)[:2] == (text, "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("done\n\n-- \nAnn Baker\n+49 123", "done"),
        ("done\n--\nAnn", "done"),
        ("done\n\nSent from my iPhone", "done"),
        ("done\n\n—\nSent from my iPhone", "done"),
        ("done\n\nBest regards,\nAnn Baker\nHead of Operations\nTel: +49 89 1234567", "done"),
        ("已处理。\n\n此致\n敬礼\n王芳\n信息中心\n电话：010-12345678", "已处理。"),
        ("done\n\nThanks,\nAnn\nPlease call +49 89 1234567.", "done\n\nThanks,\nAnn\nPlease call +49 89 1234567."),
        ("done\n--\nkthxbye", "done\n--\nkthxbye"),
        ("done\n\n-- \nkthxbye", "done"),
        ("done\n\n----------\nTo unsubscribe, e-mail: ops-unsubscribe@lists.example", "done"),
        ("done\n\nVirus-free. www.avast.com", "done"),
        ("done\n\n本邮件及其附件含有保密信息，仅限于收件人使用，如您错收了本邮件，请立即通知发件人并删除。", "done"),
        ("-- \nAnn", "-- \nAnn"),
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


def test_answers_between_and_below_quotes_are_kept_with_them() -> None:
    text = "On 23.11.26 09:10, Desk wrote:\n> first?\nyes\n> second?\n> third?\nno and no\n"
    assert split_words(text)[0] == text.partition("\n")[2].strip()


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


@given(st.text(max_size=400), st.sets(st.integers(0, 20)), st.booleans(), st.sampled_from([None, True, False]))
def test_any_text_is_divided_without_loss(text: str, quoted: set[int], forward: bool, reply: bool | None) -> None:
    words, rest, *_ = split_words(text, frozenset(quoted), forward=forward, reply=reply)
    got, given = "".join((words + rest).split()), "".join(text.split())
    assert sorted(got.replace(">", "")) == sorted(given.replace(">", ""))
    assert quoted or sorted(got) == sorted(given)


SAMPLES = [
    "words",
    "Please look at it today, it is urgent.",
    "",
    "> quoted",
    "> On Mon, 23 Nov 2026 Ann <a@b.example> wrote:",
    "> wrote:",
    "On Mon, 23 Nov 2026 Ann <a@b.example> wrote:",
    "Fixed. On Mon, 23 Nov 2026 Ann <a@b.example> wrote:",
    "From: Ann <a@b.example>",
    "Date: 2026-11-23",
    "Subject: x",
    "-----Original Message-----",
    "---------- Forwarded message ---------",
    "-----BEGIN PGP SIGNED MESSAGE-----",
    "-----BEGIN PGP SIGNATURE-----",
    "-- ",
    "—",
    "Best regards,",
    "Ann Baker",
    "Tel: +49 89 1234567",
    "Sent from my iPhone",
    "Virus-free. www.avast.com",
    "##- above -##",
    "发件人：王强",
    "主题：x",
    "____________",
    "| bar",
    "AB> initials",
]
LINES = st.sampled_from(SAMPLES)


def _in_order(part: str, lines: list[str]) -> bool:
    """Tell whether the lines of a part stand in the whole in the same order."""
    whole = iter(line.strip() for line in lines)
    return all(line.strip() in whole for line in part.split("\n") if line.strip())


@given(st.lists(LINES, max_size=15))
def test_any_page_is_divided_in_order(lines: list[str]) -> None:
    words, rest, *_ = split_words("\n".join(lines))
    told = [x for line in lines for x in line.replace("Fixed. On", "Fixed.\nOn").split("\n")]
    kept, left = words.split("\n"), rest.split("\n")
    once = [x.replace("Fixed. On", "Fixed.\nOn") for x in kept + left]
    assert sorted("\n".join(once).split()) == sorted(" ".join(told).split())
    assert not any(x.startswith("##-") for x in kept)
    if not any(x.startswith("Fixed.") for x in lines):
        assert _in_order(words, lines) and _in_order(rest, lines)


@given(st.lists(LINES, max_size=15))
def test_words_that_were_cut_surely_are_not_cut_again(lines: list[str]) -> None:
    """What is left has no quote at its end any more; only what then stands at the end may be a signature too."""
    first = split_words("\n".join(lines))
    again = split_words(first.new)
    if first.confidence is Confidence.HIGH and "> " not in first.new and "PGP" not in first.new and first.new:
        assert again.new and first.new.startswith(again.new.split("\n")[0])


@given(
    st.text(max_size=300), st.lists(LINES, max_size=12), st.lists(LINES, max_size=12), st.lists(st.text(max_size=200))
)
def test_looking_for_a_forward_never_raises(subject: str, new: list[str], rest: list[str], attached: list[str]) -> None:
    for prefix in ("", "Fwd: ", "转发："):
        found = find_forwarded(prefix + subject, "\n".join(new), "\n".join(rest), tuple(attached))
        assert found is None or isinstance(found.sender, Address)
        assert found is None or found.sender.name or found.sender.address


@pytest.mark.parametrize(
    "subject",
    ["Fw: x", "FWD: x", "WG: x", "TR: x", "RV: x", "ENC: x", "I: x", "VB: x", "转发: x", "转发：x", "轉寄: x", "転送: x",
     "Пересл: x", "ΠΡΘ: x", "İLT: x", "[ops] Fwd: x", "x (fwd)", "[Fwd: x]", "Fwd[2]: x"],
)  # fmt: skip
def test_a_header_block_is_a_forward_only_where_the_subject_says_so(subject: str) -> None:
    rest = "From: Ann Baker <ann@customer.example>\nDate: 2026-11-23\nSubject: disk\n\nIt is full.\n"
    found = find_forwarded(subject, "please", rest)
    assert found is not None and found.sender == Address("Ann Baker", "ann@customer.example")
    assert (found.subject, found.date, found.text) == ("disk", "2026-11-23", "It is full.")
    assert find_forwarded("Re: x", "please", rest) is None
    assert find_forwarded(f"Re: {subject}", "please", rest) is None or subject.endswith("(fwd)")


@pytest.mark.parametrize(
    ("shown", "sender"),
    [
        ("Ann Baker <ann@customer.example>", ("Ann Baker", "ann@customer.example")),
        ("Ann Baker [mailto:ann@customer.example]", ("Ann Baker", "ann@customer.example")),
        ("Ann Baker <ann@customer.example<mailto:ann@customer.example>>", ("Ann Baker", "ann@customer.example")),
        ("ann@customer.example", ("", "ann@customer.example")),
        ('"Baker, Ann" <ann@customer.example>', ("Baker, Ann", "ann@customer.example")),
        ("李娜<lina@customer.example>;", ("李娜", "lina@customer.example")),
        ("&quot;李娜&quot; &lt;lina@customer.example&gt;", ("李娜", "lina@customer.example")),
        ("Ann Baker", ("Ann Baker", "")),
        ("Ann Lee/ACME@ACME", ("Ann Lee/ACME@ACME", "")),
    ],
)
def test_who_wrote_the_forwarded_mail(shown: str, sender: tuple[str, str]) -> None:
    found = find_forwarded("Fwd: x", "", f"---- Forwarded message ----\nFrom: {shown}\nSubject: x\n\nwords")
    assert found is not None and (found.sender.name, found.sender.address) == sender


def test_a_forward_within_an_answer_is_none() -> None:
    quoted = "On 23.11.26 09:10, Ann wrote:\n> ---- Forwarded message ----\n> From: Bo <bo@x.example>\n> Subject: x\n"
    assert find_forwarded("Re: x", "done", quoted) is None
    assert find_forwarded("x", "done", "") is None


def test_an_attached_mail_is_forwarded() -> None:
    head = "Received: by x\nFrom: =?utf-8?B?5p2O5aic?=\n <lina@customer.example>\nSubject: disk\n\nbody\nFrom: no@body.example\n"
    found = find_forwarded("see attached", "please", "", (head,))
    assert found is not None and found.sender == Address("李娜", "lina@customer.example") and found.subject == "disk"
    assert find_forwarded("see attached", "please", "", ("no headers at all",)) is None


def test_the_page_is_asked_where_the_text_is_not_sure() -> None:
    page = '<div>It is db-02.</div><div id="divRplyFwdMsg"><b>Old words</b></div><div>which?</div>'
    assert read_prose([("It is db-02.\n\nOld words\nwhich?", page)]).words().new == "It is db-02."
    block = "It is db-02.\n\nFrom: Desk\nSent: Monday\nTo: Ann\nSubject: x\n\nwhich?"
    assert read_prose([(block, None)]).words().confidence is Confidence.MEDIUM
    surer = read_prose([(block, page)]).words()
    assert surer.new == "It is db-02." and surer.confidence is Confidence.HIGH
    assert surer.reason == "quoted by the page's structure"


def test_a_text_beyond_all_limits_is_noted() -> None:
    assert read_prose([("x\n" * 600_000, None)]).notes and not read_prose([("x", None)]).notes


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
        "-----Original Message-----",
        '>>>>> "AB" == Ann <a@b.example> writes:\n    AB> x',
        "On 23.11.26 09:10, Ann wrote:\n| x",
        "Sent from my iPhone",
        "> x\nyes",
        "Kind regards\nTel: +49 89 1234567",
        "confidential intended for the recipient in error virus " * 3 + "\n",
        "-- ",
        "Name " * 150 + "wrote:",
    ],
)
def test_killers_of_other_scanners_are_divided(line: str) -> None:
    text = "\n".join([line] * (20_000 if len(line) < 60 else 250))
    words, rest, *_ = split_words(text)
    assert len(words) + len(rest) > 0
