"""From a returned mail to who was not reached: the standard report, else the plain words of mail servers.

What comes in: a Returned (what the mail says, in pieces). What goes out: a BounceReport, or None where nothing says
that a mail came back. This file alone knows how mail servers tell that they did not deliver (RFC 3464, and before
and beside it). A server lists whom it did not reach, or names him behind a word that says so: it is the place of an
address that counts, not the product that wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

_MAX_RECIPIENTS = 100
_MAX_NAMED = 20  # so many addresses stand in plain words; more are a copy of something
_ENOUGH = 2
_SURELY = 3
_TEXT = 32_768
_LINE = 1000
_BEGINNING = 300
_NEAR = 600
_TAIL = 80
_LONGEST_DIAGNOSTIC = 300
_WRITER, _HELPER = 3, 4  # worse ranks: who wrote the mail that came back, and whom to ask for help


def _words(by_language: dict[str, str]) -> re.Pattern[str]:
    return re.compile("|".join(by_language.values()), re.I)


# --- who reports ---

_SURE_DAEMON = re.compile(r"mailer[-_ ]?daemon|microsoftexchange|mmdf", re.I)
_DAEMON = re.compile(
    r"(?:mailer[-_]?daemon|mail-?daemon|m?daemon|post-?master|postoffice|mail-?admin|mail-?system|mail-?gate|mailer"
    r"|mail[._-]?delivery|noreply-postmaster|bounces?|microsoftexchange|mmdf|listserv|smtpd?|uucp)(?![a-z])",
    re.I,
)
_DAEMON_NAME = re.compile(r"mail(?:er)? ?(?:delivery|daemon)|mailer-daemon|delivery (?:sub)?system|退信", re.I)
_GATEWAY = re.compile(
    r"smtp|mail[_ -]?(?:service|gateway|server|system)|anti-?virus|virus[_ -]?wall|imss|system administrator"
    r"|mail administrator|postmaster|mailadmin|系统管理员|邮件系统|郵件系統|邮件管理员"
    r"|메일 ?시스템|почтов\w{1,4} систем",
    re.I,
)

# --- what the subject of a report says ---

_SUBJECT = _words(
    {
        "en": r"undeliver|failed mail|failed delivery|failure notice|(?:non|un)[- ]?deliver|bounce|rejected"
        r"|delivery[ -](?:status|warning|fail|has failed|problem|notification|unsuccessful|report|error|delay"
        r"|incomplete|expired|attempt)|delayed mail"
        r"|return(?:ed|ing)? (?:e?-?mail|message|to sender)|returned:|address not found|mail warning"
        r"|mail(?:er)? ?(?:delivery )?(?:fail|error|system error)|message (?:not|could not|delayed|blocked|rejected)"
        r"|(?:could|can)(?:no| no|n'|')t be (?:delivered|sent)|not (?:be )?(?:delivered|sent)|unable to deliver"
        r"|unknown (?:user|address|recipient)|(?:user|recipient|address) unknown|over ?quota|mailbox (?:is )?full"
        r"|warning: (?:could not send|message|.{1,80} - user unknown)",
        "de": r"unzustellbar|nicht zugestellt|zustellung|zurückgewiesen|fehlgeschlagen",
        "fr": r"échec|non remis|non distribué|non délivré|retourné|impossible de remettre",
        "es": r"no entregad|no se (?:ha )?p(?:udo|odido) entregar|devuelto|error de entrega",
        "pt": r"n[ãa]o entregue|falha na entrega|n[ãa]o foi poss[ií]vel entregar",
        "it": r"mancato recapito|non recapitat|mancata consegna|impossibile recapitare",
        "nl": r"onbestelbaar|niet bezorgd",
        "sv da no": r"kan inte levereras|ej levererat|kan ikke leveres",
        "pl cs tr": r"niedostarcz|nie dostarczon|nedoručiteln|nedoručen|teslim edilemedi",
        "ru": r"недоставл|не ?доставлен|не может быть доставлено|возвращ",
        "zh": r"退信|退回|拒收|投递(?:失败|错误|延迟)|邮件延迟|(?:发送|传送|传递)失败|(?:投遞|發送)失敗"
        r"|未(?:能)?(?:送达|送達|投递)"
        r"|(?:无法|無法)(?:投递|投遞|送达|送達|传递|傳遞|发送)",
        "ja": r"不達|未達|送信(?:できません|エラー)|配信(?:不能|エラー|失敗|できません)|戻り|返送",
        "ko": r"(?:전송|배달|발송) ?실패|반송|배달되지|전송되지|수신 ?거부",
    }
)
_ARRIVED = re.compile(r"\((?:success|relay)\)|^(?:delivered|relayed|expanded):|successful|成功|配信済", re.I)
_PASSED_ON = re.compile(r"^[\s\[]*(?:fwd?|wg|tr|rv|i|enc|doorst|vs|vb|pd|転送|转发|轉寄|전달)\s*[:：]", re.I)
_ANSWERED = re.compile(r"^[\s\[]*(?:re|aw|sv|antw|r|res|回复|答复|回覆|返信|回信)\s*[:：]", re.I)
_GREETING = re.compile(r"\s*(?:(?:hi|hello|hallo|dear|good|hey|bonjour|hola|guten)\b|您好|你好|各位)", re.I)

# --- what its words say ---

_FAILING = _words(
    {
        "en": r"fail|undeliver|unknown|no such|no mailbox|reject|refus|not exist|invalid|unavailable|disabled"
        r"|not found"
        r"|not (?:yet )?(?:be(?:en)? )?(?:deliver|reach|receive|recogni|sent)|does ?n[o']?t (?:exist|have)"
        r"|does not have|returned|(?:un|not )able|could ?n.t|wasn.t|over ?quota"
        r"|(?:mailbox|quota|account).{0,20}(?:full|exceed|over)|not listed|not accept|inactive"
        r"|expired|denied|blocked|delay|postponed|suspended|bounce|problem",
        "de": r"unzustell|nicht (?:zugestellt|zustell|gefunden|bekannt|erreicht)|unbekannt|fehlgeschlagen",
        "fr": r"non remis|n.a pas (?:p[uû]|été)|impossib|inexist|inconnu|introuvable|pleine",
        "es": r"no (?:se pudo|existe|entreg)|desconocid|llen[oa]",
        "pt": r"n[ãa]o (?:foi|existe|p[ôo]de|entreg)|cheia",
        "it": r"non (?:valid|esiste|è stato|trovat)|sconosciut|piena",
        "nl": r"onbekend|onbestel|niet (?:bezorgd|afgeleverd)",
        "sv da no": r"okänd|ukendt|ukjent",
        "pl cs tr": r"nieznan|nie (?:istnieje|dostarcz)|neznám|nelze|bilinmeyen|teslim edilem",
        "ru": r"не ?(?:доставл|может|существу|найден|удалось)|невозможн|ошибк|переполнен",
        "zh": r"不存在|退信|退回|失败|失敗|无法|無法|未能|未被|拒|已满|已滿|超过|停用|禁用|不可|错误|延迟",
        "ja": r"できません|できなかった|見つかりません|存在しない|届き?ません|不明|エラー",
        "ko": r"없|실패|반송|초과|거부",
    }
)
_REFUSES = re.compile(r"reject|refus|quota", re.I)
_OPENING = _words(
    {
        "en": r"non-?deliver|undeliver|(?:could|can)(?: ?not|n'?t) be (?:sent|delivered)|not (?:been )?delivered"
        r"|delivery (?:of|to|has|status|fail|notif)|mail (?:system|server) at|automatically (?:generated|created by)"
        r"|created automatically|(?:was|were)n'?t able to deliver|failed recipient|unable to deliver|did not reach",
        "de": r"nicht zugestellt",
        "fr": r"pas p[uû] [eê]tre (?:d[ée]livr|remis|distribu)",
        "es": r"no (?:se )?(?:ha )?p(?:udo|odido) (?:ser )?entreg",
        "ru": r"не (?:было |может быть )?доставлен",
        "zh": r"(?:无法|無法)(?:投递|投遞|送达|送達|发送|传递|傳遞)|投递失败|退回|退信",
        "ja ko": r"配信できません|전송 ?실패",
    }
)
_WAITING = _words(
    {
        "en": r"will (?:be )?(?:keep trying|retr|continue|try|re-?attempt|make further)|still trying|being retried"
        r"|delayed|\(delay\)|postponed|warning (?:message )?only|just a warning|not yet been delivered"
        r"|not been delivered yet|transient non-?fatal|will be kept in the queue|warning: could not send"
        r"|do(?:es)? not need to (?:re)?send|no action (?:is )?required",
        "de": r"wird (?:weiter|erneut|noch)|verzögert",
        "fr": r"nouvelle tentative|sera (?:retent|réessay)|retardé",
        "es pt it": r"se(?:guirá|guiremos| volverá a) intent|retrasad|atrasad|ritardo",
        "nl ru": r"vertraagd|задержа|попыт\w{1,4} (?:будут|продолж)",
        "zh": r"稍后(?:重试|再试|再次)|(?:将|会)(?:继续|再次|自动)?(?:重试|重新|尝试|投递)|继续(?:尝试|投递)|延迟|延遲",
        "ja ko": r"遅延|再送|再試行|지연|다시 시도",
    }
)
_GAVE_UP = _words(
    {
        "en": r"(?:gave|giving|given) up|giving-up|permanent|(?<!non-)fatal error|queue too long|expired"
        r"|will not (?:be )?(?:retr|tr)"
        r"|after \d{1,4} ?(?:\w{0,12} )?(?:attempt|tries|try)|has been removed from the (?:mail )?queue"
        r"|no further (?:attempt|deliver)",
        "de fr": r"endgültig|dauerhaft|définitiv",
        "ru": r"постоянн",
        "zh": r"放弃|放棄|永久|不再(?:尝试|投递|重试)|多次(?:尝试|投递)|超过.{0,12}(?:次|天|小时)",
        "ja": r"断念",
    }
)
_TEMPORARY = re.compile(r"temporar|transient|try again later|暂时|暫時|一時的|일시적|временн|vorübergehend", re.I)
_FINAL = _words(
    {
        "en": r"return|undeliver|fail|reject|not deliver",
        "de fr es": r"unzustell|échec|non remis|devuelto",
        "ru": r"недостав|не достав",
        "zh ja ko": r"退信|退回|失败|失敗|不達|반송|실패",
    }
)

# Behind such a line stands a copy of what came back; only what stands above was said by the server.
_COPY = re.compile(
    r"^.{0,60}(?:(?<!receive a )copy of (?:the|your) (?:\w{1,12} )?(?:message|mail)|copy of the first part"
    r"|original (?:message|mail)(?: ?$| ?[-:=*(]"
    r"| (?:as received|header|follow|attach|below|text|is (?:attach|below|incl)))"
    r"|message (?:headers?|body)\b.{0,20}(?:follow|suppress|below|-$)|message (?:text )?follows|old message:"
    r"|returned (?:message|mail)(?: follows|: ?$| ?-)|(?:un|re)?sent message (?:below|follow)|header of the"
    r"|the following is (?:a copy|the)|your message (?:reads|follows)|returned content|start of returned"
    r"|ursprüngliche nachricht|message d'origine|mensaje original|mensagem original|messaggio originale"
    r"|копия (?:сообщения|письма)|以下是.{0,8}原|原(?:始)?(?:邮件|信件)(?:内容|全文|附后|如下)|邮件原文"
    r"|元のメッセージ).{0,60}$"
    r"|^[-=─—*\s]{3,40}(?:原邮件|原始邮件|原信件|원본 ?메일|オリジナルメッセージ)[-=─—*\s]{0,40}$"
    r"|^[\s>]{0,8}(?:received:[ \t]{1,4}(?:from|by|\()|return-path:[ \t]{0,4}<|dkim-signature:|mime-version:)",
    re.I | re.M,
)

# --- addresses and where they stand ---

_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})")
_ANGLE = re.compile(r"<([^<>\s@]{1,64}@[^<>\s@]{1,253})>")
_REPORTED = re.compile(r"[^\s<>\"(),;:@]{1,128}@[^\s<>\"(),;:@]{1,253}")
_CODED = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_PREFIX = re.compile(r"^(?:smtp|rfc822|mailto|to|user|addr|email)=", re.I)
_NO_MAILBOX = re.compile(r"imceaex-", re.I)
_LISTED_END = re.compile(
    r"[\s>\"'”’\])】」』,.]{0,8}(?:$|[:：;…(（]|\.\."
    r"|<mailto:| on (?:\w{3},|\d)|\s?<[^<>\s]{1,90}@|\s{2,}|\t|\s[-–—]{1,3}\s)",
    re.I,
)
_BEHIND_A_NAME = re.compile(r"^[^@:：]{0,80}[<(（\[]\s?$")
_ENDS_A_NAME = re.compile(r"^\s?[>)）\]][\s>:：;,.]{0,8}(?:$|<mailto:)")
_ROUTED = re.compile(r"(?:rcpt to|smtp|rfc822|error-for|dda:smtp)\s{0,3}[:=;]\s{0,3}[<\"']{0,2}$", re.I)
_LEADS = {
    "en": r"to|for|recipients?|recipient\(s\)|address(?:es|ed|ee)?|user(?:name)?|mailbox|account|reach|deliver|rejected"
    r"|unknown|undeliverable",
    "de": r"an|für|empfänger|adresse",
    "fr es pt it": r"à|a|pour|destinat\w{2,6}|para|al|usuario|casella|per",
    "nl sv da no": r"aan|voor|till|til",
    "pl": r"odbiorc\w|adresat\w?",
    "ru": r"для|получател\w{1,3}|адрес\w{0,3}|пользовател\w{1,3}|ящик\w?",
}
_LEADING_SIGNS = (
    r"收件人|收信人|收件者|收信者|接收(?:人|方|者)|目[标的](?:地址|邮箱)?|地址|位址|用户|用戶|邮箱|郵箱|信箱|帐号|账号"
    r"|账户|送到|发往|发给|寄给|寄往|送给|到|给|至|往|向|宛先|受信者|アドレス|수신자|받는 ?사람|주소"
)
_LED = re.compile(
    rf"(?:(?:^|[^a-zà-ÿ])(?:{'|'.join(_LEADS.values())})|{_LEADING_SIGNS})(?:的?(?:邮件)?(?:地址|邮箱))?[^\w@]{{0,12}}$",
    re.I,
)
_FOLLOWED = re.compile(
    r"[\s>\"'”’\])）】]{0,6}(?:could|can|was|were|is|has|have|does|did|failed|not|user|mailbox|konnte|n'a|no "
    r"|non |не |не"
    r"|不存在|已满|无法|無法|未|拒|的|失败|宛|に|へ|は|さん|님|은|는|(?:으)?로|에게)",
    re.I,
)
_SENDERS = re.compile(
    r"(?:(?:^|[^a-z])(?:from|sender|sent by|return-path|reply-to|message-?id|in-reply-to|references|von"
    r"|expéditeur|remitente"
    r"|mittente|afzender|отправител\w)|发件人|发信人|寄件人|寄件者|发送者|发送方|差出人"
    r"|送信者|보낸 ?사람)[^\w@]{0,12}$",
    re.I,
)
_HELPERS = re.compile(
    r"(?:contact(?:ing)?|assistance|questions?|help ?desk|support|please|visit|administrator|informationen"
    r"|fragen|wenden"
    r"|contact(?:ez|ar|e)|联系|联络|咨询|聯絡|管理员|お問い合わせ|문의)[^@\n]{0,60}$",
    re.I,
)
_LINK = re.compile(r"<?mailto:[^>\s]{0,400}>?", re.I)
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_ALIAS = re.compile(r"\((?:ultimately )?(?:expanded|generated) from:?\s{0,3}<?$", re.I)
_BARE_NAME = re.compile(r"^[ \t]{1,12}([a-z0-9][a-z0-9._+-]{1,62})[ \t]*$", re.I | re.M)
_STATUS = re.compile(r"(?<![\d.])([245]\.[0-7]\.\d{1,3})(?![\d.])")
_REFUSED = re.compile(r"(?<![\d.])([45]\.[0-7]\.\d{1,3})(?![\d.]\d)")
_REPLY_CODE = re.compile(r"(?<![\d.:/+-])([45])[0-7]\d(?=[ -]|$)")
_MESSAGE_ID = re.compile(
    r"(?<![\w-])(?:original-)?message[- ]?id\s{0,4}[:=：]\s{0,40}(?:<([^<>\s]{1,998})>"
    r"|([^<>\s@]{1,200}@[\w.-]{1,200}))",
    re.I,
)
_ID_HEADERS = re.compile(r"(?:[a-z-]{1,40}-)?(?:original|failed|bounced?|returned|parent)-?message-?id$", re.I)
_ID = re.compile(r"<?([^<>\s]{1,998}@[^<>\s]{1,253})>?")

# --- the standard report ---

_REACHED = frozenset({"delivered", "relayed", "expanded"})
_ONE_EACH = frozenset({"original-recipient", "final-recipient", "action", "status"})
_RECIPIENT_FIELDS = ("original-recipient", "final-recipient", "x-actual-recipient", "original-rcpt-to")
_INSIDE = re.compile(r"^(?:final|original)-recipient:", re.I | re.M)
_ACTION = re.compile(r"^action:", re.I | re.M)
_LETTERS = re.compile(r"[a-z]+", re.I)
_FOLDED = re.compile(r"\n[ \t]+(?=\S)")


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRecipient:
    """An address that a bounce calls undeliverable; `status` is an enhanced code (RFC 3463) or "".

    `permanent`: this mail will not arrive any more. `diagnostic` is what the refusing server said, in its own words,
    or "".
    """

    address: str
    permanent: bool
    status: str = ""
    diagnostic: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BounceReport:
    """What a bounce says: who was not reached, and the Message-ID of the mail that came back ("" if unknown).

    Nobody among `recipients` means that they are not named, or, where it is `delivered`, that all were reached.
    """

    recipients: tuple[FailedRecipient, ...]
    original_message_id: str = ""
    delivered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What a mail says that may be a bounce, in pieces: reports and returned headers as text.

    `kinds` are the content types of its parts, the whole mail first; `answers` tells whether its words are those of a
    vacation notice or a challenge, `own` our addresses.
    """

    sender: str
    sender_name: str
    null_path: bool
    subject: str
    text: str
    reports: tuple[str, ...]
    returned: tuple[str, ...]
    failed_header: str
    references: tuple[str, ...]
    own: frozenset[str]
    kinds: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    answers: Callable[[], bool] = bool


def read_bounce(mail: Returned) -> BounceReport | None:
    """Return what a returned mail says, or None where this is not one."""
    if not may_be_bounce(mail):
        return None
    told = _told(mail.text)
    found = _from_reports(_reports(mail, told))
    if found is None:
        found = _from_words(mail, told)
    elif not found:
        return BounceReport(recipients=(), original_message_id=_original_id(mail), delivered=True)
    if found is None:
        return None
    named = _named(found, mail, told)[:_MAX_RECIPIENTS]
    words = "" if _INSIDE.search(told) else told
    people = tuple(_with_details(r, words, named) for r in named)
    return BounceReport(recipients=people, original_message_id=_original_id(mail))


# --- is it one? ---


def may_be_bounce(mail: Returned) -> bool:
    """Tell whether a mail is worth a look: a daemon's own header or report, or two signs of a daemon at work."""
    if "message/feedback-report" in mail.kinds:
        return False
    if mail.failed_header:
        return True
    signs = _signs(mail)
    if mail.reports:  # a person who passes a bounce on may attach the same parts
        return mail.kinds[:1] == ("multipart/report",) or bool(signs)
    if _ARRIVED.search(mail.subject) or _by_a_person(mail):
        return False
    return _is_daemon(mail) or signs >= _SURELY or (signs >= _ENOUGH and not mail.answers())


def _by_a_person(mail: Returned) -> bool:
    """Tell whether somebody greets, and asks if they write as one who runs the mail: postmasters are people, too."""
    local = mail.sender.partition("@")[0]
    asks = not _DAEMON.match(local) or "?" in mail.text[:_TEXT] or "？" in mail.text[:_TEXT]
    unanswerable = any(name.lower() == "return-path" and value.strip() == "<>" for name, value in mail.headers)
    return asks and not unanswerable and not _is_daemon(mail) and bool(_GREETING.match(mail.text))


def _is_daemon(mail: Returned) -> bool:
    local = mail.sender.partition("@")[0]
    return bool(_DAEMON_NAME.search(mail.sender_name) or _SURE_DAEMON.match(local))


def _signs(mail: Returned) -> int:
    """Count what speaks for a bounce: who sends it, that nobody may answer it, its subject, how it begins."""
    local = mail.sender.partition("@")[0]
    names = f"{local} {mail.sender_name} {_banner(mail.text)}"
    daemon = _is_daemon(mail) or bool(_DAEMON.match(local) or _GATEWAY.search(names))
    by_person = _PASSED_ON.match(mail.subject) or (mail.references and _ANSWERED.match(mail.subject))
    subject = not by_person and bool(_SUBJECT.search(mail.subject))
    return (daemon or not mail.sender) + mail.null_path + subject + (subject and _opens_like_one(mail))


def _banner(text: str) -> str:
    """The first line, where a program introduces itself between rules."""
    line = text.lstrip()[:_TAIL].partition("\n")[0]
    return line if line[:2] in ("**", "--", "==", "##") else ""


def _opens_like_one(mail: Returned) -> bool:
    """Tell whether it begins as servers begin, with an address on a line of its own; a person would greet first."""
    text = mail.text.lstrip()
    said = bool(_OPENING.search(text[:_BEGINNING])) and not _GREETING.match(text)
    return said and any(p.rank == 0 for p in _places(_told(mail.text)))


def _told(text: str) -> str:
    """What the server says itself, above the copy of what came back."""
    text = text[:_TEXT]
    copy = _COPY.search(text, max(0, text.find("@")))  # nobody is named before the first address
    return text[: copy.start()] if copy else text


# --- the standard report ---


def _reports(mail: Returned, told: str) -> tuple[str, ...]:
    """The reports; where a gateway wrapped or flattened them, they stand in the words or in an attached mail."""
    places = (mail.reports, (told,), mail.returned)
    return next((p for p in places if any(_INSIDE.search(t) and _ACTION.search(t) for t in p)), mail.reports)


def _from_reports(reports: Iterable[str]) -> list[FailedRecipient] | None:
    """RFC 3464: a block for each recipient. An empty list says that all were reached, None that nothing is said.

    A recipient whom the report names in no way of the Internet's has the address "".
    """
    told = [b for report in reports for b in _blocks(report) if "action" in b or _recipient(b)]
    if not told:
        return None
    found: dict[str, FailedRecipient] = {}
    for fields in told:
        action = _LETTERS.match(fields.get("action", ""))
        status = _STATUS.search(fields.get("status", "")) or _STATUS.search(fields.get("diagnostic-code", ""))
        code = status[1] if status else ""
        does = action[0].lower() if action else ("delivered" if code.startswith("2") else "")
        if does in _REACHED or not (does or _recipient(fields)):
            continue
        said = fields.get("diagnostic-code", "")
        person = FailedRecipient(
            address=_recipient(fields),
            permanent=does != "delayed" and (bool(does) or not code.startswith("4")),
            status="" if code.startswith("2") else code,  # some servers put the last success there
            diagnostic=(said.partition(";")[2] or said).strip()[:_LONGEST_DIAGNOSTIC],
        )
        found.setdefault(person.address, person)
    return list(found.values())


def _blocks(report: str) -> Iterator[dict[str, str]]:
    """Give the fields of each recipient; some servers put no blank line between two, others one within."""
    fields: dict[str, str] = {}
    for line in _FOLDED.sub(" ", report).split("\n"):
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        again = name in _ONE_EACH and name in fields
        if again or (not line.strip() and "action" in fields):
            yield fields
            fields = {}
        if colon:
            fields.setdefault(name, value.strip())
    yield fields


def _recipient(fields: dict[str, str]) -> str:
    """The address that was written to, rather than what it was forwarded to."""
    for name in _RECIPIENT_FIELDS:
        value = _CODED.sub(lambda m: chr(min(int(m[1], 16), 0x10FFFF)), fields.get(name, "")).rpartition(";")[2]
        match = _REPORTED.search(value.replace('"', ""))
        if match and not _NO_MAILBOX.match(match[0]):
            return _clean(match[0])
    return ""


def _named(found: list[FailedRecipient], mail: Returned, told: str) -> list[FailedRecipient]:
    """Leave ourselves out; who is not named is found in the words, or in the mail that came back."""
    named = [r for r in found if r.address and r.address not in mail.own]
    if named or not found:
        return named
    guessed = _people(mail, told) or [a for t in mail.returned for a in _header_addresses(t, "to") if a not in mail.own]
    return [replace(found[0], address=a) for a in dict.fromkeys(guessed[:_MAX_NAMED])]


# --- plain words ---


@dataclass(frozen=True, slots=True)
class _Place:
    """An address in the words of a server: how surely it is one that was not reached (0 is best), and where."""

    address: str
    rank: int
    start: int
    end: int


def _from_words(mail: Returned, told: str) -> list[FailedRecipient] | None:
    """Plain words: the addresses in the best places above the copy, where something says that it failed."""
    if not mail.failed_header and not _FAILING.search(f"{mail.subject}\n{told}"):
        return None
    if "message/disposition-notification" in mail.kinds and not _REFUSES.search(told):
        return None
    permanent = _is_permanent(mail.subject, told)
    people = _listed(mail) or _people(mail, told) or _people(mail, mail.subject)
    if not people and _is_daemon(mail):
        people = _bare_names(mail, told)
    if not people and _signs(mail) + bool(mail.returned) < _SURELY:
        return None
    return [FailedRecipient(address=a, permanent=permanent) for a in people or [""]]


def _listed(mail: Returned) -> list[str]:
    """Whom a header of its own names (Exim, Google)."""
    named = (_clean(a) for a in _ADDRESS.findall(mail.failed_header[:_TEXT]))
    return [a for a in dict.fromkeys(named) if a not in mail.own][:_MAX_RECIPIENTS]


def _people(mail: Returned, told: str) -> list[str]:
    """The addresses in the best places; ours and the server's are none of them."""
    writers = {a for t in mail.returned for n in ("from", "return-path") for a in _header_addresses(t, n)}
    ranked = [
        (_WRITER if p.address in writers else p.rank, p.address)
        for p in _places(told)
        if p.address not in mail.own and p.address != mail.sender
    ]
    best = min((rank for rank, _ in ranked), default=0)
    return list(dict.fromkeys(address for rank, address in ranked if rank == best))[:_MAX_NAMED]


def _places(told: str) -> Iterator[_Place]:
    offset, above = 0, ""
    for line in told.split("\n"):
        if "@" in line:
            yield from _places_in(line[:_LINE], above, offset)
        if line.strip():
            above = line
        offset += len(line) + 1


def _places_in(line: str, above: str, offset: int) -> Iterator[_Place]:
    found = [(m.start(), m.end()) for m in _ADDRESS.finditer(line)] or [m.span(1) for m in _ANGLE.finditer(line)]
    for begin, end in found:
        prefix = _PREFIX.match(line[begin:end])
        start = begin + (prefix.end() if prefix else 0)
        address = _clean(line[start:end])
        rank = _rank(line[:start], line[end : end + _TAIL], above, address)
        if rank is not None and "@" in address:
            yield _Place(address, rank, offset + start, offset + end)


def _rank(before: str, after: str, above: str, address: str) -> int | None:
    """0: listed as one who failed, 1: named behind a word that leads to him, 2: merely said; _HELPER: to be asked.

    None is whoever wrote the mail that came back.
    """
    alone = not any(c.isalpha() for c in before)
    context = (f"{above[-_TAIL:]}\n{before}" if alone else before)[-2 * _TAIL :]
    if _ALIAS.search(before):
        return 0
    if _SENDERS.search(context):
        return None
    if _DAEMON.match(address) or _HELPERS.search(context.replace("\n", " ") if above.endswith((":", "：")) else before):
        return _HELPER
    listed = (alone and _LISTED_END.match(after)) or (_BEHIND_A_NAME.match(before) and _ENDS_A_NAME.match(after))
    if listed or _ROUTED.search(before):
        return 0
    return 1 if _LED.search(context) or _FOLLOWED.match(after) else 2


def _bare_names(mail: Returned, told: str) -> list[str]:
    """Some servers name only the mailbox, on a line of its own: it is one of theirs."""
    domain = mail.sender.partition("@")[2]
    names = [m[1].lower() for m in _BARE_NAME.finditer(told)] if domain else []
    return [f"{name}@{domain}" for name in names if not _DAEMON.match(name)][:1]


def _clean(address: str) -> str:
    return address.strip("<>\"'`. ").lower()


def _is_permanent(subject: str, told: str) -> bool:
    """Tell whether the server has given up; one that will try again says so."""
    words = f"{subject}\n{told}"
    if _WAITING.search(words):
        return bool(_GAVE_UP.search(told))
    code = _REFUSED.search(told) or _REPLY_CODE.search(told)
    if code[1].startswith("4") if code else _TEMPORARY.search(words):
        return bool(_GAVE_UP.search(told) or _FINAL.search(subject))
    return True


def _with_details(person: FailedRecipient, told: str, found: list[FailedRecipient]) -> FailedRecipient:
    """Where the report does not say why, the reason stands near the address."""
    if person.status and person.diagnostic:
        return person
    others = [f.address for f in found if f.address != person.address]
    said = _said_of(person.address, told, others)
    code = _REFUSED.search(said) or (None if others else _REFUSED.search(told))
    return replace(
        person,
        status=person.status or (code[1] if code else ""),
        diagnostic=person.diagnostic or " ".join(said.split())[:_LONGEST_DIAGNOSTIC],
    )


def _said_of(address: str, told: str, others: list[str]) -> str:
    """Return the paragraph behind an address that tells why, or a later line that names it with a code."""
    lower = told.lower()
    place = lower.find(address)
    if not address or place < 0:
        return ""
    place += len(address)
    ends = [lower.find(other, place) for other in others]
    stop = min([e for e in ends if e >= 0] + [place + _NEAR])
    said = _BLANK_LINE.split(_LINK.sub("", told[place:stop]))
    paragraphs = [p.strip(" \t\n<>:：;,.\"'()[]（）\u3000*") for p in said]
    lines = [x for x in told[place:].split("\n") if address in x.lower()]
    return next((p for p in (*paragraphs, *lines) if _REFUSED.search(p) or _REPLY_CODE.search(p)), paragraphs[0])


# --- which mail came back ---


def _original_id(mail: Returned) -> str:
    """The Message-ID in the returned headers; else in the words, a header of its own, or what the bounce answers."""
    for place in (*map(_behind_report, mail.returned), mail.text[:_TEXT]):
        match = _MESSAGE_ID.search(place)
        if match:
            return match[1] or match[2]
    told = (_ID.search(value) for name, value in mail.headers if _ID_HEADERS.match(name))
    return next((m[1] for m in told if m), mail.references[-1] if mail.references else "")


def _behind_report(returned: str) -> str:
    """Of a bounce that a gateway has wrapped, what stands behind the report."""
    inside = list(_INSIDE.finditer(returned))
    return returned[inside[-1].start() :] if inside and _ACTION.search(returned) else returned


def _header_addresses(headers: str, name: str) -> list[str]:
    """Return the addresses in a header of a mail that came back."""
    block = _FOLDED.sub(" ", _behind_report(headers).lstrip()).partition("\n\n")[0]
    lines = (line.partition(":") for line in block.split("\n"))
    return [_clean(a) for n, _, value in lines if n.lower() == name for a in _ADDRESS.findall(value[:_LINE])]
