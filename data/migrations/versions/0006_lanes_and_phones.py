"""Lanes and phones: probes, history, accounts."""

import sqlalchemy as sa
from alembic import op

import data.columns

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    _phones()
    _lanes()


def _lanes() -> None:
    instant, document = data.columns.Instant(), sa.JSON(none_as_null=True)
    op.add_column('phone', sa.Column('own_limit', sa.Integer(), nullable=True))
    op.add_column('hold', sa.Column('until', instant, nullable=True))
    op.add_column('hold', sa.Column('probe_at', instant, nullable=True))
    op.add_column('hold', sa.Column('probes', sa.Integer(), server_default='0', nullable=False))
    op.create_table('failure_run',
    sa.Column('subject', sa.String(), nullable=False),
    sa.Column('message_ids', document, nullable=False),
    sa.Column('held', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('subject')
    )
    op.create_table('pair_limit',
    sa.Column('phone_number_id', sa.String(), nullable=False),
    sa.Column('contact_id', sa.String(), nullable=False),
    sa.Column('refusals', sa.Integer(), nullable=False),
    sa.Column('until', instant, nullable=True),
    sa.Column('owed_until', instant, nullable=True),
    sa.PrimaryKeyConstraint('phone_number_id', 'contact_id')
    )
    op.create_index('ix_pair_limit_until', 'pair_limit', ['phone_number_id', 'until'], unique=False)
    parked = sa.text("waiting_for = 'template'")
    op.create_index('ix_message_parked', 'message',
                    ['template_name', 'template_language', 'phone_number_id', 'id'], unique=False,
                    sqlite_where=parked, postgresql_where=parked)


def _phones() -> None:
    instant, document = data.columns.Instant(), sa.JSON(none_as_null=True)
    for name, kind in (
        ('business_id', sa.String()),
        ('status', sa.String()),
        ('review_status', sa.String()),
        ('verification', sa.String()),
        ('restriction', sa.String()),
        ('restricted_until', instant),
        ('described', document),
        ('synced_at', instant),
        ('sync_due_at', instant),
        ('sync_error', sa.String()),
    ):
        op.add_column('waba', sa.Column(name, kind, nullable=True))
    op.create_index('ix_waba_sync_due_at', 'waba', ['sync_due_at'], unique=False)
    op.execute('UPDATE waba SET sync_due_at = connected_at')
    op.add_column('phone', sa.Column('new_name_status', sa.String(), nullable=True))
    op.add_column('phone', sa.Column('described', document, nullable=True))
    op.create_table('business',
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('verification', sa.String(), nullable=True),
    sa.Column('described', document, nullable=True),
    sa.Column('synced_at', instant, nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('workspace_id', 'id')
    )
    op.create_table('node_change',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('subject', sa.String(), nullable=False),
    sa.Column('aspect', sa.String(length=32), nullable=False),
    sa.Column('before', sa.String(), nullable=True),
    sa.Column('after', sa.String(), nullable=True),
    sa.Column('detail', document, nullable=True),
    sa.Column('at', instant, nullable=False),
    sa.Column('noticed_at', instant, nullable=False),
    sa.Column('source', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_node_change_subject', 'node_change', ['workspace_id', 'subject', 'at', 'id'],
                    unique=False)


def downgrade() -> None:
    raise NotImplementedError('restore a backup instead')
