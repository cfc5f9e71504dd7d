"""The command line: what a person or a script types. Its groups `rules` and `oauth` are in cli_rules and
cli_oauth, the commands that keep it running in cli_ops, what they share in terminal: these five alone know click and
rich.

What comes in: arguments. What goes out: text, JSON and an exit status: 0 done, 1 problems found, 64 usage,
78 configuration.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import structlog
from click.core import ParameterSource

import daemon
from daemon import app, log, rota, simulation, timetable, views
from daemon.authority import MATRIX_HEAD, cells, matrix
from daemon.cli_oauth import oauth
from daemon.cli_ops import backup, doctor, outbox, restore_command, status
from daemon.cli_rules import rules
from daemon.clock import Clock
from daemon.config import Config, find_config, shipped, starter_config
from daemon.errors import ConfigError, TicketdError, did_you_mean
from daemon.explained import mail_lines, ticket_lines
from daemon.explaining import explain_mail, explain_ticket
from daemon.flow import Desk
from daemon.inspection import check_everything
from daemon.intake.as_json import letter_as_json
from daemon.intake.as_rows import letter_rows
from daemon.intake.letter import Letter, read_letter_file
from daemon.intake.reader import ReadsHere
from daemon.notify.envelope import new_key_line
from daemon.plain import iso
from daemon.reports.compile import compile_record, compile_report, known_customer, register_rows
from daemon.reports.facts import Heading
from daemon.reports.forms import RECORD_FORMS, REPORT_FORMS, TABLE_FORMS, record_in, register_in, report_in
from daemon.reports.period import PERIODS, period_of
from daemon.reports.record import Header
from daemon.routing.loader import load_items, load_rulebook
from daemon.store import Store
from daemon.terminal import (
    CONFIGURATION,
    OK,
    PROBLEMS,
    USAGE,
    config_of,
    day_of,
    in_words,
    indented,
    moment_of,
    put_line,
    put_lines,
    put_table,
    put_whole,
    safe,
)
from daemon.ticket import Ticket

_log = structlog.get_logger()
_NUMBER = click.IntRange(1, 2**31 - 1)
_OVERWRITTEN = (
    "ticketd: {} belongs to another distribution now (python-daemon?): "
    "install ticketd again, in a virtual environment of its own"
)


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit."""
    sys.exit(run_command(args))


def run_command(args: list[str] | None = None) -> int:
    """Run one command and return its exit status; every expected error becomes a plain sentence on stderr."""
    if getattr(daemon, "PRODUCT", "") != "ticketd":
        click.echo(_OVERWRITTEN.format(Path(daemon.__file__ or "").parent), err=True)
        return CONFIGURATION
    try:
        result = cli.main(args=args, prog_name="ticketd", standalone_mode=False)
    except click.exceptions.Abort:
        return PROBLEMS
    except click.ClickException as e:
        e.show()
        return USAGE
    except ConfigError as e:
        click.echo("\n".join(map(str, e.problems)), err=True)
        return CONFIGURATION
    except TicketdError as e:
        click.echo(f"ticketd: {e}", err=True)
        return PROBLEMS
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as e:  # of a file that somebody has named, or that is not as it should be
        _log.debug("command.failed", exc_info=True)
        click.echo(f"ticketd: {in_words(e)}", err=True)
        return PROBLEMS
    return result if isinstance(result, int) else OK


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", "config_path", default=None, metavar="FILE", help="The configuration file.")
@click.option("--log-level", default="info", type=click.Choice(["debug", "info", "warning", "error"]))
@click.version_option(getattr(daemon, "__version__", "?"), prog_name="ticketd")
@click.pass_context
def cli(ctx: click.Context, config_path: str | None, log_level: str) -> None:
    """An incident process that runs by mail.

    The configuration is --config FILE, else $TICKETD_CONFIG, ./ticketd.toml, /etc/ticketd/ticketd.toml.
    """
    log.configure(log_level, journal="JOURNAL_STREAM" in os.environ)
    ctx.obj = config_path


# --- setting up ---


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", default="Example Support", help="What the service is called in mails.")
@click.option("--address", default="support@example.com", help="The support address.")
@click.option("--language", default="zh", type=click.Choice(["zh", "en"]), help="For people whose own is unknown.")
@click.option("--timezone", default="Asia/Shanghai", help="The service's time zone (IANA name).")
def init(folder: Path, name: str, address: str, language: str, timezone: str) -> int:
    """Make FOLDER ready: ticketd.toml, a secret, the starter rules and templates. Nothing is overwritten."""
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    text = starter_config(name=name, address=address, language=language, timezone=timezone)
    made += _write_new(folder / "ticketd.toml", text, 0o644)
    made += _write_new(folder / "secret", new_key_line(secrets.token_bytes(32)) + "\n", 0o600)
    made += _copy_new(shipped("rules"), folder / "rules")
    made += _copy_new(shipped("templates"), folder / "templates")
    (folder / "state").mkdir(mode=0o700, exist_ok=True)
    for path in made:
        click.echo(f"made {path}")
    click.echo(f"""
Next:
  1. put the mailbox's password into {folder}/imap.password and make it yours alone:
     chmod 600 {folder}/imap.password
  2. name your servers in {folder}/ticketd.toml, your people in {folder}/rules/people.yaml,
     your customers in {folder}/rules/customers.yaml
  3. ticketd --config {folder}/ticketd.toml check
  4. ticketd --config {folder}/ticketd.toml run""")
    return OK


@cli.command("new-key")
@click.argument("letter", default="b")
def new_key(letter: str) -> int:
    """Print a new line for the secret file. Put it on top: new tokens use it, and the older keys stay valid below."""
    if not re.fullmatch("[a-z]", letter):
        raise click.UsageError("a key is called by one letter, a to z, that the secret file does not have yet")
    click.echo(new_key_line(secrets.token_bytes(32), letter))
    return OK


def _write_new(path: Path, text: str, mode: int) -> list[Path]:
    if path.exists():
        click.echo(f"kept {path}")
        return []
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
    return [path]


def _copy_new(source: Path, target: Path) -> list[Path]:
    if target.exists():
        click.echo(f"kept {target}")
        return []
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    return [target]


@cli.command()
@click.pass_context
def check(ctx: click.Context) -> int:
    """Read the configuration, the rules and the templates, and name everything that is wrong, all at once."""
    errors, warnings = check_everything(find_config(ctx.obj, os.environ), Clock().now().date())
    for problem in (*errors, *warnings):
        click.echo(str(problem))
    if errors:
        click.echo(f"{len(errors)} problem{'s' if len(errors) > 1 else ''}", err=True)
        return PROBLEMS
    click.echo("all is well" if not warnings else f"it works; {len(warnings)} remarks")
    return OK


@cli.command()
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON array: every cell by itself.")
@click.pass_context
def authority(ctx: click.Context, as_json: bool) -> int:
    """Print whose commands are carried out: every case of rules/authority.yaml."""
    permits = load_rulebook(Path(config_of(ctx).paths.rules)).permits
    if as_json:
        put_whole([views.cell_data(*cell) for cell in cells(permits)])
    else:
        put_table(MATRIX_HEAD, matrix(permits))
    return OK


# --- running ---


@cli.command()
@click.option("--once", is_flag=True, default=False, help="Do one full round and exit.")
@click.option("--as-of", default=None, metavar="TIME", help="Let the clock stand at this ISO 8601 time (with --once).")
@click.pass_context
def run(ctx: click.Context, once: bool, as_of: str | None) -> int:
    """Run in the foreground until told to stop, or do one round."""
    if as_of and not once:
        raise click.UsageError("--as-of goes with --once: a running daemon keeps real time")
    moment = moment_of(as_of) if as_of else None
    config = config_of(ctx, servers=True)
    return app.run_once(config, moment) if once else app.run_forever(config)


# --- reading and explaining ---

_AS_OF = click.option("--as-of", default=None, metavar="TIME", help="As if it were this ISO 8601 time.")


@cli.command()
@click.argument("mails", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON object a line.")
@click.option("--all", "everything", is_flag=True, default=False, help="All that was quoted, not only its beginning.")
def read(mails: tuple[str, ...], as_json: bool, everything: bool) -> int:
    """Show what ticketd understands of these mail files. Needs no configuration."""
    bad = 0
    for path in mails:
        try:
            letter = _letter_at(path)
        except OSError as e:
            bad += 1
            _unreadable(path, e, as_json)
            continue
        if as_json:
            put_line(letter_as_json(letter, path))
        else:
            _show_letter(letter, path, everything=everything)
    return PROBLEMS if bad else OK


def _letter_at(path: str, *, signatures: bool = False) -> Letter:
    with Path(path).open("rb"):  # read_letter_file never raises: ask here whether there is anything to read
        return read_letter_file(path, signatures=signatures)


def _unreadable(path: str, error: OSError, as_json: bool) -> None:
    what = error.strerror or str(error)
    if as_json:
        put_line({"path": path, "error": what})
    else:
        click.echo(f"{path}: {what}", err=True)


@cli.command()
@click.argument("mails", nargs=-1)
@click.option("--ticket", "number", default=None, type=_NUMBER, metavar="N",
              help="Instead of MAILS: the mail that opened this ticket, by the rules of then and of now.")  # fmt: skip
@click.option("--mailbox", default="", help="The mailbox that the mail would come into (default: the first).")
@click.option("--brief", is_flag=True, default=False, help="Only the rules that matched.")
@click.option("--mails", "words", is_flag=True, default=False, help="The mails that would go out, in full.")
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON object a line.")
@_AS_OF
@click.pass_context
def explain(
    ctx: click.Context, mails: tuple[str, ...], number: int | None, mailbox: str, brief: bool, words: bool,
    as_json: bool, as_of: str | None,
) -> int:  # fmt: skip
    """Say what would happen to these mails and why, rule by rule; nothing is changed and nothing is sent."""
    if (number is None) != bool(mails):
        raise click.UsageError("name the files of mails, or a ticket: --ticket 12")
    config = config_of(ctx)
    into = _mailbox_called(mailbox, config)
    desk = app.open_desk(config, Clock(moment_of(as_of) if as_of else None))
    with contextlib.closing(desk.store):
        if number is not None:
            told = explain_ticket(number, desk)
            put_line(told) if as_json else put_lines(ticket_lines(told, brief=brief))
            return OK
        well = [_explain(path, into, desk, as_json=as_json, brief=brief, words=words) for path in mails]
    return OK if all(well) else PROBLEMS


def _mailbox_called(name: str, config: Config) -> str:
    """Return the name of a mailbox of the configuration, of the first one where none is said."""
    known = [mailbox.name for mailbox in config.mailbox]
    if name and name not in known:
        cure = did_you_mean(name, known) or f"; there are {', '.join(known)}"
        raise click.UsageError(f"no [[mailbox]] is called '{name}'{cure}")
    return name or known[0]


def _explain(path: str, mailbox: str, desk: Desk, *, as_json: bool, brief: bool, words: bool) -> bool:
    try:
        letter = _letter_at(path, signatures=desk.signers is not None)
    except OSError as e:
        _unreadable(path, e, as_json)
        return False
    said = explain_mail(letter, path, mailbox, desk)
    put_line(said) if as_json else put_lines(mail_lines(said, brief=brief, words=words))
    return True


# --- tickets ---


@cli.group()
def ticket() -> None:
    """Look at tickets."""


@ticket.command("list")
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON array.")
@click.pass_context
def ticket_list(ctx: click.Context, as_json: bool) -> int:
    """List every ticket."""
    config = config_of(ctx)
    store, zone = app.open_store(config), ZoneInfo(config.service.timezone)
    lines = [views.ticket_line(t, zone) for t in store.register.tickets()]
    store.close()
    if as_json:
        click.echo(json.dumps(lines, ensure_ascii=False, indent=1))
        return OK
    put_table(
        ("number", "state", "sev", "category", "team", "assignee", "resolve by", "subject"),
        [
            (t["number"], t["state"], t["severity"], t["category"], t["team"], t["assignee"],
             t["resolve_by"] or "", t["subject"])
            for t in lines
        ],
    )  # fmt: skip
    return OK


@ticket.command("show")
@click.argument("number", type=_NUMBER)
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON object.")
@click.pass_context
def ticket_show(ctx: click.Context, number: int, as_json: bool) -> int:
    """Show one ticket with its messages, events and notices."""
    whole = _ticket(ctx, number)
    if as_json:
        click.echo(json.dumps(whole, ensure_ascii=False, indent=1))
    else:
        _show_ticket(whole)
    return OK


@ticket.command("history")
@click.argument("number", type=_NUMBER)
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON array.")
@click.pass_context
def ticket_history(ctx: click.Context, number: int, as_json: bool) -> int:
    """Show everything that happened to one ticket, and from which mail."""
    whole = _ticket(ctx, number)
    if as_json:
        click.echo(json.dumps(whole["events"], ensure_ascii=False, indent=1))
    else:
        _show_history(whole["events"])
    return OK


_LANGUAGE = click.option("--lang", default="en", type=click.Choice(timetable.LANGUAGES), help="The words' language.")


@ticket.command("why")
@click.argument("number", type=_NUMBER)
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON object.")
@_LANGUAGE
@_AS_OF
@click.pass_context
def ticket_why(ctx: click.Context, number: int, as_json: bool, lang: str, as_of: str | None) -> int:
    """Say of each clock of one ticket what is promised, when it ran and stood still, and why it is due then."""
    config = config_of(ctx)
    desk, now = app.open_desk(config, Clock()), moment_of(as_of) if as_of else Clock().now()
    zone = ZoneInfo(config.service.timezone)
    found, history = _known_ticket(desk.store, number), desk.store.register.events(number)
    desk.store.close()
    stories = timetable.clock_stories(found, history, desk.rulebook, zone.key, now)
    if as_json:
        clocks = timetable.why_data(stories, zone)
        put_whole({"number": number, "subject": found.subject, "state": str(found.state), "clocks": clocks})
        return OK
    click.echo(safe(f"{number}  {found.subject}"))
    for line in timetable.why_lines(stories, zone, lang, now):
        click.echo(safe(line))
    return OK


def _known_ticket(store: Store, number: int) -> Ticket:
    found = store.register.ticket(number)
    if found is None:
        store.close()
        raise TicketdError(f"there is no ticket {number}")
    return found


@cli.command("rota")
@click.argument("team", default="")
@click.option("--weeks", default=4, type=click.IntRange(1, 104), help="How far to look ahead (default: 4).")
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON array.")
@_LANGUAGE
@_AS_OF
@click.pass_context
def rota_command(ctx: click.Context, team: str, weeks: int, as_json: bool, lang: str, as_of: str | None) -> int:
    """Show who is on call in the coming weeks, and why; of TEAM, or of every team that has a rota."""
    config = config_of(ctx)
    book, now = load_rulebook(Path(config.paths.rules)), moment_of(as_of) if as_of else Clock().now()
    if team and team not in book.rota:
        raise TicketdError(f"there is no rota of a team '{team}' in rota.yaml{did_you_mean(team, book.rota)}")
    zone = ZoneInfo(config.service.timezone)
    found = {
        key: list(rota.stretches(one, book.people, zone.key, now, weeks))
        for key, one in book.rota.items()
        if team in ("", key)
    }
    if as_json:
        said = [rota.rota_data(key, s, book.people, zone) for key, s in found.items()]
        click.echo(json.dumps(said, ensure_ascii=False, indent=1))
        return OK
    rows = [row for key, s in found.items() for row in rota.rota_rows(key, s, book.people, zone, lang)]
    put_table(rota.rota_heads(lang), rows)
    return OK


@cli.group("timetable")
def timetable_group() -> None:
    """Look ahead: who will hear what, and when."""


@timetable_group.command("preview")
@click.argument("number", type=_NUMBER)
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON object.")
@_LANGUAGE
@_AS_OF
@click.pass_context
def timetable_preview(ctx: click.Context, number: int, as_json: bool, lang: str, as_of: str | None) -> int:
    """Show who will get what, and when, about one ticket if nobody does anything. Nothing is sent."""
    config = config_of(ctx)
    desk, now = app.open_desk(config, Clock()), moment_of(as_of) if as_of else Clock().now()
    zone = ZoneInfo(config.service.timezone)
    found = _known_ticket(desk.store, number)
    desk.store.close()
    coming = timetable.preview(found, desk.rulebook, desk.service, now)
    if as_json:
        put_whole({"number": number, "subject": found.subject, "coming": timetable.preview_data(coming, zone)})
        return OK
    heads = timetable.preview_heads(lang)
    put_table(heads, timetable.preview_rows(coming, zone, lang))
    return OK


@timetable_group.command("simulate")
@click.option(
    "--from", "since", default=None, metavar="DATE", help="The first day (default: before the next holidays)."
)
@click.option("--days", default=None, type=click.IntRange(1, simulation.MOST_DAYS), help="How many days.")
@click.option(
    "--incidents",
    "file",
    default=None,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A YAML file of incidents (default: one of each severity, at telling hours).",
)
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON object.")
@_LANGUAGE
@click.pass_context
def timetable_simulate(
    ctx: click.Context, since: str | None, days: int | None, file: Path | None, as_json: bool, lang: str
) -> int:
    """Play some days against your rules: who would get which mail, and when. Needs no database; nothing is sent."""
    config, now = config_of(ctx), Clock().now()
    zone = ZoneInfo(config.service.timezone)
    rulebook, service = load_rulebook(Path(config.paths.rules)), app.service_of(config)
    begins = day_of(since) if since else None
    calendar = rulebook.calendar_of("")
    first, last = simulation.days_to_play(calendar, now.astimezone(zone).date(), begins, days)
    reading = partial(simulation.incidents_from, zone=zone.key)
    found = load_items(file, reading) if file else simulation.sample_incidents(rulebook, zone.key, first, last)
    played = simulation.simulate(found, rulebook, service, first, last)
    if as_json:
        put_whole(simulation.simulation_data(played, zone))
        return OK
    for line in simulation.simulation_lines(played, zone, lang):
        click.echo(safe(line))
    return OK


def _ticket(ctx: click.Context, number: int) -> dict[str, Any]:
    config = config_of(ctx)
    store = app.open_store(config)
    found = store.register.ticket(number)
    if found is None:
        store.close()
        raise TicketdError(f"there is no ticket {number}")
    whole = views.ticket_whole(found, store, ZoneInfo(config.service.timezone))
    store.close()
    return whole


@ticket.command("report")
@click.argument("number", type=_NUMBER)
@click.option("--format", "form", default="text", type=click.Choice(RECORD_FORMS))
@click.option("--language", default="", help="zh, en … (default: the service's).")
@click.option("--internal", is_flag=True, default=False, help="With the words that are for colleagues only.")
@click.option("--out", default=None, type=click.Path(path_type=Path), help="Write to this file.")
@click.pass_context
def ticket_report(ctx: click.Context, number: int, form: str, language: str, internal: bool, out: Path | None) -> int:
    """Put out the record of one ticket with its whole history, in words."""
    config = config_of(ctx)
    store, wording = app.open_store(config), app.wording(config, language)
    found = store.register.ticket(number)
    if found is None:
        store.close()
        raise TicketdError(f"there is no ticket {number}")
    header = Header(service=config.service.name, tag=config.service.subject_tag, made_at=Clock().now())
    content = record_in(form, compile_record(store, wording, found, header, internal=internal), wording)
    store.close()
    _put_out(content, out, text=form == "text")
    return OK


# --- reports ---


@cli.command()
@click.option("--period", default="", help=f"{PERIODS} (default: this month).")
@click.option(
    "--customer",
    "customers",
    multiple=True,
    metavar="CUSTOMER",
    help="Only this customer (a key or name of customers.yaml; none: no customer). May be given several times.",
)
@click.option("--format", "form", default="text", type=click.Choice(REPORT_FORMS))
@click.option("--language", default="", help="zh, en … (default: the service's).")
@click.option("--numbers", is_flag=True, default=False, help="The tickets behind each figure (text and html).")
@click.option("--out", default=None, type=click.Path(path_type=Path), help="Write to this file.")
@click.pass_context
def report(
    ctx: click.Context,
    period: str,
    customers: tuple[str, ...],
    form: str,
    language: str,
    numbers: bool,
    out: Path | None,
) -> int:
    """Count the KPIs of a period."""
    config, now = config_of(ctx), Clock().now()
    span = period_of(period, config.service.timezone, now)
    wording = app.wording(config, language)
    whose = tuple(known_customer(word, wording.rulebook) for word in customers if word)
    store = app.open_store(config)
    heading = Heading(service=config.service.name, customers=whose, made_at=now)
    content, remark = report_in(form, compile_report(store, wording, span, heading), wording, numbers=numbers)
    store.close()
    _put_out(content, out, text=form == "text")
    if remark:
        click.echo(remark, err=True)
    return OK


@cli.command()
@click.option("--period", default="", help="Only what was reported then, as in `ticketd report` (default: all).")
@click.option("--format", "form", default="csv", type=click.Choice(TABLE_FORMS))
@click.option("--language", default="", help="zh, en … (default: the service's).")
@click.option("--out", default=None, type=click.Path(path_type=Path), help="Write to this file.")
@click.pass_context
def register(ctx: click.Context, period: str, form: str, language: str, out: Path | None) -> int:
    """Put out the register: a row for each ticket, with every field of its record."""
    config = config_of(ctx)
    span = period_of(period, config.service.timezone, Clock().now()) if period else None
    store, wording = app.open_store(config), app.wording(config, language)
    content = register_in(form, register_rows(store, wording, span), wording)
    store.close()
    _put_out(content, out)
    return OK


def _put_out(content: bytes, out: Path | None, *, text: bool = False) -> None:
    """Write a report to its file, whole or not at all, or to standard output."""
    if out is not None:
        unfinished = out.with_name(f".{out.name}.new")
        try:
            unfinished.write_bytes(content)
            unfinished.replace(out)
        except OSError as e:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise TicketdError(f"{out} cannot be written: {e.strerror}") from e
        click.echo(f"wrote {out}", err=True)
    elif text:
        click.echo(safe(content.decode()), nl=False)
    elif content[:2] == b"PK" and sys.stdout.isatty():
        raise click.UsageError("a workbook is not for the screen: add --out FILE")
    else:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()


@cli.command()
@click.pass_context
def rebuild(ctx: click.Context) -> int:
    """Draw every ticket anew from its events, and say which ones differed."""
    store = app.open_store(config_of(ctx))
    differed = store.register.rebuild()
    store.close()
    click.echo(f"redrawn; {len(differed)} differed{': ' + ', '.join(map(str, differed)) if differed else ''}")
    return OK


# --- quarantine ---


@cli.group()
def quarantine() -> None:
    """Mails that were set aside: look at them, hand them back, or give them up."""


@quarantine.command("list")
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON array.")
@click.pass_context
def quarantine_list(ctx: click.Context, as_json: bool) -> int:
    """List the mails in quarantine and why they are there."""
    config = config_of(ctx)
    store, zone = app.open_store(config), ZoneInfo(config.service.timezone)
    rows = [{**q, "received_at": iso(q["received_at"], zone)} for q in store.ledger.quarantined()]
    store.close()
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
    else:
        put_table(("id", "mailbox", "uid", "received_at", "size", "reason"), [tuple(r.values()) for r in rows])
    return OK


@quarantine.command("show")
@click.argument("mail", type=_NUMBER)
@click.option("--raw", is_flag=True, default=False, help="The bytes as they came.")
@click.pass_context
def quarantine_show(ctx: click.Context, mail: int, raw: bool) -> int:
    """Show one mail in quarantine, as understood or as it came."""
    store = app.open_store(config_of(ctx))
    kept = store.ledger.get(mail)
    store.close()
    if kept is None:
        raise TicketdError(f"there is no mail {mail}")
    if raw:
        sys.stdout.buffer.write(Path(kept.path).read_bytes() if kept.content is None else kept.content)
    else:
        _show_letter(ReadsHere().letter(kept), f"mail {mail}")
    return OK


@quarantine.command("release")
@click.argument("mails", nargs=-1, required=True, type=_NUMBER)
@click.pass_context
def quarantine_release(ctx: click.Context, mails: tuple[int, ...]) -> int:
    """Hand mails back: the next round handles them as if they had just come."""
    return _each(ctx, mails, lambda store, mail: store.ledger.release(mail), "released")


@quarantine.command("drop")
@click.argument("mails", nargs=-1, required=True, type=_NUMBER)
@click.option("--reason", default="dropped by the operator", help="Why; it is kept.")
@click.pass_context
def quarantine_drop(ctx: click.Context, mails: tuple[int, ...], reason: str) -> int:
    """Give mails up for good. Their bytes and the reason are kept."""
    return _each(ctx, mails, lambda store, mail: store.ledger.drop(mail, reason), "dropped")


def _each(ctx: click.Context, mails: Iterable[int], deed: Callable[[Store, int], bool], done: str) -> int:
    store, missing = app.open_store(config_of(ctx)), 0
    for mail in mails:
        if deed(store, mail):
            click.echo(f"mail {mail} {done}")
        else:
            missing += 1
            click.echo(f"mail {mail} is not in quarantine", err=True)
    store.close()
    return PROBLEMS if missing else OK


cli.add_command(rules)
cli.add_command(oauth)
for _command in (status, doctor, backup, restore_command, outbox):
    cli.add_command(_command)


# --- showing things to a person ---


_REST = 12  # lines of what is not the sender's own


def _show_letter(letter: Letter, path: str, *, everything: bool = False) -> None:
    put_table(("", ""), letter_rows(letter, path))
    said = letter.new_text or ("" if letter.quoted_text else letter.text)
    click.echo(f"\nthe sender's new words:\n{indented(said)}")
    rest = letter.quoted_text.splitlines()
    if rest:
        shown = rest if everything else rest[:_REST]
        click.echo(f"\nthe rest (quoted, signed or added by programs):\n{indented(chr(10).join(shown))}")
        if len(rest) > len(shown):
            click.echo(f"  … and {len(rest) - len(shown)} lines more: ticketd read --all")
    click.echo()


_LISTED = ("tags", "participants", "watchers", "error_codes", "attachments")


def _show_ticket(whole: dict[str, Any]) -> None:
    plain = [(k, str(v)) for k, v in whole.items() if not isinstance(v, list | dict) and v not in (None, "")]
    plain += [(k, ", ".join(map(str, v))) for k, v in whole.items() if k in _LISTED and v]
    plain += [("links", ", ".join(f"{x['kind']} {x['ticket']}" for x in whole["links"]))] if whole["links"] else []
    put_table(("", ""), plain)
    for m in whole["messages"]:
        arrow = "→" if m["direction"] == "out" else "←"
        who = ", ".join(m["to"]) if m["direction"] == "out" else m["from"]
        kind = m.get("template", m["visibility"])
        click.echo(f"\n{m['at']} {arrow} {safe(who)} ({kind})\n{indented(m['text'])}")
    click.echo()
    _show_history(whole["events"])
    put_table(
        ("notice to", "template", "state", "attempts", "reply"),
        [(n["to"], n["template"], n["state"], n["attempts"], n["last_reply"]) for n in whole["notices"]],
    )


def _show_history(events: Iterable[dict[str, Any]]) -> None:
    rows = [(e["seq"], e["at"], e["kind"], e["cause"], json.dumps(e["data"], ensure_ascii=False)) for e in events]
    put_table(("seq", "at", "what", "cause", "details"), rows)


@cli.command()
@click.option("--out", default="demo-out", type=click.Path(path_type=Path), help="Where the mails and the page go.")
@click.option(
    "--serve", is_flag=True, default=False, help="Keep the servers up afterwards, to look with a mail client."
)
@click.option("--quick", is_flag=True, default=False, help="Do not pause between the scenes.")
@click.pass_context
def demo(ctx: click.Context, out: Path, serve: bool, quick: bool) -> int:
    """Play a day at a service desk, with an IMAP and an SMTP server of its own (needs the extra "demo")."""
    from daemon.demo import play

    given = ctx.parent.get_parameter_source("log_level") if ctx.parent else None
    if given is not ParameterSource.COMMANDLINE:
        log.configure("error")  # the log would stand between the lines of the story
    return play(out, serve=serve, quick=quick, say=click.echo)


if __name__ == "__main__":
    main()
