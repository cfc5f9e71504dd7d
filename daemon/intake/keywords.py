"""Keywords in a mail's own words: which commands somebody wrote, and what is left of the text.

What comes in: the new words of a letter and the keyword table. What goes out: Commands in their order, and the rest.
A command is a line that begins with # (full-width ＃ too), or a lone keyword as the first line (procedure §7).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from daemon.errors import nearest
from daemon.intake.body import KEPT_WHOLE, without_parting
from daemon.intake.letter import Letter
from daemon.rulebook import Keyword
from daemon.words import APPROVALS, LINKS, RECORDING, Verb

TAKES_TEXT = frozenset(
    {
        Verb.PROGRESS,
        Verb.NOTE,
        Verb.HOLD,
        Verb.RESUME,
        Verb.RESOLVE,
        Verb.CAUSE,
        Verb.WORKAROUND,
        Verb.RETURN,
        Verb.ESCALATE,
        Verb.OUT_OF_SCOPE,
        Verb.REOPEN,
        Verb.REJECT,
        Verb.CANCEL,
        Verb.RATE,
        Verb.LINE2,
        Verb.VENDOR,
        Verb.SPLIT,
        Verb.PROBLEM,
        Verb.CHANGE,
        Verb.SYMPTOM,
        Verb.IN_SCOPE,
        Verb.MAJOR,
        Verb.UPDATE,
        Verb.BLOCKED,
        Verb.APPROVE,
        Verb.REFUSE,
    }
)
MOST_COMMANDS = 30
_NEVER_ALONE = frozenset(
    {
        Verb.FOR, Verb.SOURCE, Verb.OCCURRED, Verb.VENDOR, Verb.MAJOR, Verb.UPDATE, Verb.PLAN, Verb.DONE, Verb.BLOCKED,
        *RECORDING, *LINKS, *APPROVALS,
    }
)  # fmt: skip
"""The verbs that say nothing without what stands behind them, or say it to many: as a lone word they are a word."""
_MOST_LOOKED_AT = 200  # lines that begin like commands; most of a script's comments are none, and each costs a search
_SEPARATORS = " \t:：,，、-–—。.;；"
_LONGEST_LINE = 1000
_UNSEEN = " \t\u00a0\u200b\u200c\u200d\u2060\ufeff"  # what some programs put before a line, and nobody sees


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command: `verb` is None where the word is not known; `line` is what was written, `near` a suggestion.

    `plain` marks ordinary words of a requester that were understood as a command.
    """

    verb: Verb | None
    word: str
    argument: str
    line: str
    near: str = ""
    plain: bool = False


def find_commands(
    text: str, keywords: Iterable[Keyword], alone: frozenset[Verb] = frozenset()
) -> tuple[tuple[Command, ...], str]:
    """Return the commands in `text` and the text without them.

    `alone` are the verbs that the mail it answers has asked for, so that they may stand as a lone word too.

    Lines that follow a command which takes words belong to it, up to the next command; all others are left over.
    After MOST_COMMANDS a line is a line of words, whatever it begins with: nobody means so many, and each is answered.
    """
    table = {fold(word): k.verb for k in keywords for word in k.words}
    lines = text.splitlines()
    if not any(is_marked(line) for line in lines):
        return _lone_keyword(lines, table, text, _NEVER_ALONE - alone)
    commands: list[Command] = []
    belongs: list[list[str]] = []
    left: list[str] = []
    looked_at = 0
    for line in lines:
        looked_at += is_marked(line)
        command = _read(line, table) if len(commands) < MOST_COMMANDS and looked_at < _MOST_LOOKED_AT else None
        if command:
            commands.append(command)
            belongs.append([command.argument])
        elif commands and commands[-1].verb in TAKES_TEXT:
            belongs[-1].append(line)
        else:
            left.append(line)
    found = (replace(c, argument="\n".join(b).strip()) for c, b in zip(commands, belongs, strict=True))
    return tuple(found), "\n".join(left).strip()


def spoken(letter: Letter) -> str:
    """Return the sender's own words: without the lines they answer between, and without goodbye and bare name.

    A mail that begins like a quoted one may be nothing but a quote: what it says was perhaps said by another.
    """
    if letter.cut_reason == KEPT_WHOLE:
        return ""
    sender = letter.sender
    names = {fold(n) for n in (sender.name, sender.address) if n} if sender else set()
    lines = [x for x in letter.new_text.rstrip().splitlines() if not x.lstrip().startswith((">", "＞"))]
    while lines and (not lines[-1].strip() or fold(lines[-1]) in names):
        lines.pop()
    return "\n".join(without_parting(lines))


def fold(word: str) -> str:
    """Return the form in which keywords are compared: width and case do not count."""
    return unicodedata.normalize("NFKC", word).casefold().strip()


def is_marked(line: str) -> bool:
    """Whether a line begins with the sign of a command."""
    return line.lstrip(_UNSEEN).startswith(("#", "＃"))


def _lone_keyword(
    lines: list[str], table: Mapping[str, Verb], text: str, never: frozenset[Verb]
) -> tuple[tuple[Command, ...], str]:
    """Return the command that the first line is, if it is a keyword and nothing else."""
    at = next((i for i, line in enumerate(lines) if line.strip()), None)
    verb = table.get(fold(lines[at].strip(_SEPARATORS + "!！"))) if at is not None else None
    if at is None or verb is None or verb in never:
        return (), text
    rest = "\n".join(lines[at + 1 :]).strip()
    command = Command(verb=verb, word=lines[at].strip(), argument=rest if verb in TAKES_TEXT else "", line=lines[at])
    return (command,), "" if verb in TAKES_TEXT else rest


def _read(line: str, table: Mapping[str, Verb]) -> Command | None:
    if not is_marked(line):
        return None
    written = line.strip(_UNSEEN)[:_LONGEST_LINE]
    spaced, body = written[1:2].isspace(), written[1:].strip()
    folded = fold(body)
    word = next((w for w in sorted(table, key=len, reverse=True) if _begins_with(folded, w)), None)
    if word is not None:
        return Command(verb=table[word], word=word, argument=_behind(word, body), line=written)
    first = body.split(maxsplit=1)[0] if body else ""
    near = nearest(first.strip(_SEPARATORS), table) or _one_character_off(first, table) if first else ""
    if not first or not first[0].isalpha() or (spaced and not near):
        return None
    return Command(verb=None, word=first, argument="", line=written, near=near)


def _one_character_off(word: str, table: Mapping[str, Verb]) -> str:
    """Return the one keyword of as many characters that differs in a single one: 归挡 is 归档, which is near enough."""
    wanted = fold(word.strip(_SEPARATORS))
    alike = [w for w in table if len(w) == len(wanted) > 1 and sum(a != b for a, b in zip(w, wanted, strict=True)) == 1]
    return alike[0] if len(alike) == 1 and not alike[0].isascii() else ""


def _behind(word: str, body: str) -> str:
    """Return what stands behind the keyword, in the writer's own characters: folding may have changed their number."""
    end = next((i for i in range(1, len(body) + 1) if fold(body[:i]) == word), len(word))
    return body[end:].lstrip(_SEPARATORS)


def _begins_with(folded: str, word: str) -> bool:
    """Whether the line begins with this keyword: Latin words must end there, Chinese ones need no space."""
    if not folded.startswith(word):
        return False
    following = folded[len(word) : len(word) + 1]
    return not (word[-1].isascii() and following.isascii() and following.isalnum())
