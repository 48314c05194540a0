"""The closed vocabularies that rows carry. Each is stored by its value, never by its name."""

from enum import StrEnum


class Role(StrEnum):
    """A person's place in a workspace: viewer ⊂ agent ⊂ manager ⊂ owner; support stands aside."""

    OWNER = "owner"
    MANAGER = "manager"
    AGENT = "agent"
    VIEWER = "viewer"
    SUPPORT = "support"


class MemberStatus(StrEnum):
    ACTIVE = "active"
    INVITED = "invited"
    SUSPENDED = "suspended"
    REMOVED = "removed"


class PlanName(StrEnum):
    FREE = "free"
    STARTER = "starter"
    PRO = "pro"
    ENTERPRISE = "enterprise"


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


class MessageKind(StrEnum):
    """What a message holds. Everything inbound that is not text keeps its payload and is ``other``."""

    TEMPLATE = "template"
    TEXT = "text"
    OTHER = "other"


class MessageState(StrEnum):
    """Where a message stands (Q3). ``claimed`` and ``sending`` are told apart here and shown as sending."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    RETRY_QUEUED = "retry_queued"
    UNKNOWN = "unknown"
    DEAD = "dead"
    FAILED = "failed"
    DISCARDED = "discarded"
    RECEIVED = "received"


class WaitingFor(StrEnum):
    """What a waiting message waits for."""

    RUNG = "rung"
    LANE = "lane"
    TEMPLATE = "template"
    THROUGHPUT = "throughput"
    PERSON = "person"


class Outcome(StrEnum):
    """What came of one attempt."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    PASSING = "passing"
    UNKNOWN = "unknown"
    LOST = "lost"
    LATE = "late"


class LetterState(StrEnum):
    OPEN = "open"
    REDRIVEN = "redriven"
    RESOLVED = "resolved"
    DISCARDED = "discarded"


class HoldScope(StrEnum):
    """What a hold stops: one lane, one template, a whole workspace, or everything."""

    LANE = "lane"
    TEMPLATE = "template"
    WORKSPACE = "workspace"
    EVERYTHING = "everything"


class HoldCause(StrEnum):
    """Why something is held (Q7). Only ``person`` waits for a person alone."""

    PERSON = "person"
    TOKEN = "token"  # noqa: S105 - a cause, not a secret
    PAYMENT = "payment"
    RESTRICTION = "restriction"
    REGISTRATION = "registration"
    META = "meta"


class SuppressionKind(StrEnum):
    ALL = "all"
    MARKETING = "marketing"
