"""How people and mail clients quote and sign, told from one line: words, separators and their languages.

What comes in: one line, cut to a bounded length. What goes out: what it is. The tables are the contents of this
file; every check is linear in the line (no nested repeats), since anybody may send any line.
"""

from __future__ import annotations

import re

# The verb at the end of "On … Ann wrote:", in the languages whose clients we meet.
_VERBS = (
    "wrote|writes|sent|said|schrieb|schreibt|geschrieben|a [ée]crit|écrit|escribió|escribio|escribieron|ha"
    " escrit|ha scritto"
    "|scrisse|scritto|escreveu|schreef|geschreven|skrev|skrifaði|kirjoitti|napisał\\(a\\)|napisał|napisała"
    "|napisal\\(a\\)|napisal|pisze|написал\\(а\\)|написал|написала|пишет|пише|написав|napsal\\(a\\)|napsal"
    "|napísal\\(a\\)|napísal|írta|a scris|scris|yazdı|yazmış|έγραψε|כתב|كتب|đã viết|viết|menulis"
    "|napisao|je napisal"
    "|写道|寫道|来信|书写|のメール|のメッセージ|書きました|さんは書きました|님이 작성|님이 씀|작성"
)
_DATE = re.compile(
    r"\d{1,2}[:.h]\d{2}|\d{1,4}\s?[-/.年]\s?\d{1,2}|\d{1,2}\.?\s+\w{3,12}\.?,?\s+\d{4}"
    r"|[A-Za-z]{3,9}\.?\s+\d{1,2},?\s+\d{4}|\d+월|\d+月"
    r"|(?<!\d)(?:19|20)\d\d(?!\d)|\b(?:mon|tues?|wednes|thurs?|fri|satur|sun)(?:day)?\b",
    re.I,
)
_LEAD = re.compile(
    r"\s*[*_-]*\s*(?:on|at|am|le|el|il|em|op|den|dne|dnia|w dniu|på|kl|pada|vào|le|în|la|a|в|у|вт|ср|чт|пт|сб|вс|пн"
    r"|στις|tarihinde|från|from|mon|tue|wed|thu|fri|sat|sun|lun|mar|mer|jeu|ven|sam|dim|tor|ons|tir|man|fre|lør|søn"
    r"|ma|ti|ke|to|pe|su|Op|ב|在|于|於)\b|\s*\d{1,4}[-./:年 ]",
    re.I,
)
_ADDRESS_ENDS = re.compile(r"[<(\[]?\s?[^\s<>]{1,100}@[^\s<>]{1,100}[>)\]]\s*[:：]\s*$")
_ADDRESS_SAID = re.compile(
    rf"^\s*[^\s<>][^<>]{{1,80}}<[^\s<>]{{1,100}}@[^\s<>]{{1,100}}>\s*(?:{_VERBS})\s*[:：]\s*$", re.I
)
_WHOLE_DATE = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)|\d{1,2}[./-]\s?\d{1,2}[./-]\s?\d{2,4}")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_FIELDS = {
    "from": "from|von|de|da|van|från|fra|od|от|от кого|отправитель|від|发件人|發件人|寄件者|寄件人|差出人"
    "|보낸사람|보낸 사람"
    "|lähettäjä|feladó|expéditeur|remitente|mittente|afzender|kimden|gönderen|nadawca|từ|dari|από|avsender"
    "|afsender|odesílatel",
    "date": "sent|date|gesendet|datum|envoyé|enviado|enviado el|enviada|enviado em|fecha|data|inviato|verzonden"
    "|skickat|sendt"
    "|dato|wysłano|wysłane|отправлено|дата|发送时间|發送時間|日期|时间|時間|发送日期|寄件日期|傳送日期|送信日時"
    "|日時|보낸 날짜|날짜"
    "|lähetetty|päivämäärä|elküldve|odesláno|tarih|gönderildi|sendt|ngày|đã gửi|sent at|date envoi|envoyé le"
    "|надіслано|dátum|päiväys",
    "to": "to|an|à|para|per|aan|till|til|do|кому|收件人|收件者|宛先|받는사람|받는 사람|kime|vastaanottaja"
    "|címzett|komu|destinataire"
    "|destinatario|ontvanger|đến|tới|kepada|a|προς|mottagare|modtager|til",
    "cc": "cc|kopie|kopia|copie|copia|kopi|копия|抄送|副本|참조|ccn|cc:|bilgi|másolatot kap",
    "subject": "subject|betreff|objet|asunto|oggetto|assunto|onderwerp|ämne|emne|temat|тема|主题|主題|主旨|件名"
    "|제목|konu|aihe"
    "|tárgy|předmět|predmet|sujet|chủ đề|tiêu đề|perihal|subjek|θέμα|titel|onderw",
    "other": "importance|priority|reply-to|attachments|anhänge|organization|x-priority|优先级|附件|重要性",
}
_FIELD_OF = {word: kind for kind, words in _FIELDS.items() for word in words.split("|")}
_FIELD = re.compile(r"^[\s>|*_]*([^\W\d_][^:：\n]{0,24}?)[\s\u00a0]*[*_]*[:：][*_]*(.*)$")
_RULE = re.compile(r"^\s*(?:[-_=*─—]\s?){5,}\s*$")
_ORIGINAL = re.compile(
    r"original|ursprüngliche|antwort|origine|orig[ií]n|originale|oorspronkelijk|ursprung|oprindelig|opprinnelig"
    r"|alkuperäinen"
    r"|исходное|reply message|replied message|原始|原邮件|原郵件|邮件原件|回复的|元のメッセージ|원본|oryginaln"
    r"|původní|eredeti",
    re.I,
)
_FORWARD = re.compile(
    r"forward|weitergeleitet|transf[ée]r|réexpédi|reenviado|inoltrat|encaminhad|doorgestuurd|vidarebe"
    r"|videresend|videresendt"
    r"|пересл|转发|轉寄|転送|전달|przekazan|p[řr]eposlan|välitetty|iletilen",
    re.I,
)
_FORWARD_LINE = re.compile(
    r"^\s*(?:begin forwarded message|forwarded message|anfang der weitergeleiteten .{0,20}|début du message réexpédié"
    r"|inizio messaggio inoltrato|inicio del mensaje reenviado|início da mensagem encaminhada|开始转发的邮件"
    r"|开始转发邮件"
    r"|begin doorgestuurd bericht|vidarebefordrat brev|videresendt melding|下面是被转发的邮件)\s*[:：]\s*$",
    re.I,
)
_MARKER = re.compile(r"^[\s>]*##- .{0,300} -##\s*$")
_LINK_END = re.compile(r"^[(<]?(?:https?://\S+|[^\s=/&?%]*[=/&?%]\S*)[\s)>]*$")
_UNDERSCORES = re.compile(r"^\s*_{2,}\s*$")
_TELLS = re.compile(r"[.!?。！？；;]$|^\s*[#/@!>]|^p\.?\s?s\b|^(?:附|另)[:：]|^#|\b(?:please|bitte|请)\b", re.I)
_SIGNATURE = re.compile(r"^-- ?$")
_DEVICE = re.compile(
    r"^[\s(*_]*(?:sent from |sent via |sent with |get outlook for |von meinem |gesendet (?:von|mit) "
    r"|diese nachricht wurde von meinem"
    r"|envoyé (?:de|depuis|à partir) |enviado (?:desde|do|de) |inviato da|verstuurd vanaf|verzonden (?:vanaf"
    r"|met) |skickat från"
    r"|sendt fra|wysłane z|отправлено (?:с|из) |发自我的|發自我的|来自我的|发送自|从我的.{0,20}发送"
    r"|发自.{0,12}(?:邮箱|手机|iphone|ipad)"
    r"|.{0,12}iphone\s?から送信|.{0,12}에서 보냄|lähetetty |odesláno z|iphone'umdan gönderildi|trimis de pe)",
    re.I,
)


# The verbs as plain words: asking for an ending is many times faster than searching for a pattern at every place.
_END_WORDS = (*(verb.replace("\\", "").lower() for verb in _VERBS.split("|") if "[" not in verb), "a ecrit")
_HOLDS = re.compile(rf"(?:{_VERBS})\b", re.I)
_DATED_ADDRESS = re.compile(r"\d{4}[-/年.]\s?\d{1,2}[-/月.].{0,120}<[^<>\s@]+@[^<>\s@]+>$")
_SAME_LINE = re.compile(
    r"[\s-](On (?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?,? |\d)|-{4,10} ?(?:original|forwarded|reply) message)",
    re.I,
)
_SHORT = 200
_LONG = 300
_BRIEF = 80
_WRAPS = 60  # a quoted line this long was probably wrapped
_RULERS = "-=_~—–"
_ORNAMENT = " \t\u00a0>*_"
_TITLE = 48  # characters between the dashes of a separator
_NAME = re.compile(r"[\"'<*A-ZÀ-ÞА-Я\u4e00-\u9fff]")


def is_our_marker(line: str) -> bool:
    """Tell whether this is the line of our own mails above which people answer."""
    return "##- " in line and bool(_MARKER.match(line))


def is_marked(line: str) -> bool:
    """Tell whether a line is quoted the plain way."""
    return line.lstrip(" \u00a0")[:1] in (">", "＞")


def is_rule(line: str) -> bool:
    """Tell whether a line is only a ruler."""
    return bool(_RULE.match(line[:200]))


def is_separator(line: str) -> bool:
    """Tell whether a line announces the original or a forwarded mail beneath it."""
    if line[-1:] in ":：" and _FORWARD_LINE.match(line[:100]):
        return True
    bare = line.strip(_ORNAMENT.replace("_", ""))
    title = bare.strip(_RULERS + _ORNAMENT)
    if not 0 < len(title) <= _TITLE or bare[:2].strip(_RULERS) or bare[-2:].strip(_RULERS):
        return False
    return bool(_ORIGINAL.search(title) or _FORWARD.search(title) or _HOLDS.search(title))


def header_kind(line: str) -> str:
    """Return which header of a quoted mail a line is: from, date, to, cc, subject, other, or ""."""
    match = _FIELD.match(line[:200])
    return _FIELD_OF.get(match[1].strip().lower(), "") if match else ""


def is_proven_header(line: str, kind: str) -> bool:
    """Tell whether the line holds what only such a header holds."""
    if kind in ("from", "to"):
        return "@" in line[:300]
    return kind == "date" and bool(_YEAR.search(line[:300]))


def may_end_attribution(line: str) -> str:
    """Return how a stripped line may end an attribution: by its "verb", its "address", or "" for not at all."""
    if line.endswith((":", "：")) and _ADDRESS_ENDS.search(line[-220:]):
        return "address"
    tail = line[-300:].rstrip(" :：*_-\u00a0")
    if tail[-40:].lower().endswith(_END_WORDS) or (line.endswith((":", "：")) and _HOLDS.search(tail[-160:])):
        return "verb"
    return ""


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
    return dated and (addressed or (bool(_NAME.match(first)) and len(words) < _SHORT))


def begins_with_date(line: str) -> bool:
    """Tell whether a line is the first of an attribution that goes on beneath: a lead, a date, no end."""
    if len(line) > _SHORT or "@" in line or line.endswith((".", "。", ":", "：", "!", "?")):
        return False
    return bool(_LEAD.match(line) and _WHOLE_DATE.search(line))


def is_dated_writer(words: str) -> bool:
    """Without any verb: a full date at the beginning, then an address and a colon."""
    return len(words) < _LONG and bool(_YEAR.search(words) and _DATE.search(words[:60]))


def split_behind_words(line: str) -> str | None:
    """Return what stands before an attribution in the same line, or None where there is none."""
    if "On " not in line and "essage" not in line:
        return None
    match = _SAME_LINE.search(line)
    if not match or not (match[1].startswith("-") or may_end_attribution(line.strip())):
        return None
    head = line[: match.start()].rstrip(" -")
    return None if not head or _DATE.search(head) or "@" in head or header_kind(line) else head


def is_signature_delimiter(line: str) -> bool:
    """Tell whether a line is the dash-dash that opens a signature."""
    return bool(_SIGNATURE.match(line.strip("\u00a0")))


def is_footer_rule(line: str) -> bool:
    """Tell whether a line is made of underscores: what lists and companies put over their footers."""
    return bool(_UNDERSCORES.match(line[:200]))


def tells_something(line: str) -> bool:
    """Tell whether a line beneath a ruler is more than a name, a link or a number."""
    return len(line) > _BRIEF or bool(_TELLS.search(line))


def is_device_line(line: str) -> bool:
    """Tell whether a stripped line is what a phone adds by itself."""
    return len(line) <= _BRIEF + 20 and not line.endswith((".", "。", "!")) and bool(_DEVICE.match(line))


def is_scrap(line: str, above: str) -> bool:
    """Tell whether a stripped line is the rest of the quoted line above it: the end of a link or of a sentence."""
    if len(line) > _LONG:
        return False
    if _LINK_END.match(line):
        return True
    wrapped = len(above) >= _WRAPS and above[-1] not in ".?!:;。？！："
    return wrapped and line[:1].islower() and len(line) < _WRAPS
