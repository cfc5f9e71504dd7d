"""Robots that hide what they are: quiet within three automatic mails, and what the new brakes do to people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.desk import TestDesk, write
from tests.faults import robots
from tests.test_conversations import CUSTOMER


@pytest.mark.parametrize("name", robots.ROBOTS)
def test_a_robot_gets_three_automatic_mails_at_most(tmp_path: Path, name: str) -> None:
    wrote, broken = robots.meets(tmp_path, name, seed=7)
    assert wrote > robots.MOST and not broken


@pytest.mark.parametrize("bare", [False, True])
def test_two_ticketds_fall_silent(tmp_path: Path, bare: bool) -> None:
    _, broken = robots.two_desks(tmp_path, 7, bare=bare)
    assert not broken


@pytest.fixture
def desk(tmp_path: Path) -> TestDesk:
    return TestDesk(tmp_path)


def answered(desk: TestDesk, sender: str, subject: str) -> bool:
    address = sender.rpartition("<")[2].rstrip(">")
    return any(m.to == address for m in desk.receives(write(sender, f"{subject} of {sender}", subject=subject)))


def why(desk: TestDesk, number: int) -> str:
    return str(desk.events(number, "AnswerWithheld")[0].reason)


def test_colleagues_at_a_customer_of_ours_are_no_robot(desk: TestDesk) -> None:
    """A whole office writes that the same thing is down, and everybody hears that it is known."""
    assert all(answered(desk, f"kollege{n}@huaxin.example", "网络断了") for n in range(8))


def test_strangers_of_one_domain_with_one_subject_are(desk: TestDesk) -> None:
    heard = [answered(desk, f"a{n}@nobody.example", "Request received") for n in range(5)]
    assert heard == [True, True, True, False, False]
    assert why(desk, 4) == "3 answers about this subject went to addresses of this domain within a day"
    assert answered(desk, "li@people.example", "Request received"), "another domain is another peer"
    desk.waits(hours=25)
    assert answered(desk, "a9@nobody.example", "Request received")


def test_each_brake_says_why_it_holds(desk: TestDesk) -> None:
    desk.desk.service = replace(desk.desk.service, answers_per_domain_per_hour=2, answers_per_hour=3)
    assert [answered(desk, f"k{n}@huaxin.example", f"网络断了 {n}") for n in "abc"] == [True, True, False]
    assert why(desk, 3) == "2 answers went to addresses of this domain within an hour"
    assert answered(desk, "li@people.example", "打印机")
    sent = desk.receives(write("wang@village.example", "打印机坏了", subject="打印机"))
    assert why(desk, 5) == "all the automatic answers of an hour have been given"
    assert any("Automatic answers are used up" in m.subject or "Automatic answers" in m.letter.text for m in sent)
    desk.waits(minutes=61)
    assert answered(desk, "zhao@village.example", "显示器")


def test_answers_about_one_ticket_have_a_brake_too(desk: TestDesk) -> None:
    desk.receives(write(CUSTOMER, "VPN 连不上", subject="VPN"))
    desk.desk.service = replace(desk.desk.service, answers_per_ticket_per_hour=1)
    sent = desk.receives(write(CUSTOMER, "#status", subject="Re: [INC-1] VPN"))
    assert not [m for m in sent if m.to in CUSTOMER]
