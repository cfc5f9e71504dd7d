"""When not to answer by ourselves: the one gate for every automatic answer (RFC 3834).

What comes in: the letter that would be answered and what its sender caused lately. What goes out: "" to answer, else
the reason for silence. Silence withholds only our own reaction: the mail is kept and people are told all the same.
"""

from __future__ import annotations

from daemon.intake.letter import Letter
from daemon.intake.understand import Known, can_be_answered
from daemon.service import Service
from daemon.words import PROVED, Nature, Proof

# People who work by mail give many commands an hour on one ticket, and each is answered.
_STAFF_FACTOR = 5
_COLLEAGUES_WORDS = 3
_REQUESTERS_WORDS = 12


def may_answer(letter: Letter, known: Known, service: Service, *, commanded: bool = False) -> str:
    """Return why this letter gets no automatic answer, or "" if it may have one.

    `commanded`: it holds keywords, which a proved sender is always answered, up to the cap for an hour.
    """
    address = known.sender.address
    if known.quiet:
        return "imported quietly"
    if letter.nature is not Nature.HUMAN:
        return f"{letter.nature} mail is not answered ({letter.nature_reason})"
    if known.late:
        return "found more than a day after it arrived"
    if "@" not in address:
        return "no address to answer to"
    if service.owns(address):
        return "it comes from an address of our own"
    if known.proof is Proof.FAILED:
        return known.proof_why
    ordered = commanded and known.proof in PROVED
    return _unwanted(letter, ordered=ordered) or _too_many(known, service, commanded=commanded)


def _unwanted(letter: Letter, *, ordered: bool) -> str:
    """Return how a mail says that nothing is to answer it; a proved sender of keywords waits for our answer."""
    if letter.return_path == "":
        return "its return path is empty"
    # People's mail programs ask for no absence notices; who wants no answer at all is a program.
    suppressed = letter.header("X-Auto-Response-Suppress").casefold().replace(" ", "").split(",")
    return "it asks for no answer (X-Auto-Response-Suppress: All)" if "all" in suppressed and not ordered else ""


def may_say_so(letter: Letter, known: Known, service: Service) -> str:
    """Return why the sender of a mail that a rule passed on is not told so: besides, nobody reads what robots get."""
    unread = "" if can_be_answered(known.sender.address) else "nobody reads what is sent to this address"
    return may_answer(letter, known, service) or unread


def may_pass_on(known: Known) -> str:
    """Return why these words are not mailed on to those at work, or "" if they are. They stand on the ticket anyway.

    Two robots among our own people would otherwise answer each other through us for ever.
    """
    most = _COLLEAGUES_WORDS if known.sender.person else _REQUESTERS_WORDS
    if known.replies_told < most:
        return ""
    return f"{known.replies_told} mails about new words on this ticket went to one person within an hour"


def _too_many(known: Known, service: Service, *, commanded: bool) -> str:
    """Return which cap is reached. Caps look at no header: a robot that hides what it is falls silent all the same."""
    proved = known.proof in PROVED
    of_ours = known.sender.person is not None and proved
    hourly = service.answers_per_address_per_hour * (_STAFF_FACTOR if of_ours else 1)
    if not (of_ours or (proved and commanded)) and known.answers_to_subject >= service.answers_per_subject_per_day:
        return f"{known.answers_to_subject} answers about this subject went to this address within a day"
    if known.answers_to_address >= hourly:
        return f"{known.answers_to_address} answers went to this address within an hour"
    return ""
