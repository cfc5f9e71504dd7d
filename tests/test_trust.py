"""Nobody commands who may not, and nobody hears what is not theirs."""

import itertools

import pytest

from daemon.config import load_config
from daemon.words import Proof, State
from tests.desk import TestDesk, reply, write
from tests.test_conversations import CUSTOMER, ENGINEER, mail_to, opened, taken_up

STRANGER = "Mallory <mallory@evil.example.net>"


@pytest.fixture
def desk(tmp_path):
    return TestDesk(tmp_path)


@pytest.fixture
def trusting(tmp_path):
    """A desk that believes mx.example.com."""
    first = TestDesk(tmp_path)
    path = first.folder / "ticketd.toml"
    text = path.read_text("utf-8").replace("authserv_ids = []", 'authserv_ids = ["mx.example.com"]')
    load_config(path)
    return TestDesk(tmp_path, toml=text)


def test_a_forged_from_with_the_tag_changes_nothing(desk):
    opened(desk)
    sent = desk.receives(write(ENGINEER, "#已解决 谢谢", subject="Re: [INC-1] VPN"))

    assert desk.ticket(1).state is State.ASSIGNED
    assert desk.events(1, "CommandsRefused")[0].reason == "unproved"
    (warning,) = [m for m in sent if m.to.startswith("wang.wei")]
    assert warning.to == "wang.wei@example.com", "the real one is told what was tried in their name"


def test_a_strangers_tag_opens_a_ticket_of_its_own_and_shows_nothing(desk):
    opened(desk, "秘密 canary-4411", subject="VPN canary-4412")
    sent = desk.receives(write(STRANGER, "#已解决", subject="Re: [INC-1] VPN"))

    assert desk.ticket(1).state is State.ASSIGNED and desk.ticket(2) is not None
    assert desk.events(2, "Opened")[0].claims == 1
    assert not any(b"canary" in m.raw or "canary" in m.letter.text + m.subject for m in sent)


def test_a_token_in_a_strangers_hands_is_a_message_at_most(desk):
    _, to_engineer = opened(desk)
    desk.receives(reply(to_engineer, STRANGER, "#已解决 haha"))

    assert desk.ticket(1).state is State.ASSIGNED
    assert desk.events(1, "MessageAdded")[-1].proof is Proof.NONE


def test_another_engineers_token_is_no_proof(desk):
    _, to_engineer = opened(desk)
    desk.receives(reply(to_engineer, "李娜 <li.na@example.com>", "#受理"))

    assert desk.ticket(1).state is State.ASSIGNED


def test_a_customer_cannot_do_an_engineers_work(desk):
    ack, _ = opened(desk)
    desk.receives(reply(ack, CUSTOMER, "#受理"))

    assert desk.ticket(1).state is State.ASSIGNED
    assert desk.events(1, "CommandsRefused")[0].reason.startswith("not_yours")


def test_the_token_in_the_message_id_is_as_good_as_the_address(desk):
    _, to_engineer = opened(desk)
    mail = write(ENGINEER, "#受理", subject="Re: x", in_reply_to=to_engineer.mail.message_id)
    desk.receives(mail)

    assert desk.ticket(1).state is State.IN_PROGRESS


def test_an_altered_token_is_worth_nothing(desk):
    _, to_engineer = opened(desk)
    good = to_engineer.reply_to
    for at in range(good.index("+") + 1, good.index("@")):
        bad = good[:at] + ("b" if good[at] != "b" else "c") + good[at + 1 :]
        desk.receives(write(ENGINEER, "#受理", subject=f"try {at}", to=bad))
    assert desk.ticket(1).state is State.ASSIGNED


@pytest.mark.parametrize(
    ("verdict", "allowed"),
    [
        ("mx.example.com; dmarc=pass header.from=example.com", True),
        ("mx.example.com; dkim=pass header.d=example.com", True),
        ("mx.example.com; spf=pass smtp.mailfrom=example.com", False),
        ("mx.example.com; dkim=pass header.d=evil.example.net", False),
        ("mx.example.com; dmarc=fail header.from=example.com", False),
        ("mx.evil.example; dmarc=pass header.from=example.com", False),
        ("mx.example.com; dmarc=none (dmarc=pass)", False),
        ("", False),
    ],
)
def test_only_the_verdict_of_our_own_border_counts(trusting, verdict, allowed):
    opened(trusting)
    more = {"authentication_results": verdict} if verdict else {}
    trusting.receives(write(ENGINEER, "#受理", subject="Re: [INC-1] VPN", **more))

    assert (trusting.ticket(1).state is State.IN_PROGRESS) is allowed


def test_the_sender_cannot_write_the_verdict_below_the_borders(trusting):
    opened(trusting)
    mail = write(ENGINEER, "#受理", subject="Re: [INC-1] VPN").as_bytes()
    border = b"Authentication-Results: mx.example.com; dmarc=fail header.from=example.com\r\n"
    forged = b"Authentication-Results: mx.example.com; dmarc=pass header.from=example.com\r\n"
    trusting.receives(border + forged + mail)

    assert trusting.ticket(1).state is State.ASSIGNED


def test_dmarc_fail_beats_a_stolen_token(trusting):
    _, to_engineer = opened(trusting)
    fail = "mx.example.com; dmarc=fail header.from=example.com"
    trusting.receives(reply(to_engineer, ENGINEER, "#受理", authentication_results=fail))

    assert trusting.ticket(1).state is State.ASSIGNED


def test_two_senders_are_nobody(desk):
    _, to_engineer = opened(desk)
    mail = reply(to_engineer, ENGINEER, "#受理").as_bytes()
    for twice in (
        b"From: mallory@evil.example.net\r\n" + mail,
        mail.replace(b"From: ", b"From: x@evil.example.net, ", 1),
    ):
        desk.receives(twice)
    assert desk.ticket(1).state is State.ASSIGNED


def test_a_command_mail_delivered_twice_is_carried_out_once(desk):
    _, to_engineer = taken_up(desk)
    mail = reply(to_engineer, ENGINEER, "#进展 已定位").as_bytes()
    desk.receives(mail)
    desk.receives(mail)
    desk.receives(b"Received: from elsewhere\r\n" + mail)

    assert len(desk.events(1, "ProgressTold")) == 1
    assert [s for s, _ in desk.mail_status()][-2:] == ["duplicate", "duplicate"]


def test_the_same_message_id_with_other_words_is_a_message_but_no_command(desk):
    _, to_engineer = taken_up(desk)
    first = reply(to_engineer, ENGINEER, "#进展 一", message_id="<same@example.com>")
    desk.receives(first)
    desk.receives(reply(to_engineer, ENGINEER, "#进展 二", message_id="<same@example.com>"))

    assert [e.text for e in desk.events(1, "ProgressTold")] == ["一"]
    assert desk.events(1, "CommandsRefused")[-1].reason == "repeated"


def test_evidence_for_two_tickets_is_a_message_but_no_command(desk):
    _, first = opened(desk)
    _, second = opened(desk, "另一个问题", subject="第二个 VPN 问题")
    desk.receives(reply(first, ENGINEER, "#受理", in_reply_to=second.mail.message_id))

    assert (desk.ticket(1).state, desk.ticket(2).state) == (State.ASSIGNED, State.ASSIGNED)
    assert desk.events(1, "CommandsRefused")[0].reason == "conflict"


SENDERS = {"requester": CUSTOMER, "engineer": ENGINEER, "stranger": STRANGER}
EVIDENCE = ("none", "tag", "reference", "token")


@pytest.mark.parametrize(("who", "evidence"), list(itertools.product(SENDERS, EVIDENCE)))
def test_the_grid_of_sender_and_evidence(desk, who, evidence):
    """A ticket is touched only by those on its record, or by the holder of a token that we gave out."""
    first = write(CUSTOMER, "VPN 坏了", message_id="<first@huaxing.example.com>")
    sent = desk.receives(first)
    token = mail_to(sent, "zhang.san" if who == "requester" else "wang.wei")
    mails = {
        "none": write(SENDERS[who], "你好", subject="VPN 又"),
        "tag": write(SENDERS[who], "你好", subject="Re: [INC-1] VPN"),
        "reference": write(SENDERS[who], "你好", subject="Re: VPN", in_reply_to="<first@huaxing.example.com>"),
        "token": reply(token, SENDERS[who], "你好"),
    }
    before = desk.ticket(1).length
    desk.receives(mails[evidence])

    touched = desk.ticket(1).length > before
    allowed = evidence == "token" or (evidence != "none" and who != "stranger")
    assert touched is allowed


def test_nothing_of_a_ticket_is_quoted_to_a_stranger(desk):
    """Ten thousand guesses at a Message-ID open nothing."""
    opened(desk, "canary-5512")
    for guess in range(50):
        sent = desk.receives(
            write(STRANGER, f"guess {guess}", subject=f"s{guess}", in_reply_to=f"<n{guess}.a1-{'a' * 20}@example.com>")
        )
        assert all("canary" not in m.letter.text for m in sent)
    assert desk.ticket(1).length == 6
