"""Alerts, and mail on its way out."""

import sqlalchemy as sa
from alembic import op

import data.columns


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

DUE = sa.text("state = 'queued'")


def upgrade() -> None:
    op.create_table('alert',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=True),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('subject', sa.String(), nullable=False),
    sa.Column('open_key', sa.String(), nullable=True),
    sa.Column('severity', sa.String(length=32), nullable=False),
    sa.Column('title', sa.String(), nullable=False),
    sa.Column('detail', sa.String(), nullable=False),
    sa.Column('link', sa.String(), nullable=False),
    sa.Column('times', sa.Integer(), nullable=False),
    sa.Column('opened_at', data.columns.Instant(), nullable=False),
    sa.Column('last_seen_at', data.columns.Instant(), nullable=False),
    sa.Column('acknowledged_at', data.columns.Instant(), nullable=True),
    sa.Column('acknowledged_by', sa.String(), nullable=True),
    sa.Column('resolved_at', data.columns.Instant(), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id']),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('open_key')
    )
    op.create_index('ix_alert_open', 'alert', ['workspace_id', 'resolved_at', 'id'], unique=False)
    op.create_index('ix_alert_workspace', 'alert', ['workspace_id', 'id'], unique=False)
    op.create_index('ix_alert_severity', 'alert', ['workspace_id', 'severity', 'id'], unique=False)

    op.create_table('mail',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=True),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('recipient', sa.String(), nullable=False),
    sa.Column('subject', sa.String(), nullable=False),
    sa.Column('sealed_text', sa.LargeBinary(), nullable=True),
    sa.Column('state', sa.String(length=32), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('last_error', sa.String(), nullable=True),
    sa.Column('created_at', data.columns.Instant(), nullable=False),
    sa.Column('due_at', data.columns.Instant(), nullable=True),
    sa.Column('sent_at', data.columns.Instant(), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id']),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_mail_due', 'mail', ['due_at', 'id'], unique=False,
                    sqlite_where=DUE, postgresql_where=DUE)
    op.create_index('ix_mail_workspace', 'mail', ['workspace_id', 'id'], unique=False)


def downgrade() -> None:
    raise NotImplementedError('restore a backup instead')
