"""Read ticketd.toml into a frozen Config, or say everything that is wrong with it; knows every key of it.

What comes in: the path of a config file. What goes out: a Config whose paths are absolute, or a ConfigError
with all problems, each with its line and its cure. No secret is ever part of a Config, of its repr or of an
error: a Config only knows where a secret lies, and `secret()` fetches it when it is needed.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import json
import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from daemon.errors import ConfigError, Problem, did_you_mean
from daemon.words import bare_address

SECRET_KEYS = ("password_file", "password_env", "password_credential")
CLIENT_SECRET_KEYS = ("client_secret_file", "client_secret_env", "client_secret_credential")
_IMAP_PORTS = {"implicit": 993, "starttls": 143, "none": 143}
_SMTP_PORTS = {"implicit": 465, "starttls": 587, "none": 25}
_LEAST_FIXED = 5
Location = tuple[str | int, ...]


def find_config(option: str | None, environ: Mapping[str, str]) -> Path:
    """Return the config file to use: --config, $TICKETD_CONFIG, ./ticketd.toml, /etc/ticketd/ticketd.toml."""
    for source, named in (("--config", option), ("$TICKETD_CONFIG", environ.get("TICKETD_CONFIG"))):
        if named and not _is_file(Path(named)):
            raise ConfigError([Problem(named, 0, f"no such file; {source} names it, write its right path there")])
        if named:
            return Path(named)
    usual = (Path("ticketd.toml"), Path("/etc/ticketd/ticketd.toml"))
    found = next((path for path in usual if _is_file(path)), None)
    if found is None:
        raise ConfigError(
            [
                Problem(
                    "ticketd.toml",
                    0,
                    "no configuration here nor in /etc/ticketd; make one with: ticketd init DIR",
                )
            ]
        )
    return found


def _is_file(path: Path) -> bool:
    """Whether there is such a file, as far as we may look: a folder that may not be searched holds none for us."""
    try:
        return path.is_file()
    except PermissionError:
        return False


def load_config(path: Path, *, check_secrets: bool = True) -> Config:
    """Return the Config written in this file; raise ConfigError with every problem in it.

    `check_secrets=False` is for commands that talk to no server: they need not be able to read passwords.
    """
    text = _read_text(path)
    data = _parse(path, text)
    folder = path.resolve().parent
    faults = list(_name_faults(data))
    faults += _oauth_faults(data)
    faults += _secret_faults(data, folder) if check_secrets else []
    config = None
    try:
        config = Config.model_validate(data, context={"folder": folder})
    except ValidationError as error:
        faults += [(d["loc"], _what(d["loc"], d, _value_at(data, d["loc"]))) for d in error.errors()]
    if config is None or faults:
        lines = key_lines(text)
        raise ConfigError(Problem(str(path), line_of(lines, where), what) for where, what in faults)
    return config


def places_named(path: Path) -> tuple[Path, Path, Path]:
    """Return where a configuration says rules, templates and the secret are, as far as it can be read at all."""
    try:
        said = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        said = {}
    usual = (
        ("paths", "rules", "rules"),
        ("paths", "templates", "templates/email"),
        ("service", "secret_file", "secret"),
    )
    rules, templates, secret = (path.resolve().parent / _named(said, *place) for place in usual)
    return rules, templates, secret


def _named(said: dict[str, Any], table: str, key: str, usual: str) -> str:
    section = said.get(table)
    value = section.get(key, usual) if isinstance(section, dict) else usual
    return value if isinstance(value, str) else usual


def shipped(name: str) -> Path:
    """Return the folder of data that came with the program: "rules", "templates" or "systemd"."""
    package = Path(__file__).resolve().parent
    for folder in (package / "shipped" / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"the program came without its folder '{name}'; install it again")


# --- values ---


def _anchored(path: str, info: ValidationInfo) -> str:
    """Make a path absolute: relative ones are meant from the config file's folder."""
    folder = (info.context or {}).get("folder", Path.cwd())
    return str(Path(folder, path)) if path else ""


def _address(text: str) -> str:
    if text and not re.fullmatch(r"[^\s@<>,;]+@[^\s@<>,;]+", text):
        raise ValueError("write one plain address, as in support@example.com")
    return bare_address(text)


def _not_empty(text: str) -> str:
    if not text.strip():
        raise ValueError("may not be empty")
    return text


def _zone(name: str) -> str:
    if not is_zone(name):
        near = did_you_mean(name, available_timezones())
        raise ValueError(f"no time zone is called '{name}'{near}; write an IANA name, as in Asia/Shanghai")
    return name


def is_zone(name: str) -> bool:
    """Return whether the time zone database has this name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def is_loopback(host: str) -> bool:
    """Return whether this host can only be this very machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


def _endpoint(url: str) -> str:
    """Take https anywhere and http on this very machine: tokens and secrets go there."""
    try:
        parts = urlsplit(url)
        safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    except ValueError:
        safe = False
    if url and not (safe and parts.hostname and parts.username is None):
        raise ValueError("write an address that begins with https:// (http:// only for 127.0.0.1, ::1 and localhost)")
    return url


def _provider_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name):
        raise ValueError("call it by letters, digits, '-' and '_', as in [oauth.microsoft]")
    return name


def _server(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.:-]+", name):
        raise ValueError("write one name of a server, as in mx.example.com")
    return name.lower().rstrip(".")


def _server_pattern(name: str) -> str:
    if "*" in name and len(name.replace("*", "").strip(".")) < _LEAST_FIXED:
        raise ValueError(f"'{name}' stands for nearly everybody; write more of the name, as in *.mail.example.com")
    return _server(name.replace("*", "x")) and name.lower().rstrip(".")


AnchoredPath = Annotated[str, AfterValidator(_anchored)]
EmailAddress = Annotated[str, AfterValidator(_address)]
Text = Annotated[str, AfterValidator(_not_empty)]
Endpoint = Annotated[str, AfterValidator(_endpoint)]
ServerName = Annotated[str, AfterValidator(_server)]
ServerPattern = Annotated[str, AfterValidator(_server_pattern)]
Port = Annotated[int, Field(ge=1, le=65535)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Tls = Literal["implicit", "starttls", "none"]
Auth = Literal["password", "xoauth2", "oauthbearer"]
_TLS_CHOICES = "`implicit` (TLS from the first byte), `starttls`, or `none` for a server on this very machine"


class Table(BaseModel):
    """The root of every table of ticketd.toml: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True)


# --- the tables, key by key (docs/configuration.md is made from them) ---


class ServiceConfig(Table):
    """[service]: who we are."""

    name: Text = Field(description="The name in From of every mail that goes out", examples=["Example Support"])
    address: Annotated[Text, AfterValidator(_address)] = Field(
        description="The address that people write to", examples=["support@example.com"]
    )
    language: Literal["zh", "en"] = Field(default="zh", description="The language for people whose own is unknown")
    timezone: Annotated[str, AfterValidator(_zone)] = Field(
        default="Asia/Shanghai",
        description="The time zone of times in mails and of calendars without their own",
    )
    subject_tag: str = Field(default="INC", description="The letters before a ticket's number in subjects: [INC-12]")
    state_dir: AnchoredPath = Field(default="state", description="The folder of the database and of large mails")
    reply_addresses: Literal["plus", "none"] = Field(
        default="plus",
        description="`plus`: Reply-To is support+token@… (the server must deliver such addresses); "
        "`none`: the token stands in the Message-ID only",
    )
    secret_file: AnchoredPath = Field(
        default="secret", description="The key that signs reply tokens; `ticketd init` makes it, mode 0600"
    )
    operator_address: EmailAddress = Field(
        default="", description="Who is told when the daemon itself is in trouble; empty: the service desk"
    )
    other_addresses: tuple[EmailAddress, ...] = Field(
        default=(),
        description="Further addresses of ours (aliases); they never become participants of a ticket",
    )

    @field_validator("subject_tag")
    @classmethod
    def _tag(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Z][A-Z0-9]{1,9}", value):
            raise ValueError("write 2 to 10 capital letters or digits, a letter first, as in INC")
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The service's time zone."""
        return ZoneInfo(self.timezone)


class ServerConfig(Table):
    """What every server connection needs: where it is, how it is secured, who we are there."""

    host: Text = Field(description="The server's name or address", examples=["mail.example.com"])
    tls: Tls = Field(
        default="implicit",
        description=_TLS_CHOICES,
    )
    port: Port = Field(default=0, validate_default=False, description="The server's port; by default the usual one")
    username: str = Field(default="", description="The name to log in with")
    auth: Auth = Field(
        default="password",
        description="How: `password`, or with a token: `xoauth2` (Microsoft 365, Gmail) or `oauthbearer` (RFC 7628)",
    )
    oauth: str = Field(
        default="", description="The [oauth.NAME] whose tokens are used; may be left out where there is only one"
    )
    password_file: AnchoredPath = Field(
        default="",
        description="A file (mode 0600) whose first line is the password; or give one of the next two",
    )
    password_env: str = Field(default="", description="An environment variable that holds the password")
    password_credential: str = Field(
        default="", description="The name of a systemd credential (`LoadCredential=`) that holds the password"
    )
    ca_file: AnchoredPath = Field(
        default="",
        description="Certificates to trust beside the system's own, for a server with a private CA",
    )

    @field_validator("tls")
    @classmethod
    def _plain_only_at_home(cls, value: str, info: ValidationInfo) -> str:
        host = info.data.get("host")
        if value == "none" and host and not is_loopback(host):
            raise ValueError(
                f"'none' would send password and mail readable over the network to {host}; "
                'write "implicit" or "starttls" ("none" is for 127.0.0.1, ::1 and localhost)'
            )
        return value

    @field_validator("password_credential")
    @classmethod
    def _one_password(cls, value: str, info: ValidationInfo) -> str:
        given = [key for key in SECRET_KEYS[:2] if info.data.get(key)] + ([SECRET_KEYS[2]] if value else [])
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are both given; keep one of them")
        if info.data.get("auth", "password") != "password":
            return _no_password(value, given, info)
        if info.data.get("username") and not given:
            raise ValueError("a username needs a password; write one of " + ", ".join(SECRET_KEYS))
        if given and not info.data.get("username", "?"):
            raise ValueError(f'{given[0]} needs a username; write username = "…" too')
        return value

    def secret(self) -> str:
        """Return the password, "" where none is configured; raise ConfigError with the cure if it is gone."""
        return _fetched(SECRET_KEYS, (self.password_file, self.password_env, self.password_credential))


def _no_password(value: str, given: list[str], info: ValidationInfo) -> str:
    if given:
        raise ValueError(f'{given[0]} is not used with auth = "{info.data["auth"]}"; take it out')
    if not info.data.get("username", "?"):
        raise ValueError(f'auth = "{info.data["auth"]}" needs a username: the mailbox that the token is for')
    return value


class MailboxConfig(ServerConfig):
    """[[mailbox]]: one IMAP mailbox that we read; there may be several."""

    name: Text = Field(description="What this mailbox is called in rules, logs and lists", examples=["support"])
    username: Text = Field(description="The name to log in with", examples=["support"])
    folder: Text = Field(default="INBOX", description="The folder that new mail comes into")
    handled_folder: str = Field(
        default="Handled", description="Where a mail goes once it is kept; empty: it stays where it is"
    )
    quarantine_folder: str = Field(
        default="Quarantine", description="Where a mail goes that could not be handled; empty: it stays"
    )
    poll_seconds: Positive = Field(default=60, description="How often to look, beside IDLE")
    idle: bool = Field(default=True, description="Let the server tell us of new mail at once (IMAP IDLE)")
    first_run: Literal["import", "ignore", "import-quietly"] = Field(
        default="import",
        description="The mail that is there at the first start: `import` handles what is less than a day old as new "
        "and imports the rest quietly, `import-quietly` opens tickets and writes to nobody, `ignore` leaves it alone",
    )
    connect_timeout: Positive = Field(default=20.0, description="Seconds to wait for a connection")
    read_timeout: Positive = Field(default=60.0, description="Seconds to wait for an answer of the server")
    max_mail_bytes: Count = Field(
        default=157286400, description="A larger mail is not fetched: its ticket says that it is on the server"
    )

    @model_validator(mode="before")
    @classmethod
    def _usual_port(cls, data: Any) -> Any:
        return _with_port(data, _IMAP_PORTS, "implicit")

    @field_validator("handled_folder", "quarantine_folder")
    @classmethod
    def _elsewhere(cls, value: str, info: ValidationInfo) -> str:
        if value and value == info.data.get("folder"):
            raise ValueError(f'is the same as folder; name another one, or "" to leave mail in {value}')
        return value


class SmtpConfig(ServerConfig):
    """[smtp]: the server that takes our mail."""

    tls: Tls = Field(
        default="starttls",
        description=_TLS_CHOICES,
    )
    timeout: Positive = Field(default=60.0, description="Seconds to wait for a connection or an answer")
    data_timeout: Positive = Field(
        default=600.0,
        description="Seconds to wait for the answer after a mail's last byte (RFC 5321: 10 minutes)",
    )

    @model_validator(mode="before")
    @classmethod
    def _usual_port(cls, data: Any) -> Any:
        return _with_port(data, _SMTP_PORTS, "starttls")


_MICROSOFT = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0"
_MICROSOFT_SCOPES = {
    "client_credentials": "https://outlook.office365.com/.default",
    "refresh_token": "offline_access https://outlook.office.com/IMAP.AccessAsUser.All "
    "https://outlook.office.com/SMTP.Send",
}
_GOOGLE = ("https://oauth2.googleapis.com/token", "https://accounts.google.com/o/oauth2/v2/auth")
_GOOGLE_SCOPE = "https://mail.google.com/"


class OAuthConfig(Table):
    """[oauth.NAME]: who gives us tokens; several servers may share one."""

    flow: Literal["client_credentials", "refresh_token"] = Field(
        description="`client_credentials`: the application has rights of its own (Microsoft 365). `refresh_token`: a "
        "person gives consent once, with `ticketd oauth login NAME` (Gmail and others)",
        examples=["client_credentials"],
    )
    client_id: Text = Field(
        description="What the provider calls this application", examples=["00000000-0000-0000-0000-000000000000"]
    )
    client_secret_file: AnchoredPath = Field(
        default="",
        description="A file (mode 0600) whose first line is the application's secret; or give one of the next two",
    )
    client_secret_env: str = Field(default="", description="An environment variable that holds it")
    client_secret_credential: str = Field(default="", description="The name of a systemd credential that holds it")
    tenant: str = Field(
        default="", description="Microsoft 365: the tenant's id or domain; it fills in what stands below"
    )
    scope: str = Field(
        default="",
        description="What is asked for. Microsoft: `https://outlook.office365.com/.default`; Gmail: "
        "`https://mail.google.com/`",
    )
    token_endpoint: Endpoint = Field(
        default="", description="Where tokens come from; filled in for Microsoft, and for Gmail without `tenant`"
    )
    device_endpoint: Endpoint = Field(
        default="", description="Where a login by typing a code on another device begins; filled in for Microsoft"
    )
    authorization_endpoint: Endpoint = Field(
        default="", description="The page where a person gives consent; filled in for Gmail"
    )
    client_auth: Literal["post", "basic"] = Field(
        default="post", description="How the secret is shown: in the question itself, or by HTTP Basic"
    )
    ca_file: AnchoredPath = Field(
        default="", description="The certificates to trust instead of the usual ones, for a server with a private CA"
    )

    @field_validator("tenant")
    @classmethod
    def _plain_tenant(cls, value: str) -> str:
        if value and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", value):
            raise ValueError("write the tenant's id or domain, as in example.onmicrosoft.com")
        return value

    @field_validator("client_secret_credential")
    @classmethod
    def _one_secret(cls, value: str, info: ValidationInfo) -> str:
        given = [key for key in CLIENT_SECRET_KEYS[:2] if info.data.get(key)]
        given += [CLIENT_SECRET_KEYS[2]] if value else []
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are both given; keep one of them")
        if not given and info.data.get("flow") == "client_credentials":
            raise ValueError("client_credentials needs the application's secret; write one of "
                             + ", ".join(CLIENT_SECRET_KEYS))  # fmt: skip
        return value

    @field_validator("token_endpoint")
    @classmethod
    def _somewhere(cls, value: str, info: ValidationInfo) -> str:
        if not value and not info.data.get("tenant") and info.data.get("flow") == "client_credentials":
            raise ValueError("client_credentials needs tenant (Microsoft 365) or token_endpoint; write one of them")
        return value

    @field_validator("authorization_endpoint")
    @classmethod
    def _consent_somewhere(cls, value: str, info: ValidationInfo) -> str:
        own = info.data.get("token_endpoint") and not info.data.get("tenant")
        if own and not value and not info.data.get("device_endpoint") and info.data.get("flow") == "refresh_token":
            raise ValueError("write device_endpoint or this one beside token_endpoint, for the consent")
        return value

    @property
    def scopes(self) -> str:
        """What is asked for."""
        if self.scope or not (self.tenant or self._google):
            return self.scope
        return _MICROSOFT_SCOPES[self.flow] if self.tenant else _GOOGLE_SCOPE

    @property
    def token_url(self) -> str:
        """Where tokens come from."""
        return self.token_endpoint or self._microsoft("token") or _GOOGLE[0]

    @property
    def device_url(self) -> str:
        """Where a login by device begins, "" where that cannot be had."""
        return self.device_endpoint or ("" if self.token_endpoint else self._microsoft("devicecode"))

    @property
    def authorization_url(self) -> str:
        """The page where a person gives consent, "" where that cannot be had."""
        return self.authorization_endpoint or (_GOOGLE[1] if self._google else self._microsoft("authorize"))

    @property
    def _google(self) -> bool:
        return not self.tenant and not self.token_endpoint

    def _microsoft(self, what: str) -> str:
        return f"{_MICROSOFT.format(tenant=self.tenant)}/{what}" if self.tenant else ""

    def secret(self) -> str:
        """Return the application's secret, "" where it has none; raise ConfigError with the cure if it is gone."""
        places = (self.client_secret_file, self.client_secret_env, self.client_secret_credential)
        return _fetched(CLIENT_SECRET_KEYS, places)


class DatabaseConfig(Table):
    """[database]: where tickets are kept."""

    url: str = Field(
        default="sqlite:///ticketd.db",
        repr=False,
        description="`sqlite:///FILE` (relative to state_dir) or `postgresql://USER@HOST/NAME`",
    )

    @field_validator("url")
    @classmethod
    def _known_kind(cls, value: str) -> str:
        if not re.fullmatch(r"sqlite:///.+|postgres(ql)?://.+", value):
            raise ValueError("write sqlite:///ticketd.db or postgresql://user@host/name")
        return value


class PathsConfig(Table):
    """[paths]: the folders that operators edit."""

    rules: AnchoredPath = Field(default="rules", description="The folder of the rule files")
    templates: AnchoredPath = Field(
        default="templates/email",
        description="The folder of the mail templates, one folder per language in it",
    )


class TrustConfig(Table):
    """[trust]: whose word we take about a sender."""

    authserv_ids: tuple[ServerName, ...] = Field(
        default=(),
        description="Servers whose Authentication-Results count: the name they write first in that header",
    )
    received_by: tuple[ServerPattern, ...] | None = Field(
        default=None,
        description='Own servers whose Received may stand above it: the name behind "by", as often as it comes; `*` is '
        "anything, any number of times",
        examples=["the `authserv_ids`, once each"],
    )
    microsoft365: bool = Field(
        default=False,
        description="The mailboxes are at Microsoft 365, whose Authentication-Results names no server",
    )
    arc_sealers: tuple[ServerName, ...] = Field(
        default=(),
        description="Domains whose word counts about mail that they passed on, where our server says `arc=pass`",
    )

    check_dkim: bool = Field(
        default=False,
        description="Check DKIM signatures ourselves too, where the mail server says nothing; asks the DNS for the "
        "signers' keys",
    )

    @model_validator(mode="after")
    def _somebody_to_believe(self) -> TrustConfig:
        if (self.received_by or self.arc_sealers) and not self.authserv_ids and not self.microsoft365:
            raise ValueError(
                "received_by and arc_sealers say more about the servers in authserv_ids, and there are none; "
                'write authserv_ids = ["mx.example.com"], or microsoft365 = true'
            )
        return self


class LimitsConfig(Table):
    """[limits]: what keeps a loop or a flood small."""

    answers_per_address_per_hour: Count = Field(
        default=20, description="Automatic answers to one address in an hour; more are withheld and noted"
    )
    answers_per_subject_per_day: Count = Field(
        default=3,
        description="Automatic answers to one address about one subject in a day. Where a domain is no customer's, "
        "and not yours, all its senders whom nothing proves count as one address",
    )
    answers_per_domain_per_hour: Count = Field(
        default=100,
        description="Automatic answers to one domain in an hour",
    )
    answers_per_ticket_per_hour: Count = Field(
        default=30, description="Automatic answers about one ticket in an hour, to whomever"
    )
    answers_per_hour: Count = Field(
        default=1000, description="Automatic answers in an hour altogether; the operator is told when it comes to that"
    )
    attempts: Count = Field(default=3, description="How often a mail is tried before it goes to quarantine")
    max_ticket_opens_per_address_per_hour: Count = Field(
        default=60,
        description="Tickets that one address may open in an hour; further mail waits in quarantine",
    )
    disk_reserve_mb: Annotated[int, Field(ge=0)] = Field(
        default=200,
        description="Below this much free disk no mail is fetched: it waits on the server; what is owed still goes out",
    )
    forwards_per_target_per_day: Count = Field(
        default=300, description="Mails that rules pass on to one address in a day; further ones become tickets"
    )
    forwards_per_sender_per_day: Count = Field(default=30, description="The same, of one sender to one address")
    forwards_per_subject_per_day: Count = Field(
        default=30, description="The same, about one subject to one address, whoever sends them"
    )


class Config(Table):
    """The whole of ticketd.toml. Every path in it is absolute."""

    service: ServiceConfig
    mailbox: tuple[MailboxConfig, ...]
    smtp: SmtpConfig
    oauth: Mapping[Annotated[str, AfterValidator(_provider_name)], OAuthConfig] = Field(default_factory=dict)
    database: DatabaseConfig = DatabaseConfig()
    paths: PathsConfig = Field(default_factory=dict, validate_default=True)
    trust: TrustConfig = TrustConfig()
    limits: LimitsConfig = LimitsConfig()

    @field_validator("mailbox", mode="before")
    @classmethod
    def _at_least_one(cls, value: Any) -> Any:
        if not isinstance(value, list) or not value:
            raise ValueError("write [[mailbox]] in double brackets, once for each mailbox (at least one)")
        return value

    def provider_name(self, server: ServerConfig) -> str:
        """Return the name of the [oauth.NAME] whose tokens this server gets, "" where it takes a password."""
        return "" if server.auth == "password" else server.oauth or next(iter(self.oauth), "")

    @property
    def own_addresses(self) -> frozenset[str]:
        """Every address that is ours, lower-cased."""
        return frozenset((self.service.address, *self.service.other_addresses))


def _with_port(data: Any, ports: Mapping[str, int], default_tls: str) -> Any:
    """Fill in the usual port where none is written."""
    if not isinstance(data, dict) or "port" in data:
        return data
    return data | {"port": ports.get(str(data.get("tls", default_tls)), ports[default_tls])}


# --- secrets ---


def secret_file_fault(path: Path) -> str:
    """Return what is wrong with a secret file, and the cure; "" if nothing is."""
    try:
        mode = path.stat().st_mode
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError:
        return f"the file {path} does not exist; write the secret into it, then: chmod 600 {path}"
    except OSError as error:
        return f"the file {path} cannot be read ({error.strerror}); give it to the user that runs ticketd"
    if stat.S_IMODE(mode) & 0o077:
        bits = f"{stat.S_IMODE(mode):04o}"
        return f"the file {path} can be read by other users (mode {bits}); do: chmod 600 {path}"
    return f"the file {path} is empty; write the secret into it" if empty else ""


def _secret_faults(data: dict[str, Any], folder: Path) -> Iterator[tuple[Location, str]]:
    """Yield what is wrong with the secrets; reads the raw tables, so that other faults hide none."""
    places = [(where, table, SECRET_KEYS) for where, table in _servers(data)]
    places += [(where, table, CLIENT_SECRET_KEYS) for where, table in _providers(data)]
    for where, table, keys in places:
        file, variable, credential = (table.get(key) for key in keys)
        path = str(folder / file) if isinstance(file, str) and file else ""
        fault = _secret_fault(keys, (path, str(variable or ""), str(credential or "")))
        if fault:
            yield (*where, fault[0]), fault[1]


def _oauth_faults(data: dict[str, Any]) -> Iterator[tuple[Location, str]]:
    """Yield the servers that are to be logged in to with a token which nobody gives them."""
    known = [where[1] for where, _ in _providers(data)]
    for where, server in _servers(data):
        name, auth = server.get("oauth") or "", server.get("auth", "password")
        if auth == "password" and name:
            yield (*where, "oauth"), 'oauth goes with auth = "xoauth2" or "oauthbearer"; write that too'
        elif auth in ("xoauth2", "oauthbearer"):
            yield from _source_faults(where, name, [str(k) for k in known])


def _source_faults(where: Location, name: object, known: list[str]) -> Iterator[tuple[Location, str]]:
    if importlib.util.find_spec("authlib") is None:
        yield (*where, "auth"), "tokens need the extra 'oauth'; do: pip install 'ticketd[oauth]'"
    if not known:
        yield (*where, "auth"), "there is nobody to give us tokens; write a section [oauth.NAME]"
    elif not name and len(known) > 1:
        yield (*where, "auth"), f'say whose tokens, as in oauth = "{known[0]}"; there are {", ".join(known)}'
    elif name and name not in known:
        yield (*where, "oauth"), f"there is no [oauth.{name}]{did_you_mean(str(name), known)}; write that section"


def _providers(data: dict[str, Any]) -> Iterator[tuple[Location, dict[str, Any]]]:
    sections = data.get("oauth")
    for name, section in sections.items() if isinstance(sections, dict) else ():
        if isinstance(section, dict):
            yield ("oauth", name), section


def _servers(data: dict[str, Any]) -> Iterator[tuple[Location, dict[str, Any]]]:
    boxes = data.get("mailbox")
    for number, box in enumerate(boxes if isinstance(boxes, list) else []):
        if isinstance(box, dict):
            yield ("mailbox", number), box
    if isinstance(data.get("smtp"), dict):
        yield ("smtp",), data["smtp"]


def _secret_fault(keys: tuple[str, str, str], places: tuple[str, str, str]) -> tuple[str, str] | None:
    """Return (key, what is wrong with the secret that it names), or None if it can be fetched."""
    file, variable, credential = places
    if file:
        what = secret_file_fault(Path(file))
        return (keys[0], what) if what else None
    if variable and not os.environ.get(variable):
        return (keys[1], f"the environment has no {variable}; set it, or use {keys[0]}")
    path = _credential(credential)
    if credential and (path is None or not path.is_file()):
        cure = f"add LoadCredential={credential}:/path/to/file to the unit"
        return (keys[2], f"systemd gives no credential {credential}; {cure}")
    return None


def _fetched(keys: tuple[str, str, str], places: tuple[str, str, str]) -> str:
    """Return the secret that lies in one of these places, "" where none is named; raise ConfigError if it is gone."""
    file, variable, credential = places
    if fault := _secret_fault(keys, places):
        raise ConfigError([Problem(file or fault[0], 0, fault[1])])
    if variable:
        return os.environ[variable]
    path = Path(file) if file else _credential(credential)
    return path.read_text("utf-8").rstrip("\r\n") if path else ""


def _name_faults(data: dict[str, Any]) -> Iterator[tuple[Location, str]]:
    seen: set[str] = set()
    for where, box in _servers(data):
        name = box.get("name") if where[0] == "mailbox" else None
        if isinstance(name, str) and name in seen:
            yield (*where, "name"), f"two mailboxes are called '{name}'; give this one a name of its own"
        seen |= {name} if isinstance(name, str) else set()


def _credential(name: str) -> Path | None:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(folder, name) if folder and name else None


# --- reading, and saying what is wrong ---


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigError([Problem(str(path), line, "is not UTF-8 here; save the file as UTF-8")]) from None
    except OSError as error:
        raise ConfigError([Problem(str(path), 0, f"cannot be read: {error.strerror}")]) from None


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, _, place = str(error).rpartition(" (at ")
        found = re.match(r"line (\d+)", place)
        line = int(found[1]) if found else text.count("\n") + 1
        cure = 'write it as key = "text", key = 1 or key = true, and each key once'
        raise ConfigError([Problem(str(path), line, f"is not TOML: {what[:1].lower()}{what[1:]}; {cure}")]) from None


def key_lines(text: str) -> dict[Location, int]:
    """Return the line of every table and key, by the path that pydantic names; tomllib keeps no lines."""
    lines: dict[Location, int] = {}
    table: Location = ()
    arrays: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[(\[)?\s*([^\]]+?)\s*\]", line):
            name = header[2].strip("\"'")
            arrays[name] = arrays.get(name, -1) + 1
            table = (name, arrays[name]) if header[1] else tuple(name.split("."))
            lines.setdefault(table, number)
            lines.setdefault(table[:1], number)
        elif key := re.match(r"\s*([\w\"'.-]+)\s*=", line):
            lines.setdefault((*table, *(part.strip("\"'") for part in key[1].split("."))), number)
    return lines


def line_of(lines: Mapping[Location, int], where: Location) -> int:
    """Return the line of this place, or of the nearest table around it; 1 where nothing is known."""
    while where and where not in lines:
        where = where[:-1]
    return lines.get(where, 1)


def _what(where: Location, detail: ErrorDetails, value: Any) -> str:
    """Return the complaint with its cure. Values are shown only for keys that cannot hold a secret."""
    if detail["type"] == "extra_forbidden":
        return _unknown(where)
    if detail["type"] == "missing":
        return _missing(where)
    if detail["type"] == "value_error" and (
        len(where) == 1 or where[-1:] in (SECRET_KEYS[-1:], CLIENT_SECRET_KEYS[-1:])
    ):
        return str(detail["ctx"]["error"])
    if len(where) == 1:
        return f"'{where[0]}' is a table; write [{where[0]}] on a line of its own and its keys below"
    name = next((part for part in reversed(where) if isinstance(part, str)), "")
    got = f", got {value!r}" if isinstance(value, str | int | float | bool) and _harmless(name) else ""
    message = str(detail.get("ctx", {}).get("error", "")) or _plain(detail)
    return f"'{name}': {message}{got}" if name else message


def _plain(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "literal_error":
        return f"write one of {context['expected'].replace(' or ', ', ')}"
    if kind in _BOUNDS:
        return f"write {_BOUNDS[kind]} {context[_BOUND_NAMES[kind]]:g}"
    wanted = next((text for start, text in _WANTED.items() if kind.startswith(start)), "")
    return f"write {wanted}" if wanted else detail["msg"]


_BOUNDS = {"greater_than": "a number over", "greater_than_equal": "at least", "less_than_equal": "at most"}
_BOUND_NAMES = {"greater_than": "gt", "greater_than_equal": "ge", "less_than_equal": "le"}
_WANTED = {
    "bool": "true or false",
    "int": "a whole number, without quotes",
    "float": "a number, without quotes",
    "string": 'a text in quotes: "…"',
    "tuple": 'a list in brackets: ["…", "…"]',
}


def _harmless(key: str) -> bool:
    return key not in {"url", *SECRET_KEYS} and not re.search(r"pass|secret|token(?!_endpoint)", key)


def _unknown(where: Location) -> str:
    name, table = str(where[-1]), _table_at(where[:-1])
    place = _bracketed(where[:-1])
    if name in {"password", "passwd", "pass", "pw"} and table and issubclass(table, ServerConfig):
        return f"{place} has no key '{name}': a password never stands here; write password_file = \"FILE\""
    known = list(table.model_fields) if table else []
    return f"{place} has no key '{name}'{did_you_mean(name, known) or '; it knows ' + ', '.join(known)}"


def _missing(where: Location) -> str:
    name, table = str(where[-1]), _table_at(where[:-1])
    if len(where) == 1:
        return f"there is no {_bracketed(where)}; write that line, and below it {_bracketed_keys(where)}"
    field = table.model_fields[name] if table else None
    example = json.dumps(field.examples[0], ensure_ascii=False) if field and field.examples else '"…"'
    return f"{_bracketed(where[:-1])} lacks '{name}'; write {name} = {example}"


def _bracketed_keys(where: Location) -> str:
    table = _table_at(where)
    return ", ".join(k for k, f in table.model_fields.items() if f.is_required()) if table else "its keys"


def _bracketed(where: Location) -> str:
    if not where:
        return "the file"
    if where[0] == "oauth":
        return f"[oauth.{where[1]}]" if len(where) > 1 else "[oauth.NAME]"
    return "[[mailbox]]" if where[0] == "mailbox" else f"[{where[0]}]"


TABLES: Mapping[str, type[Table]] = {
    "service": ServiceConfig,
    "mailbox": MailboxConfig,
    "smtp": SmtpConfig,
    "oauth": OAuthConfig,
    "database": DatabaseConfig,
    "paths": PathsConfig,
    "trust": TrustConfig,
    "limits": LimitsConfig,
}


def _table_at(where: Location) -> type[Table] | None:
    return TABLES.get(str(where[0])) if where else Config


def _value_at(data: Any, where: Location) -> Any:
    for part in where:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


# --- the file that `ticketd init` writes ---


def starter_config(
    *,
    name: str = "Example Support",
    address: str = "support@example.com",
    language: str = "zh",
    timezone: str = "Asia/Shanghai",
    imap: tuple[str, int, str] = ("127.0.0.1", 10143, "none"),
    smtp: tuple[str, int, str] = ("127.0.0.1", 10025, "none"),
    username: str = "support",
    password_file: str = "imap.password",
) -> str:
    """Return the text of a commented ticketd.toml; `imap` and `smtp` are (host, port, tls)."""
    values = {"name": name, "address": address, "language": language, "timezone": timezone}
    values |= {"username": username, "password_file": password_file}
    quoted = {key: json.dumps(value, ensure_ascii=False) for key, value in values.items()}
    places = {"imap_host": imap[0], "imap_tls": imap[2], "smtp_host": smtp[0], "smtp_tls": smtp[2]}
    quoted |= {key: json.dumps(value) for key, value in places.items()}
    return _STARTER.format(**quoted, imap_port=imap[1], smtp_port=smtp[1])


_STARTER = """\
# ticketd.toml: what this machine needs to know. What the process needs to know stands in rules/.
# After a change: ticketd check. Paths are relative to this file's folder. All keys: docs/configuration.md.

[service]
name = {name}
address = {address}
language = {language}                     # zh | en: for people whose own language is unknown
timezone = {timezone}
subject_tag = "INC"                 # tickets are called [INC-1], [INC-2] …
state_dir = "state"                 # the database and large mails; make backups of it
reply_addresses = "plus"            # "plus": support+token@…; "none": the token stands in the Message-ID only
secret_file = "secret"              # signs reply tokens; keep it, and keep it secret (mode 0600)
# operator_address = "root@example.com"      # who is told when ticketd itself is in trouble
# other_addresses = ["helpdesk@example.com"] # further addresses of ours

[[mailbox]]                         # one block for each mailbox
name = "support"
host = {imap_host}
port = {imap_port}
tls = {imap_tls}                        # implicit | starttls | none (this machine only)
username = {username}
password_file = {password_file}     # mode 0600; or password_env, or password_credential (systemd)
folder = "INBOX"
handled_folder = "Handled"
quarantine_folder = "Quarantine"
poll_seconds = 60
idle = true
first_run = "import"                # mail already there: import | import-quietly | ignore

[smtp]
host = {smtp_host}
port = {smtp_port}
tls = {smtp_tls}
# username = "support"
# password_file = "smtp.password"

[database]
url = "sqlite:///ticketd.db"        # relative to state_dir; or postgresql://user@host/name

[paths]
rules = "rules"
templates = "templates/email"

[trust]
authserv_ids = []                   # whose Authentication-Results we believe, as in ["mx.example.com"]
# received_by = ["imap.example.com", "mx.example.com"] # own servers that put a Received on top of it
# microsoft365 = true               # the mailboxes are at Microsoft 365
# check_dkim = true                 # check DKIM signatures ourselves; asks the DNS
"""
