"""Files in the folder of the rules that nobody meant to be there, or that cannot be read, stop no work."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from daemon import inforce
from daemon.app import places_of
from daemon.cli import run_command
from daemon.errors import ConfigError
from daemon.explaining import explain_ticket
from daemon.overruled import Ruled, standing
from daemon.routing import notes
from daemon.routing.loader import load_partly
from tests.desk import MONDAY_10AM, ROOT, TestDesk, write

INCLUDE = "\n  - include: more.yaml\n"


@pytest.fixture
def rules(tmp_path) -> Path:
    return Path(shutil.copytree(ROOT / "rules", tmp_path / "rules"))


def problems(folder: Path) -> str:
    return "\n".join(map(str, load_partly(folder)[1]))


def including(folder: Path) -> Path:
    routing = folder / "routing.yaml"
    routing.write_text(routing.read_text("utf-8").rstrip("\n") + INCLUDE, "utf-8")
    return folder / "more.yaml"


def close(path: Path, monkeypatch) -> None:
    """Let a file be one that another user may not read."""
    read = Path.read_bytes

    def refusing(self: Path) -> bytes:
        if self == path:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", refusing)


def test_a_pipe_that_is_included_is_refused_and_not_waited_for(rules):
    os.mkfifo(including(rules))
    assert "more.yaml: is no file (but a pipe, a folder or a device); put a file there" in problems(rules)


def test_a_link_to_itself_is_said_to_be_unreadable(rules):
    including(rules).symlink_to("more.yaml")
    assert "more.yaml: cannot be read: Too many levels of symbolic links" in problems(rules)


def test_at_a_start_a_file_beside_the_rules_that_cannot_be_read_leaves_the_last_rules_in_force(
    tmp_path, rules, monkeypatch
):
    desk = TestDesk(tmp_path)
    places, store = places_of(desk.config), desk.desk.store
    first = inforce.at_start(places, store, MONDAY_10AM)
    note = rules / "tests" / "note.txt"
    note.write_text("to do")
    close(note, monkeypatch)
    found = inforce.at_start(places, store, MONDAY_10AM)
    assert (found.number, found.rulebook.version) == (first.number, first.rulebook.version)
    (fault,) = found.faults
    assert str(fault).startswith(f"{note}: cannot be read (Permission denied); give it to the user")
    with pytest.raises(ConfigError, match=r"note\.txt: cannot be read"):
        inforce.found_in(rules, places, store, MONDAY_10AM)


def test_a_first_start_with_a_file_that_cannot_be_read_says_which(tmp_path, rules, monkeypatch):
    desk = TestDesk(tmp_path)
    note = rules / "tests" / "note.txt"
    note.write_text("to do")
    close(note, monkeypatch)
    with pytest.raises(ConfigError, match=r"note\.txt: cannot be read"):
        inforce.at_start(places_of(desk.config), desk.desk.store, MONDAY_10AM)


@pytest.mark.parametrize("name", ['"two\\nlines"', f'"{"x" * 201}"', '"\\u202eesrever"'])
def test_a_rule_has_a_name_that_fits_in_one_line(rules, name):
    including(rules).write_text(f"rules:\n  - name: {name}\n    then: {{category: other}}\n", "utf-8")
    assert "more.yaml:2: a name is one line of visible text, at most 200 characters long" in problems(rules)


def test_notes_among_the_names_of_rules_are_no_rules_that_are_gone(tmp_path):
    book = TestDesk(tmp_path).desk.rulebook
    name = book.rules[-1].name
    said = (
        notes.of_alert("zabbix"), notes.not_done("drop: no", "it holds keywords"), notes.nothing_done(name, "it ends"),
        notes.without_parent("parent: 7", notes.NO_PARENT), notes.without_parent("parent: 8", notes.NOT_FOR_THIS_ONE),
    )  # fmt: skip
    found = standing([Ruled(number=1, at=MONDAY_10AM, because=(name, "one of last year", *said))], book)
    assert [t.rule for t in found.gone] == ["one of last year"]


def test_that_a_parent_is_not_open_today_is_no_difference_of_the_rules(tmp_path, rules):
    under = "\nrules:\n  - name: under one\n    when: {subject contains: 同样}\n    then: {parent: 1}\n"
    routing = rules / "routing.yaml"
    routing.write_text(routing.read_text("utf-8").replace("\nrules:\n", under, 1), "utf-8")
    desk = TestDesk(tmp_path)
    inforce.at_start(places_of(desk.config), desk.desk.store, MONDAY_10AM)
    for subject in ("VPN 连不上", "同样 VPN 连不上"):
        desk.receives(write("刘洋 <liu.yang@huaxin.example>", "请看一下。", subject=subject))
    assert desk.events(2, "Linked")[0].ticket == 1
    assert explain_ticket(2, desk.desk)["differs"] == []


def test_a_version_is_written_to_a_new_folder_only(tmp_path, rules, capsys):
    desk = TestDesk(tmp_path)
    inforce.at_start(places_of(desk.config), desk.desk.store, MONDAY_10AM)
    command = ["--config", str(tmp_path / "ticketd.toml"), "rules", "show", "1", "--out"]
    assert run_command([*command, str(tmp_path / "before")]) == 0
    assert (tmp_path / "before" / "routing.yaml").read_bytes() == (rules / "routing.yaml").read_bytes()
    assert run_command([*command, str(rules)]) == 1
    assert "is not empty: name a new folder" in capsys.readouterr().err
