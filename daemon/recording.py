"""Filling in the record and putting it right: who is affected, where, by what, how to reach them (procedure §2).

What comes in: a keyword's argument, the Ticket, who writes. What goes out: Corrected events with the old value and the
new one, or a Refusal. This file alone knows which field each of these keywords writes to, and how the words are read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from daemon.actors import Actor, Refusal
from daemon.events import Corrected, Event
from daemon.figures import figure_in
from daemon.intake.arguments import customer_in, customer_near, first_word
from daemon.ticket import Ticket, in_words
from daemon.words import Verb

_LONGEST = 500
_BETWEEN = re.compile(r"[\s,，、;；]+")

Reads = Callable[[str, Actor], str | Refusal]


def recorded(verb: Verb, argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    """Return the correction that this keyword makes, none where it says what stands there already."""
    field, reads = RECORDS[verb]
    new = reads(argument.strip(), actor)
    if isinstance(new, Refusal):
        return new
    old = in_words(ticket, field)
    return (Corrected(field=field, old=old, new=new, by=actor.name),) if old != new else ()


def _text(argument: str, _: Actor) -> str | Refusal:
    return argument[:_LONGEST] if argument else Refusal(code="needs_text")


def _codes(argument: str, _: Actor) -> str | Refusal:
    codes = [c for c in _BETWEEN.split(argument[:_LONGEST]) if c]
    return ", ".join(dict.fromkeys(codes)) if codes else Refusal(code="needs_text")


def _count(argument: str, _: Actor) -> str | Refusal:
    """Return how many customers are affected: 1200, 1,200, 1.2万, 3k; words such as 户 may follow."""
    count = figure_in(argument)
    return Refusal(code="needs_number") if count is None else str(count)


def _customer(argument: str, actor: Actor) -> str | Refusal:
    if not argument:
        return Refusal(code="needs_text")
    found = customer_in(argument, actor.rulebook)
    if found is not None:
        return found.key
    word = first_word(argument)[0]
    return Refusal(code="no_such_customer", detail=word, near=customer_near(word, actor.rulebook))


RECORDS: Mapping[Verb, tuple[str, Reads]] = {
    Verb.USER: ("user", _text),
    Verb.CONTACT: ("contact", _text),
    Verb.PLACE: ("place", _text),
    Verb.REGION: ("region", _text),
    Verb.SYMPTOM: ("symptom", _text),
    Verb.SERVICE: ("service", _text),
    Verb.CODE: ("error_codes", _codes),
    Verb.AFFECTED: ("affected", _count),
    Verb.CUSTOMER: ("customer", _customer),
}
"""Keyword → the field of the Ticket that it writes to, and how its argument is read."""
