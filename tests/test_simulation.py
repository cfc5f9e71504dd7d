"""`ticketd timetable simulate`: days played against the rules, by the very functions of the live path."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from daemon import simulation
from daemon.app import service_of
from daemon.cli import run_command
from daemon.routing.loader import load_rulebook
from daemon.simulation import Incident, Simulation, days_to_play, sample_incidents, simulate
from tests.desk import BEIJING, ROOT, TestDesk, prepare, write

BOOK = load_rulebook(ROOT / "rules")
ZONE = "Asia/Shanghai"
ZHANG = "zhang.san@huaxin.example"
VPN = "今天早上开始 VPN 连不上，请尽快处理。"
FIRST, LAST = date(2026, 9, 28), date(2026, 10, 11)


def at(month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=BEIJING)


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    prepare(tmp_path / "desk")
    return tmp_path / "desk" / "ticketd.toml"


def play(tmp_path: Path, *incidents: Incident) -> Simulation:
    return simulate(incidents, BOOK, service_of(prepare(tmp_path / "desk")), FIRST, LAST)


def simulated(toml: Path, *args: object) -> int:
    return run_command(["--config", str(toml), "--log-level", "error", "timetable", "simulate", *map(str, args)])


def told(mails: object) -> list[str]:
    return sorted(f"{m.to} {m.template}" for m in mails)  # type: ignore[attr-defined]


# --- it is the live path ---


def test_what_is_foretold_is_what_really_comes_mail_for_mail(tmp_path: Path) -> None:
    incident = Incident(at=at(9, 30, 17, 40), severity=0, subject="VPN 连不上", text=VPN, sender=ZHANG)
    foretold = play(tmp_path, incident)
    assert len(foretold.happenings) == 12

    desk = TestDesk(tmp_path / "live", now=at(9, 30, 17, 39))
    desk.works()
    desk.clock.at = incident.at
    desk.arrives(write(ZHANG, VPN))
    for moment in sorted({h.at for h in foretold.happenings}):
        desk.clock.at = moment
        real = sorted(f"{m.to} {_template(desk, m.mail.message_id)}" for m in desk.works())
        assert real == told(m for h in foretold.happenings if h.at == moment for m in h.mails), moment
    assert foretold.tickets[1].due("resolve") == _first_due(desk)


def test_what_comes_when_nobody_works_is_given_to_somebody_when_they_do(tmp_path: Path) -> None:
    incident = Incident(at=at(9, 30, 20, 0), severity=0, subject="VPN 连不上", text=VPN, sender=ZHANG)
    played = play(tmp_path, incident)
    given = [h for h in played.happenings if any(type(e).__name__ == "Assigned" for e in h.events)]
    assert [(h.at, told(h.mails)) for h in given] == [(at(10, 8, 9, 0), ["wang.wei@example.com assignment"])]
    assert "zhao.min@example.com queued" in told(played.happenings[0].mails)


def _template(desk: TestDesk, message_id: str) -> str:
    ((template,),) = desk.desk.store.base.rows(
        "SELECT template FROM notice WHERE message_id = ?", (message_id.strip("<>"),)
    )
    return str(template)


def _first_due(desk: TestDesk) -> datetime:
    return next(e.due_at for e in desk.events(1, "ClockStarted") if e.clock == "resolve")


def test_who_takes_it_up_and_solves_it_ends_the_steps(tmp_path: Path) -> None:
    incident = Incident(
        at=at(9, 29, 10), severity=3, subject="VPN 连不上", text=VPN, sender=ZHANG,
        taken_after=timedelta(minutes=30), solved_after=timedelta(hours=3),
    )  # fmt: skip
    played = play(tmp_path, incident)
    deeds = [(h.what, h.at) for h in played.happenings if h.what in ("accept", "resolve")]
    assert deeds == [("accept", at(9, 29, 10, 30)), ("resolve", at(9, 29, 13))]
    templates = [m.template for h in played.happenings for m in h.mails]
    assert "taken_up" in templates and "resolved" in templates and "confirm_reminder" in templates
    assert "escalation" not in templates, "it was solved in time"
    assert "review_list" in templates, "and closed by silence"


# --- holidays, lunch, make-up days ---


def test_days_say_what_they_are(tmp_path: Path) -> None:
    kinds = {d.date.day: d.kind for d in play(tmp_path).days}
    assert [kinds[n] for n in (28, 29, 30)] == ["working"] * 3
    assert {kinds[n] for n in range(1, 8)} == {"holiday"}
    assert (kinds[8], kinds[10], kinds[11]) == ("working", "make_up", "free")


def test_nothing_of_working_time_comes_on_a_holiday_or_at_lunch(tmp_path: Path) -> None:
    incident = Incident(at=at(9, 30, 11, 30), severity=4, subject="x", sender=ZHANG)
    played = play(tmp_path, incident)
    assert played.tickets[1].due("respond") == at(9, 30, 16, 30), "half an hour, lunch, three and a half hours"
    moments = [h.at.astimezone(BEIJING) for h in played.happenings]
    assert not [m for m in moments if m.month == 10 and m.day < 8]
    assert [m for m in moments if m.day == 10], "the Saturday is worked"


def test_by_itself_it_shows_the_next_holidays_whole() -> None:
    business = BOOK.calendars["business"]
    assert days_to_play(business, date(2026, 9, 27), None, None) == (date(2026, 9, 29), date(2026, 10, 9))
    assert days_to_play(business, date(2026, 6, 1), None, None) == (date(2026, 6, 17), date(2026, 6, 23))
    assert days_to_play(business, date(2026, 6, 1), date(2026, 5, 4), None) == (date(2026, 5, 4), date(2026, 5, 10))
    assert days_to_play(None, date(2026, 6, 1), None, 3) == (date(2026, 6, 1), date(2026, 6, 3))


def test_the_samples_are_one_of_each_severity_at_telling_hours(tmp_path: Path) -> None:
    samples = sample_incidents(BOOK, ZONE, FIRST, LAST)
    assert [(s.severity, s.at) for s in samples] == [
        (3, at(9, 28, 11, 30)), (4, at(9, 30, 17, 30)), (1, at(10, 1, 2)), (2, at(10, 1, 12, 30)),
    ]  # fmt: skip
    played = play(tmp_path, *samples)
    assert [int(t.severity) for t in played.tickets.values()] == [3, 4, 1, 2]
    assert all(t.team for t in played.tickets.values())


# --- the command ---


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh", ["#3 1 级，10-01 02:00 报告：最迟响应 10-01 02:15，最迟解决 10-01 06:00", "2026-10-01 周四 放假",
                "2026-10-10 周六 调休上班 09:00–12:00, 13:00–18:00", "解决超时，第 3 次提醒，以后照此继续", "×4"]),
        ("en", ["2026-10-01 Thu HOLIDAY", "2026-10-10 Sat MAKE-UP WORKING DAY", "#3  solution 25%", "monthly report"]),
    ],
)  # fmt: skip
def test_in_words(toml: Path, capsys: pytest.CaptureFixture[str], language: str, words: list[str]) -> None:
    assert simulated(toml, "--from", FIRST, "--days", 14, "--lang", language) == 0
    said = capsys.readouterr().out
    assert [w for w in words if w not in said] == []
    assert not (toml.parent / "state" / "ticketd.db").exists(), "no database was made"


def test_as_json_from_a_file_of_incidents(toml: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "incidents:\n"
        "  - {at: 2026-09-29 10:00, severity: 2, subject: VPN down, from: zhang@huaxin.example, taken_after: 10m}\n",
        "utf-8",
    )
    assert simulated(toml, "--from", FIRST, "--days", 3, "--incidents", file, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    (one,) = told["incidents"]
    assert (one["severity"], one["customer"], one["respond_by"]) == (2, "huaxin", "2026-09-29T10:30:00+08:00")
    assert [d["kind"] for d in told["days"]] == ["working"] * 3
    assert told["days"][0]["hours"] == ["09:00-12:00", "13:00-18:00"]
    happenings = [h for d in told["days"] for h in d["happenings"]]
    assert [h["what"] for h in happenings[:2]] == ["reported", "accept"]
    assert {m["template"] for m in happenings[0]["mails"]} == {"acknowledgement", "assignment", "escalation"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("incidents: [{at: tomorrow, severity: 2}]", "mine.yaml:1: 'at' is a time such as 2026-09-30 17:30, got 'tomorrow'"),
        ("incidents:\n- {at: 2026-09-30 17:30, severity: 7}", "mine.yaml:2: 'severity' is a number from 1 to 4, got '7'"),
        ("incidents:\n- {at: 2026-09-30, sevrity: 1}", "an incident has no key 'sevrity' (did you mean 'severity'?)"),
        ("incident: []", "the file lacks 'incidents'"),
        ("", "the file must be a table"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_named(
    toml: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text, "utf-8")
    assert simulated(toml, "--incidents", file) == 78
    assert says in capsys.readouterr().err


def test_a_day_that_is_none(toml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulated(toml, "--from", "monday") == 64
    assert "write 2026-09-28" in capsys.readouterr().err


def test_both_languages_say_the_same_things() -> None:
    assert set(simulation._SAYS["en"]) == set(simulation._SAYS["zh"])
