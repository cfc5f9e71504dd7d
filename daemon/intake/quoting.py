"""How people and mail clients quote, told from one line: words, separators and their languages.

What comes in: one line, cut to a bounded length. What goes out: what it is. The tables are the contents of this
file; every check is linear in the line (no nested repeats), since anybody may send any line.
"""

from __future__ import annotations

import re


def listed(words: str) -> tuple[str, ...]:
    """Return the words between the bars."""
    return tuple(words.split("|"))


# The verb at the end of "On … Ann wrote:", in the languages whose clients we meet.
_VERBS = (
    "wrote|writes|sent|said|has written|schrieb|schreibt|geschrieben|a [ée]crit|écrit|écrivait|avez écrit|escribió"
    "|escribio|escribieron|escribía|ha escrit|va escriure|escribiu|idatzi du|ha scritto|hai scritto"
    "|scrisse|scritto|escreveu|schreef|geschreven|geskryf|skrev|skrifaði|kirjoitti|kirjoittanut"
    "|napisał\\(a\\)|napisał|napisała|napisali|napisal\\(a\\)|napisal/-a|napisal|napisala|pisze"
    "|написал\\(а\\)|написал|написала|написали|пишет|писал|писала|писали|пише|писав|написав|написа|напиша|піша|напісаў"
    "|је написао/ла|написао/ла|написао|je napisao/la|napisao/la je|napisao/la|napisao je|napisala je|napisao"
    "|napsal\\(a\\)|napsal|napsala|píše|napísal\\(a\\)|napísal|napísala|írta|a scris|scris"
    "|kirjutas|rakstīja|rašė|parašė|yazdı|yazmış|yazıb|έγραψε|כתב|כתבה|כתב/ה|כתב\\(ה\\)"
    "|كتب|كتبت|تمت كتابة|نوشت|نوشته است|ने लिखा|लिखा|لکھا|লিখেছেন|เขียนว่า|เขียน"
    "|đã viết|viết|menulis|tulis|menulis bahwa|sinulat|missatge de|kirjutas kasutaja"
    "|写道|寫道|来信|书写|写到|提到|说道|說道|写于|寫於|写道于|のメール|のメッセージ|書きました|さんは書きました"
    "|님이 작성|님이 씀|작성|님께서 작성"
)
# Other verbs tell who speaks only right above marked lines: people write "the vendor replied:" themselves.
_MORE_VERBS = "stated|asked|replied|responded|commented|noted|added|remarked|suggested|typed|spoke|antwortete|fragte"
# What stands at the beginning of an attribution without a date.
_OPENING = re.compile(
    r"\s*(?:quoting|zitat von|in reply to|in response to|als antwort auf|citando|citát|citat"
    r"|excerpts from|according to|in (?:message|article)|thus spa[kc]e"
    r"|quoth|mensagem citada por|mensaje citado por|引用)[\s:：]+\S",
    re.I,
)
_ON_A_BOARD = re.compile(r"^【 ?在 .{1,80} ?的大作中提到")  # what Chinese boards write above
_ARTICLE = re.compile(r"^(?:in (?:article|message) )?<[^\s<>]{1,200}@[^\s<>]{1,200}>,?$", re.I)
_DATE = re.compile(
    r"\d{1,2}[:.h]\d{2}|\d{1,4}\s?[-/.年]\s?\d{1,2}|\d{1,2}\.?\s+\w{3,12}\.?,?\s+\d{4}"
    r"|[A-Za-z]{3,9}\.?\s+\d{1,2},?\s+\d{4}|\d+월|\d+月"
    r"|(?<!\d)(?:19|20)\d\d(?!\d)|\b(?:mon|tues?|wednes|thurs?|fri|satur|sun)(?:day)?\b",
    re.I,
)
_LEAD = re.compile(
    r"\s*[*_-]*\s*(?:on|at|am|le|el|il|em|op|den|dne|dnia|w dniu|på|kl|pada|vào|le|în|la|a|в|у|вт|ср|чт|пт|сб|вс|пн"
    r"|στις|tarihinde|från|from|mon|tue|wed|thu|fri|sat|sun|lun|mar|mer|jeu|ven|sam|dim|tor|ons|tir|man|fre|lør|søn"
    r"|ma|ti|ke|to|pe|su|Op|ב|在|于|於|o|d|u|v|po|na|на|во|в|у|нд|þann|kuupäev|dana|dne|a|az|ngày|ในวันที่|เมื่อ|في|در"
    r"|quoting|date|vom|du|del)\b|\s*[\d०-९]{1,4}[-./:年 ]",
    re.I,
)
_ADDRESS_ENDS = re.compile(r"[<(\[]?\s?[^\s<>]{1,100}@[^\s<>]{1,100}\s?[>)\]]\s*[:：]\s*$")
_ADDRESS_SAID = re.compile(
    rf"^\s*[^\s<>][^<>]{{1,80}}[<(]\s?[^\s<>]{{1,100}}@[^\s<>]{{1,100}}\s?[>)],?\s*(?:{_VERBS})\s*[:：]\s*$", re.I
)
_WHOLE_DATE = re.compile(
    r"(?<!\d)(?:(?:19|20)\d\d|25[5-9]\d|١٤\d\d|٢٠\d\d|۱[۳۴]\d\d|۲۰\d\d|२०\d\d)(?!\d)"
    r"|\d{1,2}[./-]\s?\d{1,2}[./-]\s?\d{2,4}"
)
_YEAR = re.compile(r"(?<!\d)(?:(?:19|20)\d\d|25[5-9]\d|٢٠\d\d|۱[۳۴]\d\d|۲۰\d\d)(?!\d)")
_FIELDS = {
    "from": "from|von|de|da|van|från|fra|od|от|от кого|отправитель|від|від кого|发件人|發件人|发信人|寄件者|寄件人"
    "|差出人"
    "|보낸사람|보낸 사람|lähettäjä|feladó|expéditeur|remitente|mittente|afzender|kimden|gönderen|nadawca|từ|người gửi"
    "|dari|daripada|pengirim|από|avsender|afsender|odesílatel|odosielateľ|de la|de către|saatja|no|nuo|siuntėjas"
    "|sūtītājs|pošiljatelj|pošiljalac|šalje|од|пошиљалац|подател|מאת|من|از|فرستنده|प्रेषक|จาก|ผู้ส่ง|frá|enviat per"
    "|发送人|送信者|oanspjutte",
    "date": "sent|date|gesendet|datum|envoyé|enviado|enviado el|enviada|enviada em|enviado em|fecha|data|inviato"
    "|verzonden|skickat|sendt|dato|wysłano|wysłane|отправлено|дата|发送时间|發送時間|日期|时间|時間|发送日期"
    "|發送日期|发件日期|发件时间|發件日期|發件時間"
    "|寄件日期|傳送日期|送信日時|日時|日付|보낸 날짜|보낸시간|날짜|lähetetty|päivämäärä|elküldve|küldve|odesláno"
    "|odoslané|odoslaná|tarih|gönderildi|gönderilme tarihi|ngày|đã gửi|gửi lúc|sent at|date envoi|envoyé le"
    "|надіслано|надіслана|dátum|päiväys|data wysłania|trimis|trimisă|dată|изпратено|послано|датум|poslano|poslato"
    "|saadetud|kuupäev|nosūtīts|datums|išsiųsta|enviat|data d'enviament|dikirim|tanggal|tarikh|dihantar|στάλθηκε"
    "|ημερομηνία|נשלח|תאריך|تاريخ الإرسال|أرسلت|التاريخ|تاریخ|ارسال شده|भेजा गया|दिनांक|तारीख|ส่ง|ส่งเมื่อ|วันที่"
    "|sent on|date sent|dagsetning",
    "to": "to|an|à|para|per|aan|till|til|do|кому|收件人|收件者|宛先|받는사람|받는 사람|kime|alıcı|vastaanottaja"
    "|címzett|komu|destinataire|destinatario|destinatário|ontvanger|đến|tới|người nhận|kepada|ke|penerima|a|προς"
    "|mottagare|mottaker|modtager|către|pentru|catre|до|за|прима|za|prima|adressaat|kellele|kam|kam|adresāts|gavėjas"
    "|per a|אל|إلى|به|प्रति|ถึง|受信者|送信先|empfänger|adresat",
    "cc": "cc|kopie|kopia|copie|copia|kopi|копия|抄送|抄送人|抄送至|副本|참조|ccn|cc:|bilgi"
    "|másolatot kap|másolat|копія|kópia"
    "|copie către"
    "|κοιν|עותק|نسخة|رونوشت|สำเนา|đồng kính gửi|tembusan|bcc|密送|密件抄送",
    "subject": "subject|betreff|objet|asunto|oggetto|assunto|onderwerp|ämne|emne|temat|тема|主题|主題|主旨|件名"
    "|제목|konu|aihe|tárgy|předmět|predmet|sujet|chủ đề|tiêu đề|perihal|subjek|θέμα|titel|onderw|subiect|относно"
    "|наслов|предмет|naslov|zadeva|teema|temats|tēma|tema|assumpte|נושא|الموضوع|موضوع|विषय|เรื่อง|efni|标题|题目|re",
    "other": "importance|priority|reply-to|attachments|anhänge|organization|x-priority|优先级|附件|重要性|message-id"
    "|wichtigkeit|priorität|pièces jointes|allegati|adjuntos|anexos|添付ファイル|附加檔案|sent by|mailed-by|signed-by",
}
_FIELD_OF = {word: kind for kind, words in _FIELDS.items() for word in words.split("|")}
_INNER_SPACE = re.compile(r"(?<=[\u4e00-\u9fff])[ \u00a0\u3000]+(?=[\u4e00-\u9fff])")  # 主　题, 抄 送
_FIELD = re.compile(r"^[\s>|*_]*([^\W\d_][^:：\n]{0,24}?)[\s\u00a0]*[*_]*[:：][*_]*(.*)$")
_RULE = re.compile(r"^\s*(?:[-_=*─—]\s?){5,}\s*$")
_ORIGINAL = re.compile(
    r"original|ursprüngliche|antwort|nachricht von|origine|orig[ií]n|originale|oorspronkelijk|ursprung|oprindelig"
    r"|opprinnelig|alkuperäinen|upprunaleg|исходное|оригинал|початкове|изходно|first message"
    r"|reply (?:to )?message|replied message|原始|原邮件|原郵件|邮件原件|邮件原文|回复的|元のメッセージ|元のメール|원본"
    r"|oryginaln"
    r"|wiadomość"
    r"|původní|pôvodná|eredeti|izvorna|izvirno|algne|originālā|pirminis|αρχικό|הודעה מקורית|الرسالة الأصلية|پیام اصلی"
    r"|मूल संदेश|ข้อความต้นฉบับ|thư gốc|tin nhắn gốc|pesan asli|mesej asal|özgün|orijinal|mensagem de|mensaje de",
    re.I,
)
_FORWARD = re.compile(
    r"forward|weitergeleitet|transf[ée]r|réexpédi|reenviado|reenviad|inoltrat|encaminhad|doorgestuurd|vidarebe"
    r"|videresend|videresendt|áframsend|пересл|пересыла|перенаправл|переадрес|препрат|прослеђ|转发|轉寄|轉發|転送"
    r"|전달|przekazan"
    r"|przesł"
    r"|p[řr]eposlan|välitetty|lähetetty edelleen|iletilen|továbbított|redirecționat|redirection|proslije|prosleđ"
    r"|posredovan|edastatud|pārsūtīt|persiųst|reenviat|προωθη|הועבר|معاد توجيه|إعادة توجيه|ارسال شده|अग्रेषित|ส่งต่อ"
    r"|chuyển tiếp|diteruskan|dimajukan|terusan",
    re.I,
)
# What a separator names besides; titles without it ("--- original ---", "=== forward zone ===") are people's own too.
_MAIL = re.compile(
    r"e-?mail|messag|mail\b|nachricht|mensaje|mensagem|correo|courriel|bericht|meddelande|meddelelse|melding|besked"
    r"|brev|viesti|skilaboð|wiadomość|zpráv|správ|üzenet|levél|mesaj|ileti|сообщени|письм|повідомлен|лист|съобщени"
    r"|писмо|порука|порак|poruk|sporočil|kiri|sõnum|vēstul|ziņojum|laišk|pranešim|μήνυμα|הודעה|رسالة|پیام|संदेश|ข้อความ"
    r"|จดหมาย|thư|tin nhắn|pesan|mesej|surat|missatge|邮件|郵件|信件|来信|メール|メッセージ|메일|메시지",
    re.I,
)
_FORWARD_LINE = re.compile(
    r"^[\s>*]*(?:begin forwarded message|forwarded message|anfang der weitergeleiteten .{0,20}"
    r"|weitergeleitete nachricht"
    r"|début du message réexpédié|début du message transféré|message transféré|message réexpédié"
    r"|inizio messaggio inoltrato|messaggio inoltrato|inicio del mensaje reenviado|mensaje reenviado"
    r"|início da mensagem (?:encaminhada|reencaminhada)|mensagem encaminhada|开始转发的邮件|开始转发邮件|被转发的邮件"
    r"|转发的邮件|轉寄的郵件|開始轉寄郵件|begin doorgestuurd bericht|doorgestuurd bericht"
    r"|vidarebefordrat (?:brev|meddelande)"
    r"|videresendt melding|videresendt (?:besked|meddelelse)|start på videresendt (?:besked|melding)"
    r"|välitetty viesti(?: alkaa)?|välitetyn viestin alku|początek przekazywanej wiadomości|wiadomość przekazana"
    r"|začátek přeposlané zprávy|továbbított levél kezdete|iletilen mesajın başlangıcı"
    r"|начало переадресованного сообщения"
    r"|переслан\w{2,4} (?:сообщение|письмо)|начало переадресованого повідомлення|下面是被转发的邮件|以下是转发的邮件"
    r"|転送されたメッセージ|전달된 메시지|전달된 메일|bắt đầu thư được chuyển tiếp"
    r"|mulai meneruskan pesan)\s*[*]?[:：][\s*]*$",
    re.I,
)
# The line above which other products, and people's own desks, ask for answers.
_ABOVE = re.compile(
    r"(?:above|over) (?:this|the) line|(?:reply|respond) above\W{0,20}$|above to reply|über diese[rn]? (?:linie|zeile)"
    r"|oberhalb dieser (?:linie|zeile)|au-dessus de cette ligne|(?:por )?encima de esta línea|sobre esta línea"
    r"|sopra (?:a )?questa (?:linea|riga)|acima d(?:esta|essa) linha|boven deze (?:lijn|regel)"
    r"|ovanför (?:denna|den här) rad"
    r"|over denne linjen?|tämän rivin yläpuolelle|powyżej tej linii|nad (?:tento řádek|tuto čáru|tento riadok)"
    r"|(?:выше|над) этой (?:линии|линией|строки|строкой|черты|чертой)|bu satırın üst|deasupra acestei linii|e sor fölé"
    r"|この(?:行|線)より上|(?:此|该|这|這)条?(?:行|线|線|條線)(?:以上|之上|上方)|이 (?:줄|선) 위|trên dòng này"
    r"|di atas baris ini",
    re.I,
)
_ASKS_ABOVE = re.compile(
    r"^\s*(?:please |kindly )?(?:type your |enter your |write your )?(?:reply|respon[ds]e?|write|answer)", re.I
)
_MARKER = re.compile(r"^[\s>]*##- .{0,300} -##\s*$")
_DECORATED = re.compile(r"^[\s>]*(?:[-=#_*~—–]\s?){2}|[-=#_*~—–]{2}\s*$")
_LOTUS = re.compile(r"---\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4} \d{1,2}:\d{2}(?::\d{2})?(?: ?[AP]M)?---", re.I)
_GROUPWISE = re.compile(r"^>>> .{3,160} >>>\s*$")
_RUN_ON = re.compile(r"^[\s>*]*-{3,12} ?(?:forwarded|original) message ?-{3,12}\s?(?=from: )", re.I)
_SUPERCITE = re.compile(r"^>{1,8} *\"[^\"]{1,20}\" == .{1,120}:\s*$")
_INITIALS = re.compile(r"^\s{0,8}((?:[A-Za-zÀ-ÞА-Я]{1,12})?[>|]|:(?= ))(?:[>\s]|$)")
_DIFF = re.compile(r"^(?:< |\d+(?:,\d+)?[acd]\d+(?:,\d+)?\s*$)")
_LINK_END = re.compile(r"^[(<]?(?:https?://\S+|[^\s=/&?%]*[=/&?%]\S*)[\s)>]*$")

SENTENCE = re.compile(r"[.!?…:;,](?:$|\s)|[。！？；，]")
_FORWARDS = re.compile(
    r"^\s*(?:\[[^\]]{1,40}\]\s*)*(?:fwd?|wg|tr|trs|rv|renv|enc|i|inoltro|vb|doorst|fs|vl|pd|tovább|továbbítás|ilt|i̇lt|yml|yan"
    r"|πρθ|пер|пересл|препр|ch|chuyển tiếp|转发|轉寄|转寄|轉發|転送|전달|הועבר|إعادة توجيه|ส่งต่อ|redir|redirecționat)"
    r"\s*(?:[\[(]\d{1,3}[\])])?\s*[:：]|\(fwd\)\s*$|^\s*\[fwd: ",
    re.I,
)

_ANSWERS = re.compile(
    r"^\s*(?:\[[^\]]{1,40}\]\s*)*(?:re|aw|antw|sv|vs|rif|r|res|resp|odp|vá|atb|ynt|yan|bls|ref|σχετ|απ|отв|на|回复|回覆|答复|回信"
    r"|答覆|返信|답장|회신|תשובה|رد|ตอบกลับ|trả lời|tl|balas|bls)\s*(?:[\[(^]?\d{1,3}[\])]?)?\s*[:：]",
    re.I,
)

# The verbs as plain words: asking for an ending is many times faster than searching for a pattern at every place.
_END_WORDS = (*(verb.replace("\\", "").lower() for verb in _VERBS.split("|") if "[" not in verb), "a ecrit")
_TORN_END = re.compile(rf"^>,? ?(?:{_VERBS})\s?[:：]\s*$", re.I)
_HOLDS = re.compile(rf"(?:{_VERBS})(?:\b|(?=\W|$))", re.I)
_DATED_ADDRESS = re.compile(r"\d{4}[-/年.]\s?\d{1,2}[-/月.].{0,120}<[^<>\s@]+@[^<>\s@]+>$")
_SAME_LINE = re.compile(
    r"[\s-](On (?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?,? |\d)|-{4,10} ?(?:original|forwarded|reply) message)",
    re.I,
)
_UNSEEN = {
    **dict.fromkeys(map(ord, "\u00a0\u2007\u2009\u202f\u3000"), " "),
    **dict.fromkeys(
        map(
            ord,
            "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufeff",
        )
    ),
}
_END_TAILS = frozenset(word[-2:] for word in _END_WORDS)
_AFTER_VERB = " :：*_-】\u00a0"
_SIGNS = frozenset("-=_~—–#*>|<:：＞")
LINE = 1000
SHORT = 200
LONG = 300
BRIEF = 80
_WRAPS = 60  # a quoted line this long was probably wrapped
NAMED = 60  # characters of a closing with a name
_RULERS = "-=_~—–"
_ORNAMENT = " \t\u00a0>*_"
_BARE = 24  # characters of a title without rulers
_TITLE = 48  # characters between the dashes of a separator
_LONG_TITLE = 110  # … that names who forwarded what
_FIELD_NAME = 60  # where the colon behind the name of a header stands
_NAME = re.compile(r"[\"'<*A-ZÀ-ÞА-Я\u4e00-\u9fff]")
_SAID = re.compile(
    r"^[\s*_\"'<(]*(?:(?:[A-ZÀ-ÞĀ-ŽА-ЯΑ-Ω\u0590-\ud7ff][^\s:]{0,40} ){1,5}|[^\s@]{1,60}@[^\s@]{1,60} )"
    rf"(?:{_VERBS})[\s:：]*$"
)
_WROTE = re.compile(r"^[\s*#@]*(?:[^\s:]{1,40} ){1,3}(?:wrote|writes):$")
_SAID_OTHERWISE = re.compile(rf"^[A-ZÀ-ÞА-Я].{{1,160}} (?:{_MORE_VERBS}):$")
_TIME = re.compile(r"\d[:.h]\s?\d\d|\d ?[点點時时시]|[०-९٠-٩۰-۹][:.]")
_SPEECH = re.compile(r"\b(?:sent|said)[\s:：*]*$", re.I)
_NAMED_WRITER = re.compile(rf"[,\d]\s(?:[A-ZÀ-ÞĀ-ŽА-ЯΑ-Ω]\S{{0,40}} ){{1,4}}(?:{_VERBS})[\s:：*]*$")
_MOMENT = re.compile(r"\s*\d{1,4}(?:[./-]\d{1,2}|:\d\d)[\d./: -]*$")
_ANSWERING = re.compile(
    r"(?:yes|yep|yeah|no|nope|not|ok|okay|sure|done|i|i'm|i'll|we|it|maybe|right|agreed|true|false|never|thanks|fixed|ja"
    r"|nein|nicht|ich|wir|oui|non|je|sí|no sé|sim|não|si|nee|да|нет)\b",
    re.I,
)
_PRONOUNS = listed("you|i|he|she|it|they|we|who|this|that|the|my|our|your|sie|er|ich|wir|il|elle|je")
_PRONOUN = re.compile(rf"[\s*_]*(?:{'|'.join((*_PRONOUNS, *map(str.capitalize, _PRONOUNS)))})\b")


def visible(line: str) -> str:
    """Return the line with plain spaces, and without the marks of direction that some clients write into it."""
    return line if line.isascii() else line.translate(_UNSEEN)


def may_separate(line: str) -> bool:
    """Tell, at a glance, whether a stripped line may be a marker or a separator; most lines may not."""
    return line[0] in _SIGNS or line[-1] in _SIGNS or "---" in line or bool(_ASKS_ABOVE.match(line))


def is_our_marker(line: str) -> bool:
    """Tell whether this is the line of a desk's mails (ours or another's) above which people answer."""
    if "##- " in line and _MARKER.match(line):
        return True
    if len(line) > SHORT or not (_DECORATED.search(line) or (len(line) <= BRIEF and _ASKS_ABOVE.match(line))):
        return False
    return bool(_ABOVE.search(line))


def is_marked(line: str) -> bool:
    """Tell whether a line is quoted the plain way."""
    return line.lstrip(" \u00a0")[:1] in (">", "＞")


def only_looks_marked(line: str) -> bool:
    """Tell whether a line begins with ">" and announces a quote: "> wrote:", ">>> Ann 11/23/2026 >>>"."""
    if not line.startswith(">") or len(line) > SHORT or line.rstrip()[-1] not in ":：>":
        return False
    return bool(_TORN_END.match(line) or _GROUPWISE.match(line) or _SUPERCITE.match(line))


def without_mark(line: str) -> str:
    """Return a line without the first of its quote marks."""
    bare = line.lstrip(" \u00a0")
    return bare[1:].removeprefix(" ") if bare[:1] in (">", "＞") else line


def odd_mark(line: str) -> str:
    """Return what marks a line as quoted where it is no plain mark: a bar, or the writer's initials ("AB>")."""
    match = _INITIALS.match(line[:20])
    return match[1] if match and not line.rstrip().endswith("|") else ""


def is_rule(line: str) -> bool:
    """Tell whether a line is only a ruler."""
    return bool(_RULE.match(line[:200]))


def is_separator(line: str) -> bool:
    """Tell whether a line announces the original or a forwarded mail beneath it."""
    if line[-1:] in ":：* " and _FORWARD_LINE.match(line[:100]):
        return True
    if "--" in line and _RUN_ON.match(line[:SHORT]):
        return True
    if "---" in line and _LOTUS.search(line[:LONG]):
        return True
    if line.startswith(">>> ") and _GROUPWISE.match(line[:SHORT]):
        return bool(_WHOLE_DATE.search(line[:SHORT]))
    title = _title(line)
    if len(title) > _TITLE and not (_WHOLE_DATE.search(title) or "@" in title):
        return False
    return bool(title) and bool(_ORIGINAL.search(title) or _FORWARD.search(title) or _HOLDS.search(title))


def is_sure_separator(line: str) -> bool:
    """Tell whether a separator says that it is one of a mail; beneath any other, a mail must be seen to begin."""
    title = _title(line)
    return not title or bool(_MAIL.search(title) or _WHOLE_DATE.search(title) or "@" in title)


def is_forward_separator(line: str) -> bool:
    """Tell whether a separator announces a forwarded mail (rather than the one that is answered)."""
    run_on = _RUN_ON.match(line[:SHORT])
    if _FORWARD_LINE.match(line[:100]):
        return True
    title = run_on[0] if run_on else _title(line)
    return bool(title) and bool(_FORWARD.search(title)) and not _ORIGINAL.search(title)


def _title(line: str) -> str:
    """Return what stands between two rulers in one line, or ""."""
    bare = line.strip(_ORNAMENT.replace("_", ""))
    if bare[:2].strip(_RULERS) or bare[-2:].strip(_RULERS):
        return ""
    title = bare.strip(_RULERS + _ORNAMENT)
    return title if len(title) <= _LONG_TITLE else ""


def behind_separator(line: str) -> str:
    """Return what stands behind a separator in the same line: one client writes all headers there."""
    match = _RUN_ON.match(line[:SHORT])
    return line[match.end() :].strip() if match else ""


def is_bare_title(line: str) -> bool:
    """Tell whether a stripped line is the title of a separator without its rulers: some clients draw those."""
    return len(line) <= _BARE and bool(_ORIGINAL.search(line) or _FORWARD.search(line)) and not SENTENCE.search(line)


def header_kind(line: str) -> str:
    """Return which header of a quoted mail a line is: from, date, to, cc, subject, other, or ""."""
    return header_field(line)[0]


def header_field(line: str) -> tuple[str, str]:
    """Return which header of a quoted mail a line is and what it says, or ("", "")."""
    if line.find(":", 0, _FIELD_NAME) < 0 and line.find("：", 0, _FIELD_NAME) < 0:
        return "", ""
    match = _FIELD.match(line[:LINE])
    if not match:
        return "", ""
    name = match[1].strip().lower()
    if not name.isascii():
        name = _INNER_SPACE.sub("", name)
    return _FIELD_OF.get(name, ""), match[2].strip()


def is_proven_header(line: str, kind: str) -> bool:
    """Tell whether the line holds what only such a header holds."""
    if kind in ("from", "to"):
        return "@" in line[:300]
    return kind == "date" and bool(_YEAR.search(line[:300]))


def may_end_attribution(line: str) -> str:
    """Return how a stripped line may end an attribution: by its "verb", "address", "colon", or "" for not at all."""
    colon = line.endswith((":", "："))
    if colon and _ADDRESS_ENDS.search(line[-220:]):
        return "address"
    tail = line[-300:].rstrip(_AFTER_VERB)
    if tail[-2:].lower() in _END_TAILS and tail[-40:].lower().endswith(_END_WORDS):
        return "verb"
    if not colon:
        return "address" if is_dated_address(line) else ""
    return "verb" if _HOLDS.search(tail[-160:]) else "colon"


def holds_verb(words: str) -> bool:
    """Tell whether somebody wrote or said something, anywhere in these words."""
    return bool(_HOLDS.search(words[:LONG]))


def is_dated_address(line: str) -> bool:
    """Tell whether a line is a date and an address and nothing else."""
    return line.endswith(">") and bool(_DATED_ADDRESS.match(line[:300]))


def says_who_and_when(words: str, first: str) -> bool:
    """Tell whether joined lines, of which `first` is the uppermost, name a writer and a whole date or an address."""
    if "@" in words and _ADDRESS_SAID.match(words):
        return True
    dated, addressed = bool(_WHOLE_DATE.search(words)), "@" in words
    if _LEAD.match(first):
        return dated or addressed
    return dated and (addressed or (bool(_NAME.match(first)) and len(words) < SHORT))


def says_who(line: str) -> bool:
    """Tell whether a stripped line names a writer, which is enough where marked lines follow: "Ann Baker wrote:"."""
    if len(line) > SHORT or _PRONOUN.match(line):
        return False
    if _OPENING.match(line) or _SUPERCITE.match(line):
        return line.endswith((":", "："))
    if _ON_A_BOARD.match(line) or (_SAID_OTHERWISE.match(line) and _names_somebody(line)):
        return True
    if (
        _SAID.match(line)
        or _WROTE.match(line)
        or (_WHOLE_DATE.search(line) and line.endswith((":", "：")) and "@" in line)
    ):
        return True
    return line.startswith("* ") and line.endswith("]:") and "@" in line


def _names_somebody(line: str) -> bool:
    """Tell whether a line holds an address, or a whole date, or is hardly more than a name."""
    return "@" in line or bool(_WHOLE_DATE.search(line)) or all(w[0].isupper() for w in line.split()[:-1])


def names_article(line: str) -> bool:
    """Tell whether a line is the first of an attribution by what was written: "In article <...>,"."""
    return bool(_ARTICLE.match(line[:SHORT]))


def is_told_surely(words: str) -> bool:
    """Tell whether an attribution is so whole that it may stand over unmarked lines: people tell who said what, too."""
    if "@" in words:
        return True
    if not words.rstrip(" *_\u00a0").endswith((":", "：")) or _SPEECH.search(words[-NAMED:]):
        return False
    return bool(_TIME.search(words) or _NAMED_WRITER.search(words[-SHORT:]))


def is_moment(value: str) -> bool:
    """Tell whether the value of a header is a date or a time, as in "From: 10:00"."""
    return bool(_MOMENT.match(value))


def begins_with_date(line: str) -> bool:
    """Tell whether a line is the first of an attribution that goes on beneath: a lead, a date, no end."""
    if len(line) > SHORT or "@" in line or line.endswith((".", "。", ":", "：", "!", "?")):
        return False
    return bool(_LEAD.match(line) and _WHOLE_DATE.search(line))


def is_dated_writer(words: str) -> bool:
    """Without any verb: a full date at the beginning, then an address and a colon."""
    return len(words) < LONG and bool(_YEAR.search(words) and _DATE.search(words[:60]))


def split_behind_words(line: str) -> str | None:
    """Return what stands before an attribution in the same line, or None where there is none."""
    if "On " not in line and "essage" not in line:
        return None
    match = _SAME_LINE.search(line)
    if not match or not (match[1].startswith("-") or may_end_attribution(line.strip())):
        return None
    head = line[: match.start()].rstrip(" -")
    return None if not head or _DATE.search(head) or "@" in head or header_kind(line) else head


def is_diff(line: str) -> bool:
    """Tell whether a line is one that `diff` prints: it marks new lines as mails mark quoted ones."""
    return bool(_DIFF.match(line))


def is_armour(line: str, what: str) -> bool:
    """Tell whether a line is this part of the frame that PGP puts around a text."""
    return line.startswith("-----") and line.strip(" -") == what


def is_prompt(line: str) -> bool:
    """Tell whether a marked line is what Python's prompt looks like: no client begins at the third level."""
    return line.startswith(">>> ") or line.rstrip() == ">>>"


def is_dotted_rule(line: str) -> bool:
    """Tell whether a stripped line is a ruler with spaces in it, as old clients draw beneath what they quote."""
    return line.startswith("= = =") and not line.strip("= ")


def is_frame(line: str) -> bool:
    """Tell whether a line is the empty frame of a table written as text: phones write cards of addresses so."""
    return "|" in line[:SHORT] and not line[:SHORT].strip(" \t|")


def is_scrap(line: str, above: str) -> bool:
    """Tell whether a stripped line is the rest of the quoted line above it: the end of a link or of a sentence."""
    if len(line) > LONG:
        return False
    if _LINK_END.match(line):
        return True
    wrapped = is_wrapped(above) and above[-1] not in ".?!:;。？！：" and not _ANSWERING.match(line)
    return wrapped and line[:1].islower() and len(line) < _WRAPS


def is_wrapped(line: str) -> bool:
    """Tell whether a line is so long that its client has probably wrapped it."""
    return len(line) >= _WRAPS


def says_answer(subject: str) -> bool:
    """Tell whether a subject begins as those of answers do."""
    return bool(_ANSWERS.match(subject[:SHORT]))


def says_forward(subject: str) -> bool:
    """Tell whether a subject begins as those of forwarded mails do."""
    return bool(_FORWARDS.search(subject[:SHORT]))
