"""The store: all or nothing, exactly once, text of any kind, damage noticed, and schemas that only go forward."""

from __future__ import annotations

import re
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import peewee as pw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon import flow
from daemon.errors import StoreError, UnreachableError
from daemon.intake.letter import RawMail, read_letter
from daemon.notify.notice import Notice, OutgoingMail
from daemon.store import Store
from daemon.store.base import MIGRATIONS
from daemon.store.tables import TABLES, stamp, unstamp
from daemon.words import MailStatus, Visibility
from tests.desk import TestDesk, write

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ZHANG = "张三 <zhang.san@huaxin.example>"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store("sqlite:///ticketd.db", tmp_path)
    yield made
    made.close()


def raw(
    uid: int, content: bytes = b"From: a@b.example\r\n\r\nhello\r\n", *, mailbox: str = "m", validity: int = 1
) -> RawMail:
    return RawMail(mailbox=mailbox, uidvalidity=validity, uid=uid, received_at=NOW, size=len(content),
                   sha256=sha256(content).hexdigest(), content=content)  # fmt: skip


def notice(to: str = "a@b.example") -> Notice:
    return Notice(template="progress", language="en", to=to, to_name="", facts={}, visibility=Visibility.PUBLIC)


# --- the database itself ---


def test_the_file_is_ours_alone_and_commits_are_synced(store: Store, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "ticketd.db").stat().st_mode) == 0o600
    assert store.base.one("PRAGMA journal_mode")[0] == "wal"
    assert store.base.one("PRAGMA synchronous")[0] == 2, "FULL: a commit outlives a power cut"
    assert store.base.one("PRAGMA busy_timeout")[0] >= 5000


def test_a_transaction_takes_the_write_lock_at_once(store: Store, tmp_path: Path) -> None:
    """Reading first and writing later would fail with "database is locked" in spite of the busy timeout."""
    with store.transaction(), closing(sqlite3.connect(tmp_path / "ticketd.db", timeout=0.1)) as other:
        store.base.one("SELECT 1 FROM mail")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")


def test_all_or_nothing_and_a_savepoint_of_its_own_for_each(store: Store) -> None:
    def fails(key: str) -> None:
        with store.transaction():
            store.write_note(key, "1", NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails("outer")
    assert store.note("outer") is None
    with store.transaction():
        store.write_note("kept", "1", NOW)
        with pytest.raises(RuntimeError):
            fails("inner")
    assert store.note("kept") and store.note("inner") is None


def test_a_busy_database_is_weather(store: Store, tmp_path: Path) -> None:
    store.base.run("PRAGMA busy_timeout = 50")
    with closing(sqlite3.connect(tmp_path / "ticketd.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnreachableError, match="does not answer"), store.transaction():
            pass
    with store.transaction():
        store.write_note("after", "1", NOW)
    assert store.note("after")


def test_a_database_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    Store("sqlite:///ticketd.db", tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "ticketd.db")) as db:
        (table,) = (n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'") if "migrat" in n)
        columns = [c[1] for c in db.execute(f"PRAGMA table_info({table})") if c[1] != "id"]
        values = ["9999_of_the_future" if c in ("name", "migration") else "2030-01-01 00:00:00" for c in columns]
        db.execute(f"INSERT INTO {table} ({','.join(columns)}) VALUES ({','.join('?' * len(columns))})", values)
        db.commit()
    before = (tmp_path / "ticketd.db").read_bytes()
    with pytest.raises(StoreError, match=r"newer ticketd .*9999_of_the_future"):
        Store("sqlite:///ticketd.db", tmp_path)
    assert (tmp_path / "ticketd.db").read_bytes() == before


def test_the_migrations_make_the_tables_that_the_code_speaks_of(store: Store, tmp_path: Path) -> None:
    """Names of tables and columns; the migration is written out by hand and never changes again."""
    with closing(sqlite3.connect(tmp_path / "ticketd.db")) as db:
        made = {
            t._meta.table_name: {c[1] for c in db.execute(f"PRAGMA table_info({t._meta.table_name})")} for t in TABLES
        }
    assert made == {t._meta.table_name: {f.column_name for f in t._meta.sorted_fields} for t in TABLES}


def test_migrations_refuse_to_run_backwards() -> None:
    for path in sorted(MIGRATIONS.glob("[0-9]*.py")):
        assert re.search(r"def down\(.*\):.*\n    raise RuntimeError\(", path.read_text("utf-8")), path.name


def test_threads_do_not_share_a_connection_and_lose_nothing(store: Store) -> None:
    def writes(start: int) -> None:
        for uid in range(start, start + 25):
            store.ledger.keep([(raw(uid), False)])
        store.close()

    threads = [threading.Thread(target=writes, args=(n * 100,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.ledger.uids("m", 1)) == 100


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.timezones()))
def test_a_moment_comes_back_as_it_went_and_sorts_as_text(moment: datetime) -> None:
    # Compared in UTC: Python calls a moment in the gap of a clock change unequal to itself in any other zone.
    assert unstamp(stamp(moment)) == moment.astimezone(UTC)
    assert stamp(moment) < stamp(moment.astimezone(UTC) + timedelta(microseconds=1))


def test_a_naive_time_never_gets_in() -> None:
    with pytest.raises(ValueError, match="naive"):
        stamp(datetime(2026, 1, 1))


# --- the ledger ---


def test_a_uid_is_kept_once_whatever_comes_under_it_later(store: Store) -> None:
    assert store.ledger.keep([(raw(1), False), (raw(2), False)]) == 2
    assert store.ledger.keep([(raw(1, b"other bytes"), False), (raw(3), True)]) == 1
    assert store.ledger.keep([(raw(1, validity=2), False), (raw(1, mailbox="n"), False)]) == 2
    kept = store.ledger.waiting(NOW, 10)
    assert [(m.mailbox, m.uidvalidity, m.uid, m.quiet) for m in kept] == [
        ("m", 1, 1, False), ("m", 1, 2, False), ("m", 1, 3, True), ("m", 2, 1, False), ("n", 1, 1, False),
    ]  # fmt: skip
    assert kept[0].content == raw(1).content


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=2000))
def test_any_bytes_are_kept_to_the_byte(store: Store, content: bytes) -> None:
    uid = max(store.ledger.uids("m", 1), default=0) + 1
    store.ledger.keep([(raw(uid, content), False)])
    number = store.base.one("SELECT id FROM mail WHERE uid = ?", (uid,))[0]
    kept = store.ledger.get(number)
    assert kept is not None and kept.content == content


def test_a_mail_that_was_tried_before_comes_alone(store: Store) -> None:
    store.ledger.keep((raw(n), False) for n in (1, 2, 3))
    store.ledger.attempt([1])
    assert [m.uid for m in store.ledger.waiting(NOW, 10)] == [1]
    store.ledger.put_off(1, NOW + timedelta(seconds=30), "later")
    assert [m.uid for m in store.ledger.waiting(NOW, 10)] == [2, 3]
    assert [m.uid for m in store.ledger.waiting(NOW + timedelta(minutes=1), 10)] == [1]


def test_only_what_is_decided_may_be_filed_and_only_under_its_own_numbering(store: Store) -> None:
    store.ledger.keep((raw(n), False) for n in (1, 2, 3))
    store.ledger.keep([(raw(1, validity=9), False)])
    with store.transaction():
        for number in (1, 2, 4):
            store.ledger.finish(number, MailStatus.HANDLED)
    assert store.ledger.to_file("m", 1) == {MailStatus.HANDLED: [1, 2]}
    store.ledger.filed("m", 1, [1])
    assert store.ledger.to_file("m", 1) == {MailStatus.HANDLED: [2]}
    store.ledger.forget_filing("m", 9)
    assert store.ledger.to_file("m", 1) == {} and store.ledger.to_file("m", 9) == {MailStatus.HANDLED: [1]}


# --- the outbox ---


def test_a_mail_is_claimed_by_one_at_a_time_until_its_lease_ends(store: Store) -> None:
    with store.transaction():
        store.outbox.owe([notice("a@b.example"), notice("c@d.example")], 1, "mail:1", "", NOW)
    lease = timedelta(minutes=30)
    first = store.outbox.claim(NOW, lease, 1)
    second = store.outbox.claim(NOW, lease, 10)
    assert [n.notice.to for n in (*first, *second)] == ["a@b.example", "c@d.example"]
    assert store.outbox.claim(NOW + timedelta(minutes=29), lease, 10) == []
    assert len(store.outbox.claim(NOW + timedelta(minutes=30), lease, 10)) == 2
    store.outbox.release_leases()
    assert len(store.outbox.claim(NOW + timedelta(minutes=30), lease, 10)) == 2


def test_the_first_words_stay(store: Store) -> None:
    with store.transaction():
        store.outbox.owe([notice()], 1, "mail:1", "", NOW)
    for words in (b"first\r\n", b"second\r\n"):
        store.outbox.keep_words(
            [(1, OutgoingMail(message_id="<1@x>", envelope_from="s@x", to="a@b.example", content=words))]
        )
    (owed,) = store.outbox.claim(NOW, timedelta(minutes=1), 1)
    assert owed.mail is not None and owed.mail.content == b"first\r\n"


def test_what_is_settled_is_never_offered_again(store: Store) -> None:
    with store.transaction():
        store.outbox.owe([notice("a@b.example"), notice("c@d.example"), notice("e@f.example")], 1, "mail:1", "", NOW)
    store.outbox.sent(1, "250 ok", NOW)
    store.outbox.dead(2, "550 no")
    store.outbox.retry(3, "451 later", NOW + timedelta(minutes=5))
    assert store.outbox.claim(NOW + timedelta(minutes=4), timedelta(minutes=1), 9) == []
    assert [n.id for n in store.outbox.claim(NOW + timedelta(days=9), timedelta(minutes=1), 9)] == [3]


# --- the register, through the desk ---


def test_a_second_writer_of_the_same_event_fails_as_a_whole(tmp_path: Path) -> None:
    desk = TestDesk(tmp_path)
    desk.receives(write(ZHANG, "VPN 连不上。"))
    store = desk.desk.store
    before = store.register.raw_events(1)
    row = store.base.one("SELECT ticket, seq, kind, data, at, cause FROM event WHERE ticket = 1 AND seq = 1")

    def writes_again() -> None:
        with store.transaction():
            store.write_note("with it", "1", NOW)
            store.base.run("INSERT INTO event (ticket, seq, kind, data, at, cause) VALUES (?,?,?,?,?,?)", row)

    with pytest.raises(pw.IntegrityError, match="UNIQUE"):
        writes_again()
    assert store.register.raw_events(1) == before and store.note("with it") is None
    store.close()


ODD = ["\ud800 half", "nul \x00 byte", "\u202e turned", "𝔘𝔫𝔦 \U0001f600", "a" * 70_000, "\x85\u2028\x0c"]


@pytest.mark.parametrize("text", ODD, ids=["surrogate", "nul", "bidi", "astral", "long", "breaks"])
def test_text_of_any_kind_becomes_a_ticket_that_can_be_read_again(text: str, tmp_path: Path) -> None:
    raw_text = text.encode("utf-8", "surrogatepass")
    mail = (b"From: Z <zhang.san@huaxin.example>\r\nTo: support@example.com\r\nSubject: VPN\r\nMessage-ID: <odd@x.example>\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nVPN " + raw_text + b"\r\n")  # fmt: skip
    desk = TestDesk(tmp_path)
    assert len(desk.receives(mail)) == 2
    assert desk.mail_status() == [("handled", "")]
    (message,) = desk.desk.store.register.messages(1)
    assert message["text"].startswith("VPN")
    assert desk.desk.store.register.rebuild() == []
    desk.desk.store.close()


def test_stored_bytes_that_were_damaged_are_set_aside_and_the_others_go_on(tmp_path: Path) -> None:
    desk = TestDesk(tmp_path)
    desk.arrives(write(ZHANG, "VPN 连不上。", subject="VPN 一"))
    desk.arrives(write(ZHANG, "VPN 连不上。", subject="VPN 二"))
    desk.desk.store.base.run("UPDATE raw SET content = ? WHERE mail = 1", (b"rotten",))
    for _ in range(4):
        desk.waits(minutes=1)
    (first, why), second = desk.mail_status()
    assert (first, second) == ("quarantined", ("handled", "")) and "damaged" in why
    assert desk.ticket(1).subject == "VPN 二"
    desk.desk.store.close()


def test_a_file_of_the_spool_that_is_gone_is_set_aside_too(tmp_path: Path) -> None:
    desk = TestDesk(tmp_path)
    content = write(ZHANG, "VPN").as_bytes()
    lost = RawMail(mailbox="support", uidvalidity=1, uid=1, received_at=desk.clock.now(), size=len(content),
                   sha256=sha256(content).hexdigest(), path=str(tmp_path / "state" / "spool" / "gone"))  # fmt: skip
    desk.desk.store.ledger.keep([(lost, False)])
    desk.uid = 1
    desk.arrives(write(ZHANG, "VPN 连不上。"))
    for _ in range(4):
        desk.waits(minutes=1)
    assert [s for s, _ in desk.mail_status()] == ["quarantined", "handled"]
    desk.desk.store.close()


def test_the_same_mail_twice_is_one_ticket_and_one_answer(tmp_path: Path) -> None:
    desk = TestDesk(tmp_path)
    mail = write(ZHANG, "VPN 连不上。")
    assert len(desk.receives(mail)) == 2
    assert desk.receives(mail) == []
    assert [s for s, _ in desk.mail_status()] == ["handled", "duplicate"]
    assert desk.ticket(2) is None
    desk.desk.store.close()


def test_mails_without_a_message_id_are_never_taken_for_each_other(tmp_path: Path) -> None:
    desk = TestDesk(tmp_path)
    for n in range(5):
        mail = write(ZHANG, f"VPN 连不上 {n}。")
        del mail["Message-ID"]
        desk.arrives(mail)
    desk.works()
    assert [s for s, _ in desk.mail_status()] == ["handled"] * 5 and desk.ticket(5)
    desk.desk.store.close()


def test_reading_what_was_kept_gives_the_letter_that_arrived(tmp_path: Path) -> None:
    desk = TestDesk(tmp_path)
    mail = write(ZHANG, "VPN 连不上。")
    desk.arrives(mail)
    (kept,) = desk.desk.store.ledger.waiting(desk.clock.now(), 5)
    assert kept.content is not None
    letter = read_letter(kept.content)
    assert letter.sha256 == kept.sha256 and letter.subject == "VPN 连不上"
    assert flow.handle_waiting(desk.desk) == 1
    desk.desk.store.close()
