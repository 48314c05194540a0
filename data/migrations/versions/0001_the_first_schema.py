"""The first schema: every table of sending, people, messages and operations; the plans; the triggers that
keep the audit log append-only."""

import sqlalchemy as sa
from alembic import op

import data.columns


revision = '0001'
down_revision = None
branch_labels = None
depends_on = None

PLANS = sa.table(
    'plan',
    sa.column('name', sa.String),
    sa.column('version', sa.Integer),
    sa.column('valid_from', sa.BigInteger),
    sa.column('included_conversations', sa.Integer),
    sa.column('overage_micros', sa.Integer),
    sa.column('messages_per_second', sa.Integer),
)
PLAN_ROWS = [
    dict(name=name, version=1, valid_from=0, included_conversations=included, overage_micros=overage,
         messages_per_second=rate)
    for name, included, overage, rate in (
        ('free', 100, None, 1),
        ('starter', 100, 10_000, 10),
        ('pro', 500, 5_000, 30),
        ('enterprise', 50_000, None, 80),
    )
]


def upgrade() -> None:
    op.create_table('audit_entry',
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('at', data.columns.Instant(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=True),
    sa.Column('actor', sa.String(), nullable=False),
    sa.Column('action', sa.String(), nullable=False),
    sa.Column('target', sa.String(), nullable=False),
    sa.Column('before', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('after', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('address', sa.String(), nullable=True),
    sa.Column('request_id', sa.String(), nullable=True),
    sa.Column('hash', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('number')
    )
    op.create_index('ix_audit_entry_workspace_id', 'audit_entry', ['workspace_id'], unique=False)

    op.create_table('audit_head',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('hash', sa.String(), nullable=False),
    sa.Column('sealed_key', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_table('heartbeat',
    sa.Column('holder', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('started_at', data.columns.Instant(), nullable=False),
    sa.Column('beat_at', data.columns.Instant(), nullable=False),
    sa.PrimaryKeyConstraint('holder')
    )
    op.create_index('ix_heartbeat_kind', 'heartbeat', ['kind'], unique=False)

    op.create_table('lease',
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('holder', sa.String(), nullable=False),
    sa.Column('until', data.columns.Instant(), nullable=False),
    sa.PrimaryKeyConstraint('name')
    )
    op.create_table('plan',
    sa.Column('name', sa.Enum('free', 'starter', 'pro', 'enterprise', name='planname', native_enum=False, length=32), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('valid_from', data.columns.Instant(), nullable=False),
    sa.Column('included_conversations', sa.Integer(), nullable=False),
    sa.Column('overage_micros', sa.Integer(), nullable=True),
    sa.Column('messages_per_second', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('name', 'version')
    )
    op.create_table('sign_in_failure',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('email_hash', sa.String(), nullable=False),
    sa.Column('address', sa.String(), nullable=False),
    sa.Column('at', data.columns.Instant(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_sign_in_failure_address', 'sign_in_failure', ['address'], unique=False)
    op.create_index('ix_sign_in_failure_at', 'sign_in_failure', ['at'], unique=False)
    op.create_index('ix_sign_in_failure_email_hash', 'sign_in_failure', ['email_hash'], unique=False)

    op.create_table('user_account',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('email', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('password_hash', sa.String(), nullable=False),
    sa.Column('is_platform_admin', sa.Boolean(), nullable=False),
    sa.Column('is_platform_support', sa.Boolean(), nullable=False),
    sa.Column('created_at', data.columns.Instant(), nullable=False),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('email')
    )
    op.create_table('workspace',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('slug', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('timezone', sa.String(), nullable=False),
    sa.Column('plan', sa.Enum('free', 'starter', 'pro', 'enterprise', name='planname', native_enum=False, length=32), nullable=False),
    sa.Column('is_demo', sa.Boolean(), nullable=False),
    sa.Column('created_at', data.columns.Instant(), nullable=False),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('slug')
    )
    op.create_table('api_key',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=True),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('role', sa.Enum('owner', 'manager', 'agent', 'viewer', 'support', name='role', native_enum=False, length=32), nullable=True),
    sa.Column('key_hash', sa.String(), nullable=False),
    sa.Column('created_by', sa.String(), nullable=True),
    sa.Column('created_at', data.columns.Instant(), nullable=False),
    sa.Column('expires_at', data.columns.Instant(), nullable=True),
    sa.Column('last_used_at', data.columns.Instant(), nullable=True),
    sa.Column('revoked_at', data.columns.Instant(), nullable=True),
    sa.ForeignKeyConstraint(['created_by'], ['user_account.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('key_hash')
    )
    op.create_index('ix_api_key_workspace_id', 'api_key', ['workspace_id'], unique=False)

    op.create_table('browser_session',
    sa.Column('token_hash', sa.String(), nullable=False),
    sa.Column('user_id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('created_at', data.columns.Instant(), nullable=False),
    sa.Column('last_seen_at', data.columns.Instant(), nullable=False),
    sa.Column('ended_at', data.columns.Instant(), nullable=True),
    sa.Column('address', sa.String(), nullable=False),
    sa.Column('agent', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('token_hash')
    )
    op.create_index('ix_browser_session_user_id', 'browser_session', ['user_id'], unique=False)

    op.create_table('contact',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('wa_id', sa.String(), nullable=True),
    sa.Column('business_user_id', sa.String(), nullable=True),
    sa.Column('name', sa.String(), nullable=True),
    sa.Column('created_at', data.columns.Instant(), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('workspace_id', 'business_user_id'),
    sa.UniqueConstraint('workspace_id', 'wa_id')
    )
    op.create_table('hold',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=True),
    sa.Column('scope', sa.Enum('lane', 'template', 'workspace', 'everything', name='holdscope', native_enum=False, length=32), nullable=False),
    sa.Column('subject', sa.String(), nullable=False),
    sa.Column('cause', sa.Enum('person', 'token', 'payment', 'restriction', 'registration', 'meta', name='holdcause', native_enum=False, length=32), nullable=False),
    sa.Column('error_code', sa.String(), nullable=True),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('held_at', data.columns.Instant(), nullable=False),
    sa.Column('held_by', sa.String(), nullable=True),
    sa.Column('released_at', data.columns.Instant(), nullable=True),
    sa.Column('released_by', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_hold_active', 'hold', ['scope', 'subject'], unique=False, sqlite_where=sa.text('released_at IS NULL'), postgresql_where=sa.text('released_at IS NULL'))
    op.create_index('ix_hold_workspace_id', 'hold', ['workspace_id'], unique=False)

    op.create_table('member',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('user_id', sa.String(), nullable=False),
    sa.Column('role', sa.Enum('owner', 'manager', 'agent', 'viewer', 'support', name='role', native_enum=False, length=32), nullable=False),
    sa.Column('status', sa.Enum('active', 'invited', 'suspended', 'removed', name='memberstatus', native_enum=False, length=32), nullable=False),
    sa.Column('joined_at', data.columns.Instant(), nullable=False),
    sa.Column('last_seen_at', data.columns.Instant(), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('workspace_id', 'user_id')
    )
    op.create_index('ix_member_user_id', 'member', ['user_id'], unique=False)
    op.create_index('ix_member_workspace_id', 'member', ['workspace_id'], unique=False)

    op.create_table('waba',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('connected_at', data.columns.Instant(), nullable=False),
    sa.Column('templates_synced_at', data.columns.Instant(), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_waba_workspace_id', 'waba', ['workspace_id'], unique=False)

    op.create_table('access_token',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('waba_id', sa.String(), nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=False),
    sa.Column('expires_at', data.columns.Instant(), nullable=True),
    sa.Column('replaced_at', data.columns.Instant(), nullable=False),
    sa.ForeignKeyConstraint(['waba_id'], ['waba.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('waba_id')
    )
    op.create_index('ix_access_token_workspace_id', 'access_token', ['workspace_id'], unique=False)

    op.create_table('phone',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('waba_id', sa.String(), nullable=False),
    sa.Column('display_number', sa.String(), nullable=False),
    sa.Column('verified_name', sa.String(), nullable=False),
    sa.Column('quality', sa.String(), nullable=False),
    sa.Column('throughput_level', sa.String(), nullable=False),
    sa.Column('messaging_tier', sa.String(), nullable=True),
    sa.Column('name_status', sa.String(), nullable=True),
    sa.Column('status', sa.String(), nullable=False),
    sa.Column('synced_at', data.columns.Instant(), nullable=False),
    sa.ForeignKeyConstraint(['waba_id'], ['waba.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_phone_waba_id', 'phone', ['waba_id'], unique=False)
    op.create_index('ix_phone_workspace_id', 'phone', ['workspace_id'], unique=False)

    op.create_table('suppression',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('contact_id', sa.String(), nullable=False),
    sa.Column('kind', sa.Enum('all', 'marketing', name='suppressionkind', native_enum=False, length=32), nullable=False),
    sa.Column('error_code', sa.String(), nullable=False),
    sa.Column('message_id', sa.String(), nullable=False),
    sa.Column('created_at', data.columns.Instant(), nullable=False),
    sa.Column('lifted_at', data.columns.Instant(), nullable=True),
    sa.Column('lifted_by', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['contact_id'], ['contact.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_suppression_active', 'suppression', ['contact_id'], unique=False, sqlite_where=sa.text('lifted_at IS NULL'), postgresql_where=sa.text('lifted_at IS NULL'))
    op.create_index('ix_suppression_workspace_id', 'suppression', ['workspace_id'], unique=False)

    op.create_table('template',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('waba_id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('language', sa.String(), nullable=False),
    sa.Column('category', sa.String(), nullable=False),
    sa.Column('status', sa.String(), nullable=False),
    sa.Column('parameter_format', sa.String(), nullable=False),
    sa.Column('components', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('synced_at', data.columns.Instant(), nullable=False),
    sa.ForeignKeyConstraint(['waba_id'], ['waba.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('waba_id', 'name', 'language')
    )
    op.create_index('ix_template_workspace_id', 'template', ['workspace_id'], unique=False)

    op.create_table('lane',
    sa.Column('phone_number_id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('slots', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['phone_number_id'], ['phone.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('phone_number_id')
    )
    op.create_index('ix_lane_workspace_id', 'lane', ['workspace_id'], unique=False)

    op.create_table('message',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('phone_number_id', sa.String(), nullable=False),
    sa.Column('contact_id', sa.String(), nullable=False),
    sa.Column('direction', sa.Enum('inbound', 'outbound', name='direction', native_enum=False, length=32), nullable=False),
    sa.Column('kind', sa.Enum('template', 'text', 'other', name='messagekind', native_enum=False, length=32), nullable=False),
    sa.Column('recipient', sa.String(), nullable=False),
    sa.Column('payload', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('template_name', sa.String(), nullable=True),
    sa.Column('template_language', sa.String(), nullable=True),
    sa.Column('state', sa.Enum('queued', 'claimed', 'sending', 'sent', 'delivered', 'read', 'retry_queued', 'unknown', 'dead', 'failed', 'discarded', 'received', name='messagestate', native_enum=False, length=32), nullable=False),
    sa.Column('waiting_for', sa.Enum('rung', 'lane', 'template', 'throughput', 'person', name='waitingfor', native_enum=False, length=32), nullable=True),
    sa.Column('due_at', data.columns.Instant(), nullable=True),
    sa.Column('expires_at', data.columns.Instant(), nullable=True),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('round', sa.Integer(), nullable=False),
    sa.Column('rung', sa.Integer(), nullable=False),
    sa.Column('rate_waits', sa.Integer(), nullable=False),
    sa.Column('leases_lost', sa.Integer(), nullable=False),
    sa.Column('lease_until', data.columns.Instant(), nullable=True),
    sa.Column('lease_holder', sa.String(), nullable=True),
    sa.Column('may_duplicate', sa.Boolean(), nullable=False),
    sa.Column('wamid', sa.String(), nullable=True),
    sa.Column('error_code', sa.String(), nullable=True),
    sa.Column('error_detail', sa.String(), nullable=True),
    sa.Column('created_at', data.columns.Instant(), nullable=False),
    sa.Column('sent_at', data.columns.Instant(), nullable=True),
    sa.Column('delivered_at', data.columns.Instant(), nullable=True),
    sa.Column('read_at', data.columns.Instant(), nullable=True),
    sa.Column('sent_by', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['contact_id'], ['contact.id'], ),
    sa.ForeignKeyConstraint(['phone_number_id'], ['phone.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_message_contact_id', 'message', ['contact_id'], unique=False)
    op.create_index('ix_message_due', 'message', ['phone_number_id', 'due_at', 'id'], unique=False, sqlite_where=sa.text("state IN ('queued', 'retry_queued')"), postgresql_where=sa.text("state IN ('queued', 'retry_queued')"))
    op.create_index('ix_message_error', 'message', ['workspace_id', 'error_code', 'id'], unique=False, sqlite_where=sa.text('error_code IS NOT NULL'), postgresql_where=sa.text('error_code IS NOT NULL'))
    op.create_index('ix_message_leased', 'message', ['lease_until'], unique=False, sqlite_where=sa.text("state IN ('claimed', 'sending')"), postgresql_where=sa.text("state IN ('claimed', 'sending')"))
    op.create_index('ix_message_phone', 'message', ['workspace_id', 'phone_number_id', 'id'], unique=False)
    op.create_index('ix_message_recipient', 'message', ['workspace_id', 'recipient', 'id'], unique=False)
    op.create_index('ix_message_sent', 'message', ['workspace_id', 'sent_at'], unique=False)
    op.create_index('ix_message_state', 'message', ['workspace_id', 'state', 'id'], unique=False)
    op.create_index('ix_message_template', 'message', ['workspace_id', 'template_name', 'id'], unique=False)
    op.create_index('ix_message_wamid', 'message', ['wamid'], unique=False)
    op.create_index('ix_message_workspace', 'message', ['workspace_id', 'id'], unique=False)

    op.create_table('service_window',
    sa.Column('phone_number_id', sa.String(), nullable=False),
    sa.Column('contact_id', sa.String(), nullable=False),
    sa.Column('last_inbound_at', data.columns.Instant(), nullable=False),
    sa.ForeignKeyConstraint(['contact_id'], ['contact.id'], ),
    sa.ForeignKeyConstraint(['phone_number_id'], ['phone.id'], ),
    sa.PrimaryKeyConstraint('phone_number_id', 'contact_id')
    )
    op.create_index('ix_service_window_contact_id', 'service_window', ['contact_id'], unique=False)

    op.create_table('attempt',
    sa.Column('message_id', sa.String(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('round', sa.Integer(), nullable=False),
    sa.Column('may_duplicate', sa.Boolean(), nullable=False),
    sa.Column('claimed_at', data.columns.Instant(), nullable=False),
    sa.Column('started_at', data.columns.Instant(), nullable=True),
    sa.Column('finished_at', data.columns.Instant(), nullable=True),
    sa.Column('outcome', sa.Enum('accepted', 'refused', 'passing', 'unknown', 'lost', 'late', name='outcome', native_enum=False, length=32), nullable=True),
    sa.Column('error_code', sa.String(), nullable=True),
    sa.Column('error_detail', sa.String(), nullable=True),
    sa.Column('http_status', sa.Integer(), nullable=True),
    sa.Column('trace_id', sa.String(), nullable=True),
    sa.Column('wamid', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['message_id'], ['message.id'], ),
    sa.PrimaryKeyConstraint('message_id', 'number')
    )
    op.create_index('ix_attempt_wamid', 'attempt', ['wamid'], unique=False, sqlite_where=sa.text('wamid IS NOT NULL'), postgresql_where=sa.text('wamid IS NOT NULL'))

    op.create_table('dead_letter',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('message_id', sa.String(), nullable=False),
    sa.Column('round', sa.Integer(), nullable=False),
    sa.Column('state', sa.Enum('open', 'redriven', 'resolved', 'discarded', name='letterstate', native_enum=False, length=32), nullable=False),
    sa.Column('error_code', sa.String(), nullable=False),
    sa.Column('error_detail', sa.String(), nullable=False),
    sa.Column('fingerprint', sa.String(), nullable=False),
    sa.Column('recipient', sa.String(), nullable=False),
    sa.Column('phone_number_id', sa.String(), nullable=False),
    sa.Column('template_name', sa.String(), nullable=True),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('may_duplicate', sa.Boolean(), nullable=False),
    sa.Column('dead_at', data.columns.Instant(), nullable=False),
    sa.Column('closed_at', data.columns.Instant(), nullable=True),
    sa.Column('assignee_id', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['assignee_id'], ['user_account.id'], ),
    sa.ForeignKeyConstraint(['message_id'], ['message.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('message_id', 'round')
    )
    op.create_index('ix_dead_letter_code', 'dead_letter', ['workspace_id', 'state', 'error_code', 'dead_at', 'id'], unique=False)
    op.create_index('ix_dead_letter_fingerprint', 'dead_letter', ['workspace_id', 'state', 'fingerprint', 'dead_at', 'id'], unique=False)
    op.create_index('ix_dead_letter_phone', 'dead_letter', ['workspace_id', 'state', 'phone_number_id', 'dead_at', 'id'], unique=False)
    op.create_index('ix_dead_letter_recipient', 'dead_letter', ['workspace_id', 'state', 'recipient', 'dead_at', 'id'], unique=False)
    op.create_index('ix_dead_letter_state', 'dead_letter', ['workspace_id', 'state', 'dead_at', 'id'], unique=False)
    op.create_index('ix_dead_letter_template', 'dead_letter', ['workspace_id', 'state', 'template_name', 'dead_at', 'id'], unique=False)

    op.create_table('idempotency_key',
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('key', sa.String(), nullable=False),
    sa.Column('body_hash', sa.String(), nullable=False),
    sa.Column('message_id', sa.String(), nullable=False),
    sa.Column('created_at', data.columns.Instant(), nullable=False),
    sa.Column('answer', sa.JSON(none_as_null=True), nullable=True),
    sa.ForeignKeyConstraint(['message_id'], ['message.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('workspace_id', 'key')
    )
    op.create_index('ix_idempotency_key_created_at', 'idempotency_key', ['created_at'], unique=False)

    op.create_table('message_status',
    sa.Column('wamid', sa.String(), nullable=False),
    sa.Column('status', sa.String(), nullable=False),
    sa.Column('at', data.columns.Instant(), nullable=False),
    sa.Column('message_id', sa.String(), nullable=False),
    sa.Column('received_at', data.columns.Instant(), nullable=False),
    sa.Column('error_code', sa.String(), nullable=True),
    sa.Column('error_detail', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['message_id'], ['message.id'], ),
    sa.PrimaryKeyConstraint('wamid', 'status', 'at')
    )
    op.create_index('ix_message_status_message_id', 'message_status', ['message_id'], unique=False)

    op.create_table('letter_action',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('letter_id', sa.String(), nullable=False),
    sa.Column('at', data.columns.Instant(), nullable=False),
    sa.Column('actor', sa.String(), nullable=False),
    sa.Column('verb', sa.String(), nullable=False),
    sa.Column('text', sa.String(), nullable=True),
    sa.Column('payload_before', sa.JSON(none_as_null=True), nullable=True),
    sa.ForeignKeyConstraint(['letter_id'], ['dead_letter.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_letter_action_letter_id', 'letter_action', ['letter_id'], unique=False)
    op.bulk_insert(PLANS, PLAN_ROWS)
    if op.get_bind().dialect.name == 'sqlite':
        for verb in ('UPDATE', 'DELETE'):
            op.execute(
                f"CREATE TRIGGER audit_entry_no_{verb.lower()} BEFORE {verb} ON audit_entry "
                "BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION audit_entry_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'audit entries are never changed'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE ON audit_entry "
            "FOR EACH ROW EXECUTE FUNCTION audit_entry_is_append_only()"
        )


def downgrade() -> None:
    raise NotImplementedError('restore a backup instead')
