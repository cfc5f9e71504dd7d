"""From a Notice to an OutgoingMail: the only file that knows jinja2 and babel.

What comes in: notices, and templates `<language>/<name>.txt` (subject, blank line, text) and `<name>.html`,
looked for in the operator's folder first and in the shipped one second. What goes out: whole mails, whatever
the template does: one that fails is replaced by a plain form, and the failure is told beside the mail.
All templates are read once: changed files count from the next Renderer on.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote as url_quote
from zoneinfo import ZoneInfo

import babel
import jinja2
from babel.dates import format_date, format_datetime, get_timezone_name
from babel.units import format_unit
from jinja2 import nodes
from jinja2.bccache import Bucket
from jinja2.meta import find_undeclared_variables
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from daemon.errors import Problem, did_you_mean
from daemon.notify import mime
from daemon.notify.catalogue import (
    COMMON,
    EXTRA,
    NO_STEP,
    NO_TICKET,
    SAMPLE_FACTS,
    TEMPLATES,
    sparse_facts,
    templates_table,
)
from daemon.notify.envelope import (
    Keys,
    ascii_domain,
    bounce_address,
    clean_header,
    clean_text,
    echo_marker,
    is_address,
    is_message_id,
    message_id,
    reply_address,
    reply_token,
    trim_references,
    with_tag,
)
from daemon.notify.notice import Notice, OutgoingMail
from daemon.notify.shelf import Shelf
from daemon.reports.charts import pictures_of
from daemon.reports.forms import Draws, MailedReport, report_for_mail
from daemon.reports.wording import Speech
from daemon.routing.check import WARNING
from daemon.words import domain_of

__all__ = [
    "SAMPLE_FACTS",
    "TEMPLATES",
    "Rendered",
    "Renderer",
    "ServiceFacts",
    "check_templates",
    "templates_table",
    "word_lists",
]

T = TypeVar("T")
_LAST_LANGUAGE = "en"
_MOST_LINKS = 10
_MOST_SEEN = 4000
_TEXT_CHARS = 20_000
"""A longer fact is cut: a mail is read by people, and the whole text is kept in the ticket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFacts:
    """Who writes: the service's name, address, language, IANA zone, subject tag, and how replies find us."""

    name: str
    address: str
    language: str = "zh"
    timezone: str = "Asia/Shanghai"
    subject_tag: str = "INC"
    reply_addresses: str = "plus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered(OutgoingMail):
    """The mail, and what was wrong with its template ("" for nothing): then it is in the plain form, or by the usual
    template if only a variant does not work.

    `remark` says what else it goes without.
    """

    problem: str = ""
    plain: bool = False
    remark: str = ""
    language: str = ""
    subject: str = ""
    text: str = field(default="", repr=False)
    html: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class _Words:
    """What a template came to: the subject without its tag, the two bodies, and what goes with them."""

    language: str
    subject: str
    text: str
    html: str
    enclosed: tuple[mime.Enclosed, ...] = ()
    remark: str = ""
    plain: bool = False


class _EmptyMailError(Exception):
    """A template says nothing where the subject or the text should stand."""


@dataclass(frozen=True, slots=True)
class _Post:
    """The addresses and the id of one mail."""

    message_id: str
    reply_to: str
    envelope_from: str


class Renderer:
    """Makes mails; `templates` and `fallback` (the shipped ones) each hold a folder per language.

    `draws` makes the pictures of a report.
    """

    def __init__(
        self, templates: Path, fallback: Path, service: ServiceFacts, keys: Keys, draws: Draws = pictures_of
    ) -> None:
        self._draws = draws
        self._service = service
        self._keys = keys
        self._zone = ZoneInfo(service.timezone)
        self._shelf = Shelf([templates, fallback])
        self._voices: dict[str, _Voice] = {}
        self._chosen: dict[tuple[str, str], _Choice] = {}

    def render(self, notice: Notice, notice_id: int, at: datetime, passed_on: bytes | None = None) -> Rendered:
        """Return the mail for a notice, always; the same notice, id and time give the same bytes.

        `passed_on` is the mail that goes with it, where it passes one on.
        """
        ticket = _number(notice.facts)
        post = self._post(notice, notice_id, ticket)
        words, problem = self._words(notice, ticket, at, post)
        words = _cleaned(words, self._service.subject_tag, ticket)
        words = replace(words, enclosed=(*words.enclosed, mime.as_mail(passed_on))) if passed_on else words
        headers = self._headers(notice, at, post, words)
        return Rendered(
            message_id=post.message_id,
            envelope_from=post.envelope_from,
            to=notice.to,
            content=mime.build(headers, words.text, words.html, f"ticketd_{notice_id}", words.enclosed),
            problem=problem,
            plain=words.plain,
            remark=words.remark,
            language=words.language,
            subject=words.subject,
            text=words.text,
            html=words.html,
        )

    def _post(self, notice: Notice, notice_id: int, ticket: int) -> _Post:
        address = self._service.address
        token = reply_token(ticket, notice.to, self._keys)
        own_id = message_id(notice_id, token, domain_of(address))
        sender = str(notice.facts.get("reply_to", ""))
        if is_address(sender):
            # The mail is passed on for its sender: answers are for them, not for us.
            return _Post(own_id, sender, bounce_address(address, notice_id, self._keys))
        if self._service.reply_addresses != "plus":
            return _Post(own_id, address, address)
        return _Post(own_id, reply_address(address, token), bounce_address(address, notice_id, self._keys))

    def _headers(self, notice: Notice, at: datetime, post: _Post, words: _Words) -> list[str]:
        service = self._service
        answers = [notice.answers] if is_message_id(notice.answers) else []
        thread = [i for i in notice.references if i != notice.answers] + answers
        to = notice.to if is_address(notice.to) else clean_header(notice.to, 250).translate(_NO_SYNTAX)
        return [
            mime.address_header("From", service.name, service.address),
            mime.address_header("Reply-To", service.name, post.reply_to),
            mime.address_header("To", notice.to_name, ascii_domain(to)),
            mime.text_header("Subject", words.subject),
            f"Date: {mime.format_datetime(at.astimezone(self._zone))}\r\n",
            f"Message-ID: {post.message_id}\r\n",
            mime.fold_ids("In-Reply-To", answers),
            mime.fold_ids("References", trim_references(thread)),
            f"Auto-Submitted: {'auto-replied' if notice.automatic_answer else 'auto-generated'}\r\n",
            "X-Auto-Response-Suppress: OOF, AutoReply\r\n",
            f"X-Ticketd-Id: {echo_marker(post.message_id, self._keys)}\r\n",
            f"Content-Language: {words.language}\r\n",
        ]

    # -- words --

    def words_in(self, language: str) -> Mapping[str, Any]:
        """Return the word lists that mails in this language use, for reports that are counted for a mail."""
        return self._choose("kpi_report", language).voice.listed()

    def _words(self, notice: Notice, ticket: int, at: datetime, post: _Post) -> tuple[_Words, str]:
        """Return the words of the notice and, where its template or the variant of it failed, why they are others."""
        context = {
            "tag": self._service.subject_tag,
            "ref": f"{self._service.subject_tag}-{ticket}",
            "to_name": clean_header(notice.to_name, 100),
            "service": {"name": self._service.name, "address": self._service.address},
            "sent_at": at.astimezone(self._zone).isoformat(),
            "mailto": partial(_mailto, post.reply_to, f"Re: [{self._service.subject_tag}-{ticket}]" if ticket else ""),
        }
        variant = str(notice.facts.get("variant", ""))
        words, problem = self._spoken(notice, variant, context, post)
        if not (problem and variant):
            return words, problem
        usual, more = self._spoken(notice, "", context, post)
        return usual, "; ".join(dict.fromkeys(filter(None, (problem, more))))

    def _spoken(self, notice: Notice, variant: str, context: dict[str, Any], post: _Post) -> tuple[_Words, str]:
        """Return what this variant of the template says ("" for the usual one), or the plain form and what is wrong."""
        choice = self._choose(notice.template, notice.language, variant)
        try:
            report = self._report(notice, choice.voice, post.message_id)
            words = choice.speak({**_facts(notice), **context, **(_report_facts(report) if report else {})})
            return (_with_report(words, report, notice, post.message_id) if report else words), ""
        except Exception as error:  # noqa: BLE001 - a template may raise anything, and the mail must still go out
            place = choice.place_of(error, variant or notice.template)
            return _plain_form(notice, choice.voice), f"{place}: {_reason(error)}"

    def _report(self, notice: Notice, voice: _Voice, own_id: str) -> MailedReport | None:
        """Return the parts of a report, where the notice is one."""
        facts = notice.facts.get("report")
        if not isinstance(facts, dict):
            return None
        speech = Speech(words=voice.listed(), zone=self._zone)
        return report_for_mail(facts, speech, lambda name: f"cid:{_cid(name, own_id)}", self._draws)

    def warm(self) -> None:
        """Compile every template in the languages that people have, so that the first mails do not wait for it."""
        for language in self._shelf.languages():
            for name in TEMPLATES:
                self._choose(name, language).compile()

    def _choose(self, name: str, language: str, variant: str = "") -> _Choice:
        """Return the template in the best language that has it; its variant only where that language has one."""
        key = (variant or name, language)
        if key not in self._chosen:
            chain = list(_language_chain(language, self._service.language))
            found = next((lang for lang in chain if self._shelf.has(lang, f"{name}.txt")), chain[0])
            has_variant = variant and self._shelf.has(found, f"{variant}.txt")
            self._chosen[key] = _Choice(self._voice(found), variant if has_variant else name)
        return self._chosen[key]

    def _voice(self, language: str) -> _Voice:
        if language not in self._voices:
            self._voices[language] = _Voice(self._shelf, language, self._zone)
        return self._voices[language]


def _cleaned(words: _Words, tag: str, ticket: int) -> _Words:
    subject = with_tag(words.subject, tag, ticket) if ticket else clean_header(words.subject)
    return replace(words, subject=subject, text=clean_text(words.text), html=_unbroken(clean_text(words.html), tag))


def _unbroken(html: str, tag: str) -> str:
    """Return HTML in which no line ends inside a ticket's number or a keyword: a phone breaks both where it likes."""
    kept = rf"<(?:style|title)\b.*?</(?:style|title)>|<[^>]*>|((?<!&)[#＃]\w{{1,12}}(?!\w)|\b{re.escape(tag)}-\d+)"
    return re.sub(kept, lambda m: f'<span style="white-space:nowrap">{m[1]}</span>' if m[1] else m[0], html, flags=re.S)


def _cid(name: str, own_id: str) -> str:
    """Return the Content-ID of a picture: it belongs to one mail."""
    return f"{name}.{own_id.strip('<>')}"


def _report_facts(report: MailedReport) -> dict[str, Any]:
    return {"report_text": report.text, "report_html": Markup(report.html)}


def _with_report(words: _Words, report: MailedReport, notice: Notice, own_id: str) -> _Words:
    """Return the mail with its pictures and its table."""
    pictures = (
        mime.Enclosed(name=f"{name}.png", kind="image/png", content=png, cid=_cid(name, own_id))
        for name, png in report.pictures.items()
    )
    table = mime.Enclosed(name=_file_name(notice.facts), kind="text/csv; charset=utf-8", content=report.csv)
    return replace(words, enclosed=(*pictures, table), remark=report.remark)


def _file_name(facts: Mapping[str, Any]) -> str:
    period = re.sub(r"[^0-9A-Za-z.-]", "_", str(facts["report"]["period"]["name"]))
    return f"service-report-{period}.csv"


_NO_SYNTAX = str.maketrans(dict.fromkeys(' <>()[],;:"\\', "_"))


def _language_chain(wanted: str, service: str) -> Iterable[str]:
    """Return folder names to look in: zh-cn, zh, then the same for the service's language, then English."""
    names = [part for lang in (wanted, service) for part in (_folder(lang), _folder(lang).partition("-")[0])]
    return dict.fromkeys(n for n in [*names, _LAST_LANGUAGE] if n)


def _folder(language: str) -> str:
    """Return the folder's name for a language, "" for what is no language: it goes into a header."""
    name = language.strip().replace("_", "-").lower()
    return name if re.fullmatch("[a-z0-9]{1,8}(-[a-z0-9]{1,8})*", name) else ""


def _number(facts: Mapping[str, object]) -> int:
    ticket = facts.get("ticket")
    number = ticket.get("number") if isinstance(ticket, Mapping) else 0
    return number if isinstance(number, int) and number > 0 else 0


def _mailto(address: str, subject: str, line: str) -> str:
    """Return a link that opens a reply whose first line is a keyword."""
    return f"mailto:{address}?subject={url_quote(subject)}&body={url_quote(line + chr(10))}"


def word_lists(folder: Path, fallback: Path, language: str, service_language: str, zone: str) -> Mapping[str, Any]:
    """Return the word lists that mails in this language use, for what is told otherwise than by mail.

    `folder` is the operator's, `fallback` the shipped one. They also say in which `language` they are.
    """
    shelf = Shelf([folder, fallback])
    chain = list(_language_chain(language, service_language))
    found = next((lang for lang in chain if shelf.has(lang, "_words.j2")), _LAST_LANGUAGE)
    voice = _Voice(shelf, found, ZoneInfo(zone))
    return voice.listed()


# ---- facts -------------------------------------------------------------------------------------------------

_ONE_LINERS = frozenset(NO_TICKET) - {"solution", "cause", "workaround", "tags"}


def _facts(notice: Notice) -> dict[str, Any]:
    """Return the notice's facts with a value for each that its template may name, long texts cut."""
    info = TEMPLATES.get(notice.template)
    missing = {name: EXTRA[name][0] for name in info.extra} if info else {}
    facts = {"text": "", "by": "", "attachments": (), "keywords": (), "instead": (), **missing, **notice.facts}
    bounded: dict[str, Any] = {name: _bounded(value) for name, value in facts.items()}
    bounded["ticket"] = _ticket(bounded.get("ticket"))
    if "tickets" in bounded:
        bounded["tickets"] = [_ticket(ticket) for ticket in bounded["tickets"]]
    if "other" in bounded:
        bounded["other"] = _ticket(bounded["other"]) or dict(NO_TICKET)
    if "step" in bounded:
        bounded["step"] = {**NO_STEP, **(bounded["step"] or {})}
    return bounded


def _ticket(facts: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not facts:
        return None
    ticket = {**NO_TICKET, **facts}
    for name in _ONE_LINERS:
        if isinstance(ticket[name], str):
            ticket[name] = " ".join(ticket[name].split())
    return ticket


def _bounded(value: Any) -> Any:
    """Return the value with every text in it cut to what a mail can bear; facts are plain JSON data."""
    kind = type(value)
    if kind is str:
        return value if len(value) <= _TEXT_CHARS else value[:_TEXT_CHARS] + " […]"
    if kind is dict or isinstance(value, Mapping):
        return {name: _bounded(inner) for name, inner in value.items()}
    return [_bounded(inner) for inner in value] if kind in (list, tuple) else value


# ---- the plain form ----------------------------------------------------------------------------------------


def _plain_form(notice: Notice, voice: _Voice) -> _Words:
    """Return the facts without a template: less beautiful, but the incident is not lost. Cannot fail."""
    facts = notice.facts
    given = facts.get("ticket")
    ticket: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    subject = str(ticket.get("subject") or facts.get("title") or notice.template)
    number, state = ticket.get("number"), str(ticket.get("state") or "")
    lines = [
        voice.word_at("reply_line"),
        "",
        f"#{number} {subject}" if number else subject,
        voice.word(state, "state"),
        "",
        *(str(facts.get(name) or "") for name in ("text", "reason")),
        *_plain_lines(facts.get("lines")),
    ]
    text = "\n".join(line[:_TEXT_CHARS] for line in lines) + "\n"
    html = f'<pre style="white-space:pre-wrap;font-family:inherit">{escape(text)}</pre>\n'
    return _Words(voice.language, subject, text, html, plain=True)


def _plain_lines(lines: object) -> list[str]:
    if not isinstance(lines, list | tuple):
        return []
    parts = [[str(v) for v in line.values()] if isinstance(line, Mapping) else [str(line)] for line in lines]
    return [" ".join(filter(None, part)) for part in parts]


def _reason(error: BaseException) -> str:
    """Return in one line what went wrong, without the name of an error of our own."""
    return clean_header(str(error) if isinstance(error, _EmptyMailError) else f"{type(error).__name__}: {error}")


# ---- a language, and a template in it ----------------------------------------------------------------------


class _Sandbox(ImmutableSandboxedEnvironment):
    """The sandbox, with the short way to facts: they are plain dictionaries, whose keys are looked up first.

    The long way tries an attribute, catches its absence, and only then looks up the key, seventy times a mail.
    """

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a fact by its name; anything else goes through the sandbox."""
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


class _Compiled(jinja2.BytecodeCache):
    """Templates that this process has compiled before: a reload, or the check, compiles only those that changed.

    `speech` names what may have gone into the code: language, zone and words, which filters make into constants.
    """

    def __init__(self, speech: str) -> None:
        self.speech = speech

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take the code from memory, if this very source was compiled."""
        bucket.code = _SEEN.get((self.speech, bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code."""
        _keep((self.speech, bucket.key, bucket.checksum), bucket.code)

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        """Return what tells files apart: by their paths too, since an error names the line of a file."""
        return f"{name} {filename}"

    def once(self, what: str, source: str, make: Callable[[], T]) -> T:
        """Return what is made of this source, made once."""
        key = (self.speech, what, source)
        if key not in _SEEN:
            _keep(key, make())
        made: T = _SEEN[key]
        return made


_SEEN: dict[tuple[str, str, str], Any] = {}


def _keep(key: tuple[str, str, str], made: object) -> None:
    if len(_SEEN) >= _MOST_SEEN:
        _SEEN.clear()
    _SEEN[key] = made


class _Voice:
    """One language: its words, its way to write times and amounts, and the environment of its templates."""

    def __init__(self, shelf: Shelf, language: str, zone: ZoneInfo) -> None:
        self.language = language
        self.shelf = shelf
        self._zone = zone
        self._locale = _locale(language)
        self.problems: list[Problem] = []
        self._moment = lru_cache(maxsize=512)(self._write_moment)
        self.duration = lru_cache(maxsize=512)(self._write_duration)
        self.compiled = _Compiled(f"{language} {zone.key}")
        self.environment = self._environment()
        self.words = self._read_words()
        self.compiled.speech = sha256(f"{self.compiled.speech} {self.words!r}".encode()).hexdigest()
        self.environment.globals.update(words=self.words, language=language, zone=self.zone_words())

    def _environment(self) -> ImmutableSandboxedEnvironment:
        environment = _Sandbox(
            loader=jinja2.FunctionLoader(self._load),
            autoescape=lambda name: name is not None and name.endswith(".html"),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            auto_reload=False,
            cache_size=-1,
            bytecode_cache=self.compiled,
        )
        filters = {
            "when": self.when,
            "day": self._write_day,
            "date": self._write_date,
            "month": self._write_month,
            "duration": self.duration,
            "word": self.word,
            "rows": self.rows,
            "sentence": self.sentence,
        }
        plain = {"quote": _quoted, "linebreaks": _linebreaks, "size": _size, "beside": _beside}
        environment.filters |= {**filters, **plain}
        return environment

    def _load(self, name: str) -> tuple[str, str | None, Callable[[], bool]] | None:
        found = self.shelf.find(self.language, name)
        return (found[0], found[1], lambda: True) if found else None

    def _read_words(self) -> dict[str, Any]:
        """Return the word lists: English ones, over them this language's, over them the operator's."""
        words: dict[str, Any] = {}
        for language in dict.fromkeys((_LAST_LANGUAGE, self.language)):
            for source, path in self.shelf.all_of(language, "_words.j2"):
                for name, value in self._exports(source, path).items():
                    known = words.get(name)
                    words[name] = {**known, **value} if isinstance(known, dict) else value
        return words

    def _exports(self, source: str, path: str) -> dict[str, Any]:
        try:
            code = self.compiled.once("words", source, lambda: self.environment.compile(source))
            template = jinja2.Template.from_code(self.environment, code, self.environment.make_globals(None))
            template.render()  # unlike `module`, this names the line of an error
            module = template.module
            exported = {name: value for name, value in vars(module).items() if not name.startswith("_")}
            return {name: value for name, value in exported.items() if isinstance(value, dict | str)}
        except Exception as error:  # noqa: BLE001 - an operator's word list may hold anything; theirs is told
            self.problems.append(Problem(path, _line_of(error, "<template>"), _reason(error)))
            return {}

    # -- filters --

    def word(self, value: object, group: str) -> str:
        """Return the word for a state, severity, level … in this language, or the value itself."""
        found = self.words.get(group)
        return str(found.get(str(value), value)) if isinstance(found, dict) else str(value)

    def word_at(self, name: str) -> str:
        """Return a single word of the list, "" where it is not there."""
        return str(self.words.get(name, ""))

    @staticmethod
    def _year(context: Context) -> str:
        return str(context.get("sent_at", ""))[:4]

    @property
    def when(self) -> Callable[..., str]:
        """The filter that writes a time in the service's zone; `when(zone=true)` says the zone in words."""

        @jinja2.pass_context
        def when(context: Context, value: str, zone: bool = False) -> str:
            return self._moment(value, self._year(context), zone) if value else ""

        return when

    @property
    def sentence(self) -> Callable[..., str]:
        """The filter that says in words why a line of a transcript was not carried out."""

        @jinja2.pass_context
        def sentence(context: Context, line: Mapping[str, Any]) -> str:
            code, detail = str(line.get("why", "")), str(line.get("detail", ""))
            if code in ("date_past", "time_ahead", "until"):
                detail = self._moment(detail, self._year(context), False)
            elif code == "away":
                detail = self._write_day(detail)
            elif code in _DETAILS:
                parts = [self.word(part.strip(), _DETAILS[code]) for part in detail.split(",")]
                detail = self.word_at("comma").join(parts)
            links = self._links(line.get("links", ()), str(context.get("tag", "")))
            return "\n".join(filter(None, [self.word(code, "why").replace("{}", detail), links]))

        return sentence

    @property
    def rows(self) -> Callable[..., list[tuple[str, str]]]:
        """The filter that returns (label, words) of those fields of a ticket that are known.

        Called as `ticket|rows("severity", "resolve_by")`: here, as macros know no context.
        """

        @jinja2.pass_context
        def rows(context: Context, ticket: Mapping[str, Any], *names: str) -> list[tuple[str, str]]:
            year, tag = self._year(context), str(context.get("tag", ""))
            shown = {"links": lambda: self._links(ticket["links"], tag)}
            return [
                (self.word(name, "label"), shown.get(name, partial(self._shown, ticket, name, year))())
                for name in names
                if ticket[name]
            ]

        return rows

    def _shown(self, ticket: Mapping[str, Any], name: str, year: str) -> str:
        value = ticket[name]
        if name in _TIMES:
            return self._moment(value, year, False)
        if name in _GROUPS:
            return self.word(value, _GROUPS[name])
        return self.word_at("comma").join(map(str, value)) if isinstance(value, list | tuple) else str(value)

    def _links(self, links: Iterable[Mapping[str, Any]], tag: str) -> str:
        """Return the linked records in words, many of one kind cut short."""
        told = [f"{self.word(x['kind'], 'link')} {tag}-{x['number']}" for x in links]
        more = [f"… ({len(told)})"] if len(told) > _MOST_LINKS else []
        return self.word_at("comma").join([*told[:_MOST_LINKS], *more])

    def _write_moment(self, value: str, this_year: str, zone: bool) -> str:
        moment = datetime.fromisoformat(value).astimezone(self._zone)
        formats = self.words.get("formats", {})
        name = "when" if f"{moment.year:04}" == this_year else "when_year"
        written = format_datetime(moment, formats[name], tzinfo=self._zone, locale=self._locale)
        return formats["with_zone"].format(written, self.zone_words()) if zone else written

    def _write_date(self, value: str) -> str:
        """Return an ISO date with its year as people write it; anything else as it is."""
        try:
            return format_date(date.fromisoformat(value), "long", locale=self._locale)
        except ValueError:
            return value

    def _write_day(self, value: str) -> str:
        """Return a date as people say it; the filter `day`."""
        day = date.fromisoformat(value)
        return format_date(day, self.words.get("formats", {}).get("day", "medium"), locale=self._locale)

    def _write_month(self, value: str) -> str:
        """Return the month of a date as people say it; the filter `month`."""
        return format_date(date.fromisoformat(value), self.words["formats"]["month"], locale=self._locale)

    def listed(self) -> dict[str, Any]:
        """Return the word lists, with the language in which they are and the name of the zone."""
        return {**self.words, "language": self.language, "zone": self.zone_words()}

    def zone_words(self) -> str:
        """Return the name of the service's zone as people say it."""
        known: str | None = self.words.get("zones", {}).get(self._zone.key)
        return known or get_timezone_name(self._zone, locale=self._locale)

    def _write_duration(self, minutes: float) -> str:
        """Return minutes as at most two units, e.g. 1 hr 35 min."""
        days, rest = divmod(round(minutes), 1440)
        amounts = [(days, "day"), (rest // 60, "hour"), (rest % 60, "minute")]
        used = [(n, unit) for n, unit in amounts if n][:2] or [(0, "minute")]
        joint = self.word_at("unit_joint")
        return joint.join(format_unit(n, f"duration-{unit}", "short", locale=self._locale) for n, unit in used)


_DETAILS = {
    "not_yours": "who", "needs_approval": "role", "not_now": "state", "rule_raised": "severity",
    "rule_told": "audience", "approval_first": "role",
}  # fmt: skip
_TIMES = frozenset({"opened_at", "occurred_at", "respond_by", "resolve_by", "hold_until", "close_at"})
_GROUPS = {
    "state": "state",
    "severity": "severity",
    "impact": "level",
    "urgency": "level",
    "kind": "kind",
    "hold_reason": "hold_reason",
    "source": "source",
    "approval_by": "role",
}


def _locale(language: str) -> babel.Locale:
    try:
        return babel.Locale.parse(language, sep="-")
    except (ValueError, babel.UnknownLocaleError):
        return babel.Locale(_LAST_LANGUAGE)


def _quoted(text: str) -> str:
    """Put "> " before every line, as mail programs quote."""
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())


def _linebreaks(text: str) -> Markup:
    """Return text as HTML in which its line breaks show."""
    return Markup("<br>\n").join(escape(line) for line in text.strip().splitlines())


_MIXED = re.compile(r"[\u3400-\u9fff][0-9A-Za-z]|[0-9A-Za-z][\u3400-\u9fff]")


def _beside(words: str, name: str) -> str:
    """Return two texts joined, with a space where Chinese and Latin letters meet: 处理人王芳, 处理人 Tom Baker."""
    gap = " " if _MIXED.fullmatch(words[-1:] + name[:1]) else ""
    return f"{words}{gap}{name}"


_KILO = 1024


def _size(count: float) -> str:
    """Return a number of bytes as people read it."""
    for unit in ("B", "KB", "MB"):
        if count < _KILO:
            return f"{count:.0f} {unit}"
        count /= _KILO
    return f"{count:.1f} GB"


_MUCH_SPACE = re.compile(r"\n{3,}")


class _Choice:
    """A template in the language it was found in, both forms compiled at first use."""

    def __init__(self, voice: _Voice, name: str) -> None:
        self.voice = voice
        self._text = f"{name}.txt"
        self._html = voice.shelf.html_of(voice.language, name)

    def compile(self) -> None:
        """Compile both forms; one that does not work is told of when it is used."""
        for file in (self._text, self._html):
            with contextlib.suppress(jinja2.TemplateError):
                self.voice.environment.get_template(file)

    def speak(self, facts: dict[str, Any]) -> _Words:
        """Return the words; raises whatever the template raises, and where it says nothing."""
        environment, voice = self.voice.environment, self.voice
        if facts["ticket"] and not clean_header(facts["ticket"]["subject"]):
            facts["ticket"]["subject"] = voice.word_at("no_subject")
        subject, _, body = environment.get_template(self._text).render(facts).lstrip("\n").partition("\n")
        body = _MUCH_SPACE.sub("\n\n", body).strip("\n") + "\n"
        html = environment.get_template(self._html).render(facts, headline=subject, text_body=body)
        if not (clean_header(subject) and clean_header(body.strip()) and html.strip()):
            raise _EmptyMailError("line 1 is the subject, line 3 begins the text: one is empty")
        return _Words(voice.language, subject, f"{voice.word_at('reply_line')}\n\n{body}", html)

    def place_of(self, error: BaseException, name: str) -> str:
        """Return file:line where the template failed, as well as it can be known."""
        if isinstance(error, jinja2.TemplateSyntaxError):
            return f"{error.filename or error.name}:{error.lineno}"
        if isinstance(error, _EmptyMailError):
            return f"{self.text_path}:1"
        for file in (self._html, self._text):
            found = self.voice.shelf.find(self.voice.language, file)
            line = _line_of(error, found[1]) if found else 0
            if found and line:
                return f"{found[1]}:{line}"
        return f"{self.voice.language}/{name}:0"

    @property
    def text_path(self) -> str:
        """The file that the text comes from."""
        return self._path_of(self._text)

    @property
    def html_path(self) -> str:
        """The file that the HTML comes from."""
        return self._path_of(self._html)

    def _path_of(self, file: str) -> str:
        found = self.voice.shelf.find(self.voice.language, file)
        return found[1] if found else file


def _line_of(error: BaseException, path: str) -> int:
    """Return the line of the template file in which the error arose, 0 if it was elsewhere."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return error.lineno
    line, trace = 0, error.__traceback__
    while isinstance(trace, TracebackType):
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


# ---- trying all templates ------------------------------------------------------------------------------------


_MISSING = (
    WARNING
    + "lacks {}: these mails go out in the service's language, else in English; copy them from en/ and translate"
)


def check_templates(folder: Path, fallback: Path, zone: str = "Asia/Shanghai") -> list[Problem]:
    """Try every template of every language with sample facts, and return all that an operator has to mend.

    `folder` is the operator's (it need not exist), `fallback` the shipped one.
    """
    shelf = Shelf([folder, fallback])
    problems: list[Problem] = []
    for language in shelf.languages():
        voice = _Voice(shelf, language, ZoneInfo(zone))
        missing = [name for name in TEMPLATES if not shelf.has(language, f"{name}.txt")]
        place = str(shelf.folder_of(language))
        problems += (
            [Problem(place, 0, _MISSING.format(", ".join(f"{name}.txt" for name in missing)))] if missing else []
        )
        problems += voice.problems
        seen = [(file, _check_file(voice, file, path)) for file, path in shelf.files_of(language)]
        problems += [problem for _, found in seen for problem in found]
        broken = {file.rpartition(".")[0] for file, found in seen if found}
        variants = {file[: -len(".txt")] for file, _ in seen if file.endswith(".txt") and template_of(file)}
        for name in (TEMPLATES.keys() | variants) - broken - set(missing):
            problems += _rehearse(voice, name)
    return sorted(set(problems))


def template_of(file: str) -> str:
    """Return the template that a file is: one of ours, or a variant of the one that it is named after; else ""."""
    name = file.rpartition(".")[0]
    if name in TEMPLATES:
        return name
    return max((t for t in TEMPLATES if name.startswith(f"{t}_") and name > f"{t}_"), key=len, default="")


def _check_file(voice: _Voice, file: str, path: str) -> list[Problem]:
    """Return what can be seen in one file without rendering it."""
    ending = file.rpartition(".")[2]
    if file.startswith("_"):
        return []
    if ending not in ("txt", "html") or not template_of(file):
        known = [f"{template}.{end}" for template in TEMPLATES for end in ("txt", "html")]
        return [Problem(path, 0, f"is no template that ticketd sends{did_you_mean(file, known)}")]
    try:
        source = Path(path).read_text("utf-8")
    except UnicodeDecodeError:
        return [Problem(path, 0, "is not UTF-8: save it as UTF-8")]
    return [Problem(path, line, what) for line, what in _faults_once(source, template_of(file), voice)]


def _faults_once(source: str, name: str, voice: _Voice) -> tuple[tuple[int, str], ...]:
    return voice.compiled.once(f"faults {name}", source, lambda: _faults(source, name, voice))


def _faults(source: str, name: str, voice: _Voice) -> tuple[tuple[int, str], ...]:
    """Return line and complaint for all that can be seen in this text of a template without rendering it."""
    try:
        return tuple(_unknown_names(voice.environment.parse(source), name, voice))
    except jinja2.TemplateSyntaxError as error:
        return ((error.lineno, f"{error.message}{_filter_hint(error, voice)}"),)


def _filter_hint(error: jinja2.TemplateSyntaxError, voice: _Voice) -> str:
    named = re.match(r"No filter named '(\w+)'", error.message or "")
    return did_you_mean(named[1], voice.environment.filters) if named else ": mend the template's syntax"


def _unknown_names(tree: nodes.Template, name: str, voice: _Voice) -> Iterable[tuple[int, str]]:
    """Yield line and complaint for every fact, ticket field and word that does not exist."""
    known = {*COMMON, *TEMPLATES[name].extra, "headline", "text_body", *voice.environment.globals}
    known |= {n if isinstance(n, str) else n[1] for node in tree.find_all(nodes.FromImport) for n in node.names}
    known |= {node.name for node in tree.find_all(nodes.Macro)}
    lines = {node.name: node.lineno for node in reversed(list(tree.find_all(nodes.Name)))}
    for unknown in find_undeclared_variables(tree) - known:
        hint = did_you_mean(unknown, known)
        yield lines.get(unknown, 1), f"'{unknown}' is not a fact of this template{hint}"
    fields: dict[str, Iterable[str]] = {"ticket": NO_TICKET, "other": NO_TICKET, "step": NO_STEP, "words": voice.words}
    for node in tree.find_all(nodes.Getattr):
        owner = node.node.name if isinstance(node.node, nodes.Name) else ""
        if owner in fields and node.attr not in fields[owner]:
            hint = did_you_mean(node.attr, fields[owner])
            yield node.lineno, f"'{owner}.{node.attr}' does not exist{hint}"


def _rehearse(voice: _Voice, name: str) -> list[Problem]:
    """Return what goes wrong when the template speaks, once of everything and once of nearly nothing."""
    choice = _Choice(voice, name)
    context: dict[str, Any] = {"tag": "INC", "ref": "INC-1", "sent_at": "2026-11-23T10:00:00+08:00"}
    context |= {"service": {"name": "Service", "address": "support@example.com"}, "mailto": str}
    template = template_of(f"{name}.txt")
    for facts in (SAMPLE_FACTS[template], sparse_facts(template)):
        notice = Notice(template=template, language=voice.language, to="", to_name="", facts=facts)
        try:
            words = choice.speak({**_facts(notice), "to_name": "", **context})
        except _EmptyMailError as error:
            if facts is SAMPLE_FACTS[template]:  # a mail that is only the words of somebody who wrote none is all right
                return [Problem(choice.text_path, 1, _reason(error))]
            continue
        except Exception as error:  # noqa: BLE001 - a template may raise anything; that is what we ask
            file, _, line = choice.place_of(error, name).rpartition(":")
            return [Problem(file, int(line), f"{_reason(error)}: mend it, or the mail goes out in a plain form")]
        if voice.word_at("reply_line") not in words.html:
            what = "lacks {{ words.reply_line }}: put it at the top, or extend _layout.html"
            return [Problem(choice.html_path, 1, what)]
    return []
