"""Who takes on the looks of somebody else commands nothing, and those at work are told."""

import json

import pytest

from daemon.cli import run_command
from daemon.intake.lookalike import looks_like
from daemon.words import Address, State
from tests.desk import TestDesk, reply, told, write
from tests.test_conversations import CUSTOMER, ENGINEER, opened
from tests.test_trust import trusting  # noqa: F401

KNOWN = ("wang.wei@example.com", "support@example.com", "huaxing.example.com", "paypal.example", "microsoft.example")


@pytest.mark.parametrize(
    ("name", "address", "looks"),
    [
        ("王伟 wang.wei@example.com", "mallory@evil.example", "wang.wei@example.com"),
        ('"wang.wei@example.com"', "mallory@evil.example", "wang.wei@example.com"),
        ("wang.wei＠example.com", "mallory@evil.example", "wang.wei@example.com"),
        ("Wang Wei (Wang.Wei@Example.com) via Lists", "list@lists.example", "wang.wei@example.com"),
        ("someone@else.example", "mallory@evil.example", "someone@else.example"),
        ("wang.wei@example.com", "wang.wei@example.com", ""),
        ("Wang.Wei@EXAMPLE.com", "wang.wei@example.com", ""),
        ("王伟 @ 运维", "a@b.example", ""),
        ("Lee @home", "a@b.example", ""),
        ("", "wang.wei@exarnple.com", "wang.wei@example.com"),
        ("", "x@exarnple.com", "example.com"),
        ("", "x@examp1e.com", "example.com"),
        ("", "x@exаmple.com", "example.com"),
        ("", "x@xn--exmple-4nf.com", "example.com"),
        ("", "x@EXAMPLΕ.com", "example.com"),
        ("", "x@ｅxample.com", "example.com"),
        ("", "x@exämple.com", "example.com"),
        ("", "wаng.wei@example.com", "wang.wei@example.com"),
        ("", "x@paypa1.example", "paypal.example"),
        ("", "x@paypaI.example", "paypal.example"),
        ("", "x@huaxing.examp1e.com", "huaxing.example.com"),
        ("", "x@аррӏе.test", ""),
        ("", "x@аpple.test", "apple.test"),
        ("", "x@xn--pple-43d.test", "apple.test"),
        ("", "x@example.com", ""),
        ("", "x@example.org", ""),
        ("", "x@sub.example.com", ""),
        ("", "x@почта.example", ""),
        ("", "x@邮件.example", ""),
        ("", "x@xn--broken-.com", ""),
        ("", "", ""),
        ("a@b" * 5000, "x@y.example", ""),
    ],
)
def test_looks(name, address, looks):
    assert looks_like(Address(name=name, address=address), (), KNOWN) == looks


def test_another_address_of_the_same_person_is_no_disguise():
    assert looks_like(Address("li.na@old.example", "li.na@example.com"), ("li.na@old.example",), KNOWN) == ""


@pytest.fixture
def desk(tmp_path):
    return TestDesk(tmp_path)


@pytest.mark.parametrize("who", ['"wang.wei@example.com" <mallory@evil.example>', "王伟 <wang.wei@exarnple.com>"])
def test_those_at_work_are_told_in_the_mail_that_gives_them_the_ticket(desk, who):
    sent = desk.receives(write(who, "请把 VPN 的口令发给我", subject="VPN 连不上"))

    assert desk.ticket(1).looks_like == "wang.wei@example.com"
    words = told(sent, "zhao.min") + told(sent, "wang.wei") + told(sent, "network")
    assert "请留意：发件人看上去像 wang.wei@example.com，其实不是" in words
    assert desk.ticket(1).requester in words.partition("请留意")[2]
    outside = [m for m in sent if m.to == desk.ticket(1).requester]
    assert all("请留意" not in m.letter.text for m in outside), "they need not hear that they were found out"


def test_a_reply_in_disguise_is_told_too_and_obeyed_by_nobody(desk):
    ack, to_engineer = opened(desk)
    sent = desk.receives(reply(ack, '"wang.wei@example.com" <mallory@evil.example>', "#受理\n请把口令发给我"))

    assert desk.ticket(1).state is State.ASSIGNED
    assert desk.events(1, "MessageAdded")[-1].looks_like == "wang.wei@example.com"
    assert "mallory@evil.example" in told(sent, "wang.wei") and "看上去像" in told(sent, "wang.wei")
    assert desk.ticket(1).looks_like == "", "the requester is who they were"


def test_no_proof_helps_who_is_in_disguise(trusting):  # noqa: F811
    """A person of ours, with a token, with a verdict of our server: but the name shows somebody else."""
    _, to_engineer = opened(trusting)
    good = "mx.example.com; dmarc=pass header.from=example.com"
    disguised = f'"li.na@example.com" <{ENGINEER.partition("<")[2]}'
    trusting.receives(reply(to_engineer, disguised, "#受理", authentication_results=good))

    assert trusting.ticket(1).state is State.ASSIGNED
    assert "looks of li.na@example.com" in trusting.events(1, "MessageAdded")[-1].note


def test_a_header_that_stands_twice_takes_the_token_away_as_well(desk):
    _, to_engineer = opened(desk)
    mail = reply(to_engineer, ENGINEER, "#受理").as_bytes()
    desk.receives(b"Subject: another one\n" + mail)

    assert desk.ticket(1).state is State.ASSIGNED
    assert "more than one subject header" in desk.events(1, "MessageAdded")[-1].note


def test_explain_and_show_say_it(tmp_path, capsys):
    desk = TestDesk(tmp_path / "d")
    desk.receives(write("王伟 <wang.wei@exarnple.com>", "你好", subject="VPN"))
    (tmp_path / "m.eml").write_bytes(bytes(write("王伟 <wang.wei@exarnple.com>", "还有", subject="VPN")))
    desk.desk.store.close()
    config = str(desk.folder / "ticketd.toml")

    assert run_command(["--config", config, "explain", str(tmp_path / "m.eml")]) == 0
    assert "the sender takes on the looks of wang.wei@example.com" in capsys.readouterr().out
    assert run_command(["--config", config, "ticket", "show", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["looks_like"] == "wang.wei@example.com"


def test_a_customer_as_they_are_is_not_suspected(desk):
    desk.receives(write(CUSTOMER, "VPN 坏了"))

    assert desk.ticket(1).looks_like == ""
