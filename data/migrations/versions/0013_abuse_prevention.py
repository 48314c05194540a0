"""Abuse prevention: what became of templates, counted, and what follows for the workspace."""

import sqlalchemy as sa
from alembic import op

import data.columns

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade() -> None:
    instant, document = data.columns.Instant(), sa.JSON(none_as_null=True)
    op.create_table('template_metric',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('template_id', sa.String(), nullable=False),
    sa.Column('event', sa.String(length=32), nullable=False),
    sa.Column('reason', sa.String(), nullable=True),
    sa.Column('at', instant, nullable=False),
    sa.Column('noticed_at', instant, nullable=False),
    sa.Column('source', sa.String(length=32), nullable=False),
    sa.Column('counts', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_template_metric_template', 'template_metric',
                    ['workspace_id', 'template_id', 'at', 'event'], unique=True)
    op.create_index('ix_template_metric_window', 'template_metric',
                    ['workspace_id', 'at', 'counts', 'event'], unique=False)
    op.create_index('ix_template_metric_at', 'template_metric', ['at'], unique=False)
    op.create_table('template_metric_day',
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('template_id', sa.String(), nullable=False),
    sa.Column('day', sa.String(), nullable=False),
    *(sa.Column(name, sa.Integer(), nullable=False)
      for name in ('created', 'approved', 'rejected', 'paused', 'disabled')),
    sa.Column('last_event', sa.String(length=32), nullable=False),
    sa.Column('last_at', instant, nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('workspace_id', 'template_id', 'day')
    )
    op.create_table('rejected_send',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('template_id', sa.String(), nullable=False),
    sa.Column('at', instant, nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_rejected_send_window', 'rejected_send', ['workspace_id', 'at'], unique=False)
    op.create_index('ix_rejected_send_at', 'rejected_send', ['at'], unique=False)
    op.create_table('abuse_standing',
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('level', sa.String(length=32), nullable=False),
    sa.Column('reasons', document, nullable=False),
    sa.Column('since', instant, nullable=False),
    sa.Column('judged_at', instant, nullable=False),
    sa.Column('due_at', instant, nullable=True),
    sa.Column('counts_from', instant, nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('workspace_id')
    )
    op.create_index('ix_abuse_standing_due_at', 'abuse_standing', ['due_at'], unique=False)
    op.create_table('abuse_flag',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('reasons', document, nullable=False),
    sa.Column('opened_at', instant, nullable=False),
    sa.Column('cleared_at', instant, nullable=True),
    sa.Column('cleared_by', sa.String(), nullable=True),
    sa.Column('cleared_reason', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    is_open = sa.text('cleared_at IS NULL')
    op.create_index('ix_abuse_flag_open', 'abuse_flag', ['workspace_id'], unique=True,
                    sqlite_where=is_open, postgresql_where=is_open)
    op.create_index('ix_abuse_flag_workspace', 'abuse_flag', ['workspace_id', 'id'], unique=False)


def downgrade() -> None:
    raise NotImplementedError('restore a backup instead')
