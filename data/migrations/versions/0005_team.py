"""The team: invitations, second factors, resets, support sessions; zones and budgets to come; the audit log's
filters."""

import sqlalchemy as sa
from alembic import op

import data.columns

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

ROLES = ('owner', 'manager', 'agent', 'viewer', 'support')


def _role():
    return sa.Enum(*ROLES, name='role', native_enum=False, length=32)


def _flag(name):
    return sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False)


def upgrade() -> None:
    op.add_column('workspace', sa.Column('pending_timezone', sa.String(), nullable=True))
    op.add_column('workspace', sa.Column('pending_timezone_from', data.columns.Instant(), nullable=True))
    op.add_column('workspace', sa.Column('monthly_budget_micros', sa.BigInteger(), nullable=True))
    op.add_column('workspace', sa.Column(
        'budget_mode', sa.Enum('soft', 'hard', name='budgetmode', native_enum=False, length=32), nullable=True))
    op.add_column('workspace', _flag('require_second_factor'))

    # SQLite can only do this by copying the table; nothing refers to it yet.
    with op.batch_alter_table('member') as member:
        member.add_column(sa.Column('invited_at', data.columns.Instant(), nullable=True))
        member.add_column(sa.Column('invited_until', data.columns.Instant(), nullable=True))
        member.alter_column('joined_at', existing_type=data.columns.Instant(), nullable=True)

    op.create_table('invitation',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('member_id', sa.String(), nullable=False),
    sa.Column('email', sa.String(), nullable=False),
    sa.Column('role', _role(), nullable=False),
    sa.Column('token_hash', sa.String(), nullable=False),
    sa.Column('invited_by', sa.String(), nullable=False),
    sa.Column('created_at', data.columns.Instant(), nullable=False),
    sa.Column('expires_at', data.columns.Instant(), nullable=False),
    sa.Column('accepted_at', data.columns.Instant(), nullable=True),
    sa.Column('revoked_at', data.columns.Instant(), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.ForeignKeyConstraint(['member_id'], ['member.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('token_hash')
    )
    op.create_index('ix_invitation_member_id', 'invitation', ['member_id'], unique=False)

    op.add_column('browser_session', _flag('is_pending'))
    op.add_column('browser_session', sa.Column('second_factor_at', data.columns.Instant(), nullable=True))
    op.add_column('browser_session', sa.Column('confirmed_at', data.columns.Instant(), nullable=True))
    op.add_column('browser_session', sa.Column('support_reason', sa.String(), nullable=True))
    op.add_column('browser_session', sa.Column('view_as', _role(), nullable=True))
    with op.batch_alter_table('browser_session') as browser_session:
        browser_session.add_column(sa.Column('support_workspace_id', sa.String(), nullable=True))
        browser_session.create_foreign_key(
            'browser_session_support_workspace_id_fkey', 'workspace', ['support_workspace_id'], ['id'])

    op.create_table('second_factor',
    sa.Column('user_id', sa.String(), nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', data.columns.Instant(), nullable=False),
    sa.Column('confirmed_at', data.columns.Instant(), nullable=True),
    sa.Column('last_step', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], ),
    sa.PrimaryKeyConstraint('user_id')
    )
    op.create_table('recovery_code',
    sa.Column('code_hash', sa.String(), nullable=False),
    sa.Column('user_id', sa.String(), nullable=False),
    sa.Column('used_at', data.columns.Instant(), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], ),
    sa.PrimaryKeyConstraint('code_hash')
    )
    op.create_index('ix_recovery_code_user_id', 'recovery_code', ['user_id'], unique=False)

    op.create_table('password_reset',
    sa.Column('token_hash', sa.String(), nullable=False),
    sa.Column('user_id', sa.String(), nullable=False),
    sa.Column('created_at', data.columns.Instant(), nullable=False),
    sa.Column('expires_at', data.columns.Instant(), nullable=False),
    sa.Column('used_at', data.columns.Instant(), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], ),
    sa.PrimaryKeyConstraint('token_hash')
    )
    op.create_index('ix_password_reset_user_id', 'password_reset', ['user_id'], unique=False)

    _index_the_audit_log()


def _index_the_audit_log() -> None:
    op.drop_index('ix_audit_entry_workspace_id', 'audit_entry')
    for name, columns in {
        'ix_audit_entry_at': [],
        'ix_audit_entry_actor': ['actor'],
        'ix_audit_entry_action': ['action'],
        'ix_audit_entry_target': ['target'],
    }.items():
        op.create_index(name, 'audit_entry', ['workspace_id', *columns, 'at', 'number'])


def downgrade() -> None:
    raise NotImplementedError('restore a backup instead')
