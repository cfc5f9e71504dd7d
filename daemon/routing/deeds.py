"""From what stands under `then:` to Actions whose names exist: categories, teams, people, levels, roles, addresses.

What comes in: Items, the names met so far, and Complaints. What goes out: Actions; what is wrong is complained of,
never raised. This file alone knows which actions fit which mails, and which names each of them may use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from daemon.notify.envelope import is_address
from daemon.routing.actions import (
    Action,
    ActionError,
    AddWatchers,
    ForwardTo,
    NeedsApproval,
    Notify,
    OnReplies,
    SetField,
    UseTemplates,
    action_from,
)
from daemon.routing.items import Complaints, Item, Known, as_table, somebody
from daemon.words import LooksAt, bare_address

_ROLES = ("desk", "pm", "manager", "director", "sales", "duty")
_READERS = (*_ROLES, "lead", "team", "assignee", "assignee_or_team", "line2", "line3")


def actions_from(item: Item, looks_at: LooksAt, known: Known, bad: Complaints) -> Iterator[Action]:
    """Yield the actions of one rule; complain of those that such a rule cannot have."""
    for word, entry in as_table(item, bad, "'then'").items():
        try:
            action = action_from(word, entry.plain())
        except ActionError as error:
            bad.add(entry, str(error))
            continue
        if looks_at is not LooksAt.NEW and not isinstance(action, OnReplies):
            cure = "it may notify, tags, watchers and severity at least; write another rule for new mails"
            bad.add(entry, f"'{word}' is nothing that a rule with 'for: {looks_at}' can do; {cure}")
        yield _with_known_names(action, entry, known, bad)


def _with_known_names(action: Action, item: Item, known: Known, bad: Complaints) -> Action:
    """Return the action with aliases replaced by keys; complain of names that nobody has."""
    match action:
        case SetField("category" | "team" | "assignee" | "service level" as name, word):
            names = {
                "category": known.categories, "team": known.teams, "assignee": known.people,
                "service level": known.service_levels,
            }[name]  # fmt: skip
            return SetField(name, names.find(item, str(word), bad))
        case AddWatchers(watchers):
            return AddWatchers(tuple(_follower(w, item, known, bad) for w in watchers))
        case Notify(audience):
            return Notify(tuple(_reader(word, item, known, bad) for word in audience))
        case NeedsApproval(by):
            return NeedsApproval(somebody(item, by, _ROLES, known, bad))
        case ForwardTo(address, quietly):
            return ForwardTo(_address(address, item, bad), quietly)
        case UseTemplates(variants):
            _variants_named_after_them(variants, item, bad)
            return action
        case _:
            return action


def _reader(word: str, item: Item, known: Known, bad: Complaints) -> str:
    """Return whom this word under `notify` means: an address, a role, a hand of the ticket, a team or a person."""
    return _address(word, item, bad) if "@" in word else somebody(item, word, _READERS, known, bad)


def _follower(word: str, item: Item, known: Known, bad: Complaints) -> str:
    """Return who this word under `watchers` means: an address, or a person."""
    return _address(word, item, bad) if "@" in word else known.people.find(item, word, bad)


def _address(word: str, item: Item, bad: Complaints) -> str:
    if not is_address(word):
        bad.add(item, f"'{word}' is no address; write one, as in bills@example.com")
    return bare_address(word)


def _variants_named_after_them(variants: tuple[tuple[str, str], ...], item: Item, bad: Complaints) -> None:
    """Complain of variants that are not named after their template: their file would be taken for a mistake."""
    for name, variant in variants:
        if not variant.startswith(f"{name}_"):
            bad.add(item, f"a variant of '{name}' is named after it; call it '{name}_{variant}'")
        elif not re.fullmatch(r"[\w-]+", variant.removeprefix(f"{name}_")):
            cure = f"write letters, digits, _ and - only, as in {name}_vip"
            bad.add(item, f"'{variant}' cannot be the name of a file of templates; {cure}")
