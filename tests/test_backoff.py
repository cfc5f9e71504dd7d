"""The tempo of retries: it grows, it is capped, it never ends, and it spares the account."""

from __future__ import annotations

import random

import pytest

from daemon.backoff import LONGEST_WISH, Backoff, Trouble, suggested_wait


def lowest() -> float:
    return 0.0


def highest() -> float:
    return 0.999999


def test_a_broken_link_is_tried_soon_and_then_ever_more_slowly() -> None:
    backoff = Backoff(lowest)
    assert [backoff.failed("transport") for _ in range(10)] == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_a_refused_login_is_slow_from_the_start() -> None:
    backoff = Backoff(lowest)
    assert [backoff.failed("login") for _ in range(6)] == [60, 120, 240, 480, 900, 900]


@pytest.mark.parametrize(("kind", "least", "most"), [("transport", 2, 300), ("login", 60, 900), ("throttled", 30, 300)])
def test_chance_stays_within_the_tempo(kind: Trouble, least: float, most: float) -> None:
    chance = random.Random(1)
    backoff = Backoff(chance.random)
    assert all(least <= backoff.failed(kind) <= most for _ in range(500))


def test_chance_parts_those_who_failed_together() -> None:
    for failures in (1, 3, 20):
        lucky, unlucky = Backoff(lowest), Backoff(highest)
        waits = [(lucky.failed("transport"), unlucky.failed("transport")) for _ in range(failures)]
        assert waits[-1][0] != waits[-1][1]


def test_it_never_gives_up() -> None:
    backoff = Backoff(lowest)
    for _ in range(5000):
        wait = backoff.failed("transport")
    assert wait == 300
    assert backoff.failures == 5000


def test_success_forgets() -> None:
    backoff = Backoff(lowest)
    for _ in range(5):
        backoff.failed("login")
        backoff.failed("transport")
    backoff.succeeded()
    assert (backoff.failed("login"), backoff.failed("transport")) == (60, 2)


def test_kinds_are_counted_apart() -> None:
    backoff = Backoff(lowest)
    for _ in range(6):
        backoff.failed("transport")
    assert backoff.failed("login") == 60


def test_a_servers_wish_is_met_but_not_for_ever() -> None:
    backoff = Backoff(lowest)
    assert backoff.failed("throttled", 299.962) == 299.962
    assert backoff.failed("throttled", 1.0) == 60
    assert backoff.failed("throttled", 1e9) == LONGEST_WISH


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("BAD Request is throttled. Suggested Backoff Time: 299962 milliseconds", 299.962),
        ("[THROTTLED] suggested backoff time: 1000 Milliseconds.", 1.0),
        ("try later", None),
        ("Suggested Backoff Time: soon", None),
    ],
)
def test_the_wish_is_found_in_the_text(text: str, wait: float | None) -> None:
    assert suggested_wait(text) == wait
