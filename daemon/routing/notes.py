"""What stands in histories among the names of the rules that matched: which tool sent an alert, and what was not done.

What comes in: words. What goes out: a note, and whether a text is one. Nothing else makes such notes, so that nobody
takes one for the name of a rule.
"""

from __future__ import annotations

NOT_DONE = ": not done, "
NOTHING_DONE = ": nothing done, "
NO_PARENT = "there is none that is open"
NOT_FOR_THIS_ONE = "it is another customer's, whose news is not for this one"
_ALERT = "alert: "


def of_alert(name: str) -> str:
    """Return the note that a mail is an alert of this name."""
    return f"{_ALERT}{name}"


def not_done(what: str, why: str) -> str:
    """Return the note that one thing that a rule says was not done."""
    return f"{what}{NOT_DONE}{why}"


def nothing_done(names: str, why: str) -> str:
    """Return the note that rules matched and yet nothing was done."""
    return f"{names}{NOTHING_DONE}{why}"


def without_parent(wanted: str, why: str) -> str:
    """Return the note that a ticket was put under no parent; `why` is one of those above."""
    return f"{wanted}: {why}"


def is_note(text: str) -> bool:
    """Return whether this stands for no rule."""
    return text.startswith(_ALERT) or NOT_DONE in text or NOTHING_DONE in text or is_of_parent(text)


def is_of_parent(text: str) -> bool:
    """Return whether this note hangs on which other tickets were open just then."""
    return text.endswith((NO_PARENT, NOT_FOR_THIS_ONE))
