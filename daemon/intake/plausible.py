"""How likely is it that a text was meant: one number for each way of reading the same bytes.

What comes in: a text and the codec that it was read with. What goes out: a score up to 1; real words score above
0.6, misread ones mostly below 0.45. The tables are the contents of this file: which letters a language uses, and
which are frequent in it. Misread bytes are letters too, but seldom the frequent ones, and seldom those of one language.
"""

from __future__ import annotations

import unicodedata
from functools import cache

_SAMPLE = 300  # letters beyond ASCII; enough to tell, and bounds the effort
_FREQUENT_HAN = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么"
    "去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又"
    "关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海"
    "通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计"
    "管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程"
    "北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运您请复登录服器网络邮箱账号密码系统故障打印办联系谢尽快查看用户"
    "连错误收发送附件测试恢复重启数据库备份软件硬盘客户户维护班值周昨早晚上午下午好贵司部门经理工程师单"
)
_FREQUENT_TRADITIONAL = frozenset(
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所然家種事成方多經麼"
    "去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實日者意無力它與長把機十民第公此已工使情明性知全三又關"
    "點正業外將兩高間由問很最重並物手應向頭文體政美相見被利什二等產或新己制身果加西月話合回特代內信表化老給世位次度門任常先海通教兒"
    "原東聲提立及比員解水名真論處走義各入幾口認條平系氣題活更別打女變四神總何電數安少報才結反受目太量再感建務做接必場件計管期市直資"
    "命金指許統區保至形社便空決書非則聽白卻界達光放強即像難且權思完設式色路記南品住告類求據程北邊張該交規萬取望覺術領共確傳師觀清今"
    "切院讓識候帶導運您請復登錄服器網絡路郵箱帳號密碼系統故障印辦聯繫謝儘快查看戶連錯誤收送附檔測試恢復啟資料庫備份軟體硬碟客維護"
)
_FREQUENT_HANGUL = frozenset(
    "이다는을에가의하고로니습합지사기를은도한시어아인서부그자리수해대나제있라정들여보일장만원주전게것면세안으상과신공스된되했었않없까요드"
    "오관구무미성조터경소연용동생우발중개문국계위방심내바진마실유모비치현양추화후물적재행통고객번저직접메녕십감템서버데이트트로그램오류"
    "확인부탁드립니다복구처리완료문의연결네트워크프린터비밀번호계정로그인장애"
)
_CYRILLIC, _GREEK, _HEBREW = "оеаинтсрвлкмдпуі", "αιονετςσκρμλίόέάήύπυδγ", "יוהלאמרתבשנםד"
_ARABIC, _THAI = "الينمرتوبةعدسفك", "านรอกเงมยลวดท่้ัีสบคป"
_HALFWIDTH = ("\uff61", "\uff9f")
_LEVEL_1_GB, _LEVEL_1_BIG5, _LEVEL_1_JIS = 0xD8, 0xC9, 0x98  # the first lead byte beyond the everyday characters

_ICELANDIC = "áéíúýþæöð"
# The letters beyond ASCII of the languages that a code page was made for.
_ALPHABETS = {
    "cp1252": (
        "äöüß",
        "àâçéèêëîïôùûüœæ",
        "áéíóúñüºª",
        "áâãàçéêíóôõúºª",
        "åäöéøæ",
        "àèéìíòóù",
        "éëïöüèáó",
        _ICELANDIC,
    ),
    "cp1250": ("ąćęłńóśźż", "áäčďéěíĺľňóôŕřšťúůýž", "áéíóöőúüű", "ăâîşţșț", "čćđšž"),
    "cp1254": ("çğıöşüâîû",),
    "cp1257": ("āčēģīķļņšūž", "ąčęėįšųūž", "äöõüšž"),
}
_ALPHABETS["iso8859_2"] = _ALPHABETS["cp1250"]
WESTERN = frozenset((*_ALPHABETS, "mac_roman", "cp850", "cp437", "iso8859_15"))
_SCRIPTS = {
    **dict.fromkeys(
        ("cp1251", "koi8_r", "koi8_u", "iso8859_5", "cp866", "mac_cyrillic"), (_CYRILLIC, "\u0400", "\u052f")
    ),
    "cp1253": (_GREEK, "\u0370", "\u03ff"),
    "cp1255": (_HEBREW, "\u0590", "\u05ff"),
    "cp1256": (_ARABIC, "\u0600", "\u06ff"),
    "cp874": (_THAI, "\u0e00", "\u0e7f"),
}
_FOREIGN = 0.6  # Japanese and Russian have a place in the Chinese set, and are sent in it
_UNLIKELY = {"mac_cyrillic": 0.15, "cp866": 0.15, "iso8859_5": 0.05, "koi8_u": 0.02, "cp874": 0.1}  # nearly extinct
_OTHER_PAGE = 0.4  # what a text loses that looks like another code page's
_FEW = 8
_PRINTERS_MARKS = frozenset("’‘“”„–—…€•«»°§ \u00a0")


def plausibility(text: str, codec: str, *, declared: bool = False) -> float:
    """Return how likely a text is that was read with this codec; 1 where there is nothing beyond ASCII in it.

    `declared`: its sender says so, and may write another language in the letters that the set has for it.
    """
    found = [(text[i - 1 : i], c, text[i + 1 : i + 2]) for i, c in enumerate(text[: _SAMPLE * 20]) if c > "\x7f"]
    found = found[:_SAMPLE]
    if not found:
        return 1.0
    if codec in _ALPHABETS:
        return max(_latin(found, alphabet) for alphabet in _ALPHABETS[codec])
    if codec in _SCRIPTS:
        return _script(found, *_SCRIPTS[codec]) - (0.0 if declared else _UNLIKELY.get(codec, 0.0))
    least = _FOREIGN if declared else 0.0
    score = sum(_weight(char, codec, least) for _, char, _ in found) / len(found)
    spaced = sum(1 for before, char, _ in found if before == " " and _is_han(char))
    return score - (_OTHER_PAGE if codec == "gb18030" and spaced * 6 > len(found) else 0.0)


def _latin(found: list[tuple[str, str, str]], alphabet: str) -> float:
    """Letters of one language; a sign between two letters is a letter misread, and so is a whole word of accents."""
    total, dense = 0.0, 0
    for before, char, after in found:
        dense += before > "\x7f" and before.isalpha() and char.isalpha()
        if char.lower() in alphabet:
            total += 1.0
        elif char in _PRINTERS_MARKS:
            total += 0.8
        elif char in "¿¡" and not before.isalpha():
            total += 1.0
        elif char.isalpha():
            total += 0.1
        else:
            total += -0.5 if before.isalpha() and after.isalpha() else 0.4
    rare = 0.05 if alphabet == _ICELANDIC else 0.0
    return total / len(found) - rare - (_OTHER_PAGE if dense * 2 > len(found) else 0.0)


def _script(found: list[tuple[str, str, str]], frequent: str, first: str, last: str) -> float:
    """Letters of one script; capitals behind small letters, or nothing but capitals, are another code page."""
    total, capitals = 0.0, 0
    for before, char, after in found:
        capitals += char.isupper()
        if not first <= char <= last:
            outside = -1.0 if before > "\x7f" and after > "\x7f" and before.isalpha() and after.isalpha() else -0.3
            total += 0.6 if char in _PRINTERS_MARKS and outside > -1 else outside
        elif (char.isupper() and before.islower()) or (before.isascii() and before.isalpha()):
            total -= 0.5
        else:
            total += 1.0 if char.lower() in frequent else 0.35
    return total / len(found) - (_OTHER_PAGE if capitals * 2 > len(found) and len(found) > _FEW else 0.0)


def _weight(char: str, codec: str, least: float) -> float:
    """One character of a double-byte text; letters of another script count `least`, if they are no rare ones."""
    if unicodedata.category(char) in ("Co", "Cn", "Cc", "Cs"):
        return -1.0
    if not char.isalpha():
        return 0.0 if char == "〖" and codec == "gb18030" else 0.5
    weight = _WEIGHTS[codec](char) if codec in _WEIGHTS else 0.5
    return max(weight, least) if least and (char < "\u3400" or char in _FREQUENT_TRADITIONAL) else weight


def _simplified(char: str) -> float:
    if char in _FREQUENT_HAN:
        return 1.0
    return _by_lead(char, "gb2312", _LEVEL_1_GB, 0.45) if _is_han(char) else 0.1


def _traditional(char: str) -> float:
    if char in _FREQUENT_TRADITIONAL:
        return 1.0
    return _by_lead(char, "big5", _LEVEL_1_BIG5, 0.45) if _is_han(char) else 0.1


def _japanese(char: str) -> float:
    if "\u3041" <= char <= "\u30fe":
        return 1.0
    if _HALFWIDTH[0] <= char <= _HALFWIDTH[1]:
        return 0.25
    return _by_lead(char, "shift_jis", _LEVEL_1_JIS, 0.55) if _is_han(char) else 0.1


def _korean(char: str) -> float:
    if char in _FREQUENT_HANGUL:
        return 1.0
    if "\uac00" <= char <= "\ud7a3":
        return 0.5 if _by_lead(char, "euc_kr", 0xFF, 1.0) else 0.1
    return 0.15


def _is_han(char: str) -> bool:
    return "\u4e00" <= char <= "\u9fff"


@cache
def _by_lead(char: str, charset: str, first_rare: int, common: float) -> float:
    """The classic sets hold their everyday characters first."""
    try:
        return common if char.encode(charset)[0] < first_rare else 0.1
    except UnicodeEncodeError:
        return 0.0


_WEIGHTS = {
    "gb18030": _simplified,
    "hz": _simplified,
    "big5hkscs": _traditional,
    "cp932": _japanese,
    "euc_jp": _japanese,
    "iso2022_jp_ext": _japanese,
    "cp949": _korean,
    "iso2022_kr": _korean,
}
