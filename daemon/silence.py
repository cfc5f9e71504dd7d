"""When not to answer by ourselves: the one gate for every automatic answer (RFC 3834).

What comes in: the letter that would be answered and what its sender caused lately. What goes out: "" to answer, else
the reason for silence. Silence withholds only our own reaction: the mail is kept and people are told all the same.
"""

from __future__ import annotations

from daemon.intake.letter import Letter
from daemon.intake.understand import Known, can_be_answered
from daemon.service import Service
from daemon.words import PROVED, Nature, Proof, domain_of

# People who work by mail give many commands an hour on one ticket, and each is answered.
_STAFF_FACTOR = 5
_COLLEAGUES_WORDS = 3
_REQUESTERS_WORDS = 12

NOTHING_LEFT = "all the automatic answers of an hour have been given"


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
    had, proved = known.answered_lately, known.proof in PROVED
    of_ours = known.sender.person is not None and proved
    factor = _STAFF_FACTOR if of_ours else 1
    daily, hourly = service.answers_per_subject_per_day, service.answers_per_address_per_hour * factor
    if not (of_ours or (proved and commanded)):
        if had.subject >= daily:
            return f"{had.subject} answers about this subject went to this address within a day"
        if _as_one(known, service) and had.subject_in_domain >= daily:
            return f"{had.subject_in_domain} answers about this subject went to addresses of this domain within a day"
    if had.address >= hourly:
        return f"{had.address} answers went to this address within an hour"
    if not of_ours and had.domain >= service.answers_per_domain_per_hour:
        return f"{had.domain} answers went to addresses of this domain within an hour"
    if had.ticket >= service.answers_per_ticket_per_hour * factor:
        return f"{had.ticket} answers about this ticket went out within an hour"
    return NOTHING_LEFT if is_used_up(known, service) else ""


def _as_one(known: Known, service: Service) -> bool:
    """Whether the addresses of this domain count as one: a robot may take a new one for every mail.

    It is a domain of nobody whom we know, and nothing says that the mail is from there; or the mail claims a ticket
    that its sender has no part in, as an answer does that comes from another address than we wrote to.
    """
    at_home = domain_of(known.sender.address) == service.domain
    return known.claimed > 0 or not (at_home or known.sender.customer or known.proof in PROVED)


def is_used_up(known: Known, service: Service) -> bool:
    """Whether all the automatic answers of an hour have been given, so that there is none for anybody."""
    return known.answered_lately.altogether >= service.answers_per_hour
