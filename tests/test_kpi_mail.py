"""The monthly report as a mail: owed once a month whatever was down, with the figures of `ticketd report`."""

from __future__ import annotations

import csv
import email
import email.policy
import io
import json
import re
import shutil
from dataclasses import replace
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from daemon.app import wording
from daemon.duties import owed_duties
from daemon.intake.letter import read_letter
from daemon.notify import mime
from daemon.notify.render import Renderer
from daemon.reports import charts
from daemon.reports.compile import compile_report
from daemon.reports.facts import Heading
from daemon.reports.period import period_of
from daemon.routing.loader import load_partly, load_rulebook
from daemon.rulebook import Rulebook
from daemon.words import Duty
from tests.desk import BEIJING, ROOT, Sent, TestDesk, reply
from tests.lives import histories
from tests.test_kpis import SINCE, keep
from tests.test_reports import words_of

BOOK = load_rulebook(ROOT / "rules")
ONLY = replace(
    BOOK, duties=replace(BOOK.duties, times=tuple(t for t in BOOK.duties.times if t.duty is Duty.KPI_REPORT))
)
ALL = {"zhou.qiang@example.com", "wu.fang@example.com", "sun.li@example.com", "mary.jones@example.com"}


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=BEIJING)


def due(since: datetime, now: datetime, book: Rulebook = ONLY, done: object = ()) -> list[tuple[str, str, bool]]:
    return [(o.period, o.verdict, o.late) for o in owed_duties(book, "Asia/Shanghai", done, since, now)]  # type: ignore[arg-type]


@pytest.fixture
def desk(tmp_path: Path) -> TestDesk:
    """A desk that has sixty tickets, at the end of October."""
    return a_desk(tmp_path)


@pytest.fixture(scope="module")
def monthly(tmp_path_factory: pytest.TempPathFactory) -> tuple[TestDesk, list[Sent]]:
    """Such a desk after its reports have left, and the reports: for those who only look."""
    desk = a_desk(tmp_path_factory.mktemp("monthly"))
    return desk, until(desk, 2026, 11, 2, 10)


def a_desk(folder: Path) -> TestDesk:
    desk = TestDesk(folder, now=at(2026, 10, 30, 10))
    desk.desk.rulebook = ONLY
    keep(histories(60, BOOK, SINCE, seed=3), desk.desk.store)
    desk.desk.store.duties.since(desk.clock.now())
    return desk


def until(desk: TestDesk, *when: int) -> list[Sent]:
    """Let time pass up to a moment; return the reports that leave, and nothing else that has fallen due."""
    desk.clock.at = at(*when)
    return [m for m in desk.works() if "服务报告" in m.subject or "Service report" in m.subject]


def to(sent: list[Sent], who: str) -> EmailMessage:
    (raw,) = [m.raw for m in sent if m.to.startswith(who)]
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def table(message: EmailMessage) -> list[list[str]]:
    (attached,) = message.iter_attachments()
    content = attached.get_content()
    text = content if isinstance(content, str) else content.decode("utf-8")
    return list(csv.reader(io.StringIO(text.lstrip("\ufeff"))))


# --- when ---


@pytest.mark.procedure("9/kpi_report")
def test_a_month_is_reported_on_its_first_working_day_after_it() -> None:
    assert due(at(2026, 10, 20), at(2026, 11, 2, 9, 59)) == [], "1 November 2026 is a Sunday"
    assert due(at(2026, 10, 20), at(2026, 11, 2, 10)) == [("2026-10", "now", False)]
    assert due(at(2026, 9, 20), at(2026, 10, 8, 10)) == [("2026-09", "now", False)], "the holidays end on the seventh"
    assert due(at(2026, 12, 20), at(2027, 1, 29)) == [("2026-12", "waits", True)], "the month before January"
    assert due(at(2026, 10, 20), at(2026, 11, 2, 10), done={("kpi_report", "2026-10", "business")}) == []


def test_a_day_late_in_the_month_is_the_same_period() -> None:
    times = tuple(replace(t, month_day=28) for t in ONLY.duties.times)
    book = replace(ONLY, duties=replace(ONLY.duties, times=times))
    assert due(at(2026, 11, 20), at(2026, 12, 1), book) == [("2026-10", "waits", True)], "due on Monday the 30th"
    assert due(at(2026, 12, 1), at(2026, 12, 27), book) == [], "and not once more before the next"


def test_however_long_it_was_down_each_month_is_still_owed_and_waits_for_working_hours() -> None:
    months = [period for period, *_ in due(at(2026, 3, 20), at(2026, 11, 23, 22))]
    assert months == [f"2026-{n:02}" for n in range(3, 11)]
    assert {v for _, v, _ in due(at(2026, 3, 20), at(2026, 11, 23, 22))} == {"waits"}
    assert {v for _, v, _ in due(at(2026, 3, 20), at(2026, 11, 24, 9))} == {"now"}


def test_customers_elsewhere_do_not_get_it_twice() -> None:
    elsewhere = {k: replace(c, zone="Europe/Berlin") for k, c in BOOK.customers.items()}
    book = replace(ONLY, customers=elsewhere)
    assert due(at(2026, 10, 20), at(2026, 11, 3), book) == [("2026-10", "waits", True)]


# --- to whom, once ---


@pytest.mark.procedure("9/kpi_report", "8/kpi_report")
def test_managers_get_all_and_project_managers_their_customers_once(desk: TestDesk) -> None:
    sent = until(desk, 2026, 11, 2, 10)
    assert {m.to for m in sent} == ALL and len(sent) == 4
    assert to(sent, "wu.fang")["Subject"] == "2026年10月服务报告（全部客户）"
    assert to(sent, "mary")["Subject"] == "Service report for October 2026: Acme Trading Ltd, no customer on record"
    assert to(sent, "sun.li")["Subject"] == "2026年10月服务报告（华信制造有限公司，未登记客户）"
    assert not until(desk, 2026, 11, 2, 10, 1) and not until(desk, 2026, 11, 30, 12)
    assert len(until(desk, 2026, 12, 1, 10)) == 4, "and the next one a month later"


@pytest.mark.procedure("9/kpi_report", "9/owed")
def test_it_comes_late_after_an_outage_and_says_so(desk: TestDesk) -> None:
    assert not until(desk, 2026, 11, 7, 12), "nobody is written to on a Saturday"
    sent = until(desk, 2026, 11, 9, 9)
    assert len(sent) == 4
    assert "本应在 11月2日（周一）10:00 发出" in to(sent, "wu.fang").get_body(("plain",)).get_content()


def test_a_crash_before_it_is_written_down_repeats_it_whole(desk: TestDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(type(desk.desk.store.duties), "write", fails)
        with pytest.raises(RuntimeError):
            until(desk, 2026, 11, 2, 10)
    assert {m.to for m in until(desk, 2026, 11, 2, 10, 1)} == ALL


# --- the same figures ---


@pytest.mark.procedure("8/kpi_report")
@pytest.mark.parametrize(
    ("who", "language", "customers"),
    [("wu.fang", "zh", ()), ("sun.li", "zh", ("huaxin", "")), ("mary.jones", "en", ("acme", ""))],
)
def test_the_mail_says_what_ticketd_report_says(
    monthly: tuple[TestDesk, list[Sent]], who: str, language: str, customers: tuple[str, ...]
) -> None:
    desk, sent = monthly
    message = to(sent, who)
    now = desk.clock.now()
    heading = Heading(service=desk.desk.service.name, customers=customers, made_at=now)
    wanted = compile_report(
        desk.desk.store, wording(desk.config, language), period_of("2026-10", "Asia/Shanghai", now), heading
    )
    figures = [
        (kpi["name"], row["label"], f["value"], " ".join(map(str, f["numbers"])))
        for kpi in wanted["kpis"]
        for row in kpi["rows"]
        for f in row["figures"]
    ]
    assert len(figures) > 60
    told = [(k, item, float(v) if v else None, n) for k, item, m, v, _, n, _ in table(message)[1:] if m]
    assert told == figures
    html = message.get_body(("html",)).get_content()
    shown = [f["shown"] for kpi in wanted["kpis"] for row in kpi["rows"] for f in row["figures"]]
    page = words_of(html)
    text = message.get_body(("plain",)).get_content()
    assert all(s in page and s in text for s in shown)


# --- the parts ---


def test_pictures_are_in_the_mail_and_the_page_shows_them(monthly: tuple[TestDesk, list[Sent]]) -> None:
    message = to(monthly[1], "wu.fang")
    kinds = [p.get_content_type() for p in message.walk()]
    assert kinds == ["multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html",
                     "image/png", "image/png", "text/csv"]  # fmt: skip
    html = message.get_body(("html",)).get_content()
    shown = re.findall(r'src="cid:([^"]+)"', html)
    pictures = {p["Content-ID"].strip("<>"): p for p in message.walk() if p.get_content_maintype() == "image"}
    assert shown == list(pictures) and all(p.get_content()[:8] == b"\x89PNG\r\n\x1a\n" for p in pictures.values())
    assert all(p.get_content_disposition() == "inline" for p in pictures.values())
    assert not message.defects and not any(p.defects for p in message.walk())
    attached = next(iter(message.iter_attachments()))
    assert attached.get_filename() == "service-report-2026-10.csv"


def test_it_is_no_larger_than_mail_programs_show_whole(monthly: tuple[TestDesk, list[Sent]]) -> None:
    message = to(monthly[1], "wu.fang")
    assert len(message.get_body(("html",)).get_content().encode()) < 100_000, "Gmail cuts at 102 kB"
    assert len(message.as_bytes()) < 400_000


def test_a_long_list_of_numbers_is_cut_in_the_page_and_whole_in_the_table(monthly: tuple[TestDesk, list[Sent]]) -> None:
    message = to(monthly[1], "wu.fang")
    (_, _, _, value, _, numbers, _) = next(r for r in table(message) if r[:2] == ["工单数量", "合计"])
    assert len(numbers.split()) == float(value) > 12
    page = words_of(message.get_body(("html",)).get_content())
    assert ", ".join(numbers.split()[:12]) + " … （其余见附件）" in page
    assert ", ".join(numbers.split()[:13]) not in page


def test_without_the_extra_it_goes_without_pictures(desk: TestDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts.importlib.util, "find_spec", lambda name: None)
    message = to(until(desk, 2026, 11, 2, 10), "wu.fang")
    assert [p.get_content_type() for p in message.walk()][:4] == [
        "multipart/mixed", "multipart/alternative", "text/plain", "text/html",
    ]  # fmt: skip
    assert "<img" not in message.get_body(("html",)).get_content() and len(table(message)) > 60


def test_a_drawing_that_fails_costs_no_mail_and_is_told(desk: TestDesk) -> None:
    old = desk.desk.renderer
    desk.desk.renderer = Renderer(
        ROOT / "templates" / "email", ROOT / "templates" / "email", old._service, old._keys,
        draws=lambda facts, speech: ({}, "no pictures: out of ink"),
    )  # fmt: skip
    with capture_logs() as logs:
        assert {m.to for m in until(desk, 2026, 11, 2, 10)} == ALL
    assert [x["what"] for x in logs if x["event"] == "mail.goes_without"] == ["no pictures: out of ink"] * 4


def test_our_own_reader_reads_it_and_thanks_for_it_open_nothing(desk: TestDesk) -> None:
    sent = until(desk, 2026, 11, 2, 10)
    (mine,) = [m for m in sent if m.to.startswith("sun.li")]
    assert [a.name for a in read_letter(mine.raw).attachments if a.name.endswith("csv")]
    before = len(list(desk.desk.store.register.tickets()))
    desk.receives(reply(mine, "孙莉 <sun.li@example.com>", "收到，谢谢"))
    assert len(list(desk.desk.store.register.tickets())) == before


def test_a_part_may_lie_in_parts_and_is_fit_for_the_wire() -> None:
    enclosed = [
        mime.Enclosed(name="a.png", kind="image/png", content=bytes(range(256)), cid="a.1@x"),
        mime.Enclosed(name="b.csv", kind="text/csv; charset=utf-8", content="数\r\n".encode() * 400),
    ]
    content = mime.build(["Subject: x\r\n"], "text", "<p>页</p>", "ticketd_1", enclosed)
    message = email.message_from_bytes(content, policy=email.policy.default)
    leaves = [p for p in message.walk() if not p.is_multipart()]
    assert [p.get_payload(decode=True) for p in leaves[2:]] == [e.content for e in enclosed]
    assert content.isascii() and max(map(len, content.split(b"\r\n"))) <= 998
    bounds = [p.get_boundary() for p in message.walk() if p.is_multipart()]
    assert not [(a, b) for a in bounds for b in bounds if a != b and a.startswith(b)]


# --- the rules ---


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("kpi_report: {day: 31, after_start: 1h, to: [pm]}", "'day' is a number from 1 to 28, got '31'"),
        ("kpi_report: {day: 1, after_start: 1h}", "'kpi_report' lacks 'to'; write to: [pm, manager, director]"),
        ("kpi_report: {day: 1, after_start: 1h, to: [managr]}", "a report cannot go to 'managr' (did you mean 'manager'?)"),
        ("kpi_report: {day: 1, weekday: fri, after_start: 1h, to: [pm]}", "weekday"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_rules_is_named_with_its_line(tmp_path, line: str, says: str) -> None:
    shutil.copytree(ROOT / "rules", tmp_path, dirs_exist_ok=True)
    duties = tmp_path / "duties.yaml"
    duties.write_text(re.sub(r"kpi_report:.*", line, duties.read_text("utf-8")), "utf-8")
    number = 1 + duties.read_text("utf-8").splitlines().index(f"  {line}")
    (problem,) = load_partly(tmp_path)[1]
    assert f"duties.yaml:{number}: " in str(problem) and says in str(problem)


def test_the_facts_are_plain_json(monthly: tuple[TestDesk, list[Sent]]) -> None:
    rows = monthly[0].desk.store.base.rows("SELECT facts FROM notice WHERE template = 'kpi_report'")
    assert {json.loads(r[0])["report"]["period"]["name"] for r in rows} == {"2026-10"}
