"""The systemd units: sound, and as closed as a daemon that has to reach mail servers can be. Nothing is started here."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.desk import ROOT

UNITS = ROOT / "systemd"
SERVICE = (UNITS / "ticketd.service").read_text("utf-8")
MOST_EXPOSED = 1.3

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="systemd-analyze is missing (Debian: systemd): units are NOT checked",
)


def setting(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", SERVICE, re.MULTILINE)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as they are, but for the program, which has to be there for `verify`."""
    shutil.copytree(UNITS, tmp_path / "units")
    program = tmp_path / "ticketd"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "units" / "ticketd.service"
    unit.write_text(SERVICE.replace("/opt/ticketd/bin/ticketd", str(program)), "utf-8")
    return unit


@needs_systemd
def test_systemd_finds_nothing_wrong(installed: Path) -> None:
    for unit in (installed, installed.with_name("ticketd-alert@.service")):
        done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd
def test_it_is_closed_to_all_but_what_it_needs(installed: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(installed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    found = re.search(r"Overall exposure level for ticketd.service: ([\d.]+)", done.stdout)
    assert found and float(found[1]) <= MOST_EXPOSED, done.stdout + done.stderr


@needs_systemd
def test_a_unit_that_is_left_open_would_be_noticed(installed: Path) -> None:
    text = installed.read_text("utf-8")
    installed.write_text(text.replace("ProtectSystem=strict\n", "").replace("PrivateUsers=yes\n", ""), "utf-8")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=13", "--no-pager", str(installed)]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode != 0


def test_it_is_started_again_for_ever_unless_trying_again_cannot_help() -> None:
    assert setting("Restart") == ["always"] and setting("StartLimitIntervalSec") == ["0"]
    assert set(setting("RestartPreventExitStatus")[0].split()) == {"78", "64"}
    assert setting("OnFailure") == ["ticketd-alert@%n.service"]
    assert (setting("Type"), setting("NotifyAccess")) == (["notify"], ["main"])
    assert setting("WatchdogSignal") == ["SIGABRT"] and int(setting("WatchdogSec")[0]) >= 3 * 20, "fed every 20 s"


def test_passwords_come_as_credentials_and_never_by_the_environment() -> None:
    assert setting("LoadCredential") and not re.search(r"password|secret", " ".join(setting("Environment")), re.I)
