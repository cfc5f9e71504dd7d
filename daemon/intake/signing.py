"""How people, phones and companies end a mail, told from one line: signatures, closings, device lines, disclaimers.

What comes in: one line, cut to a bounded length. What goes out: what it is. Every check is linear in the line.
"""

from __future__ import annotations

import re

from daemon.intake.quoting import BRIEF, LINE, LONG, NAMED, SENTENCE, SHORT, listed

_UNDERSCORES = re.compile(r"^\s*_{2,}\s*$")
_TELLS = re.compile(r"[.!?。！？；;]$|^\s*[#/@!>＃]|^p\.?\s?s\b|^(?:附|另)[:：]|^#|\b(?:please|bitte|请)\b", re.I)
_ASKS = re.compile(r"\b(?:please|bitte|请)\b|[?？]$|^p\.?\s?s\b", re.I)
_SIGNATURE = re.compile(r"^-- ?$")
_GADGET = (
    r"i-?phon|i-?pad|i-?pod|ios\b|mac\b|apple watch|android|samsung|galaxy|blackberry|huawei|honor|xiaomi|redmi"
    r"|mi phone|oppo|vivo|oneplus|pixel|nokia|lumia|windows|outlook|yahoo|gmail|mail|e-?mail|mymail|smartphone"
    r"|smartfon|handy|mobile?|móvil|cell|phone|tablet|device|mobilgerät|telefon|teléfono|proton|aol|nexus|xperia|htc"
    r"|motorola|moto|lg|zte|wireless|verizon|t-mobile|palm|touchpad|fairphone|superhuman|airmail|polymail|nylas"
    r"|newton|hushmail|guerrillamail|zoho|aqua ?mail|tutanota|tuta\b|typeapp|typemail|bluemail|fairemail|k-9"
    r"|thunderbird|boxer|spark|mailbox|appareil|dispositivo|aparelho|toestel|apparaat|enhet|gerät|puhelim|courrier"
    r"|correo|posta|e-post|poczt|pošt|почт|яндекс|смартфон|телефон|планшет|携帯|スマートフォン|스마트폰|휴대폰|휴대전화"
)
_GADGETS = re.compile(rf"\b(?:{_GADGET})", re.I)
# What stands before the name of a device or a program, and in some languages behind it.
_SENT_IN_ENGLISH = re.compile(r"(?:un)?sen[td] (?:from|via|with|using|by|through|on) |typed on ", re.I)
_SENT = re.compile(
    r"von meine[mr] |gesendet (?:von|vom|mit|aus|über|via) "
    r"|(?:diese nachricht|diese e-?mail|dies) wurde (?:von|mit) mein"
    r"|envoyée? (?:de|depuis|à partir|via|avec) |provenance ?: "
    r"|enviad[oa] (?:desde|do|da|de|a partir|via|por|mediante|con|com|pelo) |enviat (?:des|amb) "
    r"|inviato (?:da|dal|dalla|con|via|tramite) |(?:verstuurd|verzonden) (?:vanaf|vanuit|met|via) "
    r"|skicka(?:t|des) (?:från|med|via) |sendt? (?:fra|frá|via|med) |lähetetty "
    r"|wysłan[eoya]+ (?:z|ze|za pomocą|przy użyciu) |(?:odesláno|odoslan[éeo]|odosláno) (?:z|ze|zo|pomocí) "
    r"|отправлено (?:с|со|из|через|с помощью) |послано с |надіслано (?:з|із|зі) |изпратено от "
    r"|trimis (?:de pe|din|cu|de la) |elküldve |στάλθηκε από |נשלח מ"
    r"|(?:أرسلت|أُرسلت|مُرسل|تم الإرسال) من |ارسال (?:شده )?از "
    r"|ส่งจาก |(?:đã |được )?gửi từ |(?:dikirim|terkirim|dihantar) dari |(?:poslano|poslato|послато) (?:s|z|sa|iz|са) "
    r"|saadetud minu |nosūtīts no |išsiųsta iš ",
    re.I,
)
_SENT_BEHIND = re.compile(
    r"(?:^von .{2,60}gesendet|gönderildi|küldve|(?:から|より)送信(?:されたメール|しました)?"
    r"|에서 ?(?:보냄|전송|전송됨|보냈습니다|보낸 메일)|से भेजा(?: गया)?)[.。]?$",
    re.I,
)
_OWN = re.compile(r"(?:my|mein\w{0,2}|mon|ma|mi|meu|minha|mio|mia|mijn|min|mojego|mého|môjho|моего|моей|мого)\b", re.I)
# Small words among the names of devices and programs, and what programs praise themselves with.
_OF_NAMES = frozenset(
    listed(
        "my|a|an|the|of|from|on|for|with|using|via|and|by|at|in|wireless|network|carrier|smart|new|app|client|edition"
        "|secure|encrypted|email|emails|enjoy|ad-free|best|free|work|open|source|extensible|please"
    )
)
# Outlook and its like offer themselves in the language of the phone.
_APPS = r"\[?(?:outlook|bluemail|typeapp|aqua ?mail|mail)"
_SYSTEMS = r"(?:ios|android|mac|macos|windows)"
_OBTAIN = re.compile(
    rf"^(?:(?:get|download|holen sie sich|hol dir|laden sie|obten[eé][zr]|obtenir|obtenga|obtén"
    r"|télécharge[rz]|descargar?"
    r"|obter|obtenha|transfira|baixe|scarica|ottieni|hämta|hent|få|skaff|skaff deg|hae|hanki|lataa|pobierz"
    r"|pobierz aplikację|získejte|získajte|stáhněte|stáhnout|stiahnite|stiahnuť|загрузите|скачать|скачайте|отримайте"
    r"|завантажте|obțineți|tải|unduh|dapatkan|获取|獲取|获得|下载|下載|取得) ?(?:the |o |l['’])?)?"
    rf"{_APPS}\b\W{{0,3}}(?:\w{{1,8}} ){{0,2}}{_SYSTEMS}(?: 1[01])?"
    r"(?P<end> ?(?:herunter|herunterladen|downloaden|ophalen|を(?:入手|取得)(?:する)?|다운로드|받기|를 다운로드))?"
    r"[\])]?\W{0,3}(?:https?://\S{1,200})?$"
    rf"|^(?P<cjk>获取|獲取|下载|下載|取得)? ?(?:适用于|適用於)? ?{_SYSTEMS} ?(?:版|的|용|için) ?(?:的 ?)?outlook"
    r"\W{0,2}"
    r"(?P<tail>u edinin|u indirin|を ?(?:入手|取得)(?:する)?|다운로드|받기)?\W{0,3}(?:https?://\S{1,200})?$",
    re.I,
)
_CHINESE_GADGET = (
    "iphone|ipad|android|安卓|harmonyos|手机|手機|平板|邮箱|郵箱|信箱|客户端|客戶端|邮件应用|版邮件|版郵件|电子邮件"
    "|huawei|华为|小米|xiaomi|redmi|荣耀|honor|vivo|oppo|samsung|三星|galaxy|大师|企业微信|钉钉|飞书|qq|outlook|windows"
    "|mac|移动设备|行動裝置|foxmail"
)
_CHINESE_DEVICE = re.compile(
    r"^(?:[此该本這](?:封)?(?:邮件|郵件|信))? ?(?:(?:发自|發自|来自|來自|发送自|傳送自|传送自|寄自|寄件自)"
    r"(?:我的 ?[^的，。；：！？,;!?]{1,24}$|"
    rf"[^的，。；：！？,;!?]{{0,20}}?(?:{_CHINESE_GADGET}))"
    rf"|(?:从|從|由|用|使用|通过|通過|透過|我的)(?:我的)?[^的，。；：！？,;!?]{{0,20}}?(?:{_CHINESE_GADGET})"
    r"(?=.{0,30}(?:发送|發送|傳送|发出|寄出|发来的)))"
    r"(?:[A-Za-z0-9 .+()（）\[\]/<>:_-]|智能|手机|手機|邮箱|郵箱|邮件|郵件|电子|客户端|客戶端|应用|大师|专属|商务|版"
    r"|公司|华为|小米|荣耀|发送|發送|傳送|发出|寄出|发来的){0,60}$",
    re.I,
)
_EXCUSES = re.compile(r"brevity|typos?|spelling|autocorrect|tippfehler|concision|errores|brevidad|kürze", re.I)
# What people close a letter with; a signature of their address may follow.
_CLOSINGS = (
    "best|best regards|kind regards|regards|warm regards|warmest regards|warmly|with regards|with best regards"
    "|with kind regards|many thanks and regards|thanks and regards|thanks & regards|thank you and regards|sincerely"
    "|yours sincerely|yours truly|yours faithfully|best wishes|cheers|thanks|thank you|many thanks|thanks in advance"
    "|respectfully|cordially|all the best|rgds|brgds|br|kr|mit freundlichen grüßen|mit freundlichen grüssen"
    "|mit freundlichem gruß|freundliche grüße|freundliche grüsse|viele grüße|viele grüsse|beste grüße|liebe grüße"
    "|schöne grüße|herzliche grüße|mit besten grüßen|mfg|lg|vg|gruß|grüße|hochachtungsvoll|cordialement"
    "|bien cordialement|bien à vous|salutations|meilleures salutations|sincères salutations|amicalement|cdlt"
    "|saludos|un saludo|saludos cordiales|atentamente|cordialmente|cordiali saluti|distinti saluti|saluti|grazie"
    "|un cordiale saluto|atenciosamente|att|abraços|cumprimentos|com os melhores cumprimentos|melhores cumprimentos"
    "|obrigado|obrigada|met vriendelijke groet|met vriendelijke groeten|vriendelijke groeten|groeten|groet|mvg"
    "|med vänliga hälsningar|vänliga hälsningar|med vänlig hälsning|hälsningar|mvh|med venlig hilsen|venlig hilsen"
    "|kh|kærlig hilsen|mange hilsner|de bedste hilsner|med vennlig hilsen|vennlig hilsen|hilsen"
    "|ystävällisin terveisin|terveisin|terveisiä|kveðja|bestu kveðjur"
    "|z poważaniem|pozdrawiam|pozdrowienia|s pozdravem|s pozdravom|üdvözlettel|tisztelettel|cu stimă|cu respect"
    "|с уважением|с наилучшими пожеланиями|з повагою|поздрави|с поздрав|με εκτίμηση|saygılarımla|saygılarımızla"
    "|iyi çalışmalar|teşekkürler|בברכה|بتحياتي|تحياتي|مع التحية|مع أطيب التحيات|با احترام|با تشکر|सादर|धन्यवाद"
    "|ขอแสดงความนับถือ|trân trọng"
    "|hormat saya|salam|terima kasih|srdačan pozdrav|lijep pozdrav|lep pozdrav|pozdrav|s poštovanjem|s spoštovanjem"
    "|lugupidamisega|ar cieņu|pagarbiai|atentament|salutacions|此致|敬礼|此致敬礼|祝好|祝商祺|顺颂商祺|顺祝商祺|谢谢"
    "|谢谢!"
    "|多谢|致礼|敬上|敬請|敬祝|祝商安|以上|以上、よろしくお願いいたします|よろしくお願いいたします"
    "|よろしくお願いします|敬具|감사합니다"
    "|고맙습니다|드림"
)
# Closings that say thanks: they stay with the words.
_THANKS = (
    "thank", "many thanks", "cheers", "grazie", "obrigad", "teşekkür", "terima kasih", "谢谢", "多谢", "감사", "고맙",
    "धन्यवाद", "با تشکر", "よろしく", "以上",
)  # fmt: skip
_STROKED = re.compile(r"^[-–—/~] ?[A-ZÀ-ÞА-Я][\w.'-]{1,20}(?: [A-ZÀ-ÞА-Я][\w.'-]{0,20}){0,2}$")
_CLOSING_WORDS = tuple(sorted(set(listed(_CLOSINGS)), key=len, reverse=True))
_CLOSING_STARTS = tuple({word[:2] for word in _CLOSING_WORDS})
_PHONE = re.compile(r"(?:\+|\b00|\(|\b)\d[\d ()/.–-]{5,}\d")
_CONTACT = re.compile(
    r"@[\w-]+\.\w|\bwww\.|https?://|\b(?:tel|phone|fax|mobile?|cell|office|direct|e-?mail|t|m|f|p|ph|tél|telefon|handy"
    r"|skype|wechat|qq|web)\b ?[.:：]|(?:电话|手机|传真|邮箱|邮编|地址|微信|電話|携帯|手機|地址|部门|座机|内线)"
    r"|\b(?:ceo|cto|cio|cfo|coo|gmbh|ltd|inc|llc|corp|s\.?r\.?l|b\.v|ag|plc|pty|s\.?a|oy|ab|a/s|sp\. z o)\b"
    r"|\b(?:manager|engineer|director|head of|consultant|administrator|developer|team lead|officer|specialist|analyst"
    r"|founder|president|assistant|coordinator|technician|architect|support|leiter|leiterin|geschäftsführer|ingenieur"
    r"|berater|directeur|directrice|responsable|gerente|ingeniero|direttore)\b"
    r"|(?:经理|工程师|主管|总监|主任|有限公司|公司|集团|事业部|技术部|部長|課長|株式会社|과장|팀장|대리)",
    re.I,
)
_DISCLAIMS = listed(
    "confidential|privileged|intended recipient|intended only|intended solely|intended for|disclos|unauthori|in error"
    "|delete it|delete this|notify the sender|virus|liable|liability|vertraulich|empfänger|irrtümlich|unbefugt|absender"
    "|vernichten|rechtlich|confidentiel|destinataire|par erreur|détrui|confidencial|destinatari|por error|por engano"
    "|divulga|riservat|per errore|vertrouwelijk|bestemd|geadresseerde|abusievelijk|konfidentiell|avsedd|fortrolig"
    "|adressaten|mottagare|avsändare|radera|obehörig|afsender|modtager|avsender|mottaker|uautoris"
    "|przeznaczon|nadawc|nieuprawnion|důvěrn|adresát|odesílatel|neoprávněn|bizalmas|címzett|feladó|confidenţial"
    "|luottamuksell|poufn|adresat|konfidenci|конфиденциальн|предназначен|получател|gizli|保密|机密|機密|收件人|误收"
    "|错收|仅限于|发件人"
    "|誤收"
    "|删除|刪除|未经授权|泄露|誤って|기밀|수신인"
)
_FOOTERS = listed(
    "the environment before|before printing|virus-free|avast.com|avast antivirus|avg.com|checked for viruses by"
    "|been checked for viruses|been scanned|scanned for viruses by|auf viren geprüft"
    "|bitte denken sie an die umwelt|pensez à l'environnement|wolny od wirusów"
    "|ausdrucken|antes de imprimir|prima di stampare|avant d'imprimer|请考虑环境"
)
# A disclaimer speaks of the mail it stands in; who reports a leak, or a virus, speaks of another.
_OF_ITSELF = re.compile(
    r"th(?:is|e following) (?:[\w-]{1,14} ){0,2}(?:e-?mail|message|communication|transmission|document|information)"
    r"|information (?:contained|in this|transmitted)|e-?mail and any|disclaimer"
    r"|confidentiality notice|contents? of this"
    r"|diese[rs]? (?:e-?mail|mail|nachricht|mitteilung|elektron|information)|enthält vertraul"
    r"|\bce (?:message|courriel|mail|courrier|document)|\bcet e-?mail|cette (?:communication|transmission)|\bprésent"
    r"|\best[ea] (?:mensaje|correo|e-?mail|mensagem|comunica|mail|documento)|información contenida|informação contida"
    r"|\bquest[oa] (?:e-?mail|mail|messaggio|comunicazione)|\b(?:il|la) presente|informazioni contenute"
    r"|\bdit (?:bericht|e-?mail)|\bdeze (?:e-?mail|mail)|de informatie"
    r"|\bdett[ae] (?:e-?post|meddeland|mejl|mail)|\bdenn[ae] (?:e-?post|e-?mail|mail|meddelelse|melding)"
    r"|\btämä (?:viesti|sähköposti)|\bniniejsz|treść (?:tej|niniejsz)|\bt(?:ato|ento) (?:zpráv|správ|e-?mail)"
    r"|(?:данное|настоящее|это) (?:\w{1,20} )?(?:сообщение|письмо)|\bbu (?:e-?posta|mesaj|elektronik|ileti)"
    r"|(?:本|此|这封|這封)(?:电子|電子)?(?:邮件|郵件|信|e-?mail|通讯|信息)|(?:邮件|郵件)(?:及|与|和|內容|内容)"
    r"|(?:この|本)(?:電子)?メール|(?:이|본) ?(?:전자)?(?:메일|우편)"
)
_FIRST_PERSON = re.compile(
    r"\bi(?:'m|'ve| (?:have|had|am|was|got|get|see|saw|found|checked|scanned|think|need|will|can|did|deleted))\b"
    r"|\bich\b|\b(?:can|could|would) you\b|\bwe (?:have|had|got|get|see|need|are|found)\b"
    r"|\bwir (?:haben|sind|brauchen|bekommen)\b|\bkönn(?:en|t|ten) (?:sie|ihr) (?:uns|das|die|bitte)\b"
    r"|今天|请问|能否|能不能|麻烦|我(?:刚|今|昨|收到)"
)
_LISTS = re.compile(
    r"to unsubscribe|unsubscribe[:@,]|unsubscribe (?:at|here|from|by|via|send)|[-+]unsubscribe|mailing list|list info"
    r"|abmelden|désabonner|darse de baja|退订|取消订阅|listinfo|archives?:",
    re.I,
)
_LINKED = re.compile(r"@|://|\bwww\.|mailing list", re.I)
_POSTSCRIPT = re.compile(r"p\.?\s?s\b\.?\s?[:.-]?|(?:附|又及|另)[:：]", re.I)
_PROOFS = 3  # words of a disclaimer that make one
_SPOKEN = 25  # characters of a sentence
_NAMES = 4  # words of a name
_DISCLAIMER = 90  # characters of the shortest disclaimer
_ADORNS = " \t*_()[]<>~—–-"
_ASIDE = re.compile(r"[(<\[]|https?://|[.,;!] (?=please|excuse|sorry|enjoy|the best|swiss|free)", re.I)


def is_signature_delimiter(line: str) -> bool:
    """Tell whether a line is the dash-dash that opens a signature."""
    return bool(_SIGNATURE.match(line))


def may_be_signature(line: str) -> bool:
    """Tell whether a stripped line beneath a doubtful delimiter looks like one of a signature, not like more words."""
    return not line[:1].islower() or is_contact(line)


def is_footer_rule(line: str) -> bool:
    """Tell whether a line is made of underscores: what lists and companies put over their footers."""
    return bool(_UNDERSCORES.match(line[:200]))


def is_list_footer(line: str) -> bool:
    """Tell whether a line says how to leave a mailing list."""
    return bool(_LISTS.search(line[:SHORT]))


def is_linked(line: str) -> bool:
    """Tell whether a line holds an address or a link, or is that of a list: what footers are written for."""
    return bool(_LINKED.search(line[:SHORT]))


def is_postscript(line: str) -> bool:
    """Tell whether a stripped line adds to the letter above: nobody's signature says P.S."""
    return bool(_POSTSCRIPT.match(line))


def tells_something(line: str) -> bool:
    """Tell whether a line beneath a ruler is more than a name, a link or a number."""
    return len(line) > BRIEF or bool(_TELLS.search(line))


def is_closing(line: str) -> bool:
    """Tell whether a stripped line closes a letter ("Kind regards,"), perhaps with the name behind it."""
    if len(line) > NAMED or line[:2].lower() not in _CLOSING_STARTS:
        return False
    low = line.lower()
    word = next((w for w in _CLOSING_WORDS if low.startswith(w)), "")
    rest = low[len(word) :]
    name = rest.strip(" ,.!，。！-/")
    return bool(word) and not rest[:1].isalnum() and len(name.split()) <= _NAMES and not SENTENCE.search(name)


def is_parting(line: str) -> bool:
    """Tell whether a closing only says goodbye; thanks are words that may answer something."""
    return is_closing(line) and not line.lower().startswith(_THANKS)


def is_name(line: str) -> bool:
    """Tell whether a stripped line may be nothing but a name."""
    return 0 < len(line) <= NAMED and not tells_something(line) and len(line.split()) <= _NAMES + 1


def is_stroked_name(line: str) -> bool:
    """Tell whether a stripped line is a name behind a stroke, as in -Ann Lee or /Ann."""
    return line[:1] in "-–—/~" and bool(_STROKED.match(line[:SHORT]))


def is_contact(line: str) -> bool:
    """Tell whether a line of a signature is more than a name: a number, an address, a title, a company."""
    return bool(_CONTACT.search(line[:SHORT]) or _PHONE.search(line[:SHORT]))


def is_signing(line: str) -> bool:
    """Tell whether a stripped line may stand in a signature: short, and no sentence, request or command."""
    if len(line) > BRIEF + 20 or line[0] in "#＃>":
        return False
    if not tells_something(line):
        return True
    return is_contact(line) and not _ASKS.search(line) and sum(word[0].islower() for word in line.split()) <= 1


def is_sentence(line: str) -> bool:
    """Tell whether a stripped line says something in a sentence, rather than naming or closing."""
    return len(line.encode()) >= _SPOKEN and bool(SENTENCE.search(line)) and not is_closing(line)


def is_disclaimer(paragraph: str) -> bool:
    """Tell whether a paragraph is what companies let their servers put beneath every mail."""
    low = paragraph[:LINE].lower()
    if len(low) < LONG and any(words in low for words in _FOOTERS):
        return not _FIRST_PERSON.search(low)
    proofs = sum(words in low for words in _DISCLAIMS) if len(low.encode()) >= _DISCLAIMER else 0
    if proofs < _PROOFS or _FIRST_PERSON.search(low):
        return False
    return proofs >= 2 * _PROOFS - 1 or bool(_OF_ITSELF.search(low))


def is_device_line(line: str) -> bool:
    """Tell whether a stripped line is what a phone or a program adds by itself."""
    bare = line.strip(_ADORNS)
    if len(line) > SHORT or not bare:
        return False
    offer = _OBTAIN.match(bare)
    if offer or _CHINESE_DEVICE.match(bare):
        return not offer or any(offer.groupdict().values()) or not bare.lower().startswith(("outlook", "mail"))
    if not _names_device(bare):
        return False
    if line.endswith((".", "。", "!")) or len(line) > BRIEF + 20:  # or is it a sentence?
        plain = len(line) <= BRIEF and "," not in line
        return bool(_GADGETS.search(line[:NAMED])) and (plain or "http" in line or bool(_EXCUSES.search(line)))
    return True


def _names_device(bare: str) -> bool:
    """Tell whether a line says only from what it was sent: "Sent via DHL yesterday" is a person's."""
    english = _SENT_IN_ENGLISH.match(bare)
    sent = english or _SENT.match(bare)
    named = _GADGETS.search(bare)
    if not sent:
        return bool(named and len(bare) <= NAMED and _SENT_BEHIND.search(bare))
    thing = _ASIDE.split(bare[sent.end() :], maxsplit=1)[0]
    words = [word for word in map(_bare_word, thing.split()) if word and word.lower() not in _OF_NAMES]
    words = [word for word in words if not _GADGETS.match(word)]
    plain = [word for word in words if not (word[0].isupper() or word[0].isdigit())]
    if named:
        return len(plain) <= (0 if english else _NAMES - 1)
    if _OWN.match(thing) or _OWN.search(sent[0]):
        return len(words) <= _NAMES - 1
    return bool(english) and not plain and sent[0].lower() == "sent from " and len(words) <= _NAMES - 1


def _bare_word(word: str) -> str:
    return word.strip("'’.,;:&-|")
