"""Reports, the register and the record as they leave: every form says the same, in both languages, and runs nothing."""

from __future__ import annotations

import csv
import io
import json
import re
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from daemon.app import open_store, wording
from daemon.cli import run_command
from daemon.config import Config
from daemon.events import KINDS
from daemon.reports import charts, drawing
from daemon.reports.kpis import KPIS
from daemon.reports.record import _UNSHOWN, register_head
from daemon.reports.sheet import as_csv, as_xlsx
from daemon.reports.text import width
from daemon.reports.wording import Wording
from daemon.routing.loader import load_rulebook
from daemon.routing.sections import AUDIENCES
from daemon.ticket import Ticket
from tests.desk import ROOT, TestDesk, prepare, reply, write
from tests.lives import histories
from tests.test_kpis import SINCE, keep

BEIJING = ZoneInfo("Asia/Shanghai")
LANGUAGES = ("zh", "en")


@dataclass
class Said:
    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode("utf-8")


@pytest.fixture
def ticketd(capfdbinary: pytest.CaptureFixture[bytes]) -> Iterator[Callable[..., Said]]:
    def run(*args: object) -> Said:
        capfdbinary.readouterr()
        status = run_command([*map(str, args)])
        out, err = capfdbinary.readouterr()
        return Said(status, out, err.decode("utf-8"))

    yield run
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A desk with sixty tickets, whose subjects all begin like formulas."""
    folder = tmp_path_factory.mktemp("reports") / "desk"
    made = prepare(folder)
    store = open_store(made)
    keep(histories(60, load_rulebook(ROOT / "rules"), SINCE, seed=3), store)
    store.close()
    return made


@pytest.fixture
def toml(config: Config) -> Path:
    return Path(config.service.secret_file).parent / "ticketd.toml"


def report(ticketd: Callable[..., Said], toml: Path, form: str, *more: object) -> Said:
    said = ticketd("--config", toml, "report", "--period", "2026-10", "--format", form, *more)
    assert said.status == 0, said.err
    return said


# --- every form says the same ---


def figures(facts: dict[str, Any]) -> list[tuple[str, str, str, Any, str]]:
    return [
        (kpi["name"], row["label"], column["name"], figure["value"], " ".join(map(str, figure["numbers"])))
        for kpi in facts["kpis"]
        for row in kpi["rows"]
        for column, figure in zip(kpi["columns"], row["figures"], strict=True)
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_csv_and_workbook_hold_the_figures_of_the_json(language: str, toml: Path, ticketd: Callable[..., Said]) -> None:
    expected = figures(json.loads(report(ticketd, toml, "json", "--language", language).text))
    assert len(expected) > 80

    raw = report(ticketd, toml, "csv", "--language", language).out
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))
    told = [(k, item, m, float(v) if v else None, n) for k, item, m, v, _, n, _ in rows[1:] if m]
    assert told == expected

    book = openpyxl.load_workbook(io.BytesIO(report(ticketd, toml, "xlsx", "--language", language).out))
    first, formulas = book.worksheets
    told = [(k, item, m, v, n or "") for k, item, m, v, _, n, _ in first.iter_rows(min_row=2, values_only=True) if m]
    assert told == expected
    assert [row[0].value for row in formulas.iter_rows(min_row=2)] == [k.name[language] for k in KPIS]


@pytest.mark.parametrize("language", LANGUAGES)
def test_text_and_page_show_every_figure_and_its_tickets(
    language: str, toml: Path, ticketd: Callable[..., Said]
) -> None:
    facts = json.loads(report(ticketd, toml, "json", "--language", language).text)
    text = report(ticketd, toml, "text", "--language", language, "--numbers").text
    page = words_of(report(ticketd, toml, "html", "--language", language, "--numbers").text)
    for kpi in facts["kpis"]:
        assert kpi["name"] in text and kpi["name"] in page and kpi["formula"] in page
        for row in kpi["rows"]:
            for figure in row["figures"]:
                numbers = ", ".join(map(str, figure["numbers"]))
                assert figure["shown"] in text and figure["shown"] in page
                assert numbers in text and numbers in page, (kpi["key"], row)
    nothing = {"zh": "无数据", "en": "no data"}[language]
    assert text.count(nothing) == len([k for k in facts["kpis"] if not k["rows"]])


def test_columns_stand_straight_in_chinese(toml: Path, ticketd: Callable[..., Said]) -> None:
    text = report(ticketd, toml, "text").text
    table = text.partition("分类分布\n")[2].partition("\n\n")[0].splitlines()
    assert len({width(line) for line in table}) == 1 and any("网络" in line for line in table)


def test_one_customer_only_by_key_or_name(toml: Path, ticketd: Callable[..., Said]) -> None:
    by_key = json.loads(report(ticketd, toml, "json", "--customer", "acme").text)
    by_name = json.loads(report(ticketd, toml, "json", "--customer", "acme trading ltd").text)
    everybody = json.loads(report(ticketd, toml, "json").text)
    volume = [facts["kpis"][0]["rows"][0]["figures"][0]["value"] for facts in (by_key, by_name, everybody)]
    assert 0 < volume[0] == volume[1] < volume[2]
    assert by_key["customer_name"] == "Acme Trading Ltd"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--period", "2026-13"), "2026-W47"),
        (("--period", "2026-11-09..2026-11-01"), "earlier day first"),
        (("--period", "2087"), "future"),
        (("--customer", "acmee"), "did you mean 'acme'?"),
        (("--out", "/nowhere/at/all.csv"), "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_told(
    args: tuple[str, ...], says: str, toml: Path, ticketd: Callable[..., Said]
) -> None:
    said = ticketd("--config", toml, "report", *args)
    assert said.status == 1 and said.out == b""
    assert says in said.err and "Traceback" not in said.err


def test_a_language_that_nobody_wrote_falls_back(toml: Path, ticketd: Callable[..., Said]) -> None:
    assert json.loads(report(ticketd, toml, "json", "--language", "fr").text)["language"] == "zh"
    assert json.loads(report(ticketd, toml, "json", "--language", "en-GB").text)["language"] == "en"


def test_a_file_is_written_whole_or_not_at_all(toml: Path, ticketd: Callable[..., Said], tmp_path: Path) -> None:
    folder_in_the_way = tmp_path / "taken.html"
    folder_in_the_way.mkdir()
    said = ticketd("--config", toml, "report", "--period", "2026-10", "--out", folder_in_the_way)
    assert said.status == 1 and "cannot be written" in said.err
    folder_in_the_way.rmdir()
    out = tmp_path / "报告.html"
    assert report(ticketd, toml, "html", "--out", out).out == b""
    assert [p.name for p in tmp_path.iterdir()] == ["报告.html"] and "服务报告" in out.read_text("utf-8")


# --- the page ---


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.skip = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href", "background")]
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "title"):
            self.words.append(data)


def read_page(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == [], "every element is closed"
    return reader


def words_of(page: str) -> str:
    return " ".join(read_page(page).words)


def test_the_page_needs_nothing_from_elsewhere(toml: Path, ticketd: Callable[..., Said]) -> None:
    page = report(ticketd, toml, "html").text
    addresses = read_page(page).addresses
    assert len(addresses) == 2 and all(a.startswith("data:image/png;base64,") for a in addresses)
    assert "<script" not in page and "@import" not in page and "url(" not in page
    assert "prefers-color-scheme: dark" in page and 'name="viewport"' in page


def test_the_pictures_are_pictures(config: Config, toml: Path, ticketd: Callable[..., Said]) -> None:
    facts = json.loads(report(ticketd, toml, "json").text)
    pictures, remark = charts.pictures_of(facts, wording(config, "zh"))
    assert set(pictures) == {"course", "volume_by_category"} and remark == ""
    for png in pictures.values():
        wide, high = struct.unpack(">II", png[16:24])
        assert png.startswith(b"\x89PNG\r\n") and wide > 1000 and high > 300 and len(png) < 200_000


def test_without_the_extra_the_page_has_no_pictures_and_says_why(
    toml: Path, ticketd: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charts.importlib.util, "find_spec", lambda name: None)
    said = report(ticketd, toml, "html")
    assert "<img" not in said.text and "服务报告" in said.text
    assert "ticketd[charts]" in said.err


def test_a_drawing_that_fails_costs_only_the_pictures(
    toml: Path, ticketd: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "drawing.py"
    broken.write_text("import sys; sys.exit('no font')")
    monkeypatch.setattr(charts, "_DRAWING", broken)
    said = report(ticketd, toml, "html")
    assert "<img" not in said.text and "no pictures: no font" in said.err


def test_no_boxes_instead_of_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_packaged_font", lambda manager: "")
    monkeypatch.setattr(drawing, "_FAMILIES", ())
    assert not drawing._choose_font("网络")
    assert drawing._choose_font("network")


# --- tables run nothing ---

HOSTILE = ('=cmd|"/c calc"!A1', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "＠x", "\x00=1")


def test_what_looks_like_a_formula_is_a_text() -> None:
    rows = [[text, 5, -5, datetime(2026, 11, 1, tzinfo=UTC)] for text in HOSTILE]
    told = list(csv.reader(io.StringIO(as_csv(["a", "b", "c", "d"], rows, BEIJING).decode("utf-8-sig"), newline="")))
    assert all(row[0].startswith("'") for row in told[1:])
    assert {tuple(row[1:]) for row in told[1:]} == {("5", "-5", "2026-11-01 08:00:00")}, "numbers stay numbers"

    book = openpyxl.load_workbook(io.BytesIO(as_xlsx([("x", ["a", "b", "c", "d"], rows)], BEIJING)))
    for row in book.active.iter_rows(min_row=2):
        assert row[0].data_type == "s" and row[0].quotePrefix
        assert (row[1].value, row[2].value, row[3].value) == (5, -5, datetime(2026, 11, 1, 8, 0))


@given(st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_any_words_survive_both_tables(words: list[str]) -> None:
    (_, row) = csv.reader(io.StringIO(as_csv(["x"] * len(words), [words], BEIJING).decode("utf-8-sig"), newline=""))
    assert len(row) == len(words)
    assert not any(re.match(r"[\s\x00-\x1f]*[=+\-@]", cell) for cell in row)
    book = openpyxl.load_workbook(io.BytesIO(as_xlsx([("x", ["x"] * len(words), [words])], BEIJING)))
    assert all(cell.data_type in "sn" and (cell.data_type == "s" or cell.value is None) for cell in book.active[2])


# --- the register ---


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_register_has_a_row_for_each_ticket_and_a_column_for_each_field(
    language: str, config: Config, toml: Path, ticketd: Callable[..., Said]
) -> None:
    said = ticketd("--config", toml, "register", "--language", language)
    rows = list(csv.DictReader(io.StringIO(said.out.decode("utf-8-sig"))))
    head = register_head(wording(config, language))
    assert said.status == 0 and len(rows) == 60 and list(rows[0]) == head
    label = {"zh": "主题", "en": "Subject"}[language]
    assert all(row[label].startswith("'=1+1") for row in rows)
    assert len(set(head)) == len(head) > 30

    store = open_store(config)
    tickets = list(store.register.tickets())
    store.close()
    number, state = ({"zh": ("编号", "状态"), "en": ("Number", "State")})[language]
    says = wording(config, language)
    assert [(int(r[number]), r[state]) for r in rows] == [(t.number, says.word("state", t.state)) for t in tickets]


def test_the_register_of_a_period_has_what_was_reported_in_it(toml: Path, ticketd: Callable[..., Said]) -> None:
    raw = ticketd("--config", toml, "register", "--period", "2026-10", "--format", "xlsx").out
    rows = list(openpyxl.load_workbook(io.BytesIO(raw)).active.iter_rows(values_only=True))
    when = rows[0].index("报告时间")
    assert 10 < len(rows) < 60 and {row[when].month for row in rows[1:]} == {10}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_field_and_every_event_has_words(language: str, config: Config) -> None:
    words = wording(config, language).words
    shown = {f.name for f in fields(Ticket)} - _UNSHOWN
    assert shown - set(words["field"]) == set()
    assert set(KINDS) - set(words["history"]) == set()
    assert set(AUDIENCES) - set(words["audience"]) == set()


def test_the_register_names_the_files(played: TestDesk, ticketd: Callable[..., Said]) -> None:
    said = ticketd("--config", played.folder / "ticketd.toml", "register", "--language", "en")
    (row,) = csv.DictReader(io.StringIO(said.out.decode("utf-8-sig")))
    assert (row["Attachments"], row["Response kept"], row["Cause"]) == ("截图.png", "1", SECRETS[1])
    assert row["Responded at"] == "2026-11-23 10:05:00" and row["Times sent back"] == "1"


def test_a_workbook_without_the_library_is_refused_with_a_cure(
    toml: Path, ticketd: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    said = ticketd("--config", toml, "register", "--format", "xlsx")
    assert (said.status, said.out) == (1, b"") and "ticketd[xlsx]" in said.err


# --- the record of one ticket ---

CUSTOMER, ENGINEER = "张三 <zhang.san@huaxin.example>", "王伟 <wang.wei@example.com>"
SECRETS = ("密-备注-1", "密-原因-2", "密-转派-3", "密-同事-4", "密-退回-5", "密-升级-6", "密-临时-7")


@pytest.fixture
def played(tmp_path: Path) -> TestDesk:
    """A ticket to which nearly everything happens; what is for colleagues holds one of SECRETS."""
    desk = TestDesk(tmp_path / "desk")
    mail = write(CUSTOMER, "VPN 连不上 <b>ERR 809</b>\n公开的话", subject="VPN <script>alert(1)</script>")
    attached: EmailMessage = mail
    attached.add_attachment(b"x" * 2048, maintype="image", subtype="png", filename="截图.png")
    out = desk.receives(attached)
    to_wang = next(s for s in out if s.to == "wang.wei@example.com")
    to_zhang = next(s for s in out if s.to == "zhang.san@huaxin.example")
    desk.waits(minutes=5)
    desk.receives(reply(to_wang, ENGINEER, "#accept", message_id="<1@example.com>"))
    desk.receives(reply(to_wang, ENGINEER, f"#note {SECRETS[0]}\n#cause {SECRETS[1]}", message_id="<2@example.com>"))
    desk.receives(reply(to_wang, ENGINEER, f"#workaround {SECRETS[6]}", message_id="<3@example.com>"))
    desk.waits(minutes=5)
    desk.receives(reply(to_wang, ENGINEER, "#progress 正在换证书", message_id="<4@example.com>"))
    desk.receives(reply(to_wang, ENGINEER, f"{SECRETS[3]}", message_id="<5@example.com>"))
    desk.receives(reply(to_wang, ENGINEER, "#hold customer 请重启一次", message_id="<6@example.com>"))
    desk.waits(hours=1)
    desk.receives(reply(to_zhang, CUSTOMER, "重启了，还是不行", message_id="<7@huaxin.example>"))
    desk.receives(reply(to_wang, ENGINEER, f"#escalate {SECRETS[5]}", message_id="<8@example.com>"))
    out = desk.receives(reply(to_wang, ENGINEER, f"#return {SECRETS[4]}", message_id="<9@example.com>"))
    to_chen = next(s for s in out if s.to == "chen.jing@example.com")
    chen = "陈静 <chen.jing@example.com>"
    desk.receives(reply(to_chen, chen, f"#assign 王伟 {SECRETS[2]}", message_id="<10@example.com>"))
    desk.receives(reply(to_wang, ENGINEER, "#accept", message_id="<12@example.com>"))
    desk.receives(reply(to_wang, ENGINEER, "#resolve 换了证书", message_id="<13@example.com>"))
    assert desk.ticket(1).state == "resolved", desk.mail_status()
    return desk


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("form", ["text", "html"])
def test_a_record_tells_everything_but_what_is_for_colleagues(
    language: str, form: str, played: TestDesk, ticketd: Callable[..., Said]
) -> None:
    args = ("--config", played.folder / "ticketd.toml", "ticket", "report", 1, "--language", language, "--format", form)
    outside, inside = ticketd(*args).text, ticketd(*args, "--internal").text
    if form == "html":
        assert "<script" not in outside + inside and "<b>ERR" not in outside
        outside, inside = words_of(outside), words_of(inside)
    for secret in SECRETS:
        assert secret not in outside and secret in inside, secret
    for public in (
        "公开的话",
        "正在换证书",
        "请重启一次",
        "重启了，还是不行",
        "换了证书",
        "截图.png",
        "2,048",
        "王伟",
        "<script>alert(1)",
    ):
        assert public in outside and public in inside, public
    kinds = {
        "zh": ("派给", "开始处理", "挂起", "已解决，请用户确认"),
        "en": ("given to", "began to work", "on hold", "solved it"),
    }
    assert all(words in outside for words in kinds[language])
    assert not re.search(r"[{}]|None|StateChanged|ClockStarted", outside)


def test_a_record_shows_the_stretches_of_its_clocks(played: TestDesk, ticketd: Callable[..., Said]) -> None:
    text = ticketd("--config", played.folder / "ticketd.toml", "ticket", "report", 1).text
    clocks = text.partition("时限: 解决")[2].partition("\n\n")[0]
    assert clocks.count("计时 2026-11-23 ") == 2, "it stood still while the customer was waited for"
    assert "按时" in clocks and "到期" in clocks


def test_a_record_that_is_not_there(toml: Path, ticketd: Callable[..., Said]) -> None:
    said = ticketd("--config", toml, "ticket", "report", 999)
    assert (said.status, said.out) == (1, b"") and "no ticket 999" in said.err


def test_names_that_rules_no_longer_know_are_shown_as_they_are(config: Config) -> None:
    says: Wording = wording(config, "en")
    assert says.person("gone.person") == "gone.person"
    assert says.category("network/gone") == "Network / gone"
    assert says.customer("gone") == "gone" and says.team("gone") == "gone"
