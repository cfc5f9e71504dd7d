"""The contract of the command line: files, exit statuses, JSON shapes, messages with place and cure; and the wheel."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
import structlog

from daemon.cli import run_command
from daemon.intake.mailbox import Unreadable
from tests.desk import ROOT, TestDesk, prepare, reply, write

ZHANG = "张三 <zhang.san@huaxin.example>"
WANG = "王伟 <wang.wei@example.com>"


@dataclass
class Said:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def ticketd(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Said]]:
    def run(*args: str | Path) -> Said:
        capfd.readouterr()
        status = run_command([*map(str, args)])
        return Said(status, *capfd.readouterr())

    yield run
    structlog.reset_defaults()


@pytest.fixture
def place(tmp_path: Path, ticketd: Callable[..., Said]) -> Path:
    """What `ticketd init` makes, with a password for the mailbox."""
    folder = tmp_path / "desk"
    assert ticketd("init", folder).status == 0
    (folder / "imap.password").write_text("secret\n")
    (folder / "imap.password").chmod(0o600)
    return folder


# --- init ---


def test_init_makes_everything_that_is_needed_and_the_secret_is_ours_alone(
    place: Path, ticketd: Callable[..., Said]
) -> None:
    assert stat.S_IMODE((place / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE((place / "state").stat().st_mode) == 0o700
    assert {p.name for p in (place / "rules").iterdir()} == {p.name for p in (ROOT / "rules").iterdir()}
    assert (place / "templates" / "email" / "zh").is_dir()
    assert ticketd("--config", place / "ticketd.toml", "check").status == 0


def test_init_overwrites_nothing(place: Path, ticketd: Callable[..., Said]) -> None:
    (place / "ticketd.toml").write_text("# mine\n")
    (place / "rules" / "routing.yaml").write_text("# mine\n")
    secret = (place / "secret").read_bytes()
    (place / "templates" / "email" / "zh" / "progress.txt").unlink()
    again = ticketd("init", place)
    assert again.status == 0 and "kept" in again.out
    assert (place / "ticketd.toml").read_text() == "# mine\n" == (place / "rules" / "routing.yaml").read_text()
    assert (place / "secret").read_bytes() == secret


def test_every_init_draws_a_secret_of_its_own(tmp_path: Path, ticketd: Callable[..., Said]) -> None:
    for name in ("one", "two"):
        ticketd("init", tmp_path / name)
    assert (tmp_path / "one" / "secret").read_bytes() != (tmp_path / "two" / "secret").read_bytes()


def test_init_says_what_it_is_told(tmp_path: Path, ticketd: Callable[..., Said]) -> None:
    ticketd("init", tmp_path / "d", "--name", 'IT "Desk"', "--address", "it@corp.example", "--language", "en",
            "--timezone", "Europe/Berlin")  # fmt: skip
    text = (tmp_path / "d" / "ticketd.toml").read_text()
    assert all(w in text for w in ("it@corp.example", "Europe/Berlin", '"en"', r"IT \"Desk\""))


# --- exit statuses and where the configuration is ---


@pytest.mark.parametrize(
    "args", [["nonsense"], ["run", "--as-of", "2026-11-23T10:00:00+08:00"], ["run", "--once", "--as-of", "yesterday"],
             ["run", "--once", "--as-of", "2026-11-23T10:00:00"], ["ticket", "show", "x"], ["read"], ["--nope"]],
)  # fmt: skip
def test_wrong_usage_is_64(args: list[str], ticketd: Callable[..., Said]) -> None:
    said = ticketd(*args)
    assert said.status == 64 and said.err


def test_no_configuration_is_78(tmp_path: Path, ticketd: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TICKETD_CONFIG", raising=False)
    said = ticketd("ticket", "list")
    assert said.status == 78 and "ticketd init" in said.err


def test_a_wrong_configuration_is_78_wherever_it_is_needed(place: Path, ticketd: Callable[..., Said]) -> None:
    config = place / "ticketd.toml"
    config.write_text(config.read_text().replace("[smtp]", "[smtpp]"))
    for args in (["run", "--once"], ["ticket", "list"], ["rebuild"], ["quarantine", "list"]):
        said = ticketd("--config", config, *args)
        assert said.status == 78 and f"{config}:" in said.err and "smtp" in said.err


def test_what_is_not_there_is_1(place: Path, ticketd: Callable[..., Said]) -> None:
    for args in (["ticket", "show", "7"], ["ticket", "history", "7"], ["quarantine", "show", "7"],
                 ["quarantine", "release", "7"], ["quarantine", "drop", "7"]):  # fmt: skip
        said = ticketd("--config", place / "ticketd.toml", *args)
        assert said.status == 1 and "7" in said.err and "Traceback" not in said.err


def test_the_configuration_is_looked_for_in_order(
    tmp_path: Path, ticketd: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("option", "environment", "here"):
        ticketd("init", tmp_path / name)
        TestDesk(tmp_path / name).receives(write(ZHANG, "VPN", subject=name))
    monkeypatch.chdir(tmp_path / "here")
    assert ticketd("ticket", "list", "--json").json[0]["subject"] == "here"
    monkeypatch.setenv("TICKETD_CONFIG", str(tmp_path / "environment" / "ticketd.toml"))
    assert ticketd("ticket", "list", "--json").json[0]["subject"] == "environment"
    option = tmp_path / "option" / "ticketd.toml"
    assert ticketd("--config", option, "ticket", "list", "--json").json[0]["subject"] == "option"
    monkeypatch.setenv("TICKETD_CONFIG", str(tmp_path / "gone.toml"))
    assert ticketd("ticket", "list").status == 78, "a name that leads nowhere is not passed over"


def test_as_a_process_it_exits_with_the_same_statuses(place: Path) -> None:
    def status(*args: str) -> int:
        return subprocess.run(
            [sys.executable, "-m", "daemon", *args], cwd=ROOT, capture_output=True, timeout=60
        ).returncode

    assert status("--config", str(place / "ticketd.toml"), "check") == 0
    assert status("--config", str(place / "gone.toml"), "check") == 78
    assert status("run", "--bogus") == 64


# --- check: place, what, and cure ---

Break = Callable[[Path], None]


def change(file: str, old: str, new: str) -> Break:
    def breaks(place: Path) -> None:
        path = place / file
        text = path.read_text("utf-8")
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new, 1), "utf-8")

    return breaks


def append(file: str, text: str) -> Break:
    def breaks(place: Path) -> None:
        with (place / file).open("a", encoding="utf-8") as f:
            f.write(text)

    return breaks


def open_to_all(place: Path) -> None:
    (place / "secret").chmod(0o644)


BROKEN: dict[str, tuple[Break, str, str, str]] = {
    # what is broken → (how, file, words in the complaint, words in the cure)
    "a key that is not known": (change("ticketd.toml", "poll_seconds", "pol_seconds"), "ticketd.toml", "pol_seconds", "poll_seconds"),
    "a password in the open": (change("ticketd.toml", "password_file = ", "password = "), "ticketd.toml", "password", "password_file"),
    "no encryption to afar": (change("ticketd.toml", 'host = "127.0.0.1"', 'host = "mail.example.com"'), "ticketd.toml", "none", "implicit"),
    "a zone that is not": (change("ticketd.toml", "Asia/Shanghai", "Asia/Shangai"), "ticketd.toml", "Asia/Shangai", "Asia/Shanghai"),
    "a port in words": (change("ticketd.toml", "port = 10143", 'port = "imap"'), "ticketd.toml", "port", "number"),
    "no TOML": (change("ticketd.toml", 'name = "support"', "name = support"), "ticketd.toml", "TOML", "text"),
    "an address that is none": (change("ticketd.toml", "support@example.com", "support"), "ticketd.toml", "address", "support@example.com"),
    "a secret for everybody": (open_to_all, "secret", "0644", "chmod 600"),
    "a language that is not": (change("ticketd.toml", 'language = "zh"', 'language = "fr"'), "ticketd.toml", "language", "zh"),
    "a table missing": (change("ticketd.toml", "[smtp]", "[smpt]"), "ticketd.toml", "smpt", "smtp"),
    "a rule with an unknown field": (change("rules/routing.yaml", "subject mentions: [ups, 停电", "subjekt mentions: [ups, 停电"), "rules/routing.yaml", "subjekt", "subject"),
    "a rule with an unknown action": (change("rules/routing.yaml", "then: {tags: [alert]}", "then: {tagz: [alert]}"), "rules/routing.yaml", "tagz", "tags"),
    "a regular expression that is none": (change("rules/routing.yaml", "代开.{0,4}发票|", "代开(发票|"), "rules/routing.yaml", "代开(发票", "'"),
    "a team that is not": (change("rules/routing.yaml", "team: facility}", "team: facilty}"), "rules/routing.yaml", "facilty", "facility"),
    "no YAML": (append("rules/customers.yaml", "\n  broken: [\n"), "rules/customers.yaml", "", ""),
    "a role that is not": (change("rules/people.yaml", "roles: [pm]", "roles: [pn]"), "rules/people.yaml", "pn", "pm"),
    "an announcement without a template": (change("rules/announcements.yaml", "template: progress", "template: progres"), "rules/announcements.yaml", "progres", "progress"),
    "a template with an unknown word": (change("templates/email/zh/progress.txt", "{{", "{{ tickt.number }}{{"), "templates/email/zh/progress.txt", "tickt", "ticket"),
    "a template that does not end": (append("templates/email/en/progress.html", "{% if ticket %}"), "templates/email/en/progress.html", "", ""),
    "a calendar with a wrong hour": (change("rules/calendars.yaml", "09:00-12:00", "09:00-25:00"), "rules/calendars.yaml", "25:00", ""),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_check_names_the_file_the_line_and_the_cure(what: str, place: Path, ticketd: Callable[..., Said]) -> None:
    breaks, file, complaint, cure = BROKEN[what]
    breaks(place)
    said = ticketd("--config", place / "ticketd.toml", "check")
    named = [line for line in said.out.splitlines() if re.match(rf"{re.escape(str(place / file))}(:\d+)?: ", line)]
    assert said.status == 1, said
    assert any(complaint in n and cure in n for n in named), said.out
    if file != "secret":
        assert any(re.match(rf"{re.escape(str(place / file))}:[1-9]\d*: .+", n) for n in named), said.out


def test_check_names_all_of_them_at_once(place: Path, ticketd: Callable[..., Said]) -> None:
    """All but those that leave nothing of a file to be read."""
    names = [w for w in BROKEN if w not in ("no TOML", "no YAML", "a table missing")]
    for what in names:
        BROKEN[what][0](place)
    said = ticketd("--config", place / "ticketd.toml", "check")
    missing = [w for w in names if not any(
        line.startswith(str(place / BROKEN[w][1])) and BROKEN[w][2] in line for line in said.out.splitlines()
    )]  # fmt: skip
    assert said.status == 1 and missing == [], said.out
    assert "canary-password" not in said.out


def test_no_complaint_shows_a_secret(place: Path, ticketd: Callable[..., Said]) -> None:
    key = (place / "secret").read_text().strip()
    (place / "secret").write_text(key + "!!\n")
    change("ticketd.toml", 'password_file = "imap.password"', 'password = "hunter2"')(place)
    change("ticketd.toml", "sqlite:///ticketd.db", "mysql://me:hunter3@db/x")(place)
    said = ticketd("--config", place / "ticketd.toml", "check")
    assert said.status == 1 and len(said.out.splitlines()) >= 3
    assert not any(s in said.out + said.err for s in ("hunter2", "hunter3", key.partition(":")[2][:12]))


# --- read and explain ---


def mail_file(folder: Path, name: str = "one", **more: str) -> Path:
    path = folder / f"{name}.eml"
    path.write_bytes(write(ZHANG, "VPN 连不上。\n\n> 引用", **more).as_bytes(policy=SMTP))
    return path


def test_read_prints_one_object_a_line_and_needs_no_configuration(
    tmp_path: Path, ticketd: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one, two = mail_file(tmp_path), mail_file(tmp_path, "two")
    said = ticketd("read", "--json", one, two)
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert said.status == 0 and [x["path"] for x in lines] == [str(one), str(two)]
    assert lines[0]["subject"] == "VPN 连不上" and "VPN 连不上。" in lines[0]["new_text"]


def test_an_object_is_one_line_for_every_reader(tmp_path: Path, ticketd: Callable[..., Said]) -> None:
    mail = tmp_path / "m.eml"
    mail.write_bytes("From: a@b.example\r\nSubject: x\u2028y\r\n\r\none\u2028two\u0085three\u2029four\r\n".encode())
    (line,) = ticketd("read", "--json", mail).out.splitlines()
    assert json.loads(line)["text"].split() == ["one", "two", "three", "four"]


def test_read_goes_on_past_what_cannot_be_read(tmp_path: Path, ticketd: Callable[..., Said]) -> None:
    one = mail_file(tmp_path)
    said = ticketd("read", "--json", tmp_path / "gone.eml", tmp_path, one)
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert said.status == 1
    assert ["error" in x for x in lines] == [True, True, False]
    plain = ticketd("read", tmp_path / "gone.eml", one)
    assert plain.status == 1 and "gone.eml" in plain.err and "VPN 连不上" in plain.out


@pytest.mark.parametrize("content", [b"", b"\xff\x00" * 500, b"From: x\r\n", b"\r\n\r\n"])
def test_read_never_fails_over_a_mail(content: bytes, tmp_path: Path, ticketd: Callable[..., Said]) -> None:
    (tmp_path / "odd.eml").write_bytes(content)
    assert ticketd("read", "--json", tmp_path / "odd.eml").status == 0
    assert ticketd("read", tmp_path / "odd.eml").status == 0


def test_explain_says_what_would_happen_and_changes_nothing(place: Path, ticketd: Callable[..., Said]) -> None:
    said = ticketd("--config", place / "ticketd.toml", "explain", "--json", mail_file(place), place / "gone.eml")
    told, failed = (json.loads(line) for line in said.out.splitlines())
    assert said.status == 1 and "error" in failed
    assert told["intent"] == "NewIncident" and told["match"]["ticket"] is None
    assert {"VPN 与专线 vpn"} <= {r["name"] for r in told["rules"] if r["met"]}
    assert [e["kind"] for e in told["changes"][0]["events"]][:3] == ["Opened", "MessageAdded", "Routed"]
    assert {(n["to"], n["template"]) for n in told["notices"]} >= {("zhang.san@huaxin.example", "acknowledgement")}
    assert ticketd("--config", place / "ticketd.toml", "ticket", "list", "--json").json == []
    assert ticketd("--config", place / "ticketd.toml", "explain", mail_file(place)).status == 0
    wrong = ticketd("--config", place / "ticketd.toml", "explain", "--mailbox", "nope", mail_file(place))
    assert wrong.status == 64 and "no [[mailbox]] is called 'nope'; there are " in wrong.err


# --- tickets ---

LINE = {"number", "kind", "state", "severity", "impact", "urgency", "category", "team", "line", "assignee", "customer",
        "requester", "subject", "opened_at", "respond_by", "resolve_by", "tags"}  # fmt: skip
MESSAGE = {"direction", "message_id", "from", "to", "at", "nature", "visibility", "text", "attachments"}
EVENT = {"seq", "kind", "at", "cause", "data"}
NOTICE = {"to", "template", "state", "attempts", "message_id"}


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """A desk on which one incident was reported with a file, taken up and put on hold."""
    desk = TestDesk(tmp_path / "told")
    mail = write(ZHANG, "VPN 连不上，见附件。")
    mail.add_attachment(b"log", maintype="text", subtype="x-log", filename="日志.log")
    sent = desk.receives(mail)
    to_engineer = next(m for m in sent if m.to.startswith("wang.wei"))
    desk.receives(reply(to_engineer, WANG, "#受理\n#挂起 客户 请提供日志"))
    desk.desk.store.close()
    return desk.folder / "ticketd.toml"


def test_the_list_has_exactly_the_keys_of_the_contract(told: Path, ticketd: Callable[..., Said]) -> None:
    (line,) = ticketd("--config", told, "ticket", "list", "--json").json
    assert set(line) == LINE
    assert line["state"] == "on_hold" and isinstance(line["severity"], int) and isinstance(line["tags"], list)
    assert ticketd("--config", told, "ticket", "list").status == 0


def test_a_ticket_has_the_keys_of_the_contract(told: Path, ticketd: Callable[..., Said]) -> None:
    whole = ticketd("--config", told, "ticket", "show", "1", "--json").json
    assert set(whole) >= LINE | {"messages", "events", "notices"}
    assert all(set(m) >= MESSAGE for m in whole["messages"])
    assert {m["direction"] for m in whole["messages"]} == {"in", "out"}
    assert all(set(e) == EVENT for e in whole["events"])
    assert [e["seq"] for e in whole["events"]] == list(range(1, len(whole["events"]) + 1))
    assert all(set(n) >= NOTICE and n["state"] in ("owed", "sent", "dead") for n in whole["notices"])
    assert whole["messages"][0]["attachments"][0]["name"] == "日志.log"
    assert all(isinstance(m["to"], list) and m["message_id"].startswith("<") for m in whole["messages"])


def test_every_time_is_iso_8601_with_offset(told: Path, ticketd: Callable[..., Said]) -> None:
    whole = ticketd("--config", told, "ticket", "show", "1", "--json").json
    times = [whole[k] for k in ("opened_at", "respond_by", "resolve_by") if whole[k] is not None]
    times += [x["at"] for x in (*whole["messages"], *whole["events"])]
    assert len(times) > 8
    assert all(datetime.fromisoformat(t).utcoffset() is not None for t in times)
    assert whole["opened_at"] == "2026-11-23T10:00:00+08:00"


def test_the_times_inside_events_have_an_offset_too(told: Path, ticketd: Callable[..., Said]) -> None:
    events = ticketd("--config", told, "ticket", "history", "1", "--json").json
    inside = [v for e in events for k, v in e["data"].items() if v is not None and (k.endswith("_at") or k == "at")]
    assert inside and all(datetime.fromisoformat(t).utcoffset() is not None for t in inside)


def test_history_is_the_events_of_show(told: Path, ticketd: Callable[..., Said]) -> None:
    whole = ticketd("--config", told, "ticket", "show", "1", "--json").json
    assert ticketd("--config", told, "ticket", "history", "1", "--json").json == whole["events"]
    for view in ("show", "history"):
        shown = ticketd("--config", told, "ticket", view, "1")
        assert shown.status == 0 and "Opened" in shown.out


def test_what_a_stranger_wrote_cannot_command_the_terminal(tmp_path: Path, ticketd: Callable[..., Said]) -> None:
    desk = TestDesk(tmp_path)
    desk.receives(write("Eve <eve@evil.example>", "x \x1b[2J y \u202e z \x9b1m", subject="hi"))
    desk.desk.store.close()
    for args in (["ticket", "show", "1"], ["ticket", "list"], ["ticket", "history", "1"]):
        out = ticketd("--config", tmp_path / "ticketd.toml", *args).out
        assert not re.search("[\x1b\x9b\u202e]", out)


# --- quarantine ---


@pytest.fixture
def poisoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A desk with one mail in quarantine, because handling it raised each time."""
    from daemon import flow

    desk = TestDesk(tmp_path / "poisoned")
    with monkeypatch.context() as patch:
        patch.setattr(flow, "handle_mail", lambda *_: 1 / 0)
        for _ in range(4):
            desk.receives(write(ZHANG, "VPN 连不上。")) if desk.uid == 0 else desk.waits(minutes=1)
    desk.desk.store.close()
    return desk.folder / "ticketd.toml"


def test_quarantine_lists_shows_and_releases(poisoned: Path, ticketd: Callable[..., Said]) -> None:
    (row,) = ticketd("--config", poisoned, "quarantine", "list", "--json").json
    assert {"id", "mailbox", "uid", "received_at", "size", "reason"} <= set(row) and row["reason"]
    assert datetime.fromisoformat(row["received_at"]).utcoffset() is not None
    number = str(row["id"])
    assert "VPN 连不上" in ticketd("--config", poisoned, "quarantine", "show", number).out
    assert "Message-ID:" in ticketd("--config", poisoned, "quarantine", "show", number, "--raw").out
    assert ticketd("--config", poisoned, "quarantine", "release", number).status == 0
    assert ticketd("--config", poisoned, "quarantine", "list", "--json").json == []
    assert ticketd("--config", poisoned, "quarantine", "release", number).status == 1, "it is not there any more"
    TestDesk(poisoned.parent).works()
    assert [t["number"] for t in ticketd("--config", poisoned, "ticket", "list", "--json").json] == [1]


def test_a_dropped_mail_stays_dropped_and_says_why(poisoned: Path, ticketd: Callable[..., Said]) -> None:
    assert ticketd("--config", poisoned, "quarantine", "drop", "1", "--reason", "it is an advertisement").status == 0
    assert ticketd("--config", poisoned, "quarantine", "list", "--json").json == []
    desk = TestDesk(poisoned.parent)
    desk.works()
    assert desk.mail_status() == [("dropped", "it is an advertisement")] and desk.ticket(1) is None
    assert "VPN 连不上" in ticketd("--config", poisoned, "quarantine", "show", "1").out, "its bytes are kept"


def test_an_unreadable_uid_can_be_shown_without_a_traceback(tmp_path: Path, ticketd: Callable[..., Said]) -> None:
    from daemon import flow

    desk = TestDesk(tmp_path)

    class Link:
        uidvalidity = 1

    for _ in range(3):
        flow._unreadable("support", Link(), Unreadable(9, "NIL"), desk.desk)  # type: ignore[arg-type]
    desk.desk.store.close()
    (row,) = ticketd("--config", tmp_path / "ticketd.toml", "quarantine", "list", "--json").json
    shown = ticketd("--config", tmp_path / "ticketd.toml", "quarantine", "show", str(row["id"]))
    assert shown.status == 0 and "Traceback" not in shown.err


# --- rebuild ---


def test_rebuild_says_which_tickets_differed_and_mends_them(told: Path, ticketd: Callable[..., Said]) -> None:
    import sqlite3
    from contextlib import closing

    before = ticketd("--config", told, "ticket", "list", "--json").json
    with closing(sqlite3.connect(told.parent / "state" / "ticketd.db")) as db:
        db.execute("UPDATE ticket SET picture = replace(picture, 'on_hold', 'resolved')")
        db.commit()
    assert ticketd("--config", told, "ticket", "list", "--json").json != before
    assert ticketd("--config", told, "rebuild").out.strip() == "redrawn; 1 differed: 1"
    assert ticketd("--config", told, "ticket", "list", "--json").json == before
    assert ticketd("--config", told, "rebuild").out.strip() == "redrawn; 0 differed"


# --- the wheel, elsewhere ---


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with our wheel in it; what we need is lent by the session's own, so no network is asked."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    parts = ("daemon", "rules", "templates", "systemd", "pyproject.toml", "README.md", "LICENSE")
    source.mkdir()
    for part in parts:
        path = ROOT / part
        if path.is_dir():
            shutil.copytree(path, source / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source / part)
    run = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    subprocess.run(run, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("ticketd-*.whl")
    shutil.rmtree(source)
    environment = folder / "env"
    venv.EnvBuilder(with_pip=False).create(environment)
    ours = next(p for p in sys.path if p.endswith("site-packages"))
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), "install", "--no-deps",
         "--no-index", "--quiet", str(wheel)], check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    theirs = next((environment / "lib").glob("python*/site-packages"))
    # The session's own environment has ticketd as an editable checkout: a plain path entry does not run its .pth file.
    (theirs / "lent.pth").write_text(f"{ours}\n")
    return environment


def elsewhere(installed: Path, *args: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run(
        [str(installed / "bin" / "ticketd"), *map(str, args)], cwd=installed, capture_output=True, text=True, timeout=60,
        env={**environ, **more},
    )  # fmt: skip


def test_the_wheel_carries_all_and_works_elsewhere(installed: Path, tmp_path: Path) -> None:
    where = subprocess.run(
        [str(installed / "bin" / "python"), "-c", "import daemon; print(daemon.__file__)"], cwd=installed, text=True,
        capture_output=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    assert where.startswith(str(installed)), "it is the wheel's own, not the checkout"
    made = elsewhere(installed, "init", tmp_path / "desk")
    assert made.returncode == 0, made.stderr
    (tmp_path / "desk" / "imap.password").touch(mode=0o600)
    (tmp_path / "desk" / "imap.password").write_text("x")
    checked = elsewhere(installed, "--config", tmp_path / "desk" / "ticketd.toml", "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for part in ("rules", "templates"):
        assert tree(tmp_path / "desk" / part) == tree(ROOT / part)
    read = elsewhere(installed, "read", "--json", mail_file(tmp_path))
    assert read.returncode == 0 and json.loads(read.stdout)["subject"] == "VPN 连不上"


def tree(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts}


def test_another_package_called_daemon_is_noticed_at_start(installed: Path) -> None:
    """python-daemon, installed after us, writes its own daemon/__init__.py over ours: say so, instead of a riddle."""
    ours = next((installed / "lib").glob("python*/site-packages/daemon/__init__.py"))
    text = ours.read_text("utf-8")
    ours.write_text('"""Well-behaved Unix daemon library."""\n\n\nclass DaemonContext: ...\n')
    try:
        said = elsewhere(installed, "--version")
    finally:
        ours.write_text(text, "utf-8")
    assert said.returncode == 78, said.stderr
    assert "python-daemon" in said.stderr and "Traceback" not in said.stderr


def test_prepare_is_what_init_makes(tmp_path: Path, ticketd: Callable[..., Said]) -> None:
    """The desks of our tests stand on the same files as those of operators."""
    prepare(tmp_path / "ours")
    ticketd("init", tmp_path / "theirs")
    assert (tmp_path / "ours" / "ticketd.toml").read_text() == (tmp_path / "theirs" / "ticketd.toml").read_text()


def test_a_language_that_is_only_begun_is_a_remark_and_keeps_nobody_from_running(
    tmp_path: Path, ticketd: Callable[..., Said]
) -> None:
    prepare(tmp_path)
    (tmp_path / "templates").unlink()
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    (tmp_path / "templates/email/de").mkdir()
    (tmp_path / "templates/email/de/progress.txt").write_text("Neues\n\n{{ text }}\n", "utf-8")
    said = ticketd("--config", tmp_path / "ticketd.toml", "check")
    assert said.status == 0 and "warning: lacks acknowledgement.txt" in said.out, said
