"""Every set of rules that was in force is kept: who put it there, when, why, and what changed."""

from datetime import timedelta

import pytest

from daemon.errors import TicketdError
from daemon.routing.changes import changed, diff_of
from daemon.store.versions import Version
from tests.desk import MONDAY_10AM, TestDesk

OLD = {"routing.yaml": "rules:\n- 一\n- 二\n".encode(), "plans/a.yaml": b"a\n", "duties.yaml": b"same\n"}
NEW = {"routing.yaml": "rules:\n- 一\n- 三\n".encode(), "plans/b.yaml": b"no line end", "duties.yaml": b"same\n"}


def a_version(name, **more):
    return Version(id=0, version=name, at=MONDAY_10AM, who="zhao", how="apply", **more)


def test_a_difference_reads_as_people_compare_files():
    assert changed(OLD, NEW) == ("plans/a.yaml", "plans/b.yaml", "routing.yaml")
    said = diff_of(OLD, NEW)
    assert "--- a/routing.yaml\n+++ b/routing.yaml\n" in said and "-- 二\n+- 三\n" in said
    assert "--- a/plans/a.yaml\n+++ /dev/null\n" in said
    assert "+no line end\n\\ No newline at end of file\n" in said
    assert "duties" not in said and diff_of(OLD, OLD) == ""


def test_versions_are_kept_in_the_order_in_which_they_counted(tmp_path):
    book = TestDesk(tmp_path).desk.store.versions
    assert book.last_id() == 0 and book.last() is None and book.history() == []
    first = book.put_in_force(a_version("aaaa1111"), OLD, 0)
    second = book.put_in_force(a_version("aabb2222", note="二不对", trial={"mails": 3}, placed=False), NEW, first)
    third = book.put_in_force(a_version("aaaa1111"), OLD, second)
    assert [v.id for v in book.history()] == [third, second, first]
    assert book.files(second) == NEW and "+- 三" in book.get(second).diff and book.get(second).trial == {"mails": 3}
    assert not book.get(second).placed and book.last().placed
    book.placed(second, True)
    assert book.get(second).placed
    assert book.last().at == MONDAY_10AM and book.last().at.utcoffset() == timedelta(0)


def test_a_version_is_found_by_the_beginning_of_its_name_or_its_number(tmp_path):
    book = TestDesk(tmp_path).desk.store.versions
    first = book.put_in_force(a_version("aaaa1111"), OLD, 0)
    second = book.put_in_force(a_version("aabb2222"), NEW, first)
    again = book.put_in_force(a_version("aaaa1111"), OLD, second)
    assert book.named("aaaa").id == again and book.named("aabb2222").id == second and book.named(str(first)).id == first
    for wrong in ("cccc", "", "%", "a_", "9" * 20, "²", "٣", "-1", "\udcff"):
        with pytest.raises(TicketdError, match="no version of the rules is called"):
            book.named(wrong)
    with pytest.raises(TicketdError, match="aaaa1111, aabb2222"):
        book.named("aa")


def test_two_people_do_not_put_rules_in_force_over_each_other(tmp_path):
    book = TestDesk(tmp_path).desk.store.versions
    first = book.put_in_force(a_version("aaaa1111"), OLD, 0)
    with pytest.raises(TicketdError, match="meanwhile"):
        book.put_in_force(a_version("aabb2222"), NEW, 0)
    assert book.last_id() == first
