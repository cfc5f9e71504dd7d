"""ticketd.toml: what loads, and what is said of what does not."""

from pathlib import Path

import pytest

from daemon.config import Config, find_config, load_config, shipped, starter_config
from daemon.errors import ConfigError

SMALL = """\
[service]
name = "Desk"
address = "Support@Example.com"

[[mailbox]]
name = "support"
host = "127.0.0.1"
tls = "none"
username = "support"
password_file = "imap.password"

[smtp]
host = "127.0.0.1"
tls = "none"
"""


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TICKETD_CONFIG", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


def write(folder: Path, text: str, mode: int = 0o600) -> Path:
    (folder / "imap.password").write_text("hunter2\n")
    (folder / "imap.password").chmod(mode)
    (folder / "ticketd.toml").write_text(text, "utf-8")
    return folder / "ticketd.toml"


def complaints(folder: Path, text: str, mode: int = 0o600) -> list[str]:
    """Return the problems as `line: what`."""
    path = write(folder, text, mode)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert "hunter2" not in str(caught.value)
    assert {p.file for p in caught.value.problems} == {str(path)}
    return [f"{p.line}: {p.what}" for p in caught.value.problems]


def test_small_config_gets_the_usual_values_and_absolute_paths(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, SMALL))
    box = config.mailbox[0]
    assert (box.port, config.smtp.port) == (143, 25)
    assert (box.folder, box.handled_folder, box.first_run, box.idle) == ("INBOX", "Handled", "import", True)
    assert config.service.address == "support@example.com"
    assert config.service.state_dir == str(tmp_path / "state")
    assert config.paths.rules == str(tmp_path / "rules")
    assert config.paths.templates == str(tmp_path / "templates/email")
    assert config.database.url == "sqlite:///ticketd.db"
    assert config.limits.attempts == 3


def test_the_usual_port_follows_tls(tmp_path: Path) -> None:
    text = SMALL.replace('host = "127.0.0.1"\ntls = "none"', 'host = "mail.example.com"')
    config = load_config(write(tmp_path, text))
    assert (config.mailbox[0].tls, config.mailbox[0].port) == ("implicit", 993)
    assert (config.smtp.tls, config.smtp.port) == ("starttls", 587)


def test_starter_config_loads_once_the_password_is_there(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, starter_config(name='华信 "IT"', language="en")))
    assert (config.service.name, config.service.language) == ('华信 "IT"', "en")
    assert config.mailbox[0].port == 10143


def test_secrets_come_from_file_environment_and_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_config(write(tmp_path, SMALL)).mailbox[0].secret() == "hunter2"

    monkeypatch.setenv("IMAP_PASSWORD", "from env")
    by_env = SMALL.replace('password_file = "imap.password"', 'password_env = "IMAP_PASSWORD"')
    assert load_config(write(tmp_path, by_env)).mailbox[0].secret() == "from env"

    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    by_systemd = SMALL.replace('password_file = "imap.password"', 'password_credential = "imap.password"')
    assert load_config(write(tmp_path, by_systemd)).mailbox[0].secret() == "hunter2"


def test_server_without_username_needs_no_secret(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, SMALL)).smtp.secret() == ""


def test_secret_that_has_gone_is_an_error_with_a_cure(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, SMALL))
    (tmp_path / "imap.password").unlink()
    with pytest.raises(ConfigError, match="does not exist; write the secret into it, then: chmod 600"):
        config.mailbox[0].secret()


def test_repr_shows_no_secret(tmp_path: Path) -> None:
    text = SMALL + '[database]\nurl = "postgresql://u:hunter2@db/x"\n'
    config = load_config(write(tmp_path, text))
    assert config.database.url == "postgresql://u:hunter2@db/x"
    assert "hunter2" not in repr(config) + str(config)


def test_a_config_never_changes(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, SMALL))
    with pytest.raises(ValueError, match="frozen"):
        config.service.name = "x"  # type: ignore[misc]


BROKEN = {
    "misspelt key": (
        SMALL.replace("address =", "adress ="),
        ["1: [service] lacks 'address'; write address = \"support@example.com\"",
         "3: [service] has no key 'adress' (did you mean 'address'?)"],
    ),
    "misspelt table": (
        SMALL + "[datbase]\n",
        ["15: the file has no key 'datbase' (did you mean 'database'?)"],
    ),
    "no such time zone": (
        SMALL.replace("[[mailbox]]", 'timezone = "Asia/Shangai"\n[[mailbox]]'),
        ["5: 'timezone': no time zone is called 'Asia/Shangai' (did you mean 'Asia/Shanghai'?); "
         "write an IANA name, as in Asia/Shanghai, got 'Asia/Shangai'"],
    ),
    "bad tag": (
        SMALL.replace("[[mailbox]]", 'subject_tag = "inc"\n[[mailbox]]'),
        ["5: 'subject_tag': write 2 to 10 capital letters or digits, a letter first, as in INC, got 'inc'"],
    ),
    "plain text over the network": (
        SMALL.replace('host = "127.0.0.1"', 'host = "imap.example.com"', 1),
        ["8: 'tls': 'none' would send password and mail readable over the network to imap.example.com; write "
         '"implicit" or "starttls" ("none" is for 127.0.0.1, ::1 and localhost), got \'none\''],
    ),
    "password in the file": (
        SMALL.replace('password_file = "imap.password"', 'password = "hunter2"'),
        ["5: a username needs a password; write one of password_file, password_env, password_credential",
         "10: [[mailbox]] has no key 'password': a password never stands here; write password_file = \"FILE\""],
    ),
    "two passwords": (
        SMALL.replace("password_file", 'password_credential = "x"\npassword_file'),
        ["10: password_file and password_credential are both given; keep one of them"],
    ),
    "one bracket": (
        SMALL.replace("[[mailbox]]", "[mailbox]"),
        ["5: write [[mailbox]] in double brackets, once for each mailbox (at least one)"],
    ),
    "not TOML": (
        SMALL.replace('"Desk"', "Desk"),
        ['2: is not TOML: invalid value; write it as key = "text", key = 1 or key = true, and each key once'],
    ),
    "wrong kind of value": (
        SMALL.replace('tls = "none"\nusername', 'tls = "none"\nport = "imap"\nidle = "perhaps"\nusername'),
        ["9: 'port': write a whole number, without quotes, got 'imap'",
         "10: 'idle': write true or false, got 'perhaps'"],
    ),
    "word that is no choice": (
        SMALL.replace("[smtp]", 'first_run = "quiet"\n[smtp]'),
        ["12: 'first_run': write one of 'import', 'ignore', 'import-quietly', got 'quiet'"],
    ),
    "mail handled into its own folder": (
        SMALL.replace("[smtp]", 'handled_folder = "INBOX"\n[smtp]'),
        ["12: 'handled_folder': is the same as folder; name another one, or \"\" to leave mail in INBOX, got 'INBOX'"],
    ),
    "database with a password": (
        SMALL + '[database]\nurl = "mysql://u:hunter2@db/x"\n',
        ["16: 'url': write sqlite:///ticketd.db or postgresql://user@host/name"],
    ),
    "nobody to believe": (
        SMALL + '[trust]\nreceived_by = ["imap.example.com"]\n',
        ["15: received_by and arc_sealers say more about the servers in authserv_ids, and there are none; "
         'write authserv_ids = ["mx.example.com"], or microsoft365 = true'],
    ),
    "no name of a server": (
        SMALL + '[trust]\nauthserv_ids = ["mx.example.com; dmarc=pass"]\n',
        ["16: 'authserv_ids': write one name of a server, as in mx.example.com, got 'mx.example.com; dmarc=pass'"],
    ),
    "everybody's name": (
        SMALL + '[trust]\nauthserv_ids = ["mx.example.com"]\nreceived_by = ["*.com"]\n',
        ["17: 'received_by': '*.com' stands for nearly everybody; write more of the name, as in *.mail.example.com, "
         "got '*.com'"],
    ),
    "bound": (
        SMALL + "[limits]\nattempts = 0\n",
        ["16: 'attempts': write at least 1, got 0"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_config_is_named_with_line_and_cure(name: str, tmp_path: Path) -> None:
    text, expected = BROKEN[name]
    assert complaints(tmp_path, text) == expected


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    text = SMALL.replace("[service]", "[service]\ncolour = 1").replace("imap.password", "nowhere")
    text = text.replace("[smtp]", text[text.index("[[mailbox]]") : text.index("[smtp]")] + "[smtp]\ntimeout = 0")
    assert complaints(tmp_path, text) == [
        "2: [service] has no key 'colour'; it knows name, address, language, timezone, subject_tag, state_dir, "
        "reply_addresses, secret_file, operator_address, other_addresses",
        f"11: the file {tmp_path}/nowhere does not exist; write the secret into it, then: chmod 600 {tmp_path}/nowhere",
        "14: two mailboxes are called 'support'; give this one a name of its own",
        f"18: the file {tmp_path}/nowhere does not exist; write the secret into it, then: chmod 600 {tmp_path}/nowhere",
        "21: 'timeout': write a number over 0, got 0",
    ]


def test_secret_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    assert complaints(tmp_path, SMALL, mode=0o640) == [
        f"10: the file {tmp_path}/imap.password can be read by other users (mode 0640); "
        f"do: chmod 600 {tmp_path}/imap.password"
    ]


def test_commands_that_talk_to_no_server_need_no_secret(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, SMALL, mode=0o644), check_secrets=False)
    assert isinstance(config, Config)


def test_file_that_is_not_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "ticketd.toml"
    path.write_bytes('[service]\nname = "服务"\n'.encode("gb18030"))
    with pytest.raises(ConfigError, match=r"ticketd.toml:2: is not UTF-8 here; save the file as UTF-8"):
        load_config(path)


def test_config_is_found_by_option_environment_and_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    one, two, here = tmp_path / "one.toml", tmp_path / "two.toml", tmp_path / "ticketd.toml"
    for path in (one, two, here):
        path.write_text("")
    assert find_config(str(one), {"TICKETD_CONFIG": str(two)}) == one
    assert find_config(None, {"TICKETD_CONFIG": str(two)}) == two
    assert find_config(None, {}).resolve() == here


def test_no_config_says_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="make one with: ticketd init DIR"):
        find_config(None, {})
    with pytest.raises(ConfigError, match=r"gone.toml: no such file; --config names it"):
        find_config("gone.toml", {})


def test_shipped_rules_are_found() -> None:
    assert (shipped("rules") / "routing.yaml").is_file()
    with pytest.raises(FileNotFoundError):
        shipped("nothing")
