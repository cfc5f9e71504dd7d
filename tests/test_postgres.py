"""The same desk on PostgreSQL: the same story, and connections that end at any moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import peewee as pw
import pytest

from daemon import app, flow
from daemon.app import places_of
from daemon.backtest import Question, back_test
from daemon.cli import run_command
from daemon.clock import Clock
from daemon.errors import StoreError, UnreachableError
from daemon.inforce import Wish, files_of, load_kept, put_in_force
from daemon.intake.reader import ReadsHere
from daemon.overruled import standing
from daemon.store import Store
from daemon.views import ticket_whole
from tests.desk import Sent, TestDesk, prepare, reply, write
from tests.office import Office
from tests.servers.dovecot import running_dovecot
from tests.servers.postgres import Postgres, running_postgres
from tests.servers.smtp_sink import SmtpSink
from tests.story import STEPS, WANG, ZHANG, Story, check_the_end

pytestmark = pytest.mark.servers

BEIJING = ZoneInfo("Asia/Shanghai")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.new_database()


class Desk(TestDesk):
    """A desk on PostgreSQL that does rounds, and can be rudely interrupted."""

    def round(self, **later: float) -> list[Sent]:
        return self.waits(**later)

    def whole(self) -> dict[int, dict[str, Any]]:
        store = self.desk.store
        return {t.number: ticket_whole(t, store, BEIJING) for t in store.register.tickets()}


def on(url: str, folder: Path) -> str:
    """Return the text of a configuration that keeps tickets at this URL."""
    prepare(folder)
    text = (folder / "ticketd.toml").read_text("utf-8")
    return text.replace("sqlite:///ticketd.db", url)


@pytest.fixture
def desk(url: str, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path, toml=on(url, tmp_path))
    yield desk
    desk.desk.store.close()


def test_the_tables_are_made_by_themselves_and_only_once(url: str, tmp_path: Path) -> None:
    for _ in range(2):
        store = Store(url, tmp_path)
        assert set(store.base.db.get_tables()) >= {"mail", "raw", "event", "ticket", "notice", "message"}
        store.close()


def test_many_that_start_at_once_make_the_tables_together(url: str, tmp_path: Path) -> None:
    errors: list[Exception] = []

    def start() -> None:
        try:
            Store(url, tmp_path).close()
        except Exception as e:
            errors.append(e)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_database_of_a_newer_version_is_refused(url: str, tmp_path: Path) -> None:
    store = Store(url, tmp_path)
    table = next(t for t in store.base.db.get_tables() if "migrat" in t)
    columns = [c.name for c in store.base.db.get_columns(table)]
    name = next(c for c in columns if c in ("name", "migration"))
    store.base.run(f"INSERT INTO {table} ({name}, {next(c for c in columns if c.endswith('_at') or c == 'applied')})"
                   " VALUES ('9999_future', '2030-01-01')")  # fmt: skip
    store.close()
    with pytest.raises(StoreError, match="newer"):
        Store(url, tmp_path)


def test_no_server_is_weather_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="does not answer"):
        Store("postgresql://ticketd@127.0.0.1:1/none", tmp_path)


def test_the_story_ends_the_same(desk: Desk) -> None:
    Story().play(desk)
    check_the_end(desk.whole())
    assert desk.desk.store.register.rebuild() == []


def test_the_story_ends_the_same_on_real_servers(url: str, tmp_path: Path) -> None:
    """One round through Dovecot and SMTP with the process's own wiring, on PostgreSQL."""
    with running_dovecot() as dovecot, SmtpSink() as sink:
        place = Office(folder=tmp_path / "desk", dovecot=dovecot, sink=sink, user="pg")
        toml = tmp_path / "desk" / "ticketd.toml"
        toml.write_text(toml.read_text("utf-8").replace("sqlite:///ticketd.db", url), "utf-8")
        place.arrives(write(ZHANG, "VPN 连不上。"))
        assert len(place.round()) == 2
        assert place.round(minutes=1) == []
        assert place.ticketd("rebuild").stdout.strip() == "redrawn; 0 differed"
        assert place.folder_sizes() == {"INBOX": 0, "Handled": 1, "Quarantine": 0}


# --- connections that end ---


def test_connections_ended_between_all_rounds_change_nothing(desk: Desk, postgres: Postgres, url: str) -> None:
    def ended_first(_: Any, step: Any) -> list[Sent]:
        already = len(desk.sink.sent)
        assert postgres.terminate(url) >= 1
        desk.clock.at += timedelta(**step.later)
        until_it_works(desk.works)
        desk.works()
        return [as_sent(desk, i) for i in range(already, len(desk.sink.sent))]

    story = Story()
    for step in STEPS:
        if step.write is not None:
            until_it_works(lambda mail=step.write(story): desk.arrives(mail))
        story.sent += ended_first(desk, step)
    check_the_end(desk.whole())
    assert desk.desk.store.register.rebuild() == []


def as_sent(desk: Desk, index: int) -> Sent:
    from daemon.intake.letter import read_letter

    mail = desk.sink.sent[index]
    return Sent(mail, read_letter(mail.content), mail.content)


def until_it_works(do: Callable[[], Any]) -> Any:
    """Try again after weather, as every loop of ours does; twice must be enough."""
    for _ in range(2):
        try:
            return do()
        except UnreachableError:
            continue
    return do()


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch, postgres: Postgres, url: str) -> Iterator[list[int]]:
    """[N]: before the N-th statement from now the server ends all our connections; [0] never."""
    left = [0]
    real = pw.Database.execute_sql

    def cut(db: Any, *args: Any, **more: Any) -> Any:
        if left[0]:
            left[0] -= 1
            if left[0] == 0:
                postgres.terminate(url)
        return real(db, *args, **more)

    monkeypatch.setattr(pw.Database, "execute_sql", cut)
    yield left
    left[0] = 0


def test_connections_ended_before_any_statement_of_a_round_change_nothing(
    desk: Desk, fault: list[int], postgres: Postgres, url: str
) -> None:
    """One incident after the other, the N-th one's round cut before its N-th statement, until a round passes uncut."""
    number, uncut = 0, False
    while not uncut:
        number += 1
        desk.arrives(
            write(ZHANG, f"VPN 第 {number} 次连不上。", subject=f"VPN {'甲乙丙丁戊己庚辛壬癸'[number % 10]}{number}")
        )
        fault[0] = number
        with_retries(desk, fault)
        uncut, fault[0] = fault[0] > 0, 0
        ticket = ticket_whole(desk.ticket(number), desk.desk.store, BEIJING)
        first, second, *_ = [n["template"] for n in ticket["notices"]]
        assert first == "acknowledgement" and second in ("assignment", "queued"), "in the end nobody has room"
        owed = [(n["template"], n["to"]) for n in ticket["notices"]]
        assert len(owed) == len(set(owed)), "the day goes on meanwhile, but it brings nothing twice either"
        assert {n["state"] for n in ticket["notices"]} == {"sent"}
    assert number > 20, "a round has many statements"
    assert [s for s, _ in desk.mail_status()] == ["handled"] * number
    ids = [m.message_id.strip("<>") for m in desk.sink.sent]
    copies = len(ids) - len(set(ids))
    assert set(ids) >= {n["message_id"].strip("<>") for t in desk.whole().values() for n in t["notices"]}
    print(f"\n{number} rounds cut, {copies} second copies")
    assert copies <= number
    assert desk.desk.store.register.rebuild() == []


def with_retries(desk: Desk, fault: list[int]) -> None:
    met = fault[0]
    for _ in range(4):
        try:
            desk.round(minutes=31)  # a lease that nobody ended is over by then
        except UnreachableError:
            continue
        if met and fault[0] == 0:
            met = 0
            desk.round(minutes=31)
        return
    raise AssertionError("it does not recover")


def test_the_server_started_anew_is_used_again(desk: Desk, postgres: Postgres) -> None:
    desk.receives(write(ZHANG, "VPN 连不上。"))
    postgres.halt()
    with pytest.raises(UnreachableError):
        desk.arrives(write(ZHANG, "VPN 又连不上。", subject="VPN 二"))
    postgres.resume()
    until_it_works(lambda: desk.receives(write(ZHANG, "VPN 又连不上。", subject="VPN 二")))
    assert sorted(desk.whole()) == [1, 2]


# --- two writers ---


def test_two_writers_on_one_ticket_lose_nothing(desk: Desk, url: str, tmp_path: Path) -> None:
    """Two processes' worth of stores give commands and reports at the same time; every event has a place of its own."""
    sent = desk.receives(write(ZHANG, "VPN 连不上。"))
    to_engineer = next(m for m in sent if m.to.startswith("wang.wei"))
    for n in range(12):
        desk.arrives(reply(to_engineer, WANG, f"#备注 第 {n} 条"), mailbox="support")
        desk.arrives(
            write(ZHANG, f"第 {n} 个问题", subject=f"打印机 {'甲乙丙丁戊己庚辛壬癸子丑'[n]}"), mailbox="support"
        )
    second = app.open_desk(desk.config, desk.clock)
    second.reader = ReadsHere()
    second.store.close()  # this thread's connection; the worker opens its own
    barrier, errors = threading.Barrier(2), list[Exception]()

    def work(one: Any) -> None:
        from daemon import flow

        barrier.wait()
        try:
            while until_it_works(lambda: flow.handle_waiting(one, 3)):
                pass
        except Exception as e:
            errors.append(e)
        finally:
            one.store.close()

    threads = [threading.Thread(target=work, args=(one,)) for one in (desk.desk, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [s for s, _ in desk.mail_status()] == ["handled"] * 25
    whole = desk.whole()
    assert sorted(whole) == list(range(1, 14))
    notes = [e["data"]["text"] for e in whole[1]["events"] if e["kind"] == "Noted"]
    assert sorted(notes) == sorted(f"第 {n} 条" for n in range(12)), "each note once"
    assert desk.desk.store.register.rebuild() == []


def test_rules_are_kept_tried_and_counted_there_too(desk: Desk) -> None:
    for n, subject in enumerate(("VPN 连不上", "打印机卡纸", "代开发票")):
        desk.receives(write("张三 <zhang.san@huaxin.example>", f"请看一下 {n}", subject=subject))
    store, book = desk.desk.store, desk.desk.rulebook
    places = places_of(desk.config)
    wish = Wish(who="zhao", how="apply", at=desk.clock.now(), note="第一版", trial={})
    files = files_of(places.rules, book)
    first = put_in_force(book, files, wish, store, 0)
    assert store.versions.files(first) == files and store.versions.named(book.version[:5]).note == "第一版"
    assert put_in_force(book, files, wish, store, first) == first and load_kept(store.versions.last(), store) == book
    assert [(d.mail, d.ticket) for d in store.register.decided()] == [(1, 1), (2, 2), (3, 0)]
    trial = back_test(Question(old=book, new=replace(book, rules=()), service=desk.desk.service), store)
    assert {d.decided.mail for d in trial.differences} == {1, 2, 3} and not trial.unread
    found = {t.rule: t.tickets for t in standing(store.register.ruled(), book).tallies if t.hits}
    assert found["打印机 printer"] == [2] and found["垃圾广告 spam"] == []


def test_a_backup_is_put_back_into_an_empty_database_and_what_was_owed_is_held(
    postgres: Postgres, url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "desk"
    prepare(folder)
    desk = Desk(folder, toml=on(url, folder), now=Clock().now())
    desk.receives(write(ZHANG, "VPN 连不上。"))
    desk.arrives(write(ZHANG, "打印机卡纸。", subject="打印机"))
    flow.handle_waiting(desk.desk)
    before = desk.whole()
    desk.desk.store.close()
    config = ["--config", str(folder / "ticketd.toml"), "--log-level", "error"]
    file = tmp_path / "backup.tar.gz"
    assert run_command([*config, "backup", str(file)]) == 0
    assert run_command([*config, "restore", "--offline", str(file)]) == 1
    assert "the database is not empty" in capfd.readouterr().err
    toml = folder / "ticketd.toml"
    toml.write_text(toml.read_text("utf-8").replace(url, postgres.new_database()), "utf-8")
    assert run_command([*config, "restore", "--offline", str(file)]) == 0, capfd.readouterr()
    assert "are held" in capfd.readouterr().out
    again = Desk(folder, toml=toml.read_text("utf-8"), now=Clock().now())
    assert again.works() == []
    for number, ticket in again.whole().items():
        assert ticket["events"] == before[number]["events"]
    assert run_command([*config, "outbox", "release", "--all"]) == 0
    again.clock.at = Clock().now()
    assert again.works()
    again.uid = 10
    (answer, *_) = again.receives(write(ZHANG, "显示器坏了。", subject="显示器"))
    assert int(answer.mail.message_id[2:].partition(".")[0]) > 10_000, "no number of a lost mail is given again"
    again.desk.store.close()
