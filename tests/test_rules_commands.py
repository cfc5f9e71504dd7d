"""`ticketd rules`: rules are put in force as a whole or not at all, by a named person, whatever crashes when."""

import shutil
from pathlib import Path

import pytest
import structlog

from daemon import inforce
from daemon.app import open_for_work, places_of
from daemon.clock import Clock
from daemon.config import load_config
from daemon.errors import ConfigError, TicketdError
from daemon.inforce import Wish
from tests.desk import MONDAY_10AM, ROOT, TestDesk, write
from tests.test_cli import Said, place, ticketd  # noqa: F401

OLD = "then: {category: network/vpn, team: network}"
NEW = "then: {category: network/vpn, team: security, tags: [vpn]}"


@pytest.fixture
def command(place, ticketd, monkeypatch):  # noqa: F811
    """Return how one types a command about this place."""
    monkeypatch.setenv("SUDO_USER", "zhao")
    return lambda *args: ticketd("--config", place / "ticketd.toml", *args)


def edit(folder: Path, old: str = OLD, new: str = NEW, file: str = "routing.yaml") -> None:
    path = folder / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def copied(place: Path) -> Path:  # noqa: F811
    return Path(shutil.copytree(place / "rules", place / "next"))


def versions(command) -> list[dict]:
    return command("rules", "history", "--json").json


def without_vpn_test(folder: Path) -> None:
    """Take out the tests that these changes break: they are not what is tried here."""
    shutil.rmtree(folder / "tests")


# --- apply ---


def test_rules_are_applied_with_who_when_why_and_what(place, command):  # noqa: F811
    without_vpn_test(place / "rules")
    assert "no daemon is running" in command("rules", "apply", "--yes").out
    edit(place / "rules")
    assert "differs in routing.yaml" in command("rules", "history").out
    assert command("rules", "diff").status == 1 and "+    " + NEW in command("rules", "diff").out
    said = command("rules", "apply", "--yes", "--note", "wrong queue, ticket 12")
    assert said.status == 0 and "is in force (number 2)" in said.out
    newest, first = versions(command)
    assert (newest["by"], newest["how"], newest["note"], newest["changed"]) == (
        "zhao", "apply", "wrong queue, ticket 12", "+1 -1",
    )  # fmt: skip
    assert newest["version"] != first["version"] and newest["at"].endswith("+08:00")
    assert command("rules", "diff").status == 0
    shown = command("rules", "show", newest["version"][:6])
    assert "wrong queue, ticket 12" in shown.out and "-    " + OLD in shown.out
    assert OLD in command("rules", "show", first["version"], "routing.yaml").out
    assert NEW in command("rules", "show", "2", "--json").json["files"]["routing.yaml"]
    assert "-    " + NEW in command("rules", "diff", "2", "1").out
    assert "nothing to apply" in command("rules", "apply", "--yes").out and len(versions(command)) == 2


def test_another_folder_is_put_in_place_whole(place, command):  # noqa: F811
    command("rules", "apply", "--yes")
    other = copied(place)
    without_vpn_test(other)
    edit(other)
    (other / "plans" / "fire-or-flood.yaml").rename(other / "plans" / "fire.yaml")
    said = command("rules", "apply", other, "--yes")
    assert said.status == 0, said.err
    here = place / "rules"
    assert NEW in (here / "routing.yaml").read_text("utf-8")
    assert {p.name for p in (here / "plans").iterdir()} == {"fire.yaml", "power-failure.yaml"}
    assert not list((here / "tests").glob("*")) and not list(here.rglob(".*"))


def test_what_somebody_is_at_work_on_is_not_overwritten(place, command):  # noqa: F811
    without_vpn_test(place / "rules")
    command("rules", "apply", "--yes")
    other = copied(place)
    edit(other)
    edit(place / "rules", "# ", "# my own ", file="duties.yaml")
    said = command("rules", "apply", other, "--yes")
    assert said.status == 1 and "never applied (duties.yaml)" in said.err and len(versions(command)) == 1
    assert command("rules", "apply", other, "--yes", "--force").status == 0
    assert "my own" not in (place / "rules" / "duties.yaml").read_text("utf-8")


def test_nobody_is_taken_by_surprise(place, command):  # noqa: F811
    assert command("rules", "apply").status == 64, "nobody is there to say yes"
    assert versions(command) == []


@pytest.mark.parametrize(
    ("new", "said"), [("then: {team: netwrk}", "did you mean 'network'"), (NEW, "tests/routing.yaml:")]
)
def test_broken_rules_and_rules_whose_tests_fail_change_nothing(place, command, new, said):  # noqa: F811
    command("rules", "apply", "--yes")
    other = copied(place)
    edit(other, OLD, new)
    refused = command("rules", "apply", other, "--yes")
    assert refused.status == 78 and said in refused.err and "the rules in force stay" in refused.err
    assert len(versions(command)) == 1 and command("rules", "diff").status == 0


# --- crashes ---


@pytest.fixture
def at_hand(place):  # noqa: F811
    """Return the places and a desk as the daemon opens it, with the first rules in force."""
    structlog.reset_defaults()
    without_vpn_test(place / "rules")
    config = load_config(place / "ticketd.toml", check_secrets=False)
    desk, found = open_for_work(config, Clock(MONDAY_10AM))
    yield places_of(config), desk.store, found
    desk.store.close()


@pytest.mark.parametrize("files", range(4))
def test_a_crash_between_two_files_is_made_good_by_who_looks_next(place, at_hand, monkeypatch, files):  # noqa: F811
    places, store, first = at_hand
    other = copied(place)
    edit(other)
    edit(other, "# ", "# new: ", file="duties.yaml")
    edit(other, "# ", "# new: ", file="people.yaml")
    (other / "plans" / "fire-or-flood.yaml").unlink()
    edit(other, "# ", "# new: ", file="plans/power-failure.yaml")
    found = inforce.found_in(other, places, store, MONDAY_10AM)
    write_one, written = inforce._write, []

    def then_dies(path, content):
        if path.read_bytes() != content:
            if len(written) == files:
                raise KeyboardInterrupt
            written.append(path)
        write_one(path, content)

    monkeypatch.setattr(inforce, "_write", then_dies)
    wish = Wish(who="zhao", how="apply", at=MONDAY_10AM, trial={})
    with pytest.raises(KeyboardInterrupt):
        inforce.apply_from(other, found, wish, places, store, first.number)
    monkeypatch.undo()
    again = inforce.at_start(places, store, MONDAY_10AM)
    assert again.rulebook.version == found.rulebook.version and not again.faults
    assert inforce.files_here(places) == found.files and [v.how for v in store.versions.history()] == ["apply", "start"]


def test_a_crash_before_the_database_knew_changes_nothing(place, at_hand, monkeypatch):  # noqa: F811
    places, store, first = at_hand
    other = copied(place)
    edit(other)
    found = inforce.found_in(other, places, store, MONDAY_10AM)

    def dies(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(store.versions), "put_in_force", dies)
    with pytest.raises(KeyboardInterrupt):
        inforce.apply_from(
            other, found, Wish(who="z", how="apply", at=MONDAY_10AM, trial={}), places, store, first.number
        )
    monkeypatch.undo()
    assert inforce.at_start(places, store, MONDAY_10AM).number == first.number


def test_who_may_not_write_the_folder_is_told_before_anything_happens(place, at_hand, monkeypatch):  # noqa: F811
    places, store, first = at_hand
    other = copied(place)
    edit(other)
    found = inforce.found_in(other, places, store, MONDAY_10AM)
    monkeypatch.setattr(inforce.os, "access", lambda *_: False)
    wish = Wish(who="z", how="apply", at=MONDAY_10AM, trial={})
    with pytest.raises(TicketdError, match="copy the files there yourself"):
        inforce.apply_from(other, found, wish, places, store, first.number)
    assert store.versions.last_id() == first.number


# --- the start ---


def test_a_first_start_with_broken_files_is_refused_and_a_later_one_goes_on_with_the_last_rules(place):  # noqa: F811
    structlog.reset_defaults()
    config = load_config(place / "ticketd.toml", check_secrets=False)
    good = (place / "rules" / "routing.yaml").read_text("utf-8")
    (place / "rules" / "routing.yaml").write_text("rules: 5\n", "utf-8")
    with pytest.raises(ConfigError):
        open_for_work(config, Clock(MONDAY_10AM))
    (place / "rules" / "routing.yaml").write_text(good, "utf-8")
    desk, first = open_for_work(config, Clock(MONDAY_10AM))
    assert not first.faults and [v.how for v in desk.store.versions.history()] == ["start"]
    for broken in ("rules: 5\n", good.replace("team: network}", "team: netwrk}")):
        (place / "rules" / "routing.yaml").write_text(broken, "utf-8")
        again = inforce.at_start(places_of(config), desk.store, MONDAY_10AM)
        assert again.number == first.number and again.faults
        assert [r.name for r in again.rulebook.rules] == [r.name for r in first.rulebook.rules]
    (place / "rules" / "routing.yaml").write_text(good, "utf-8")
    assert not inforce.at_start(places_of(config), desk.store, MONDAY_10AM).faults
    assert desk.store.versions.last_id() == first.number
    desk.store.close()


# --- backtest ---


@pytest.fixture
def worked(tmp_path, ticketd):  # noqa: F811
    """Return how one types a command about a desk that has handled three mails."""
    folder = tmp_path / "worked"
    folder.mkdir()
    shutil.copytree(ROOT / "rules", folder / "rules")
    desk = TestDesk(folder)
    for n, subject in enumerate(("VPN 连不上", "打印机卡纸", "VPN 慢")):
        desk.receives(write("张三 <zhang.san@huaxin.example>", f"请看一下 {n}", subject=subject))
    desk.desk.store.close()
    return folder, lambda *args: ticketd("--config", folder / "ticketd.toml", *args)


def test_backtest_says_what_would_change_and_how_a_program_knows(worked):
    folder, command = worked
    assert command("rules", "apply", "--yes").status == 0
    assert command("rules", "backtest").status == 0
    edit(folder / "rules")
    said = command("rules", "backtest")
    assert said.status == 1 and "3 stored mails tried: 2 would be decided otherwise (2 tickets)" in said.out
    assert "team: network → security" in said.out and "by VPN 与专线 vpn; 1, 3" in said.out
    data = command("rules", "backtest", "--rules", folder / "rules", "--json").json
    assert {g["fact"]: g["tickets"] for g in data["groups"]} == {"team": [1, 3], "tags": [1, 3], "line": [1, 3]}
    assert command("rules", "backtest", "--limit", "1", "--json").json["mails"] == 1
    assert command("rules", "backtest", "--since", "2030-01-01").status == 0
    (folder / "rules" / "routing.yaml").write_text("rules: 5\n", "utf-8")
    assert command("rules", "backtest").status == 2
