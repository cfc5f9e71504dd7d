"""Looking without touching: `check` over all files, and `explain` for a mail by the same judgement as the live path.

What comes in: a path to the configuration, or a letter and an open Desk. What goes out: Problems, or an explanation.
Nothing is written, and nothing is sent.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from daemon.app import read_keys, service_of
from daemon.config import Config, load_config, places_named, shipped
from daemon.decide import Decision, facts_for_rules
from daemon.errors import ConfigError, Problem
from daemon.flow import Desk, judge, scene_for, scene_of
from daemon.intake.letter import Letter
from daemon.intake.understand import Alerted, FollowUp, Known, NewIncident
from daemon.notify.notice import Notice
from daemon.notify.notices import choose_notices, passed_on_notices, transcript_notice
from daemon.notify.render import check_templates
from daemon.notify.together import one_for_each_reader
from daemon.proving import STAND_IN, try_rules
from daemon.routing.check import check_addresses, is_warning
from daemon.routing.traces import explain_routing
from daemon.rulebook import Rulebook
from daemon.store import KeptMail
from daemon.views import explanation


def check_everything(path: Path, today: date | None = None) -> tuple[list[Problem], list[Problem]]:
    """Return every error and every remark about the configuration, the rules and the templates.

    Whether the calendars know the holidays is judged by `today`. A configuration with errors does not keep the other
    files from being read.
    """
    problems: list[Problem] = []
    config = _config(path, problems)
    rules, templates, secret, zone = _places(path, config)
    tried = try_rules(rules, templates, today, service_of(config) if config else STAND_IN)
    problems += tried.problems
    problems += check_templates(templates, shipped("templates") / "email", zone)
    problems += _secret_problems(secret)
    if config is not None:
        problems += _own_addresses(config, tried.rulebook, rules)
    unique = sorted(set(problems))
    return [p for p in unique if not is_warning(p)], [p for p in unique if is_warning(p)]


def _config(path: Path, problems: list[Problem]) -> Config | None:
    try:
        return load_config(path)
    except ConfigError as e:
        problems += e.problems
        return None


def _places(path: Path, config: Config | None) -> tuple[Path, Path, Path, str]:
    """Return where rules, templates and the secret are, and the zone, even if the configuration has errors."""
    if config is None:
        return *places_named(path), "UTC"
    paths, service = config.paths, config.service
    return Path(paths.rules), Path(paths.templates), Path(service.secret_file), service.timezone


def _own_addresses(config: Config, rulebook: Rulebook, rules: Path) -> list[Problem]:
    """Return whoever would be written to at an address of ours."""
    service = service_of(config)
    problems = check_addresses(rulebook, service.owns, str(rules))
    operator = config.service.operator_address
    if operator and service.owns(operator):
        what = f"[service] operator_address is our own address {operator}; write one that a person reads"
        problems.append(Problem("ticketd.toml", 0, what))
    return problems


def _secret_problems(secret: Path) -> list[Problem]:
    try:
        read_keys(secret)
    except ConfigError as e:
        return list(e.problems)
    return []


def explain_mail(letter: Letter, path: str, mailbox: str, desk: Desk) -> dict[str, Any]:
    """Return what would happen to this letter now, and why, as plain data."""
    now = desk.clock.now()
    mail = _as_if_kept(letter, mailbox, desk)
    known, intent, decision = judge(mail, letter, desk, now)
    on_ticket = isinstance(intent, FollowUp)
    asked_rules = on_ticket or isinstance(intent, NewIncident | Alerted)
    facts = facts_for_rules(letter, known, desk.rulebook, desk.service, now, on_ticket=on_ticket)
    traces = explain_routing(facts, desk.rulebook) if asked_rules else []
    return explanation(letter, path, known, intent, decision, traces, _notices(letter, known, decision, desk))


def _as_if_kept(letter: Letter, mailbox: str, desk: Desk) -> KeptMail:
    digest = letter.sha256 or hashlib.sha256(b"").hexdigest()
    return KeptMail(
        id=0, mailbox=mailbox, uidvalidity=0, uid=0, received_at=desk.clock.now(), size=letter.size, sha256=digest,
        attempts=0, quiet=False, content=b"", path="",
    )  # fmt: skip


def _notices(letter: Letter, known: Known, decision: Decision, desk: Desk) -> list[Notice]:
    scene = replace(scene_for(letter, known, decision, desk), now=desk.clock.now())
    each = one_for_each_reader(choose_notices(c, scene_of(c, scene, desk)) for c in decision.changes)
    chosen = [n for notices in each for n in notices]
    concerned = decision.changes[0].now if decision.changes else known.ticket
    language = desk.service.language
    answers = transcript_notice(decision, concerned, language, scene)
    return [*chosen, *answers, *passed_on_notices(decision, language, scene)]
