"""`ticketd rules`: rules are put in force as a whole or not at all, by a named person, whatever crashes when."""

import fcntl
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import structlog

from daemon import cli_rules, inforce
from daemon.app import Daemon, instance_lock, open_for_work, places_of
from daemon.clock import Clock
from daemon.config import load_config
from daemon.errors import ConfigError, Problem, TicketdError
from daemon.inforce import Wish
from daemon.placing import is_locked, locked, write_whole
from tests.desk import MONDAY_10AM, ROOT, TestDesk, write
from tests.test_cli import place, ticketd  # noqa: F401

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
    as_it_was = command("rules", "show", newest["version"], "routing.yaml").out
    assert as_it_was == (place / "rules" / "routing.yaml").read_text("utf-8"), "it can be put back from there"
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
    forced = command("rules", "apply", other, "--yes", "--force")
    assert forced.status == 0 and "never applied, to be set aside: duties.yaml" in forced.out
    assert "my own" not in (place / "rules" / "duties.yaml").read_text("utf-8")
    aside = place / "state" / "set-aside" / "2" / "duties.yaml"
    assert f"what was never applied is kept: {aside}" in forced.out and "my own" in aside.read_text("utf-8")
    edit(place / "rules", "# ", "# my second ", file="duties.yaml")
    command("rules", "apply", other, "--yes", "--force")
    assert "my own" in aside.read_text("utf-8"), "what was kept before stays"
    assert "my second" in aside.with_name("duties.yaml~").read_text("utf-8")


def test_after_an_apply_the_folder_holds_exactly_what_was_applied(place, command):  # noqa: F811
    without_vpn_test(place / "rules")
    command("rules", "apply", "--yes")
    other, here = copied(place), place / "rules"
    edit(other)
    extra = {"typo.yaml": b"x: 1\n", "plans/new.yaml": b"name: \xff\n", "tests/own.yaml": b"[]\n", "tests/a.eml": b"A"}
    for name, content in extra.items():
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).write_bytes(content)
    others = {"README.txt": b"read me", ".git/config": b"[core]", "tests/.swp": b"s", "schema/x.json": b"{}"}
    for name, content in others.items():
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).write_bytes(content)
    assert "typo.yaml" in command("rules", "history").out, "one that nothing includes is not passed over either"
    said = command("rules", "apply", other, "--yes", "--force")
    assert said.status == 0, said.err
    assert not any((here / name).exists() for name in extra)
    assert all((here / name).read_bytes() == content for name, content in others.items())
    aside = place / "state" / "set-aside" / "2"
    assert {n: (aside / n).read_bytes() for n in extra} == extra
    assert command("rules", "diff").status == 0 and command("rules", "apply", "--yes").out.endswith(
        "nothing to apply\n"
    )


def test_mails_that_rules_name_as_examples_go_with_them(place, command):  # noqa: F811
    without_vpn_test(place / "rules")
    command("rules", "apply", "--yes")
    other = copied(place)
    (other / "mails").mkdir()
    (other / "mails" / "vpn.eml").write_bytes(b"Subject: VPN\n\n\xff\n")
    edit(other, "    " + OLD, "    " + OLD + "\n    examples: [{mail: mails/vpn.eml}]")
    said = command("rules", "apply", other, "--yes")
    assert said.status == 0, said.err
    assert (place / "rules" / "mails" / "vpn.eml").read_bytes().endswith(b"\xff\n")
    assert command("check").status == 0 and command("rules", "diff").status == 0
    assert command("rules", "backtest").status == 0, "the version in force can be read back"


def test_what_comes_changes_and_goes_is_said_before_anything_is_done(place, command):  # noqa: F811
    assert "files that" not in command("rules", "apply", "--yes").out, "of the first version everything is new"
    other = copied(place)
    shutil.rmtree(other / "tests")
    shutil.rmtree(other / "plans")
    edit(other)
    (other / "routing").mkdir()
    (other / "routing" / "more.yaml").write_text("rules: []\n", "utf-8")
    edit(other, "rules:\n", "rules:\n  - include: routing/more.yaml\n")
    asked = command("rules", "apply", other)
    assert asked.status == 64 and len(versions(command)) == 1
    for line in (
        "files that are new: routing/more.yaml",
        "files that change: routing.yaml",
        "files that go: plans/fire-or-flood.yaml, plans/power-failure.yaml, tests/routing.yaml",
        "warning: these rules have no tests; those in force have",
        "warning: these rules have no emergency plans; those in force have",
    ):
        assert line in asked.out.splitlines(), asked.out


def test_nobody_is_taken_by_surprise(place, command):  # noqa: F811
    assert command("rules", "apply").status == 64, "nobody is there to say yes"
    assert versions(command) == []
    assert "no rules were put in force yet" in command("rules", "history").out


@pytest.mark.parametrize(
    ("new", "said"), [("then: {team: netwrk}", "did you mean 'network'"), (NEW, "tests/routing.yaml:")]
)
def test_broken_rules_and_rules_whose_tests_fail_change_nothing(place, command, new, said):  # noqa: F811
    command("rules", "apply", "--yes")
    other = copied(place)
    edit(other, OLD, new)
    refused = command("rules", "apply", other, "--yes")
    assert refused.status == 78 and said in refused.err and "the rules in force stay" in refused.err
    assert refused.err.count(said) == 1, "each fault is said once"
    assert len(versions(command)) == 1 and command("rules", "diff").status == 0


# --- the running daemon ---


def with_a_daemon(place):  # noqa: F811
    """Return the desk of a daemon, and its lock, that are held until they are closed."""
    structlog.reset_defaults()
    config = load_config(place / "ticketd.toml", check_secrets=False)
    lock = instance_lock(config)
    lock.__enter__()
    desk, found = open_for_work(config, Clock(MONDAY_10AM))
    daemon = Daemon(config=config, desk=desk, spool=None, number=found.number)
    inforce.taken_up(desk.store, found.number, MONDAY_10AM)
    return daemon, lock


def test_a_daemon_that_was_killed_is_not_waited_for(place, command, monkeypatch):  # noqa: F811
    without_vpn_test(place / "rules")
    daemon, lock = with_a_daemon(place)
    monkeypatch.setattr(cli_rules, "_PATIENCE", 0.3)
    edit(place / "rules")
    said = command("rules", "apply", "--yes")
    assert said.status == 1 and "has not taken it up yet" in said.err
    lock.__exit__(None, None, None)
    edit(place / "rules", NEW, OLD)
    said = command("rules", "apply", "--yes")
    assert said.status == 0 and "no daemon is running" in said.out, "what it wrote down does not count any more"
    with instance_lock(daemon.config):
        open_for_work(daemon.config, Clock(MONDAY_10AM))[0].store.close()
        edit(place / "rules")
        assert "does a single round" in command("rules", "apply", "--yes").out
    daemon.desk.store.close()


def test_what_a_daemon_cannot_work_with_is_said_to_who_applied_it_and_mailed_to_the_operator(
    place,  # noqa: F811
    command,
    monkeypatch,
):
    without_vpn_test(place / "rules")
    daemon, lock = with_a_daemon(place)
    good, first = daemon.desk.rulebook, daemon.number
    edit(place / "rules")
    load = inforce.load_kept

    def older_one_reads(version, store):
        raise ConfigError([Problem("routing.yaml", 7, "'tags' is no action")])

    take_up = inforce.daemon_runs

    def meanwhile(*args):
        monkeypatch.setattr(inforce, "load_kept", older_one_reads)
        daemon._take_fresh_rules()
        return take_up(*args)

    monkeypatch.setattr(inforce, "daemon_runs", meanwhile)
    said = command("rules", "apply", "--yes")
    assert said.status == 1 and "cannot work with it" in said.err and "'tags' is no action" in said.err
    assert (daemon.desk.rulebook, daemon.number, daemon.refused) == (good, first, 2)
    (owed,) = daemon.desk.store.base.rows("SELECT recipient, facts FROM notice")
    assert owed[0] == "chen.jing@example.com" and "no action" in owed[1] and "the old ones stay" in owed[1]
    monkeypatch.setattr(inforce, "load_kept", load)
    daemon.reload()
    daemon._take_fresh_rules()
    assert daemon.number == 2 and not daemon.refused, "a reload takes up what it can read now"
    daemon.desk.store.close()
    lock.__exit__(None, None, None)


def test_broken_templates_do_not_look_like_refused_rules(place, command, monkeypatch):  # noqa: F811
    without_vpn_test(place / "rules")
    monkeypatch.setattr(cli_rules, "_PATIENCE", 0)
    daemon, lock = with_a_daemon(place)
    edit(place / "rules")
    (place / "templates" / "email" / "en" / "progress.txt").write_text("{{ nonsense", "utf-8")
    command("rules", "apply", "--yes")
    daemon._take_fresh_rules()
    assert daemon.number == 2
    (owed,) = daemon.desk.store.base.rows("SELECT facts FROM notice")
    assert "templates are broken" in owed[0] and "the old ones stay" not in owed[0]
    daemon.desk.store.close()
    lock.__exit__(None, None, None)


# --- whose files ---


def test_what_root_puts_in_place_belongs_to_whom_the_folder_belongs(tmp_path):
    folder, old = tmp_path / "rules", tmp_path / "rules" / "old.yaml"
    folder.mkdir()
    folder.chmod(0o750)
    old.write_bytes(b"1")
    old.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(folder, 4321, 4322)
        os.chown(old, 4321, 4323)
    before = os.umask(0o077)
    try:
        for name in ("old.yaml", "new.yaml", "deep/er/new.yaml"):
            write_whole(folder / name, b"2")
        with locked(folder / "lock"):
            assert is_locked(folder / "lock")
    finally:
        os.umask(before)
    modes = {n: (folder / n).stat().st_mode & 0o777 for n in ("old.yaml", "new.yaml", "deep", "deep/er/new.yaml")}
    assert modes == {"old.yaml": 0o600, "new.yaml": 0o640, "deep": 0o750, "deep/er/new.yaml": 0o640}
    owners = {(p.stat().st_uid, p.stat().st_gid) for p in (folder / "new.yaml", folder / "deep", folder / "lock")}
    assert owners == {(folder.stat().st_uid, folder.stat().st_gid)}
    if os.geteuid() == 0:
        assert (old.stat().st_uid, old.stat().st_gid) == (4321, 4323)


def test_who_looks_only_does_not_keep_a_daemon_from_starting(tmp_path):
    with (tmp_path / "lock").open("w") as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        threading.Timer(0.03, asking.close).start()
        with locked(tmp_path / "lock", wait=False):
            assert is_locked(tmp_path / "lock")
    assert not is_locked(tmp_path / "lock")


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
    write_one, written = inforce.write_whole, []

    def then_dies(path, content):
        if len(written) == files:
            raise KeyboardInterrupt
        if not path.exists() or path.read_bytes() != content:
            written.append(path)
        write_one(path, content)

    monkeypatch.setattr(inforce, "write_whole", then_dies)
    wish = Wish(who="zhao", how="apply", at=MONDAY_10AM, trial={})
    with pytest.raises(KeyboardInterrupt):
        inforce.apply_from(other, found, wish, places, store, first.number)
    monkeypatch.undo()
    again = inforce.at_start(places, store, MONDAY_10AM)
    assert again.rulebook.version == found.rulebook.version and not again.faults
    assert inforce.files_here(places) == found.files and [v.how for v in store.versions.history()] == ["apply", "start"]
    assert inforce.finish(places, store) is None and not list(places.rules.rglob(".*"))


KILLED = """
import os, sys
from daemon import inforce
from daemon.cli import main
steps, left = {"write_whole": inforce.write_whole, "remove": inforce.remove}, [int(sys.argv.pop(1))]
def then_dies(name):
    def step(*args):
        left[0] -= 1
        os.kill(os.getpid(), 9) if left[0] < 0 else steps[name](*args)
    return step
for name in steps:
    setattr(inforce, name, then_dies(name))
main(sys.argv[1:])
"""


@pytest.mark.parametrize(("steps", "cure"), [(0, "apply"), (3, "apply"), (12, "start"), (16, "apply")])
def test_an_apply_that_is_killed_is_called_so_and_finished_by_whoever_comes_next(place, command, steps, cure):  # noqa: F811
    without_vpn_test(place / "rules")
    command("rules", "apply", "--yes")
    other = copied(place)
    edit(other)
    (other / "plans" / "fire-or-flood.yaml").unlink()
    typed = ["--config", str(place / "ticketd.toml"), "rules", "apply", str(other), "--yes"]
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(steps), *typed], cwd=ROOT, capture_output=True, timeout=60
    )
    assert ended.returncode == -9
    newest = versions(command)[0]
    for said in (command("rules", "history").out, command("rules", "diff").err):
        assert f"zhao's apply of version {newest['version']} was interrupted" in said
        assert "not in force yet" not in said
    assert ("an 'apply' of other rules was interrupted here" in command("check").out) == (steps > 0)
    if cure == "apply":
        said = command("rules", "apply", other, "--yes")
        assert said.status == 0 and said.out.startswith("finished zhao's apply of version"), said.err
        assert "nothing to apply" in said.out, "it is not taken for somebody's changes"
    else:
        desk, found = open_for_work(load_config(place / "ticketd.toml", check_secrets=False), Clock(MONDAY_10AM))
        assert found.number == newest["number"] and not found.faults
        desk.store.close()
    assert command("rules", "diff").status == 0 and len(versions(command)) == 2
    assert "interrupted" not in command("rules", "history").out + command("check").out
    assert NEW in (place / "rules" / "routing.yaml").read_text("utf-8")
    assert not (place / "rules" / "plans" / "fire-or-flood.yaml").exists()


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
    assert command("rules", "backtest", "--since", "nonsense").status == 64
    assert command("rules", "diff", "9").status == 2 and command("rules", "diff", "1", "x").status == 2


# --- what makes no sense ---

HUGE = "9" * 20
ODD = (
    (1, "no version of the rules", "rules show {huge}"),
    (1, "no version of the rules", "rules show ²"),
    (2, "no version of the rules", "rules diff 1 {huge}"),
    (64, "is a file", "rules schema --out {file}"),
    (1, "Not a directory", "rules schema --out {file}/x"),
    (64, "is a file", "rules test --rules {file}"),
    (1, "not UTF-8", "rules test {file}"),
    (64, "is a file", "rules apply {file} --yes"),
    (64, "too far away", "rules backtest --since 0001-01-01"),
    (64, "too far away", "rules stats --since 9999-12-31"),
    (64, "not in the range", "explain --ticket {huge}"),
    (64, "no [[mailbox]] is called 'suport' (did you mean 'support'?)", "explain --mailbox suport {file}"),
    (64, "too far away", "explain --as-of 9999-12-31T23:59:59+00:00 {file}"),
    (1, "Is a directory", "explain {folder}"),
    (64, "too far away", "rota --as-of 0001-01-01T00:00:00+00:00"),
    (64, "too far away", "timetable simulate --from 0001-01-01"),
    (64, "not in the range", "ticket show {huge}"),
    (1, "is no period", "register --period 0001-01"),
    (64, "not in the range", "quarantine show {huge}"),
    (64, "not in the range", "quarantine drop {huge}"),
    (1, "File exists", "init {file}"),
)


def test_what_makes_no_sense_gets_one_clear_line(place, command, tmp_path):  # noqa: F811
    file = tmp_path / "file"
    file.write_bytes(b"\xff\x00")
    names = {"huge": HUGE, "file": file, "folder": tmp_path}
    for status, what, line in ODD:
        said = command(*(word.format(**names) for word in line.split()))
        assert (said.status, what in said.out + said.err) == (status, True), (line, said)
        lines = [
            x
            for x in (said.out + said.err).splitlines()
            if x and not x.startswith(("Usage:", "Try ", "no test was run"))
        ]
        assert len(lines) == 1, (line, said)
