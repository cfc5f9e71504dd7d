"""Looking without touching: `check` over all files.

What comes in: a path to the configuration. What goes out: Problems. Nothing is written, and nothing is sent.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from daemon.app import read_keys, service_of
from daemon.config import Config, key_lines, line_of, load_config, places_named, shipped
from daemon.errors import ConfigError, Problem
from daemon.notify.render import check_templates
from daemon.proving import STAND_IN, try_rules
from daemon.routing.check import WARNING, check_addresses, is_warning
from daemon.rulebook import Rulebook


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
        problems += _nobody_to_believe(path, config, tried.rulebook)
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


def _nobody_to_believe(path: Path, config: Config, rulebook: Rulebook) -> list[Problem]:
    """Remark that forged senders are told by the reply token alone, where there are people who may command."""
    trust = config.trust
    if not rulebook.people or trust.authserv_ids or trust.microsoft365 or trust.check_dkim:
        return []
    what = (
        "people.yaml has people who may command, and only the reply token tells them from somebody who writes their "
        "address into From; name your mail server in [trust] authserv_ids, or write check_dkim = true: docs/security.md"
    )
    line = line_of(key_lines(path.read_text("utf-8-sig")), ("trust", "authserv_ids"))
    return [Problem(str(path), line, WARNING + what)]


def _secret_problems(secret: Path) -> list[Problem]:
    try:
        read_keys(secret)
    except ConfigError as e:
        return list(e.problems)
    return []
