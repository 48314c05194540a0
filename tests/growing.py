"""The tables that grow with the work, and what may walk one all the same."""

GROWING = frozenset(
    {
        "alert",
        "alert_notice",
        "attempt",
        "audit_entry",
        "browser_session",
        "bulk_letter",
        "contact",
        "contact_word",
        "conversation",
        "dead_letter",
        "delivery",
        "delivery_failure",
        "idempotency_key",
        "invoice_entry",
        "letter_action",
        "letter_text",
        "mail",
        "message",
        "message_status",
        "meta_update",
        "node_change",
        "pair_limit",
        "rejected_send",
        "service_window",
        "suppression",
        "template_metric",
    }
)

# Who reads everything there is, and how statements begin that may walk one all the same.
READS_ALL = ("core/backups/",)
ALLOWED = (
    # A contact is erased, which is seldom; keys live for a day, and an index would cost each send.
    "UPDATE idempotency_key SET answer=? WHERE idempotency_key.message_id IN",
)
# How SQLAlchemy says that no row can be meant; SQLite then looks at none.
FINDS_NOTHING = "WHERE 0 = 1"
