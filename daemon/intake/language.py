"""Which language a person writes, told from the letters and from the small words of each language.

What comes in: a mail's new words and its subject. What goes out: "zh", "en", "ja", "ko", "ru", "de" … (a code of
ISO 639-1; "en" for any Latin script that shows no other language), or "" where there are no letters. Names, logs and
what is cited do not tell how their sender speaks, so sentences are weighed, not letters. Linear in a bounded sample.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

_SAMPLE = 4000
_WINDOWS = (80, 300, 1200, _SAMPLE)  # how a mail begins says more than what is pasted beneath
_CLEAR = 3  # points that decide at once
_FEW = 6  # words, beneath which the subject is asked too
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002ffff]")
_KANA = re.compile(r"[\u3041-\u30fa]")
# What Chinese sentences are built with and names, titles and addresses are not, simplified and traditional.
_CHINESE = re.compile(
    r"[的了是我你您们們请請不这這那吗嗎呢吧么麼就也还還没沒已很把被都能会會要让讓但谢謝再又怎什咗嘅唔係。？！，；]"
)
_SCRIPTS = {  # letters of scripts that stand for a language, and how many make about a word
    "ko": (re.compile(r"[\uac00-\ud7a3]"), 2),
    "ru": (re.compile(r"[\u0400-\u04ff]"), 5),
    "el": (re.compile(r"[\u0370-\u03ff]"), 5),
    "he": (re.compile(r"[\u0590-\u05ff]"), 4),
    "ar": (re.compile(r"[\u0600-\u06ff]"), 4),
    "th": (re.compile(r"[\u0e01-\u0e4e]"), 4),
    "hi": (re.compile(r"[\u0900-\u097f]"), 4),
}
_UKRAINIAN = re.compile(r"[іїєґ]", re.I)
_SMALL_WORDS = {  # none that is also a word of computing, or of English
    "en": "the is are was were be been to of and for with this that it its it's we you i i'm my our your please not"
    " don't doesn't can't can could would have has had does did will from at but when what which who how there"
    " here thanks thank hello hi dear regards best ok okay yes again still now after before since if or any all"
    " they he she works good fine done just some out up",
    "de": "der und ist nicht ich wir sie ein eine einen dem auf für von zu bitte danke vielen dank wieder auch noch"
    " aber wenn wird werden haben habe sind kann können hallo guten grüße grüßen schön immer seit keine kein"
    " bei nach über ihr ihre uns mir läuft geht",
    "fr": "le les des et une pas nous vous je il elle que qui dans sur pour avec ne ce cette aux merci bonjour"
    " cordialement tout mais sont été votre notre avez être depuis toujours encore ça c'est j'ai n'est",
    "es": "el los las una es que por para lo pero más gracias hola saludos está están tengo hemos favor buenos"
    " buenas días desde sigue ya también cuando nos usted funciona muchas",
    "it": "il gli che di è un della nel sono grazie ciao buongiorno saluti ho abbiamo ancora questo alla anche più"
    " dalla cordiali funziona sempre siamo può prego molto",
    "pt": "um uma não que para em obrigado obrigada olá você está são mais pelo pela ainda bom dia atenciosamente"
    " tenho estamos foi isso também funciona já",
    "nl": "de het niet ik wij jullie dat voor zijn heeft hebben graag bedankt dank nog maar wel ook naar bij deze"
    " kan kunnen groeten goedemorgen alvast werkt weer een",
    "pl": "nie jest się że proszę dziękuję dzień dobry pozdrawiam mam mamy już jak przez dla jeszcze działa tak są",
    "sv": "och att det är inte jag ett på för med som kan tack hej hälsningar från nu igen fungerar",
    "tr": "ve bir bu için değil ile çok teşekkürler merhaba lütfen yok daha ama biz olarak tekrar iyi çalışıyor",
    "vi": "và là của không có được cho với tôi chúng này một các đã xin chào cảm ơn vui lòng nhưng khi vẫn",
    "id": "yang tidak ini itu untuk dengan dari saya kami sudah belum bisa mohon terima kasih selamat pagi masih"
    " pada akan tolong",
}
_TOLD_BY: dict[str, list[str]] = {}  # word → the languages that have it
for _code, _words in _SMALL_WORDS.items():
    for _small in _words.split():
        _TOLD_BY.setdefault(_small, []).append(_code)
_EVERYBODYS = frozenset(["ok", "okay", "hi", "hello", "all", "dear"])  # Chinese mails begin and end with these too
_WORD = re.compile(r"[a-z\u00df-\u024f\u1ea0-\u1ef9]+(?:['’][a-z]+)?")
_CITED = re.compile(r"[“「『《][^“”「」『』《》\n]{0,300}[”」』》]|\"[^\"\n]{0,300}\"")
_LOG = re.compile(
    r"[\s\W]{0,6}(?:\d{4}[-/.]\d\d?[-/.]\d|\d\d?:\d\d|\w{3}\s+\d\d? \d\d:|at [\w$.<>]{1,200}\(|caused by:|traceback"
    r"|file \"|(?:error|warn|warning|info|debug|fatal|trace|failed|exception)\b|[\w.$]{1,200}(?:exception|error)\b"
    r"|ora-\d|\$ |# |c:\\)"
)
_SIGN = re.compile(r"[@_=\\]|://")  # of addresses, links and names of things
_MARKED = (">", "＞")
_TAG = re.compile(r"\s*(?:\[[^\]]{0,60}\]|【[^】]{0,60}】|[^\s:：\[]{1,14}[:：])")
_TAGS = 6  # of a subject


class _Signs(NamedTuple):
    """What a text shows: letters of East Asia, points for its sentences and for those of other scripts, words."""

    han: int
    kana: int
    east: int
    west: int
    words: int


def language_of(text: str, subject: str = "") -> str:
    """Return the language of a mail's new words; where they show none and are few, its subject is asked too."""
    text = text[:_SAMPLE].lower()
    words = _sentences(text)
    signs = _signs(words)
    if signs.words < _FEW and not any((signs.han, signs.kana, signs.east, signs.west, _other_script(words))):
        words = f"{words}\n{_sentences(_bare(subject[:_SAMPLE].lower()))}"
    return _decide(words) or _decide(text)


def _decide(words: str) -> str:
    if words.isascii():
        return _western(words)
    signs = _signs(words)
    if not signs.han + signs.kana:
        return _other_script(words) or _western(words)
    eastern = "ja" if signs.kana * 5 >= signs.han + signs.kana else "zh"
    for window in _WINDOWS:
        signs = _signs(words[:window])
        if abs(signs.east - signs.west) >= _CLEAR:
            break
    if signs.east != signs.west:
        return eastern if signs.east > signs.west else _western(words)
    return eastern if (signs.han + signs.kana) * 2 >= signs.words else _western(words)


def _signs(words: str) -> _Signs:
    latin = _WORD.findall(words)
    kana = len(_KANA.findall(words))
    west = sum(word.replace("’", "'") in _TOLD_BY and word not in _EVERYBODYS for word in latin)
    return _Signs(len(_HAN.findall(words)), kana, 2 * len(_CHINESE.findall(words)) + kana, west, len(latin))


def _sentences(text: str) -> str:
    """Return the sender's own sentences, each once, without logs, citations, addresses and links."""
    lines = [line for line in dict.fromkeys(text.split("\n")) if not line.lstrip().startswith(_MARKED)]
    kept = [line for line in lines if not _LOG.match(line) or _HAN.search(line)]
    return "\n".join(map(_spoken, kept))


def _spoken(line: str) -> str:
    line = _CITED.sub(" ", line)
    if not _SIGN.search(line):
        return line
    return " ".join(token for token in line.split() if not token.isascii() or not _SIGN.search(token))


def _bare(subject: str) -> str:
    """Return a subject without what programs put before it."""
    for _ in range(_TAGS):
        match = _TAG.match(subject)
        if not match:
            break
        subject = subject[match.end() :]
    return subject


def _other_script(words: str) -> str:
    counts = {code: len(script.findall(words)) / size for code, (script, size) in _SCRIPTS.items()}
    code = max(counts, key=lambda c: counts[c])
    if counts[code] * 1.25 <= len(_WORD.findall(words)) or not counts[code]:
        return ""
    return "uk" if code == "ru" and _UKRAINIAN.search(words) else code


def _western(words: str) -> str:
    """Return the Latin language whose small words stand out; English where none does."""
    found = _WORD.findall(words)
    hits = Counter(code for word in found for code in _TOLD_BY.get(word.replace("’", "'"), ()))
    if not found:
        return ""
    best = max(hits, key=lambda c: hits[c], default="en")
    enough = hits[best] > 1 or len(found) <= 3  # noqa: PLR2004
    return best if enough and hits[best] > hits["en"] else "en"
