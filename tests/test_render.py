"""From facts to mails: every template in every language, hostile words, broken templates, and the golden mails."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.errors import ConfigError
from daemon.notify.catalogue import NO_TICKET, SAMPLE_TICKET, sparse_facts, templates_table
from daemon.notify.envelope import Keys, bounced_notice, check_token, find_tokens, is_echo
from daemon.notify.notice import Notice
from daemon.notify.render import SAMPLE_FACTS, TEMPLATES, Rendered, Renderer, ServiceFacts, check_templates
from daemon.words import HoldReason, Kind, Level, LinkKind, Nature, Role, Severity, State, Visibility

ROOT = Path(__file__).parent.parent
SHIPPED = ROOT / "templates" / "email"
GOLDEN = Path(__file__).parent / "golden" / "mails"
NOWHERE = ROOT / "no-such-folder"
KEYS = Keys("a", {"a": b"golden mails have no secrets"})
SERVICE = ServiceFacts(name="示例服务台 Example Desk", address="support@example.com", language="zh")
AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
LANGUAGES = ("zh", "en")
OURS = ["From", "Reply-To", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted",
        "X-Auto-Response-Suppress", "X-Ticketd-Id", "Content-Language", "MIME-Version", "Content-Type"]  # fmt: skip

RENDERER = Renderer(NOWHERE, SHIPPED, SERVICE, KEYS)


def notice(template: str = "acknowledgement", language: str = "en", **changes: object) -> Notice:
    values: dict[str, object] = {
        "template": template, "language": language, "to": "li.wei@customer.example", "to_name": "李伟 Li Wei",
        "facts": SAMPLE_FACTS[template] if template in TEMPLATES else {"ticket": SAMPLE_TICKET, "text": "the words"},
        "answers": "<their-mail@customer.example>", "references": ("<first@customer.example>",),
    }  # fmt: skip
    return Notice(**{**values, **changes})  # type: ignore[arg-type]


def read(mail: Rendered) -> EmailMessage:
    message = email.message_from_bytes(mail.content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


# ---- every template, every language -----------------------------------------------------------------------------------


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_golden(template: str, language: str, request: pytest.FixtureRequest) -> None:
    mail = RENDERER.render(notice(template, language), 345, AT)
    assert mail.problem == ""
    file = GOLDEN / f"{language}.{template}.eml"
    if request.config.getoption("--write-golden"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(mail.content)
    assert mail.content == file.read_bytes(), "look at it, then run pytest tests/test_render.py --write-golden"


def test_no_golden_mail_is_left_over() -> None:
    assert {f.name for f in GOLDEN.iterdir()} == {f"{lang}.{name}.eml" for lang in LANGUAGES for name in TEMPLATES}


@pytest.mark.procedure("8/language")
@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_both_parts_say_that_one_may_answer_and_speak_the_language(template: str, language: str) -> None:
    for facts in (SAMPLE_FACTS[template], sparse_facts(template)):
        mail = RENDERER.render(notice(template, language, facts=facts), 1, AT)
        assert mail.problem == ""
        line = {"zh": "##- 请在此行上方回复 -##", "en": "##- Please reply above this line -##"}[language]
        assert mail.text.startswith(line) and line in mail.html
        assert f'<html lang="{language}">' in mail.html
        assert mail.subject.removeprefix("[INC-1]").strip()
        assert "  \n" not in mail.text and "\n\n\n" not in mail.text
        assert not re.search(r"None|Undefined|\{\{|\{%", mail.text + mail.html)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_that_data_can_hold_has_a_translation(language: str) -> None:
    voice = RENDERER._voice(language)
    groups = {"state": State, "state_told": State, "severity": [int(s) for s in Severity], "level": Level, "hold_reason": HoldReason,
              "role": Role, "nature": Nature, "label": [f for f in NO_TICKET if f not in ("number", "category")],
              "template": TEMPLATES, "clock": ["respond", "resolve"], "kind": Kind, "link": LinkKind}  # fmt: skip
    missing = {(g, str(v)) for g, values in groups.items() for v in values if str(v) not in voice.words[g]}
    assert missing == set()


def test_both_languages_know_the_same_words() -> None:
    zh, en = ({(name, key) for name, group in RENDERER._voice(lang).words.items() if isinstance(group, dict) for key in group}
              for lang in LANGUAGES)  # fmt: skip
    assert zh == en


def test_the_documented_table_is_the_real_one() -> None:
    assert templates_table() in (ROOT / "docs" / "templates.md").read_text("utf-8")


# ---- what stands on the outside ---------------------------------------------------------------------------------------


def test_headers() -> None:
    mail = RENDERER.render(notice(), 345, AT)
    message = read(mail)
    assert message.keys() == OURS
    assert message["To"].addresses[0].addr_spec == "li.wei@customer.example"
    assert message["From"].addresses[0].display_name == SERVICE.name
    assert message["Subject"] == mail.subject and mail.subject.startswith("[INC-1207] ")
    assert message["In-Reply-To"] == "<their-mail@customer.example>"
    assert message["References"].split() == ["<first@customer.example>", "<their-mail@customer.example>"]
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "OOF, AutoReply"
    assert message["Content-Language"] == "en"
    assert message["Date"].datetime == AT
    assert (mail.to, mail.message_id) == ("li.wei@customer.example", message["Message-ID"])


def test_what_comes_back_is_proved() -> None:
    mail = RENDERER.render(notice(), 345, AT)
    message = read(mail)
    reply_to = message["Reply-To"].addresses[0].addr_spec
    for found in (
        find_tokens([reply_to], [], SERVICE.address),
        find_tokens([], [message["Message-ID"]], SERVICE.address),
    ):
        assert [check_token(token, [mail.to], KEYS) for _, token in found] == [mail.to]
    assert bounced_notice([mail.envelope_from], SERVICE.address, KEYS) == 345
    assert is_echo(message["X-Ticketd-Id"], message["Message-ID"], KEYS)


def test_without_plus_addresses_the_service_address_stands_everywhere() -> None:
    service = ServiceFacts(name="Desk", address="support@example.com", reply_addresses="none")
    mail = Renderer(NOWHERE, SHIPPED, service, KEYS).render(notice(), 1, AT)
    assert mail.envelope_from == "support@example.com"
    assert read(mail)["Reply-To"].addresses[0].addr_spec == "support@example.com"
    assert find_tokens([], [mail.message_id], "support@example.com")


def test_a_direct_answer_says_so() -> None:
    assert read(RENDERER.render(notice(automatic_answer=True), 1, AT))["Auto-Submitted"] == "auto-replied"


def test_the_same_notice_gives_the_same_bytes_and_another_id_does_not() -> None:
    first, again = (Renderer(NOWHERE, SHIPPED, SERVICE, KEYS).render(notice(), 7, AT).content for _ in range(2))
    assert first == again != RENDERER.render(notice(), 8, AT).content


def test_a_thread_without_end_stays_short() -> None:
    references = (*(f"<{n:04}{'x' * 100}@customer.example>" for n in range(500)), "<" + "y" * 5000 + "@z>")
    message = read(RENDERER.render(notice(references=references, answers="no id\r\nBcc: x@y"), 1, AT))
    ids = message["References"].split()
    assert ids[0] == references[0] and ids[-1] == references[499]
    assert sum(len(i) + 1 for i in ids) <= 3500
    assert message.keys() == [h for h in OURS if h != "In-Reply-To"]


def test_a_mail_about_no_ticket_has_no_tag() -> None:
    mail = RENDERER.render(notice("alarm", "zh"), 1, AT)
    assert mail.subject == "系统告警：IMAP: no mail could be fetched for 15 minutes"
    assert mail.problem == ""


# ---- hostile words ----------------------------------------------------------------------------------------------------

NASTY = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\r\n\x00\x0b\x0c\x1c\x85\u2028\u2029\u202e\u2066\ud800<>&\"'{}%\\=?.: \t"),
    ),
    max_size=400,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    subject=NASTY,
    name=NASTY,
    text=NASTY,
    solution=NASTY,
    template=st.sampled_from(["acknowledgement", "resolved", "assignment"]),
)
def test_whatever_they_write_stays_words(subject: str, name: str, text: str, solution: str, template: str) -> None:
    ticket = {**SAMPLE_TICKET, "subject": subject, "solution": solution, "customer_name": name, "assignee_name": name}
    facts = {
        **SAMPLE_FACTS[template],
        "ticket": ticket,
        "text": text,
        "by": name,
        "attachments": [{"name": name, "size": 1}],
    }
    mail = RENDERER.render(notice(template, facts=facts, to_name=name), 1, AT)
    assert mail.problem == ""
    message = read(mail)
    assert message.keys() == OURS and not message.defects
    assert [a.addr_spec for a in message["To"].addresses] == ["li.wei@customer.example"]
    assert " ".join(message["Subject"].split()) == mail.subject
    assert part(message, "plain").rstrip("\n") == mail.text.rstrip("\n")
    assert part(message, "html").rstrip("\n") == mail.html.rstrip("\n")
    assert [p.get_content_type() for p in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert_fit_for_the_wire(mail.content)


@settings(max_examples=100, deadline=None)
@given(
    template=NASTY,
    to=NASTY,
    answers=NASTY,
    language=NASTY,
    facts=st.dictionaries(st.sampled_from(["ticket", "text", "lines", "keywords"]), NASTY),
)
def test_render_never_raises(template: str, to: str, answers: str, language: str, facts: dict[str, object]) -> None:
    strange = notice(template=template, to=to, answers=answers, language=language, references=(answers,), facts=facts)
    mail = RENDERER.render(strange, 1, AT)
    assert mail.problem
    assert set(read(mail).keys()) <= set(OURS)


def assert_fit_for_the_wire(content: bytes) -> None:
    lines = content.split(b"\r\n")
    assert not [line for line in lines if b"\n" in line or b"\r" in line]
    assert max(map(len, lines)) <= 998
    head = content.split(b"\r\n\r\n")[0].split(b"\r\n")
    assert all(len(line) <= 76 for line in head if b"=?" in line)
    assert content.isascii()


def test_no_field_of_a_notice_can_add_a_header() -> None:
    evil = "x\r\nBcc: victim@example.org\r\n\r\nbody"
    for template in ("acknowledgement", evil):
        mail = RENDERER.render(
            notice(template, to=evil, to_name=evil, answers=evil, references=(evil,), language=evil), 1, AT
        )
        message = read(mail)
        assert message.keys() == [h for h in OURS if h not in ("In-Reply-To", "References")]
        assert message["Content-Language"] in ("zh", "en")


def test_nothing_of_theirs_is_markup_or_template() -> None:
    evil = "<script>alert(1)</script> {{ 7*7 }} {% raw %} ${x} javascript:x"
    facts = {
        **SAMPLE_FACTS["assignment"],
        "text": evil,
        "ticket": {**SAMPLE_TICKET, "subject": evil, "customer_name": evil},
    }
    mail = RENDERER.render(notice("assignment", facts=facts), 1, AT)
    assert "<script>" not in mail.html and "&lt;script&gt;" in mail.html
    assert "{{ 7*7 }}" in mail.text and "49" not in mail.text


def test_bidi_and_controls_show_in_text_and_never_in_headers() -> None:
    facts = {**SAMPLE_FACTS["assignment"], "attachments": [{"name": "gpj\u202eexe.\x1b[31m", "size": 5}]}
    mail = RENDERER.render(notice("assignment", facts=facts, to_name="a\u202eb"), 1, AT)
    assert "gpj\ufffdexe.\ufffd[31m" in mail.text and "gpj\ufffdexe" in mail.html
    assert read(mail)["To"].addresses[0].display_name == "ab"


def test_no_line_of_the_html_ends_inside_a_number_or_a_keyword() -> None:
    facts = {**SAMPLE_FACTS["progress"], "text": "See INC-1203, #confirm it; #3 & XINC-7 'a' <b title=#x>"}
    mail = RENDERER.render(notice("progress", facts=facts), 1, AT)
    whole = re.findall('<span style="white-space:nowrap">(.*?)</span>', mail.html)
    assert {"INC-1207", "INC-1203", "#confirm", "#3"} <= set(whole) and not {w for w in whole if "7" in w} - {
        "INC-1207"
    }
    head, _, body = mail.html.partition("<body")
    assert "<span" not in head and "#f3f5f7" in body and "&#39;a&#39;" in body
    assert "<span" not in mail.text


def test_a_book_in_a_mail_is_cut() -> None:
    facts = {**SAMPLE_FACTS["new_reply"], "text": "long " * 100_000}
    mail = RENDERER.render(notice("new_reply", facts=facts), 1, AT)
    assert mail.problem == "" and len(mail.text) < 25_000 and "[…]" in mail.text


def test_an_international_domain_is_written_so_that_it_arrives() -> None:
    message = read(RENDERER.render(notice(to="li@例子.example", to_name=""), 1, AT))
    assert message["To"] == "li@xn--fsqu00a.example"


# ---- words, times, amounts --------------------------------------------------------------------------------------------


def shown(line: str, language: str, tmp_path: Path, **facts: object) -> str:
    (tmp_path / language).mkdir(exist_ok=True)
    (tmp_path / language / "progress.txt").write_text(f"subject\n\n{line}\n", "utf-8")
    mail = Renderer(tmp_path, SHIPPED, SERVICE, KEYS).render(
        notice("progress", language, facts={"ticket": SAMPLE_TICKET, **facts}), 1, AT
    )
    assert mail.problem == ""
    return mail.text.partition("-##\n\n")[2].rstrip("\n")


@pytest.mark.parametrize(
    ("line", "zh", "en"),
    [
        ("{{ ticket.resolve_by|when }}", "11月23日（周一）17:30", "Mon 23 Nov, 17:30"),
        ("{{ ticket.resolve_by|when(zone=true) }}", "11月23日（周一）17:30（北京时间）", "Mon 23 Nov, 17:30 (Beijing time)"),
        ("{{ '2027-01-02T00:00:00+00:00'|when }}", "2027年1月2日（周六）08:00", "Sat 2 Jan 2027, 08:00"),
        ("[{{ ''|when }}]", "[]", "[]"),
        ("{{ 95|duration }}", "1小时35分钟", "1 hr 35 min"),
        ("{{ 3000|duration }}", "2天2小时", "2 days 2 hr"),
        ("{{ 0|duration }}", "0分钟", "0 min"),
        ("{{ ticket.state|word('state') }}", "已派单", "Assigned"),
        ("{{ 'no_such_state'|word('state') }}", "no_such_state", "no_such_state"),
        ("{{ 'x'|word('no_such_group') }}", "x", "x"),
        ("{{ '处理人'|beside('王芳') }} {{ '处理人'|beside('Tom') }}", "处理人王芳 处理人 Tom", "处理人王芳 处理人 Tom"),
        ("{{ 'Tom'|beside('把') }} {{ '，'|beside('Tom') }}[{{ ''|beside('') }}]", "Tom 把 ，Tom[]", "Tom 把 ，Tom[]"),
        ("{{ 'a\nb'|quote }}", "> a\n> b", "> a\n> b"),
        ("{{ 48211|size }} {{ 12|size }}", "47 KB 12 B", "47 KB 12 B"),
        ("{{ {'why': 'not_yours', 'detail': 'pm, desk'}|sentence }}", "这个指令只有项目经理，服务台可以用。",
         "Only these may use it: the project manager, the service desk."),
        ("{{ {'why': 'something new'}|sentence }}", "something new", "something new"),
    ],
)  # fmt: skip
def test_filters(line: str, zh: str, en: str, tmp_path: Path) -> None:
    assert (shown(line, "zh", tmp_path), shown(line, "en", tmp_path)) == (zh, en)


def test_an_operator_may_change_one_word(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "_words.j2").write_text('{% set state = {"assigned": "In good hands"} %}', "utf-8")
    assert shown("{{ 'assigned'|word('state') }} {{ 'new'|word('state') }}", "en", tmp_path) == "In good hands New"


# ---- where templates come from ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "service", "got"),
    [
        ("en", "zh", "en"),
        ("zh-CN", "en", "zh"),
        ("zh_Hans", "en", "zh"),
        ("fr", "zh", "zh"),
        ("", "zh", "zh"),
        ("fr", "de", "en"),
    ],
)
def test_the_language_falls_back(asked: str, service: str, got: str) -> None:
    renderer = Renderer(NOWHERE, SHIPPED, ServiceFacts(name="D", address="s@example.com", language=service), KEYS)
    assert renderer.render(notice(language=asked), 1, AT).language == got


def test_the_operators_own_text_goes_out_in_both_parts(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "progress.txt").write_text(
        "Ours: {{ ticket.subject }}\n\nIn our own words: {{ text }}\n", "utf-8"
    )
    mail = Renderer(tmp_path, SHIPPED, SERVICE, KEYS).render(
        notice("progress", facts={"ticket": SAMPLE_TICKET, "text": "a < b"}), 1, AT
    )
    assert mail.problem == "" and mail.subject.startswith("[INC-1207] Ours: ")
    assert "In our own words: a < b" in mail.text and "In our own words: a &lt; b" in mail.html


def test_the_operators_own_html_goes_with_the_shipped_text(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "progress.html").write_text("<p>{{ words.reply_line }} ours {{ text }}</p>", "utf-8")
    mail = Renderer(tmp_path, SHIPPED, SERVICE, KEYS).render(notice("progress"), 1, AT)
    assert mail.problem == "" and check_templates(tmp_path, SHIPPED) == []
    assert mail.html.startswith("<p>##- Please reply above this line -## ours")
    assert "has news for you" in mail.text


@pytest.mark.procedure("8/new_language")
def test_a_language_may_be_added_as_a_folder(tmp_path: Path) -> None:
    (tmp_path / "de").mkdir()
    (tmp_path / "de" / "progress.txt").write_text("Neues\n\nBis {{ ticket.resolve_by|when }}.\n", "utf-8")
    renderer = Renderer(tmp_path, SHIPPED, SERVICE, KEYS)
    assert "Bis Mo. 23 Nov." in renderer.render(notice("progress", "de"), 1, AT).text
    assert renderer.render(notice("closed", "de"), 1, AT).language == "zh"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("x\n\n{{ ticket.subject", "progress.txt:3"),
        ("x\n\n{{ no_such_fact }}", "progress.txt:3: UndefinedError: 'no_such_fact' is undefined"),
        ("x\n\n{{ 1 // 0 }}", "progress.txt:3: ZeroDivisionError"),
        ("x\n{{ ''.__class__.__mro__ }}", "progress.txt:2: SecurityError"),
        ("x\n{% include 'missing.txt' %}", "TemplateNotFound"),
        ("x\n{{ ticket.update({'subject': 'y'}) }}", "SecurityError"),
    ],
)
def test_a_template_that_fails_goes_out_plain_and_is_told(source: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "progress.txt").write_text(source, "utf-8")
    mail = Renderer(tmp_path, SHIPPED, SERVICE, KEYS).render(notice("progress"), 1, AT)
    assert says in mail.problem
    for body in (part(read(mail), "plain"), part(read(mail), "html")):
        assert "#1207" in body and "Finance cannot reach the VPN" in body and "Assigned" in body
        assert "Please use vpn2.example.com for now." in body
    assert mail.subject.startswith("[INC-1207] 财务部")


def test_a_template_that_nobody_wrote_goes_out_plain() -> None:
    mail = RENDERER.render(notice("no_such_template"), 1, AT)
    assert "no_such_template" in mail.problem and "the words" in mail.text


# ---- check_templates --------------------------------------------------------------------------------------------------


def test_the_shipped_templates_have_no_problems() -> None:
    assert check_templates(NOWHERE, SHIPPED) == []
    assert check_templates(SHIPPED, SHIPPED) == []


@pytest.mark.parametrize(
    ("file", "source", "says"),
    [
        (
            "progress.txt",
            "x\n\n{{ ticket.sevrity }}",
            "progress.txt:3: 'ticket.sevrity' does not exist (did you mean 'severity'?)",
        ),
        (
            "progress.txt",
            "x\n\n{% if by == 'x' %}{{ txt }}{% endif %}",
            "progress.txt:3: 'txt' is not a fact of this template (did you mean 'text'?)",
        ),
        ("progress.txt", "x\n\n{{ reason }}", "progress.txt:3: 'reason' is not a fact of this template"),
        ("progress.html", "a\nb {% if %}", "progress.html:2:"),
        ("progress.txt", "x\n\n{{ text|qoute }}", "progress.txt:3: No filter named 'qoute'"),
        ("progress.txt", "x\n\n{{ ticket.number + text }}", "progress.txt:3: TypeError"),
        ("progress.txt", "\n\n", "progress.txt:1: line 1 is the subject"),
        ("progess.txt", "x\n\ny", "progess.txt: is no template that ticketd sends (did you mean 'progress.txt'?)"),
        ("progress.html", "<p>{{ text }}</p>", "progress.html:1: lacks {{ words.reply_line }}"),
        ("progress.md", "x\n\ny", "progress.md: is no template"),
        ("_words.j2", "{% set state = 1 // 0 %}", "_words.j2:1: ZeroDivisionError"),
    ],
)
def test_check_names_file_line_and_cure(file: str, source: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / file).write_text(source, "utf-8")
    problems = [str(p) for p in check_templates(tmp_path, SHIPPED)]
    assert len(problems) == 1
    assert problems[0].startswith(str(tmp_path)) and says in problems[0]


def test_check_says_what_a_language_lacks(tmp_path: Path) -> None:
    (tmp_path / "de").mkdir()
    (tmp_path / "de" / "progress.txt").write_text("Neues\n\n{{ text }}\n", "utf-8")
    problems = [str(p) for p in check_templates(tmp_path, SHIPPED)]
    (problem,) = problems
    assert (
        problem.startswith(f"{tmp_path / 'de'}: warning: lacks acknowledgement.txt, ")
        and ", progress.txt" not in problem
    )
    assert "these mails go out in the service's language, else in English" in problem


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "progress.txt").symlink_to(tmp_path / "en" / "progress.txt")
    with pytest.raises(ConfigError, match=r"progress\.txt: cannot be read"):
        Renderer(tmp_path, SHIPPED, SERVICE, KEYS)


def test_backups_of_editors_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    for name in ("progress.txt~", ".progress.txt.swp", "progress.html.bak"):
        (tmp_path / "en" / name).write_text("{{ broken", "utf-8")
    assert check_templates(tmp_path, SHIPPED) == []


def test_requesters_get_public_templates_only_where_the_catalogue_says_so() -> None:
    internal = {name for name, info in TEMPLATES.items() if info.visibility is Visibility.INTERNAL}
    assert internal == {
        "assignment",
        "new_reply",
        "escalation",
        "handed_up",
        "linked",
        "queued",
        "recall",
        "recalled",
        "regraded",
        "returned",
        "review_request",
        "alert_repeated",
        "alert_recovered",
        "scope_question",
        "scope_insisted",
        "notice_failed",
        "alarm",
        "woken",
        "day_list",
        "follow_up_result",
        "next_action",
        "review_list",
        "update_owed",
        "major_report",
        "task",
        "plan_progress",
        "approval_question",
        "rule_notice",
        "forwarded",
        "kpi_report",
        "rule_proposals",
    }


def test_a_later_notice_shows_its_own_day() -> None:
    message = read(RENDERER.render(notice(), 1, AT + timedelta(days=40)))
    assert message["Date"].datetime == AT + timedelta(days=40)
