"""Tokens, ids and header values: what we issue is proved when it returns, what others make up never is."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.errors import ConfigError
from daemon.notify.envelope import (
    Keys,
    bounce_address,
    bounced_notice,
    check_token,
    clean_header,
    echo_marker,
    find_tag,
    find_tokens,
    is_echo,
    is_message_id,
    message_id,
    new_key_line,
    parse_keys,
    reply_address,
    reply_token,
    strip_tags,
    token_ticket,
    trim_references,
    with_tag,
)

KEYS = Keys("b", {"b": b"new secret " * 3, "a": b"old secret " * 3})
OLD_KEYS = Keys("a", {"a": b"old secret " * 3})
STRANGER = Keys("b", {"b": b"not our secret" * 3})
SERVICE = "Support@Example.com"

numbers = st.integers(0, 10**11)
locals_ = st.text("abcdefghijklmnopqrstuvwxyzABCDEFXYZ0123456789._-", min_size=1, max_size=20)
addresses = st.builds(lambda a, b: f"{a}@{b}.example", locals_, st.text("abcdef", min_size=1, max_size=8))
lines = st.text(max_size=300)


# ---- keys -----------------------------------------------------------------------------------------------------------


@given(st.binary(min_size=16, max_size=64), st.binary(min_size=16, max_size=64))
def test_the_first_line_of_the_secret_file_is_the_current_key(new: bytes, old: bytes) -> None:
    keys = parse_keys(f"# rotated in May\n{new_key_line(new, 'b')}\n\n{new_key_line(old, 'a')}\n")
    assert keys == Keys("b", {"b": new, "a": old})


def test_a_bare_line_is_key_a() -> None:
    secret = b"0123456789abcdef"
    assert parse_keys(base64.b64encode(secret).decode() + "\n") == Keys("a", {"a": secret})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no key"),
        ("a:not base64!", "secret:1: the secret of key 'a' is not base64"),
        ("# x\na:c2hvcnQ=", "secret:2: the secret of key 'a' is too short"),
        ("AB:" + base64.b64encode(b"x" * 32).decode(), "one letter a-z"),
        (f"{new_key_line(b'x' * 32)}\n{new_key_line(b'y' * 32)}", "secret:2: key 'a' stands here twice"),
    ],
)
def test_a_bad_secret_file_is_refused_with_the_line(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse_keys(text)
    assert says in str(refusal.value)


def test_no_secret_shows_in_a_message_or_repr() -> None:
    assert "secret" not in repr(KEYS).replace("secrets", "")
    with pytest.raises(ConfigError) as refusal:
        parse_keys("a:hunter2hunter2!")
    assert "hunter2" not in str(refusal.value)


# ---- reply tokens -----------------------------------------------------------------------------------------------------


@given(numbers, addresses)
def test_a_token_proves_its_ticket_and_its_address(ticket: int, address: str) -> None:
    token = reply_token(ticket, address, KEYS)
    assert token_ticket(token) == ticket
    assert check_token(token, ["x@y.example", address.upper()], KEYS) == address.upper()
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@given(numbers, addresses, addresses)
def test_a_token_proves_nothing_for_another_address(ticket: int, address: str, other: str) -> None:
    other = other if other.lower() != address.lower() else "x" + other
    assert check_token(reply_token(ticket, address, KEYS), [other], KEYS) is None


@given(numbers, numbers, addresses)
def test_a_token_moved_to_another_ticket_proves_nothing(ticket: int, other: int, address: str) -> None:
    other = other if other != ticket else ticket + 1
    mac = reply_token(ticket, address, KEYS).split("-")[1]
    assert check_token(f"b{other}-{mac}", [address], KEYS) is None


@given(numbers, addresses)
def test_old_keys_prove_until_they_are_taken_away(ticket: int, address: str) -> None:
    old = reply_token(ticket, address, OLD_KEYS)
    assert check_token(old, [address], KEYS) == address
    assert check_token(reply_token(ticket, address, KEYS), [address], OLD_KEYS) is None


@given(st.one_of(lines, st.from_regex(r"[a-c][0-9]{1,4}-[a-z2-7]{20}", fullmatch=True)), addresses)
def test_forged_tokens_are_never_accepted(forged: str, address: str) -> None:
    assert check_token(forged, [address], KEYS) is None
    assert check_token(reply_token(1, address, STRANGER), [address], KEYS) is None


@pytest.mark.parametrize(
    "change", [lambda t: t + "\n", lambda t: t.replace("b7", "b07"), lambda t: t[:-1], lambda t: t + "a"]
)
def test_a_token_has_one_spelling_but_for_case(change) -> None:
    token = reply_token(7, "li@example.com", KEYS)
    assert check_token(token.upper(), ["li@example.com"], KEYS) == "li@example.com"
    assert check_token(change(token), ["li@example.com"], KEYS) is None


@given(numbers, numbers, addresses)
def test_tokens_come_back_in_addresses_and_in_ids(ticket: int, notice: int, address: str) -> None:
    token = reply_token(ticket, address, KEYS)
    to = reply_address(SERVICE, token)
    identifier = message_id(notice, token, "example.com")
    assert is_message_id(identifier)
    assert find_tokens([address, to.lower()], [], SERVICE) == (("address", token),)
    assert find_tokens([SERVICE], ["<x@y>", identifier.upper()], SERVICE) == (("message-id", token),)


def test_tokens_are_found_addresses_first_then_ids_in_their_order_each_once() -> None:
    one, two, three = (reply_token(n, "li@example.com", KEYS) for n in (1, 2, 3))
    ids = [
        message_id(9, two, "example.com"),
        "<foreign@x>",
        message_id(8, one, "example.com"),
        message_id(7, three, "a.b"),
    ]
    found = find_tokens([reply_address("other@example.com", three), reply_address(SERVICE, one)], ids, SERVICE)
    assert found == (("address", one), ("message-id", two), ("message-id", three))


@given(st.lists(lines, max_size=4), st.lists(lines, max_size=4))
def test_looking_for_tokens_never_raises(addresses_: list[str], ids: list[str]) -> None:
    assert find_tokens(addresses_, ids, SERVICE) == ()
    assert bounced_notice(addresses_, SERVICE, KEYS) is None


# ---- bounces and echoes -----------------------------------------------------------------------------------------------


@given(numbers)
def test_a_bounce_names_its_notice(notice: int) -> None:
    address = bounce_address(SERVICE, notice, OLD_KEYS)
    assert bounced_notice(["x@y.example", address.lower()], SERVICE, KEYS) == notice
    assert bounced_notice([address.replace(f"+b{notice}-", f"+b{notice + 1}-")], SERVICE, KEYS) is None
    assert bounced_notice([bounce_address(SERVICE, notice, STRANGER)], SERVICE, KEYS) is None


@given(numbers, addresses)
def test_neither_a_bounce_address_nor_a_token_is_taken_for_the_other(number: int, address: str) -> None:
    bounce = bounce_address(SERVICE, number, KEYS)
    reply = reply_address(SERVICE, reply_token(number, address, KEYS))
    assert find_tokens([bounce], [], SERVICE) == ()
    assert bounced_notice([reply], SERVICE, KEYS) is None


@given(numbers, addresses, lines)
def test_only_our_own_marker_is_an_echo(number: int, address: str, forged: str) -> None:
    identifier = message_id(number, reply_token(1, address, KEYS), "example.com")
    marker = echo_marker(identifier, OLD_KEYS)
    assert is_echo(f" {marker}\r\n", identifier, KEYS)
    assert not is_echo(marker, "<other@example.com>", KEYS)
    assert not is_echo(forged, identifier, KEYS)
    assert not is_echo(echo_marker(identifier, STRANGER), identifier, KEYS)


# ---- subjects ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "number"),
    [
        ("Re: [INC-12] VPN down", 12),
        ("回复：[inc-12] VPN 断线", 12),
        ("【INC-7】打印机", 7),
        ("[INC-7] and [INC-8]", 7),
        ("[INCX-7] INC-8 [OTHER-9]", None),
        ("[INC-1234567890123]", None),
        ("", None),
    ],
)
def test_find_tag(subject: str, number: int | None) -> None:
    assert find_tag(subject, "INC") == number


@pytest.mark.parametrize(
    ("subject", "left"),
    [
        ("Re: Fwd: RE: [INC-12] VPN down", "VPN down"),
        ("回复: 答复：Re[2]: [INC-12] 转发：VPN 断线", "VPN 断线"),
        ("[INC-1] Re: [INC-2] Re: x", "x"),
        ("Retry: the job", "Retry: the job"),
        ("Re:", ""),
        ("[INC-[INC-5] 5] x", "x"),
    ],
)
def test_strip_tags(subject: str, left: str) -> None:
    assert strip_tags(subject, "INC") == left


@given(lines, numbers)
def test_with_tag_is_one_capped_line_and_round_trips(subject: str, number: int) -> None:
    tagged = with_tag(subject, "INC", number)
    assert find_tag(tagged, "INC") == number
    assert len(tagged) <= 200
    assert len(tagged.splitlines()) == 1


@given(lines)
def test_a_subject_does_not_grow_however_often_it_goes_round(subject: str) -> None:
    once = with_tag(subject, "INC", 7)
    again = once
    for _ in range(20):
        again = with_tag(f"Re: 回复：{again}", "INC", 7)
    assert again == once


# ---- header values ----------------------------------------------------------------------------------------------------

NASTY = "".join(
    map(
        chr,
        [
            *range(0x20),
            *range(0x7F, 0xA0),
            0x2028,
            0x2029,
            0x200B,
            *range(0x202A, 0x202F),
            *range(0x2066, 0x206A),
            0xFEFF,
        ],
    )
)


@given(st.text(st.one_of(st.sampled_from(NASTY), st.characters(), st.sampled_from("\ud800\udfff")), max_size=300))
def test_clean_header_leaves_one_visible_line(text: str) -> None:
    line = clean_header(text)
    assert len(line.splitlines()) <= 1
    assert not set(line) & set(NASTY)
    assert len(line) <= 200
    assert line.encode("utf-8").decode("utf-8") == clean_header(line)


def test_clean_header_keeps_what_people_write() -> None:
    assert clean_header("磁盘故障：第 3 台\r\nBcc: x@y 👨‍👩‍👧") == "磁盘故障：第 3 台 Bcc: x@y 👨‍👩‍👧"


def test_references_keep_the_first_and_the_last_within_the_caps() -> None:
    thread = [f"<m{n}@example.com>" for n in range(500)]
    kept = trim_references(thread)
    assert kept == (thread[0], *thread[-19:])
    long_thread = [f"<{n:03}{'x' * 240}@e.io>" for n in range(60)]
    kept = trim_references(long_thread)
    assert kept[0] == long_thread[0] and kept[-1] == long_thread[-1]
    assert sum(len(i) + 1 for i in kept) <= 3500


@given(st.lists(st.one_of(lines, st.just("<a@b>"), st.just(f"<{'x' * 300}@y>")), max_size=30))
def test_references_hold_valid_ids_only(ids: list[str]) -> None:
    assert all(is_message_id(i) and len(i) <= 250 for i in trim_references(ids))


def test_an_id_with_a_break_is_no_id() -> None:
    assert not is_message_id("<a@b>\n")
    assert not is_message_id("<a@b\r\n c>")
    assert not is_message_id("<a<@b>")
