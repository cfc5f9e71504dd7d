"""Twelve mails through a real Dovecot, `ticketd run --once --as-of` as a process, and a real SMTP server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.desk import write
from tests.forks import forks
from tests.office import Office, office
from tests.story import LISTS, MAILS, MAILS_OUT, Story, check_the_end, kinds, notices

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Office, Story]]:
    with office(tmp_path_factory.mktemp("story")) as place:
        story = Story().play(place)
        with forks() as place.forks:  # the rounds were whole processes; looking at the end may be quicker
            yield place, story


def test_it_ends_with_the_states_the_history_and_the_notices_it_should(told: tuple[Office, Story]) -> None:
    place, _ = told
    check_the_end({n: place.ticket(n) for n in (1, 2)})


def test_the_list_the_ticket_and_its_history_say_the_same(told: tuple[Office, Story]) -> None:
    place, _ = told
    listed = {t["number"]: t for t in place.tickets()}
    whole = place.ticket(1)
    assert sorted(listed) == [1, 2]
    assert listed[1] == {key: whole[key] for key in listed[1]}
    assert place.history(1) == whole["events"]
    assert (whole["severity"], whole["category"], whole["team"], whole["assignee"], whole["customer"]) == (
        4, "network/vpn", "network", "wang.wei", "huaxin",
    )  # fmt: skip
    assert (whole["solution"], whole["cause"]) == ("更换了网关证书", "证书过期")


def test_every_mail_is_filed_and_none_is_lost(told: tuple[Office, Story]) -> None:
    place, _ = told
    assert place.folder_sizes() == {"INBOX": 0, "Handled": MAILS, "Quarantine": 0}
    written = [m for n in (1, 2) for m in place.ticket(n)["messages"] if m["direction"] == "in"]
    assert len(written) == MAILS - 1, "all but the bounce are words on a ticket"


def test_every_notice_reached_the_server_once_and_as_it_was_kept(told: tuple[Office, Story]) -> None:
    place, story = told
    ids = [m.mail.message_id for m in story.sent]
    kept = {x["message_id"]: x["to"] for n in (1, 2) for x in place.ticket(n)["notices"]}
    assert len(ids) == len(set(ids)) == MAILS_OUT == len(place.sink.mails)
    sent = {m.mail.message_id: m.to for m in story.sent}
    assert kept.items() <= sent.items()
    assert [to.partition("@")[0] for i, to in sent.items() if i not in kept] == LISTS


def test_the_english_customer_reads_english_and_the_chinese_one_chinese(told: tuple[Office, Story]) -> None:
    _, story = told
    to_ann = [m for m in story.sent if m.to.startswith("ann.lee")]
    to_zhang = [m for m in story.sent if m.to.startswith("zhang.san")]
    assert len(to_ann) == 4 and not any("\u4e00" <= c <= "\u9fff" for m in to_ann for c in m.subject + m.letter.text)
    assert len(to_zhang) == 5 and all(any("\u4e00" <= c <= "\u9fff" for c in m.letter.text) for m in to_zhang)


def test_the_vacation_reply_the_bounce_and_the_forged_command_changed_nothing(told: tuple[Office, Story]) -> None:
    place, _ = told
    events = {n: place.ticket(n)["events"] for n in (1, 2)}
    (vacation,) = [e for e in events[1] if e["data"].get("nature") == "automatic"]
    (refused,) = [e for e in events[1] if e["kind"] == "CommandsRefused"]
    (failed,) = [e for e in events[2] if e["kind"] == "NoticeFailed"]
    assert [e["kind"] for e in events[1] if e["cause"] == vacation["cause"]] == ["MessageAdded"]
    assert (refused["data"]["by"], refused["data"]["reason"]) == ("wang.wei", "unproved")
    assert (failed["data"]["address"], failed["data"]["template"], failed["data"]["permanent"]) == (
        "ann.lee@acme.example", "progress", True,
    )  # fmt: skip


def test_drawing_it_anew_from_the_history_changes_nothing(told: tuple[Office, Story]) -> None:
    place, _ = told
    before = place.tickets()
    assert place.ticketd("rebuild").stdout.strip() == "redrawn; 0 differed"
    assert place.tickets() == before


def test_one_more_round_does_nothing(told: tuple[Office, Story]) -> None:
    place, _ = told
    before = place.ticket(1), place.ticket(2)
    assert place.round() == []
    assert (place.ticket(1), place.ticket(2)) == before
    assert kinds(before[0]) and notices(before[1])


def test_a_mail_over_the_limit_is_a_ticket_that_says_where_the_rest_is(tmp_path):
    """Its text stays on the server; the next mails go on."""
    with office(tmp_path / "office", user="large") as place:
        toml = place.folder / "ticketd.toml"
        toml.write_text(toml.read_text("utf-8").replace("idle = true", "idle = true\nmax_mail_bytes = 20000"), "utf-8")
        place.arrives(write("张三 <zhang.san@huaxing.example.com>", "很长的信。\n" * 5000, subject="VPN 日志"))
        place.arrives(write("张三 <zhang.san@huaxing.example.com>", "又断了", subject="VPN 又断了"))
        place.round()

        first, second = place.tickets()
        assert (first["subject"], second["subject"]) == ("VPN 日志", "VPN 又断了")
        assert "超过了设定的上限" in place.ticket(1)["messages"][0]["text"]
        assert place.folder_sizes()["Handled"] == 2
