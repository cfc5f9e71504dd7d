"""The words of the house: the enums and small value types that every floor may speak.

Nothing comes in; what goes out are names. This file alone knows how states, verbs, roles and grades are
spelt in the database, in rule files and in JSON. Source of the vocabulary: the procedure, sections 1 to 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class State(StrEnum):
    """Where a ticket is in its life (procedure §3)."""

    NEW = "new"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    ON_HOLD = "on_hold"
    RESOLVED = "resolved"
    PENDING_REVIEW = "pending_review"
    ARCHIVED = "archived"
    OUT_OF_SCOPE = "out_of_scope"
    CANCELLED = "cancelled"
    KNOWN_ERROR = "known_error"


class Kind(StrEnum):
    """What sort of record a ticket is."""

    INCIDENT = "incident"
    SERVICE_REQUEST = "service_request"
    PROBLEM = "problem"
    CHANGE = "change"


class Verb(StrEnum):
    """What a person can ask for with a keyword (procedure §7)."""

    ACCEPT = "accept"
    PROGRESS = "progress"
    NOTE = "note"
    HOLD = "hold"
    RESUME = "resume"
    RESOLVE = "resolve"
    CAUSE = "cause"
    WORKAROUND = "workaround"
    ASSIGN = "assign"
    RETURN = "return"
    SEVERITY = "severity"
    IMPACT = "impact"
    URGENCY = "urgency"
    CATEGORY = "category"
    CI = "ci"
    ESCALATE = "escalate"
    OUT_OF_SCOPE = "outofscope"
    IN_SCOPE = "inscope"
    CONFIRM = "confirm"
    REOPEN = "reopen"
    ARCHIVE = "archive"
    REJECT = "reject"
    CANCEL = "cancel"
    APPROVE = "approve"
    REFUSE = "refuse"
    LINE2 = "line2"
    VENDOR = "vendor"
    ACK = "ack"
    FOR = "for"
    SOURCE = "source"
    OCCURRED = "occurred"
    MAJOR = "major"
    UPDATE = "update"
    PLAN = "plan"
    DONE = "done"
    BLOCKED = "blocked"
    USER = "user"
    CONTACT = "contact"
    PLACE = "place"
    REGION = "region"
    SYMPTOM = "symptom"
    SERVICE = "service"
    CODE = "code"
    AFFECTED = "affected"
    CUSTOMER = "customer"
    UNDO = "undo"
    RATE = "rate"
    MERGE = "merge"
    DUPLICATE = "duplicate"
    RELATED = "related"
    PARENT = "parent"
    SPLIT = "split"
    PROBLEM = "problem"
    CHANGE = "change"
    KNOWLEDGE = "kb"
    STATUS = "status"
    LIST = "list"
    HELP = "help"


class Confidence(StrEnum):
    """How sure a reading is: where it is low, more is kept."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Role(StrEnum):
    """What a person is to the process (procedure §1)."""

    REQUESTER = "requester"
    DESK = "desk"
    ENGINEER = "engineer"
    PM = "pm"
    MANAGER = "manager"
    DIRECTOR = "director"
    SALES = "sales"
    DUTY = "duty"
    VENDOR = "vendor"


class Who(StrEnum):
    """Who may use a keyword, seen from one ticket; the values allowed under `who:` in keywords.yaml."""

    ANYONE = "anyone"
    PARTICIPANT = "participant"
    REQUESTER = "requester"
    STAFF = "staff"
    ASSIGNEE = "assignee"
    TEAM = "team"
    VENDOR = "vendor"
    DESK = "desk"
    PM = "pm"
    MANAGER = "manager"
    SALES = "sales"
    DUTY = "duty"
    TASK_OWNER = "task_owner"
    APPROVER = "approver"


class TaskState(StrEnum):
    """How a task of an emergency plan stands; a waiting one has its turn when those before it are done."""

    WAITING = "waiting"
    OPEN = "open"
    BLOCKED = "blocked"
    DONE = "done"
    DROPPED = "dropped"


class Duty(StrEnum):
    """What is done at a set time of a working day, week or month (procedure §9); rules/duties.yaml says when."""

    ASK_ACTION = "ask_action"
    PM_LIST = "pm_list"
    CUSTOMER_LIST = "customer_list"
    REVIEW_LIST = "review_list"
    FOLLOW_UP = "follow_up"
    FOLLOW_UP_RESULT = "follow_up_result"
    KPI_REPORT = "kpi_report"
    RULE_PROPOSALS = "rule_proposals"


class Dispatch(StrEnum):
    """How a team's tickets find their person: one is chosen, or the whole team is told and who comes first takes it."""

    AUTO = "auto"
    TEAM = "team"


class Source(StrEnum):
    """How a report reached us (procedure §2)."""

    MAIL = "mail"
    PHONE = "phone"
    FAX = "fax"
    INSPECTION = "inspection"
    ALERT = "alert"
    FINDING = "finding"


class Severity(IntEnum):
    """How bad it is: 1 is critical, 4 is low (procedure §4)."""

    CRITICAL = 1
    HIGH = 2
    MEDIUM = 3
    LOW = 4


class Level(StrEnum):
    """A degree of impact or of urgency."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class HoldReason(StrEnum):
    """What a ticket on hold waits for; rules/timetables.yaml says for which of them the clock stands still."""

    CUSTOMER = "customer"
    VENDOR = "vendor"
    CHANGE = "change"
    DATE = "date"
    APPROVAL = "approval"


class LinkKind(StrEnum):
    """What another record is to this one; a link has two ends, and each end says it in its own way."""

    RELATED = "related"
    MERGED_INTO = "merged_into"
    MERGED = "merged"
    DUPLICATE_OF = "duplicate_of"
    DUPLICATE = "duplicate"
    PARENT = "parent"
    CHILD = "child"
    SPLIT_FROM = "split_from"
    SPLIT_INTO = "split_into"
    PROBLEM = "problem"
    INCIDENT = "incident"
    CHANGE = "change"
    CHANGE_FOR = "change_for"
    KNOWLEDGE = "knowledge"
    REUSED_BY = "reused_by"


class Outside(StrEnum):
    """What happens to a report that is outside the agreement; the values of `outside:` in customers.yaml."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    ASK_DESK = "ask_desk"


class LooksAt(StrEnum):
    """Which mails a rule is for; the values of `for:` in routing.yaml."""

    NEW = "new mails"
    REPLIES = "replies"
    ALL = "all"


class OnRecovery(StrEnum):
    """What the end of a monitoring alert does to its ticket; the values of `on_recovery:` in alerts.yaml."""

    NOTE = "note"
    RESOLVE = "resolve"


class Nature(StrEnum):
    """What kind of mail a letter is; anything but HUMAN withholds our automatic answers, never the mail."""

    HUMAN = "human"
    AUTOMATIC = "automatic"
    BOUNCE = "bounce"
    LIST = "list"
    OWN = "own"


class Visibility(StrEnum):
    """Who may read a message: internal ones never reach a requester."""

    PUBLIC = "public"
    INTERNAL = "internal"


class Proof(StrEnum):
    """How sure we are that a letter comes from the address in From."""

    TOKEN = "token"  # a reply token that we issued to this very person came back
    VERIFIED = "verified"  # a trusted server's Authentication-Results says dmarc=pass
    NONE = "none"  # only From says so
    FAILED = "failed"  # the trusted server says that From is forged, or From is not one plain address


class Verdict(StrEnum):
    """What a trusted mail server, or a signature, says of the sender in From."""

    VERIFIED = "verified"
    NONE = "none"
    FAILED = "failed"


class TokenSeen(StrEnum):
    """Whose reply token a letter carries, as far as it is genuine."""

    OWN = "own"  # given to this very sender
    OTHER = "other"  # given to somebody else
    EXPIRED = "expired"  # given to this very sender, too long ago
    NONE = "none"


class Party(StrEnum):
    """What our files know of a sender."""

    STAFF = "staff"
    VENDOR = "vendor"
    ALIAS = "alias"  # an unknown address that looks like one of our people
    OUTSIDER = "outsider"


class Standing(StrEnum):
    """What a sender is to the ticket that their mail is about."""

    REQUESTER = "requester"
    ON_RECORD = "on_record"
    NOT_ON_IT = "not_on_it"


class Risk(StrEnum):
    """How much harm a command does if somebody else has given it; `ask` changes nothing."""

    ASK = "ask"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Ruling(StrEnum):
    """What becomes of a command, the strictest first."""

    REFUSE = "refuse"  # the mail is a message, no more
    CONFIRM = "confirm"  # it waits until the sender confirms from the address that we know
    ALLOW = "allow"


class Matched(StrEnum):
    """How a letter was matched to a ticket, strongest evidence first."""

    TOKEN = "token"
    REFERENCE = "reference"
    TAG = "tag"
    ALERT = "alert"
    NOTHING = "nothing"


class MailStatus(StrEnum):
    """What became of a mail that we keep; every UID ends in one of the last six."""

    RECEIVED = "received"
    HANDLED = "handled"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    QUARANTINED = "quarantined"
    DROPPED = "dropped"
    VANISHED = "vanished"


class NoticeState(StrEnum):
    """What became of a mail that we owe."""

    OWED = "owed"
    SENT = "sent"
    DEAD = "dead"


QUESTIONS = frozenset({Verb.STATUS, Verb.LIST, Verb.HELP})
"""The verbs that change nothing and need no proof."""

REVIEWS = frozenset({Verb.ARCHIVE, Verb.REJECT, Verb.UNDO})
"""The verbs that may name several tickets: `#archive 12 13`."""

APPROVALS = frozenset({Verb.APPROVE, Verb.REFUSE})
"""The verbs by which somebody decides whether a ticket that waits for them goes on."""

CASES = (Kind.INCIDENT, Kind.SERVICE_REQUEST)
"""The kinds of record that people report: with a requester, and with clocks. The others belong to our own processes."""

LINKS = frozenset(
    {
        Verb.MERGE, Verb.DUPLICATE, Verb.RELATED, Verb.PARENT, Verb.SPLIT, Verb.PROBLEM, Verb.CHANGE,
        Verb.KNOWLEDGE,
    }
)  # fmt: skip
"""The verbs that tie records together: `#merge 12`."""

OTHER_END = {
    LinkKind.RELATED: LinkKind.RELATED,
    LinkKind.MERGED_INTO: LinkKind.MERGED,
    LinkKind.DUPLICATE_OF: LinkKind.DUPLICATE,
    LinkKind.PARENT: LinkKind.CHILD,
    LinkKind.SPLIT_INTO: LinkKind.SPLIT_FROM,
    LinkKind.PROBLEM: LinkKind.INCIDENT,
    LinkKind.CHANGE: LinkKind.CHANGE_FOR,
    LinkKind.KNOWLEDGE: LinkKind.REUSED_BY,
}
OTHER_END |= {other: one for one, other in OTHER_END.items()}
"""What this record is to the other, where the other is that to this one."""

JOINED = frozenset({LinkKind.MERGED, LinkKind.DUPLICATE})
"""The records of which this one says: they are the same case, and it is handled here."""
RECORDING = frozenset({
    Verb.USER, Verb.CONTACT, Verb.PLACE, Verb.REGION, Verb.SYMPTOM, Verb.SERVICE, Verb.CODE, Verb.AFFECTED,
    Verb.CUSTOMER,
})  # fmt: skip
"""The verbs that fill in a field of the record, or put it right."""

STAFF_ROLES = frozenset(set(Role) - {Role.REQUESTER, Role.VENDOR})
"""The roles of our own people; a vendor works with us, but sees only what was handed to them."""

PROVED = frozenset({Proof.TOKEN, Proof.VERIFIED})
"""The proofs that are enough to command."""


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox as written in a header: `name` may be empty, `address` is a lower-cased addr-spec."""

    name: str
    address: str


def bare_address(address: str) -> str:
    """Return an address as it is compared: lower-cased, without the dot that may end a domain."""
    return address.strip().lower().rstrip(".")


def domain_of(address: str) -> str:
    """Return the part after the last @ as it is compared; "" where there is none."""
    return bare_address(address).rpartition("@")[2] if "@" in address else ""
