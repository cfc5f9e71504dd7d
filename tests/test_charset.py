"""Text survives whatever its sender says of its bytes: real sentences in every charset that mail comes in."""

from __future__ import annotations

import base64
import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from daemon.intake.charset import clean_text, decode_text
from daemon.intake.headers import decode_header

SENTENCES = {
    "simplified": (
        "各位同事，今天凌晨两点机房停电，所有业务系统已经切换到备用电源。",
        "您好，我的邮箱密码忘记了，麻烦帮我重置一下，谢谢！",
        "三楼会议室的投影仪坏了，下午有客户来访，请尽快派人维修。",
        "数据库备份任务连续两天失败，日志显示磁盘空间不足。",
        "请问上周提交的采购申请批下来了吗？供应商一直在催。",
        "防火墙策略已经调整完毕，请贵方测试后回复确认。",
        "新来的实习生小赵需要开通门禁卡和内网账号。",
        "用户反映登录页面打不开，刷新几次以后提示服务器错误。",
        "周末要搬家，快递请放在前台，不用打电话。",
    ),
    "traditional": (
        "各位同仁，今天凌晨機房停電，所有系統已經切換到備用電源。",
        "您好，我的信箱密碼忘記了，麻煩幫我重新設定，謝謝！",
        "三樓會議室的投影機壞了，下午有客戶來訪，請盡快派人維修。",
        "資料庫備份連續兩天失敗，記錄顯示磁碟空間不足。",
        "請問上週提出的採購申請核准了嗎？廠商一直在催。",
        "防火牆規則已經調整完畢，請貴公司測試後回覆確認。",
        "新來的實習生小趙需要開通門禁卡和內部網路帳號。",
        "使用者反映登入頁面打不開，重新整理後出現伺服器錯誤。",
    ),
    "japanese": (
        "お世話になっております。昨夜からメールの送受信ができない状態が続いています。",
        "サーバーの再起動をお願いできますでしょうか。",
        "会議室のプロジェクターが映らないので、確認してください。",
        "バックアップが二日続けて失敗しました。ディスクの空き容量が足りないようです。",
        "パスワードを忘れてしまったため、再設定の手続きを教えてください。",
        "先週申請した件について、その後の進み具合はいかがでしょうか。",
        "ネットワーク機器の交換作業は土曜日の午前中に行います。",
        "添付ファイルが開けませんので、もう一度送っていただけますか。",
    ),
    "korean": (
        "안녕하세요. 어젯밤부터 메일 송수신이 되지 않아 문의드립니다.",
        "서버를 다시 시작해 주실 수 있을까요?",
        "회의실 빔프로젝터가 켜지지 않으니 확인 부탁드립니다.",
        "백업이 이틀 연속 실패했습니다. 디스크 공간이 부족한 것 같습니다.",
        "비밀번호를 잊어버려서 초기화를 요청드립니다.",
        "지난주에 신청한 건은 어떻게 진행되고 있나요?",
        "네트워크 장비 교체 작업은 토요일 오전에 진행됩니다.",
        "첨부 파일이 열리지 않으니 다시 보내 주시기 바랍니다.",
    ),
    "russian": (
        "Добрый день! Со вчерашнего вечера не отправляется почта.",
        "Перезагрузите, пожалуйста, сервер в серверной на втором этаже.",
        "Проектор в переговорной не включается, а после обеда приедут клиенты.",
        "Резервное копирование не выполняется уже два дня, на диске нет места.",
        "Я забыл пароль от личного кабинета, помогите восстановить доступ.",
        "Подскажите, что с заявкой, которую мы отправили на прошлой неделе?",
        "Замена сетевого оборудования пройдёт в субботу утром.",
        "Вложение не открывается, пришлите его ещё раз.",
    ),
    "ukrainian": (
        "Доброго дня! Від учорашнього вечора не надсилається пошта.",
        "Перезавантажте, будь ласка, сервер на другому поверсі.",
        "Проєктор у переговорній не вмикається, а по обіді приїдуть клієнти.",
        "Резервне копіювання не виконується вже два дні, на диску немає місця.",
        "Я забув пароль, допоможіть відновити доступ до кабінету.",
        "Підкажіть, що із заявкою, яку ми надіслали минулого тижня?",
        "Заміна мережевого обладнання відбудеться в суботу вранці.",
        "Вкладення не відкривається, надішліть його ще раз.",
    ),
    "german": (
        "Guten Tag, seit gestern Abend können wir keine E-Mails mehr verschicken.",
        "Bitte prüfen Sie, ob der Server im zweiten Stock überhitzt ist.",
        "Der Drucker in der Buchhaltung druckt nur noch weiße Blätter.",
        "Die Datensicherung ist zweimal fehlgeschlagen, weil die Festplatte voll läuft.",
        "Ich habe mein Passwort vergessen und möchte es zurücksetzen.",
        "Gibt es schon Neuigkeiten zu unserer Anfrage von letzter Woche? Schöne Grüße",
        "Der Austausch der Netzwerkgeräte erfolgt am Samstag früh.",
        "Der Anhang lässt sich nicht öffnen, bitte schicken Sie ihn nochmals.",
    ),
    "french": (
        "Bonjour, depuis hier soir nous ne pouvons plus envoyer de messages électroniques.",
        "Pourriez-vous redémarrer le serveur du deuxième étage ?",
        "Le vidéoprojecteur de la salle de réunion ne s'allume plus.",
        "La sauvegarde a échoué deux jours de suite, le disque est saturé.",
        "J'ai oublié mon mot de passe, merci de le réinitialiser.",
        "Où en est la demande que nous avons déposée la semaine dernière ?",
        "Le remplacement du matériel réseau aura lieu samedi à l'aube, même s'il gèle.",
        "La pièce jointe est illisible, merci de la renvoyer dès que possible.",
    ),
    "spanish": (
        "Buenos días, desde ayer por la noche no podemos enviar correos electrónicos.",
        "¿Podrían reiniciar el servidor de la segunda planta, por favor?",
        "El proyector de la sala de reuniones ya no se enciende, ¡qué mañana!",
        "La copia de seguridad falló dos días seguidos por falta de espacio; avisé al señor Núñez.",
        "Olvidé mi contraseña y necesito restablecerla cuanto antes, según dice el módulo.",
        "¿Cómo va la solicitud que enviamos la semana pasada?",
        "El cambio de los equipos de red será el sábado en la mañana.",
        "El archivo adjunto no se abre, envíenlo otra vez por favor, todavía está dañado.",
    ),
    "polish": (
        "Dzień dobry, od wczoraj wieczorem nie możemy wysyłać wiadomości.",
        "Proszę o ponowne uruchomienie serwera na drugim piętrze.",
        "Rzutnik w sali konferencyjnej się nie włącza, a po południu będą goście.",
        "Kopia zapasowa nie powiodła się już dwa razy, brakuje miejsca na dysku.",
        "Zapomniałem hasła i proszę o jego zresetowanie.",
        "Co się dzieje ze zgłoszeniem, które wysłaliśmy w zeszłym tygodniu?",
        "Wymiana urządzeń sieciowych odbędzie się w sobotę rano.",
        "Załącznik się nie otwiera, proszę przesłać go jeszcze raz.",
    ),
    "czech": (
        "Dobrý den, od včerejšího večera nemůžeme odesílat zprávy.",
        "Prosím o restart serveru ve druhém patře.",
        "Projektor v zasedací místnosti se nezapíná a odpoledne přijedou zákazníci.",
        "Zálohování už dvakrát selhalo, na disku není místo.",
        "Zapomněl jsem heslo, můžete mi ho prosím obnovit?",
        "Jak to vypadá s požadavkem, který jsme poslali minulý týden?",
        "Výměna síťových zařízení proběhne v sobotu ráno.",
        "Přílohu nelze otevřít, pošlete ji prosím znovu.",
    ),
    "hungarian": (
        "Jó napot, tegnap este óta nem tudunk levelet küldeni.",
        "Kérem, indítsák újra a kiszolgálót a második emeleten.",
        "A tárgyaló kivetítője nem kapcsol be, délután pedig ügyfelek jönnek.",
        "A biztonsági mentés kétszer is meghiúsult, mert betelt a lemez.",
        "Elfelejtettem a jelszavamat, kérem a visszaállítását.",
        "Hogy áll a múlt héten beküldött kérelmünk ügye?",
        "A hálózati eszközök cseréje szombat reggel történik.",
        "A csatolmány nem nyílik meg, küldjék el még egyszer.",
    ),
    "greek": (
        "Καλημέρα, από χθες το βράδυ δεν μπορούμε να στείλουμε μηνύματα.",
        "Παρακαλώ επανεκκινήστε τον διακομιστή στον δεύτερο όροφο.",
        "Ο προβολέας στην αίθουσα συσκέψεων δεν ανάβει.",
        "Το αντίγραφο ασφαλείας απέτυχε δύο φορές, ο δίσκος γέμισε.",
        "Ξέχασα τον κωδικό μου και θέλω να τον αλλάξω.",
        "Τι γίνεται με το αίτημα που στείλαμε την περασμένη εβδομάδα;",
        "Η αντικατάσταση του εξοπλισμού δικτύου θα γίνει το Σάββατο.",
        "Το συνημμένο δεν ανοίγει, στείλτε το ξανά.",
    ),
    "turkish": (
        "İyi günler, dün akşamdan beri e-posta gönderemiyoruz.",
        "İkinci kattaki sunucuyu yeniden başlatır mısınız?",
        "Toplantı odasındaki projeksiyon açılmıyor, öğleden sonra müşteri gelecek.",
        "Yedekleme iki kez başarısız oldu, diskte yer kalmadı.",
        "Şifremi unuttum, sıfırlanmasını rica ediyorum.",
        "Geçen hafta ilettiğimiz başvurunun durumu nedir?",
        "Ağ donanımının değişimi cumartesi sabahı yapılacak.",
        "Ekteki dosya açılmıyor, lütfen yeniden gönderin.",
    ),
    "hebrew": (
        "שלום, מאז אתמול בערב אי אפשר לשלוח הודעות דואר.",
        "אנא הפעילו מחדש את השרת בקומה השנייה.",
        "המקרן בחדר הישיבות לא נדלק, ואחר הצהריים מגיעים לקוחות.",
        "הגיבוי נכשל פעמיים כי אין מקום בדיסק.",
        "שכחתי את הסיסמה ואני מבקש לאפס אותה.",
        "מה קורה עם הבקשה ששלחנו בשבוע שעבר?",
        "החלפת ציוד הרשת תתבצע בשבת בבוקר.",
        "הקובץ המצורף לא נפתח, שלחו אותו שוב בבקשה.",
    ),
    "arabic": (
        "صباح الخير، منذ مساء أمس لا نستطيع إرسال البريد.",
        "نرجو إعادة تشغيل الخادم في الطابق الثاني.",
        "جهاز العرض في قاعة الاجتماعات لا يعمل.",
        "فشل النسخ الاحتياطي مرتين لأن القرص ممتلئ.",
        "نسيت كلمة المرور وأريد إعادة تعيينها.",
        "ما هي حالة الطلب الذي أرسلناه الأسبوع الماضي؟",
        "سيتم استبدال معدات الشبكة صباح السبت.",
        "الملف المرفق لا يفتح، نرجو إرساله مرة أخرى.",
    ),
    "thai": (
        "สวัสดีครับ ตั้งแต่เมื่อคืนนี้เราส่งอีเมลไม่ได้เลย",
        "กรุณารีสตาร์ตเซิร์ฟเวอร์ที่ชั้นสองด้วยครับ",
        "เครื่องฉายในห้องประชุมเปิดไม่ติด ช่วยมาดูให้หน่อย",
        "การสำรองข้อมูลล้มเหลวสองครั้งเพราะพื้นที่ดิสก์เต็ม",
        "ผมลืมรหัสผ่าน รบกวนช่วยตั้งค่าใหม่ให้ด้วยครับ",
        "คำขอที่ส่งไปเมื่อสัปดาห์ที่แล้วดำเนินการถึงไหนแล้ว",
        "การเปลี่ยนอุปกรณ์เครือข่ายจะทำในเช้าวันเสาร์",
        "ไฟล์แนบเปิดไม่ได้ กรุณาส่งมาอีกครั้ง",
    ),
    "lithuanian": (
        "Laba diena, nuo vakar vakaro negalime išsiųsti laiškų.",
        "Prašome iš naujo paleisti serverį antrame aukšte.",
        "Projektorius posėdžių salėje neįsijungia, po pietų atvyks svečių.",
        "Atsarginė kopija nepavyko du kartus, nes diske trūksta vietos.",
        "Pamiršau slaptažodį, prašau jį atkurti.",
        "Kaip sekasi prašymui, kurį išsiuntėme praėjusią savaitę?",
        "Tinklo įrangos keitimas vyks šeštadienio rytą.",
        "Priedas neatsidaro, atsiųskite jį dar kartą.",
    ),
    "vietnamese": (
        "Xin chào, từ tối hôm qua chúng tôi không gửi được thư.",
        "Vui lòng khởi động lại máy chủ ở tầng hai.",
        "Máy chiếu trong phòng họp không bật được, chiều nay có khách.",
        "Việc sao lưu thất bại hai lần vì ổ đĩa đã đầy.",
        "Tôi quên mật khẩu, xin hãy đặt lại giúp tôi.",
        "Yêu cầu gửi tuần trước đã xử lý đến đâu rồi?",
        "Việc thay thiết bị mạng sẽ làm vào sáng thứ bảy.",
        "Tệp đính kèm không mở được, xin gửi lại.",
    ),
}
# (language, what a sender writes in the header, the Python codec that makes its bytes)
LABELS = (
    ("simplified", "gb2312", "gbk"),
    ("simplified", "GBK", "gbk"),
    ("simplified", "GB18030", "gb18030"),
    ("simplified", "hz-gb-2312", "hz"),
    ("simplified", "x-mac-chinesesimp", "gb2312"),
    ("traditional", "Big5", "big5"),
    ("traditional", "big5-hkscs", "big5hkscs"),
    ("traditional", "GBK", "gbk"),
    ("japanese", "ISO-2022-JP", "iso2022_jp"),
    ("japanese", "Shift_JIS", "cp932"),
    ("japanese", "windows-31j", "cp932"),
    ("japanese", "EUC-JP", "euc_jp"),
    ("japanese", "gb2312", "gbk"),
    ("korean", "EUC-KR", "euc_kr"),
    ("korean", "ks_c_5601-1987", "cp949"),
    ("korean", "ISO-2022-KR", "iso2022_kr"),
    ("russian", "koi8-r", "koi8_r"),
    ("russian", "windows-1251", "cp1251"),
    ("russian", "iso-8859-5", "iso8859_5"),
    ("russian", "IBM866", "cp866"),
    ("russian", "x-mac-cyrillic", "mac_cyrillic"),
    ("russian", "gb2312", "gbk"),
    ("ukrainian", "koi8-u", "koi8_u"),
    ("ukrainian", "windows-1251", "cp1251"),
    ("german", "iso-8859-1", "latin_1"),
    ("german", "windows-1252", "cp1252"),
    ("german", "cp850", "cp850"),
    ("german", "macintosh", "mac_roman"),
    ("french", "iso-8859-1", "latin_1"),
    ("french", "iso-8859-15", "iso8859_15"),
    ("french", "ISO_8859-1", "latin_1"),
    ("spanish", "iso-8859-1", "latin_1"),
    ("spanish", "windows-1252", "cp1252"),
    ("polish", "iso-8859-2", "iso8859_2"),
    ("polish", "windows-1250", "cp1250"),
    ("czech", "iso-8859-2", "iso8859_2"),
    ("czech", "windows-1250", "cp1250"),
    ("czech", "x-mac-ce", "mac_latin2"),
    ("hungarian", "windows-1250", "cp1250"),
    ("hungarian", "iso-8859-2", "iso8859_2"),
    ("greek", "iso-8859-7", "iso8859_7"),
    ("greek", "windows-1253", "cp1253"),
    ("turkish", "iso-8859-9", "iso8859_9"),
    ("turkish", "windows-1254", "cp1254"),
    ("hebrew", "iso-8859-8-i", "iso8859_8"),
    ("hebrew", "windows-1255", "cp1255"),
    ("arabic", "iso-8859-6", "iso8859_6"),
    ("arabic", "windows-1256", "cp1256"),
    ("thai", "TIS-620", "cp874"),
    ("thai", "windows-874", "cp874"),
    ("lithuanian", "windows-1257", "cp1257"),
    ("lithuanian", "iso-8859-13", "iso8859_13"),
    *((language, "utf-8", "utf_8") for language in SENTENCES),
    *((language, "utf-16", "utf_16") for language in SENTENCES),
    *((language, "utf-7", "utf_7") for language in ("german", "simplified", "japanese")),
)  # fmt: skip
# What comes without a label, or with a wrong one, often enough that people expect it to be read.
UNLABELLED = (
    ("simplified", "gbk"),
    ("simplified", "gb18030"),
    ("traditional", "big5"),
    ("japanese", "cp932"),
    ("japanese", "euc_jp"),
    ("korean", "cp949"),
    ("russian", "koi8_r"),
    ("russian", "cp1251"),
    ("german", "cp1252"),
    ("french", "cp1252"),
    ("spanish", "cp1252"),
    ("greek", "cp1253"),
)  # fmt: skip
WRONG = (None, "", "us-ascii", "utf-8", "x-unknown", "DEFAULT_CHARSET", "unknown-8bit")
MISLABELLED = (
    ("simplified", "utf_8", "gb2312"),
    ("traditional", "utf_8", "big5"),
    ("japanese", "utf_8", "shift_jis"),
    ("japanese", "utf_8", "iso-2022-jp"),
    ("korean", "utf_8", "euc-kr"),
    ("german", "utf_8", "iso-8859-1"),
    ("french", "utf_8", "windows-1252"),
    ("russian", "utf_8", "koi8-r"),
    ("russian", "utf_8", "gb2312"),
    ("greek", "utf_8", "euc-kr"),
    ("french", "utf_8", "shift_jis"),
    ("russian", "utf_8", "windows-1251"),
    ("greek", "utf_8", "iso-8859-7"),
    ("simplified", "gbk", "iso-8859-1"),
    ("simplified", "gbk", "big5"),
    ("traditional", "big5", "gb2312"),
    ("traditional", "big5", "iso-8859-1"),
    ("japanese", "cp932", "iso-2022-jp"),
    ("japanese", "cp932", "euc-jp"),
    ("japanese", "euc_jp", "shift_jis"),
    ("japanese", "iso2022_jp", "us-ascii"),
    ("japanese", "iso2022_jp", "utf-8"),
    ("korean", "cp949", "iso-8859-1"),
    ("korean", "cp949", "gb2312"),
    ("russian", "cp1251", "koi8-r"),
    ("russian", "cp1251", "iso-8859-1"),
    ("russian", "koi8_r", "windows-1251"),
    ("russian", "koi8_r", "iso-8859-1"),
)  # fmt: skip
DOUBLE_BYTE = (
    ("simplified", "gb2312", "gbk"),
    ("traditional", "big5", "big5"),
    ("japanese", "shift_jis", "cp932"),
    ("japanese", "euc-jp", "euc_jp"),
    ("korean", "euc-kr", "cp949"),
    ("russian", "utf-8", "utf_8"),
    ("simplified", "utf-8", "utf_8"),
)  # fmt: skip
_SCRAPS = (1, 2, 3, 5, 9)  # letters
_CONTROL = re.compile("[\x00-\x1f\x7f]")
# Windows writes its own page under the name of the standard that it grew from.
SIBLINGS = (
    ("german", "iso-8859-1", "cp1252"),
    ("french", "us-ascii", "cp1252"),
    ("polish", "iso-8859-2", "cp1250"),
    ("czech", "iso-8859-2", "cp1250"),
    ("greek", "iso-8859-7", "cp1253"),
    ("turkish", "iso-8859-9", "cp1254"),
    ("lithuanian", "iso-8859-13", "cp1257"),
    ("ukrainian", "koi8-r", "koi8_u"),
)  # fmt: skip
ANY_LABEL = st.one_of(
    st.none(),
    st.text(max_size=30),
    st.sampled_from(
        [label for _, label, _ in LABELS] + ["utf-32", "idna", "punycode", "base64", "rot13", "hex", "zip"]
    ),
    st.sampled_from(
        ["undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem", "utf-8-sig", "\x00", "a" * 99]
    ),
)


class TestRightLabel:
    """Who says truly what the bytes are is believed, however short or odd the text."""

    @pytest.mark.parametrize(("language", "label", "codec"), LABELS)
    def test_sentences(self, language: str, label: str, codec: str) -> None:
        for one, two in pairwise((*SENTENCES[language], SENTENCES[language][0])):
            text = f"{one}\n{two}\n"
            assert decode_text(text.encode(codec), label) == (text, "")
            assert decode_text(one.encode(codec), label) == (one, "")

    @pytest.mark.parametrize(("language", "label", "codec"), LABELS)
    def test_scraps(self, language: str, label: str, codec: str) -> None:
        """Subjects and names are short; every scrap, not some of them, so that no run differs from another."""
        scraps = {s[i : i + n] for s in SENTENCES[language] for n in _SCRAPS for i in range(len(s))}
        wrong = {t for t in scraps if decode_text(t.encode(codec), label) != (t, "")}
        assert wrong == set()

    @given(st.text(max_size=200))
    @example("联通")
    def test_any_text_in_utf_8(self, text: str) -> None:
        assert decode_text(text.removeprefix("\ufeff").encode(), "utf-8") == (text.removeprefix("\ufeff"), "")

    @pytest.mark.parametrize("name", ["联通", "李镕", "陶镕", "囍", "王喆", "€", "㐂", "𠮷野家", "张贇", "赵堃"])
    def test_names_that_other_charsets_would_explain_too(self, name: str) -> None:
        assert decode_text(name.encode("gb18030"), "gb2312") == (name, "")

    @pytest.mark.parametrize("name", ["堃", "峯", "台灣", "恒生", "裏", "許功蓋", "林錫堃"])
    def test_names_in_big5(self, name: str) -> None:
        assert decode_text(name.encode("big5hkscs"), "big5") == (name, "")

    @pytest.mark.parametrize("text", ["髙橋", "﨑", "㈱", "①", "№", "ﾊﾝｶｸ", "表示", "ソ能予"])
    @pytest.mark.parametrize("label", ["shift_jis", "Windows-31J", "x-sjis"])
    def test_what_windows_added_to_shift_jis(self, text: str, label: str) -> None:
        assert decode_text(text.encode("cp932"), label) == (text, "")

    def test_vietnamese_tones_are_joined_to_their_letters(self) -> None:
        text = "Nguyễn Văn Đức"
        raw = text.replace("ễ", "ê\u0303").replace("ứ", "ư\u0301").encode("cp1258")
        assert decode_text(raw, "windows-1258") == (text, "")


class TestWrongLabel:
    """Two sentences suffice to tell what nobody said; and the guess is told."""

    @pytest.mark.parametrize("label", WRONG)
    @pytest.mark.parametrize(("language", "codec"), UNLABELLED)
    def test_no_label_or_one_that_says_nothing(self, language: str, codec: str, label: str | None) -> None:
        wrong = [t for t in _pairs(language) if decode_text(t.encode(codec), label)[0] != t]
        assert wrong == []
        assert all(decode_text(t.encode(codec), label)[1] for t in _pairs(language))

    @pytest.mark.parametrize("label", [None, "us-ascii", "x-unknown", "DEFAULT_CHARSET"])
    @pytest.mark.parametrize("language", SENTENCES)
    def test_utf_8_explains_itself(self, language: str, label: str | None) -> None:
        for text in _pairs(language):
            assert decode_text(text.encode(), label)[0] == text

    @pytest.mark.parametrize(("language", "codec", "label"), MISLABELLED)
    def test_one_charset_under_the_name_of_another(self, language: str, codec: str, label: str) -> None:
        wrong = [t for t in _pairs(language) if decode_text(t.encode(codec), label)[0] != t]
        assert wrong == []
        assert all(decode_text(t.encode(codec), label)[1] for t in _pairs(language))

    @pytest.mark.parametrize(("language", "label", "codec"), SIBLINGS)
    def test_the_page_of_windows_under_the_name_of_the_standard(self, language: str, label: str, codec: str) -> None:
        for text in _pairs(language):
            quoted = text if codec == "koi8_u" else f"“{text}” – …"
            assert decode_text(quoted.encode(codec), label)[0] == quoted

    @pytest.mark.parametrize("language", ["german", "french", "spanish"])
    def test_a_single_accent_under_the_name_of_utf_8(self, language: str) -> None:
        for sentence in SENTENCES[language]:
            raw = sentence.encode("cp1252")
            text, note = decode_text(raw, "utf-8")
            assert text == sentence and bool(note) is not raw.isascii()


class TestDamage:
    """FAILURES: what is lost is at most what was damaged, and it is told."""

    @pytest.mark.parametrize(("language", "label", "codec"), DOUBLE_BYTE)
    def test_a_text_cut_within_its_last_letter(self, language: str, label: str, codec: str) -> None:
        for text in _pairs(language):
            whole = text.rstrip("。！？. ;?!，\n")
            read, note = decode_text(whole.encode(codec)[:-1], label)
            assert read.startswith(whole[:-1]) and note

    @pytest.mark.parametrize(("language", "label", "codec"), DOUBLE_BYTE)
    @given(data=st.data())
    @settings(max_examples=30)
    def test_a_byte_in_the_middle_that_is_none(
        self, language: str, label: str, codec: str, data: st.DataObject
    ) -> None:
        first, second, third = data.draw(st.permutations(SENTENCES[language]))[:3]
        read, note = decode_text(f"{first}\n".encode(codec) + b"\x81\n" + f"{second}\n{third}\n".encode(codec), label)
        assert first in read and second in read and third in read
        assert note


class TestAnyBytes:
    """FAILURES: decoding is total, whatever the bytes and whatever is said of them."""

    @given(st.binary(max_size=400), ANY_LABEL)
    @example(b"\x1b$B", "iso-2022-jp")
    @example(b"\x1b$B\xff\xff", "iso-2022-jp")
    @example(b"+2AA-", "utf-7")
    @example(b"\xff\xfe\x00", "utf-16")
    @example(b"\x00\xd8", "utf-16-le")
    @example(b"", "utf-16")
    def test_any_bytes_under_any_label(self, noise: bytes, label: str | None) -> None:
        text, note = decode_text(noise, label)
        kept = clean_text(text)
        assert kept.encode("utf-8").decode("utf-8") == kept and "\x00" not in kept
        assert len(note) <= 200 and note.isprintable()

    @given(st.binary(max_size=60), st.sampled_from(["?", "??", "?=", "=?", " "]), ANY_LABEL)
    def test_any_bytes_in_an_encoded_word(self, noise: bytes, rest: str, label: str | None) -> None:
        word = base64.b64encode(noise).decode()
        text = decode_header(f"=?{label}?B?{word}?={rest}=?{label}?Q?{noise.decode('latin_1')}?=")
        assert text.encode("utf-8").decode("utf-8") == text and not _CONTROL.search(text)


class TestEncodedWords:
    """A header says its words as they were written, however its client cut them."""

    @pytest.mark.parametrize(("language", "label", "codec"), LABELS)
    def test_a_sentence_in_one_word(self, language: str, label: str, codec: str) -> None:
        for sentence in SENTENCES[language]:
            assert decode_header(_word(sentence.encode(codec), label)) == sentence

    @pytest.mark.parametrize(("language", "label", "codec"), DOUBLE_BYTE)
    @given(data=st.data())
    @settings(max_examples=30)
    def test_a_sentence_cut_anywhere(self, language: str, label: str, codec: str, data: st.DataObject) -> None:
        sentence = data.draw(st.sampled_from(SENTENCES[language]))
        raw = sentence.encode(codec)
        cuts = sorted(data.draw(st.sets(st.integers(1, len(raw) - 1), min_size=1, max_size=4)))
        pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
        assert decode_header("\r\n ".join(_word(p, label) for p in pieces)) == sentence

    @pytest.mark.parametrize(("language", "codec"), UNLABELLED)
    def test_a_raw_header_is_read_in_the_charset_of_the_mail(self, language: str, codec: str) -> None:
        for sentence in SENTENCES[language]:
            raw = sentence.encode(codec).decode("ascii", "surrogateescape")
            assert decode_header(raw, codec.replace("_", "-")) == sentence


def _pairs(language: str) -> list[str]:
    """Return mails of two sentences, every sentence with its neighbour."""
    return [f"{one}\n{two}\n" for one, two in pairwise((*SENTENCES[language], SENTENCES[language][0]))]


def _word(raw: bytes, label: str) -> str:
    return f"=?{label}?B?{base64.b64encode(raw).decode()}?="
