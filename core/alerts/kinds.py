"""The one table of alerts: what each kind means, what to do about it, and what ends it."""

from dataclasses import dataclass

from data.enums import Severity

CRITICAL, WARNING, INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO


@dataclass(frozen=True, slots=True)
class Kind:
    """``title`` and ``severity`` are what it is raised with unless the moment knows better. ``ends`` says
    what resolves it."""

    key: str
    title: str
    severity: Severity
    meaning: str
    advice: str
    ends: str


def _table(*rows: tuple[str, Severity, str, str, str, str]) -> dict[str, Kind]:
    return {
        key: Kind(key, title, severity, meaning, advice, ends)
        for key, severity, title, meaning, advice, ends in rows
    }


KINDS: dict[str, Kind] = _table(
    (
        "webhook_silence",
        WARNING,
        "No webhooks arrive for a number that sends",
        "Messages go out and Meta reports nothing back, so nobody knows what was delivered.",
        "Check the callback URL and the webhook fields in Meta's app dashboard, then play a test from the "
        "Webhooks page.",
        "The next webhook for the number",
    ),
    (
        "webhook_lag",
        WARNING,
        "Webhooks wait to be applied",
        "The oldest has waited for over a minute; statuses, replies and billing are behind by as much.",
        "Check on the Health page that a worker runs and that the database answers.",
        "The inbox catching up",
    ),
    (
        "webhook_signatures",
        CRITICAL,
        "Webhooks arrive with a wrong signature",
        "They are refused. Either the app secret here is not Meta's, or somebody else is calling.",
        "Compare WAYPOST_META_APP_SECRET with the secret in Meta's app dashboard. During a rotation set "
        "both, the newer first.",
        "A webhook with a right signature, and five minutes without a wrong one",
    ),
    (
        "lane_held",
        CRITICAL,
        "A number sends nothing",
        "Its lane is held. Messages wait and use up no retry until it is released.",
        "Read the reason on the Queue page and mend what it names; it then releases itself.",
        "The release of the lane",
    ),
    (
        "phone_quality",
        WARNING,
        "A number's quality rating fell",
        "Recipients block or report its messages. At red Meta may lower its limit or restrict it.",
        "Send less marketing from it, and look at which templates are blocked most.",
        "The rating going back to green",
    ),
    (
        "phone_tier",
        INFO,
        "A number's messaging limit changed",
        "Meta lets the number open conversations with fewer people a day than before.",
        "Plan campaigns within the new limit; it rises again with good quality.",
        "The limit rising again",
    ),
    (
        "phone_name",
        WARNING,
        "A number's display name was not accepted",
        "Meta declined the name that recipients should see.",
        "Choose another name in Meta's WhatsApp Manager that follows its naming rules.",
        "Meta accepting a name",
    ),
    (
        "phone_restricted",
        CRITICAL,
        "A number is restricted",
        "Meta stopped it from sending, in part or wholly.",
        "Read the reason in Meta's Business Support Home, and ask for a review there.",
        "Meta lifting the restriction",
    ),
    (
        "account_restricted",
        CRITICAL,
        "An account is restricted",
        "Meta took from the account some or all of its sending.",
        "Read the reason in Meta's Business Support Home, and ask for a review there.",
        "Meta lifting the restriction, or its end",
    ),
    (
        "account_review",
        CRITICAL,
        "An account did not pass Meta's review",
        "Until it does, its numbers cannot send.",
        "Read the reason in Meta's Business Support Home, and ask for another review.",
        "Meta approving the account",
    ),
    (
        "account_notice",
        WARNING,
        "Meta has a notice about an account",
        "Meta tells of something that needs a person.",
        "Read it in Meta's WhatsApp Manager.",
        "A person who has seen to it",
    ),
    (
        "business_verification",
        WARNING,
        "A business is not verified",
        "Without it the messaging limit stays at 250 people a day.",
        "Follow the next step on the number's page.",
        "Meta verifying the business",
    ),
    (
        "workspace_flagged",
        CRITICAL,
        "The workspace is flagged for rejected templates",
        "Meta rejected so many of its templates that new ones are refused here, to protect the account.",
        "Mend the rejected templates; a platform admin clears the flag with a reason.",
        "A platform admin clearing the flag",
    ),
    (
        "templates_rejected",
        WARNING,
        "Meta rejects many of the workspace's templates",
        "A few more, and the workspace is flagged: new templates are then refused here.",
        "Read on the Templates page why each was rejected, and mend those before submitting more.",
        "Fewer rejections within 24 hours, or the flag",
    ),
    (
        "template_stopped",
        WARNING,
        "A template cannot be sent",
        "Meta rejected, paused or disabled it. Its messages are refused, or wait until a pause ends.",
        "Read the reason on the template's page.",
        "Meta approving the template, or its end",
    ),
    (
        "template_paused",
        WARNING,
        "Messages wait for a paused template",
        "Meta paused the template because recipients block or report it. What is stored waits; new sends of "
        "it are refused.",
        "Wait for Meta to unpause it, after 3 or 6 hours, and send it to fewer people: a third pause "
        "disables it.",
        "The template being sent again, or never more",
    ),
    (
        "token_refresh_failed",
        CRITICAL,
        "An access token could not be refreshed",
        "When it expires, every number of its account stops sending.",
        "Replace the token on the Tokens page with a new one from Meta.",
        "The next refresh that succeeds, or a new token",
    ),
    (
        "billing_included",
        WARNING,
        "A share of the month's included conversations is used",
        "Beyond them each conversation costs what the plan asks; on the free plan no more are opened.",
        "Look at the forecast on the Billing page, and whether another plan would cost less.",
        "The next month",
    ),
    (
        "billing_budget",
        WARNING,
        "A share of the month's budget is used",
        "With a hard budget, sends that would open a conversation beyond it are refused.",
        "Look at the forecast on the Billing page; an owner can change the budget there.",
        "The next month",
    ),
    (
        "billing_flood",
        CRITICAL,
        "Customers open far more conversations than usual",
        "Whoever writes to a number opens a conversation, and it is billed: anyone can run up a bill.",
        "Look at who writes on the Conversations page. Block them at Meta if it is an attack.",
        "An hour that is no longer ten times the usual",
    ),
    (
        "invoice_parked",
        WARNING,
        "An invoice waits for a person",
        "What it says is absurd enough that it is not finalised by itself, nor are those after it.",
        "Read the reason on the invoice, then finalise it with a confirmation.",
        "The finalising of the invoice",
    ),
    (
        "part_unwell",
        CRITICAL,
        "A part of the installation needs someone",
        "The disk fills up, backups are missing, or the queue's storage cannot be used: work goes on, but "
        "perhaps not for long.",
        "See on the Health page which part it is, and what to do.",
        "The part being well again",
    ),
    (
        "schedule_failing",
        WARNING,
        "Something that runs by itself fails each time",
        "What it does is not done: see on the Schedules page which it is, and what it says.",
        "Read why on the Schedules page, and the log of the clock process; run it again there once mended.",
        "The next run that goes well",
    ),
    (
        "mail_failed",
        WARNING,
        "A mail could not be delivered",
        "Every attempt failed. Whoever should have got it does not know.",
        "Check the address, and the mail server in WAYPOST_SMTP_URL; then send it again from where it came.",
        "The next mail that reaches the address",
    ),
    (
        "channel_failed",
        WARNING,
        "An alert channel cannot be reached",
        "Every attempt to tell it failed. Whoever relies on it does not hear of alerts.",
        "Look at the last delivery on the Channels page, mend the address or the receiver, and test it.",
        "The next delivery that gets through",
    ),
)


def kind_of(key: str) -> Kind:
    """LookupError for a kind that the table does not have: a mistake of ours."""
    if key not in KINDS:
        raise LookupError(f"no such kind of alert: {key}")
    return KINDS[key]
