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


class BudgetMode(StrEnum):
    """What a reached budget does: raise an alert, or refuse what would cost more."""

    SOFT = "soft"
    HARD = "hard"


class OpenedBy(StrEnum):
    """Who sent the first message of a conversation."""

    CUSTOMER = "customer"
    BUSINESS = "business"


class InvoiceState(StrEnum):
    """Where an invoice stands (B10)."""

    DRAFT = "draft"
    FINALISED = "finalised"
    VOID = "void"


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


class BulkVerb(StrEnum):
    """What is done to many letters at once."""

    REDRIVE = "redrive"
    DISCARD = "discard"
    RESTORE = "restore"
    ASSIGN = "assign"
    NOTE = "note"


class BulkState(StrEnum):
    """Where bulk work stands (Q10). ``paused`` by a person; ``stopped`` by itself, and says why."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    DONE = "done"
    CANCELLED = "cancelled"


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


class NodeKind(StrEnum):
    """What a change at Meta is about."""

    PHONE = "phone"
    WABA = "waba"
    BUSINESS = "business"


class ChangeSource(StrEnum):
    """How we came to know of it. ``api``: it was done or told here; ``send``: Meta refused a send and said
    why."""

    API = "api"
    SEND = "send"
    SYNC = "sync"
    WEBHOOK = "webhook"


class TemplateAspect(StrEnum):
    """What Meta says of a template. ``planned_category``: the one it is going to have."""

    STATUS = "status"
    QUALITY = "quality"
    CATEGORY = "category"
    PLANNED_CATEGORY = "planned_category"
    COMPONENTS = "components"


class TemplateEvent(StrEnum):
    """What becomes of a template (T1). An edit is no metric: it lets the same verdict count again."""

    CREATED = "created"
    EDITED = "edited"
    APPROVED = "approved"
    REJECTED = "rejected"
    PAUSED = "paused"
    DISABLED = "disabled"


class AbuseLevel(StrEnum):
    """Where a workspace stands by what Meta rejected of its templates (T2)."""

    OK = "ok"
    WARNING = "warning"
    FLAGGED = "flagged"


class SubmissionKind(StrEnum):
    CREATE = "create"
    EDIT = "edit"


class SubmissionState(StrEnum):
    """What came of handing a template to Meta. ``unknown``: its answer never came; the next sync tells
    whether it was accepted or ``lost``."""

    SENDING = "sending"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    LOST = "lost"


class NodeAspect(StrEnum):
    """What changed. The first have a before and an after; from ``violation`` on they are events."""

    CONNECTED = "connected"
    NAME = "name"
    NAME_STATUS = "name_status"
    NEW_NAME_STATUS = "new_name_status"
    QUALITY = "quality"
    TIER = "tier"
    THROUGHPUT = "throughput"
    STATUS = "status"
    REVIEW = "review"
    RESTRICTION = "restriction"
    VERIFICATION = "verification"
    VIOLATION = "violation"
    CAPABILITY = "capability"
    SECURITY = "security"
    NOTICE = "notice"
    EVENT = "event"


class Severity(StrEnum):
    """How much an alert matters: ``critical`` stops work, ``warning`` soon will, ``info`` is good to know."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class AlertState(StrEnum):
    """Not stored: an alert is resolved when it says when."""

    OPEN = "open"
    RESOLVED = "resolved"


class ChannelKind(StrEnum):
    """How a channel reaches people. ``service``: one that the apprise library speaks to."""

    MAIL = "mail"
    WEBHOOK = "webhook"
    SERVICE = "service"


class AlertEvent(StrEnum):
    """What a notice tells of. ``digest``: all that happened in quiet hours."""

    OPENED = "opened"
    ESCALATED = "escalated"
    RESOLVED = "resolved"
    DIGEST = "digest"
    TEST = "test"


class NoticeState(StrEnum):
    """Where a notice stands. ``waiting``: for the end of quiet hours; ``gathered``: said in a digest;
    ``unsaid``: the end of an alert that was back before it was told."""

    UNSAID = "unsaid"
    WAITING = "waiting"
    GATHERED = "gathered"
    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"


class MailState(StrEnum):
    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"


class DeliveryState(StrEnum):
    """Where a delivery from Meta stands. ``failed``: something in it could not be applied, the rest was;
    ``ignored``: nothing in it concerns us."""

    PENDING = "pending"
    APPLIED = "applied"
    FAILED = "failed"
    IGNORED = "ignored"


class RunOutcome(StrEnum):
    """How a run of a schedule ended. ``lost``: the clock process that ran it was gone before its end."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"
