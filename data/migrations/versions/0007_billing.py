"""Conversations, plans over time, invoices, Meta's rates; the triggers that keep what is invoiced as it was."""

import sqlalchemy as sa
from alembic import op

import data.columns

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None

FROZEN_CONVERSATION = ('id', 'workspace_id', 'phone_number_id', 'opened_at', 'closes_at', 'opened_by')
FROZEN_INVOICE = (
    'id', 'workspace_id', 'number', 'period', 'start_at', 'end_at', 'timezone', 'plan', 'conversations', 'included',
    'billable', 'amount_micros', 'lines', 'inputs', 'hash', 'replaces_id', 'drafted_at', 'finalised_at',
    'finalised_by',
)
JSON_COLUMNS = ('lines', 'inputs')
CONVERSATION = 'a conversation on an invoice is never changed'
INVOICE = 'a finalised invoice is never changed'
ENTRY = 'the entries of an invoice are never changed'


def upgrade() -> None:
    op.create_table('conversation_due',
    sa.Column('phone_number_id', sa.String(), nullable=False),
    sa.Column('contact_id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('marked_at', data.columns.Instant(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('phone_number_id', 'contact_id')
    )
    op.create_index('ix_conversation_due_marked', 'conversation_due', ['workspace_id', 'marked_at'], unique=False)
    op.create_table('billing_account',
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('last_number', sa.Integer(), nullable=False),
    sa.Column('email', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('workspace_id')
    )
    op.create_table('billing_threshold',
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('period', sa.String(), nullable=False),
    sa.Column('subject', sa.String(), nullable=False),
    sa.Column('percent', sa.Integer(), nullable=False),
    sa.Column('reached_at', data.columns.Instant(), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('workspace_id', 'period', 'subject', 'percent')
    )
    op.create_table('invoice',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=True),
    sa.Column('state', sa.Enum('draft', 'finalised', 'void', name='invoicestate', native_enum=False, length=32), nullable=False),
    sa.Column('period', sa.String(), nullable=False),
    sa.Column('start_at', data.columns.Instant(), nullable=False),
    sa.Column('end_at', data.columns.Instant(), nullable=False),
    sa.Column('timezone', sa.String(), nullable=False),
    sa.Column('plan', sa.Enum('free', 'starter', 'pro', 'enterprise', name='planname', native_enum=False, length=32), nullable=False),
    sa.Column('conversations', sa.Integer(), nullable=False),
    sa.Column('included', sa.Integer(), nullable=False),
    sa.Column('billable', sa.Integer(), nullable=False),
    sa.Column('amount_micros', sa.BigInteger(), nullable=False),
    sa.Column('lines', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('inputs', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('hash', sa.String(), nullable=True),
    sa.Column('replaces_id', sa.String(), nullable=True),
    sa.Column('parked_reason', sa.String(), nullable=True),
    sa.Column('drafted_at', data.columns.Instant(), nullable=False),
    sa.Column('finalised_at', data.columns.Instant(), nullable=True),
    sa.Column('finalised_by', sa.String(), nullable=True),
    sa.Column('voided_at', data.columns.Instant(), nullable=True),
    sa.Column('voided_by', sa.String(), nullable=True),
    sa.Column('void_reason', sa.String(), nullable=True),
    sa.Column('mailed_at', data.columns.Instant(), nullable=True),
    sa.ForeignKeyConstraint(['replaces_id'], ['invoice.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('replaces_id'),
    sa.UniqueConstraint('workspace_id', 'number')
    )
    op.create_index('ix_invoice_period', 'invoice', ['workspace_id', 'period'], unique=True, sqlite_where=sa.text("state <> 'void'"), postgresql_where=sa.text("state <> 'void'"))
    op.create_index('ix_invoice_workspace', 'invoice', ['workspace_id', 'period', 'id'], unique=False)
    op.create_table('meta_rate',
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('category', sa.String(), nullable=False),
    sa.Column('market', sa.String(), nullable=False),
    sa.Column('valid_from', sa.String(), nullable=False),
    sa.Column('amount_micros', sa.BigInteger(), nullable=False),
    sa.Column('entered_at', data.columns.Instant(), nullable=False),
    sa.Column('entered_by', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('workspace_id', 'category', 'market', 'valid_from')
    )
    op.create_table('plan_change',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('at', data.columns.Instant(), nullable=False),
    sa.Column('old', sa.Enum('free', 'starter', 'pro', 'enterprise', name='planname', native_enum=False, length=32), nullable=False),
    sa.Column('new', sa.Enum('free', 'starter', 'pro', 'enterprise', name='planname', native_enum=False, length=32), nullable=False),
    sa.Column('changed_by', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_plan_change_at', 'plan_change', ['workspace_id', 'at'], unique=False)
    op.create_table('zone_change',
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('at', data.columns.Instant(), nullable=False),
    sa.Column('old', sa.String(), nullable=False),
    sa.Column('new', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('workspace_id', 'at')
    )
    op.create_table('invoice_entry',
    sa.Column('invoice_id', sa.String(), nullable=False),
    sa.Column('conversation_id', sa.String(), nullable=False),
    sa.Column('delta', sa.Integer(), nullable=False),
    sa.Column('opened_at', data.columns.Instant(), nullable=False),
    sa.ForeignKeyConstraint(['invoice_id'], ['invoice.id'], ),
    sa.PrimaryKeyConstraint('invoice_id', 'conversation_id')
    )
    op.create_index('ix_invoice_entry_conversation_id', 'invoice_entry', ['conversation_id'], unique=False)
    op.create_table('conversation',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('phone_number_id', sa.String(), nullable=False),
    sa.Column('contact_id', sa.String(), nullable=False),
    sa.Column('opened_at', data.columns.Instant(), nullable=False),
    sa.Column('closes_at', data.columns.Instant(), nullable=False),
    sa.Column('opened_by', sa.Enum('customer', 'business', name='openedby', native_enum=False, length=32), nullable=False),
    sa.Column('messages_in', sa.Integer(), nullable=False),
    sa.Column('messages_out', sa.Integer(), nullable=False),
    sa.Column('closed_at', data.columns.Instant(), nullable=True),
    sa.Column('invoice_id', sa.String(), nullable=True),
    sa.Column('billed', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['contact_id'], ['contact.id'], ),
    sa.ForeignKeyConstraint(['invoice_id'], ['invoice.id'], ),
    sa.ForeignKeyConstraint(['phone_number_id'], ['phone.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_conversation_contact', 'conversation', ['workspace_id', 'contact_id', 'opened_at', 'id'], unique=False)
    op.create_index('ix_conversation_empty', 'conversation', ['workspace_id', 'opened_at'], unique=False, sqlite_where=sa.text('messages_in = 0 AND messages_out = 0'), postgresql_where=sa.text('messages_in = 0 AND messages_out = 0'))
    op.create_index('ix_conversation_opened', 'conversation', ['workspace_id', 'opened_at', 'id'], unique=False)
    op.create_index('ix_conversation_phone', 'conversation', ['workspace_id', 'phone_number_id', 'opened_at', 'id'], unique=False)
    op.create_index('ix_conversation_unbilled', 'conversation', ['workspace_id', 'opened_at'], unique=False, sqlite_where=sa.text('billed <= 0'), postgresql_where=sa.text('billed <= 0'))
    op.create_index('ix_conversation_unwritten', 'conversation', ['workspace_id', 'closes_at'], unique=False, sqlite_where=sa.text('closed_at IS NULL'), postgresql_where=sa.text('closed_at IS NULL'))
    op.add_column('mail', sa.Column('attachment_name', sa.String(), nullable=True))
    op.add_column('mail', sa.Column('attachment_kind', sa.String(), nullable=True))
    op.add_column('mail', sa.Column('attachment', sa.LargeBinary(), nullable=True))
    # What was there before is computed like everything that changes.
    op.execute(
        "INSERT INTO conversation_due (phone_number_id, contact_id, workspace_id, marked_at, version) "
        "SELECT phone_number_id, contact_id, min(workspace_id), 0, 1 FROM message "
        "GROUP BY phone_number_id, contact_id"
    )
    if op.get_bind().dialect.name == 'sqlite':
        _guard_sqlite()
    else:
        _guard_postgresql()


def _changed(columns, *, differs) -> str:
    return ' OR '.join(differs(column) for column in columns)


def _guard_sqlite() -> None:
    def differs(column):
        return f'NEW.{column} IS NOT OLD.{column}'

    released = (
        f"({differs('invoice_id')} AND (SELECT state FROM invoice WHERE id = OLD.invoice_id) <> 'void')"
    )
    stands = "NOT (NEW.state = OLD.state OR (OLD.state = 'finalised' AND NEW.state = 'void'))"
    for name, when, condition, sentence in (
        ('conversation_no_update', 'UPDATE ON conversation',
         f'OLD.invoice_id IS NOT NULL AND ({_changed(FROZEN_CONVERSATION, differs=differs)} OR {released})',
         CONVERSATION),
        ('conversation_no_delete', 'DELETE ON conversation', 'OLD.invoice_id IS NOT NULL', CONVERSATION),
        ('invoice_no_update', 'UPDATE ON invoice',
         f"OLD.state <> 'draft' AND ({_changed(FROZEN_INVOICE, differs=differs)} OR {stands})", INVOICE),
        ('invoice_no_delete', 'DELETE ON invoice', "OLD.state <> 'draft'", INVOICE),
        ('invoice_entry_no_insert', 'INSERT ON invoice_entry',
         "(SELECT state FROM invoice WHERE id = NEW.invoice_id) <> 'draft'", ENTRY),
        ('invoice_entry_no_update', 'UPDATE ON invoice_entry', '1', ENTRY),
        ('invoice_entry_no_delete', 'DELETE ON invoice_entry', '1', ENTRY),
    ):
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {when} WHEN {condition} BEGIN SELECT RAISE(ABORT, '{sentence}'); END"
        )


def _guard_postgresql() -> None:
    def differs(column):
        cast = '::text' if column in JSON_COLUMNS else ''
        return f'NEW.{column}{cast} IS DISTINCT FROM OLD.{column}{cast}'

    released = (
        f"({differs('invoice_id')} AND (SELECT state FROM invoice WHERE id = OLD.invoice_id) <> 'void')"
    )
    stands = "NOT (NEW.state = OLD.state OR (OLD.state = 'finalised' AND NEW.state = 'void'))"
    for table, when, verb, condition, sentence in (
        ('conversation', 'update', 'UPDATE',
         f'OLD.invoice_id IS NOT NULL AND ({_changed(FROZEN_CONVERSATION, differs=differs)} OR {released})',
         CONVERSATION),
        ('conversation', 'delete', 'DELETE', 'OLD.invoice_id IS NOT NULL', CONVERSATION),
        ('invoice', 'update', 'UPDATE',
         f"OLD.state <> 'draft' AND ({_changed(FROZEN_INVOICE, differs=differs)} OR {stands})", INVOICE),
        ('invoice', 'delete', 'DELETE', "OLD.state <> 'draft'", INVOICE),
        ('invoice_entry', 'insert', 'INSERT',
         "(SELECT state FROM invoice WHERE id = NEW.invoice_id) <> 'draft'", ENTRY),
        ('invoice_entry', 'change', 'UPDATE OR DELETE', 'TRUE', ENTRY),
    ):
        name = f'{table}_guard_{when}'
        kept = 'OLD' if verb == 'DELETE' else 'NEW'
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF {condition} THEN RAISE EXCEPTION '{sentence}'; END IF; RETURN {kept}; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
        )


def downgrade() -> None:
    raise NotImplementedError('restore a backup instead')
