"""Channels through which alerts reach people, what was said through each, and what an alert's end let go."""

import sqlalchemy as sa
from alembic import op

import data.columns

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:
    instant = data.columns.Instant()
    word = sa.String(length=32)
    op.add_column('alert', sa.Column('told_severity', word, nullable=True))
    op.add_column('alert', sa.Column('outcome', sa.String(), nullable=True))

    op.create_table('alert_channel',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('kind', word, nullable=False),
    sa.Column('is_on', sa.Boolean(), nullable=False),
    sa.Column('roles', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('addresses', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('target', sa.String(), nullable=False),
    sa.Column('sealed_target', sa.LargeBinary(), nullable=True),
    sa.Column('sealed_secret', sa.LargeBinary(), nullable=True),
    sa.Column('least', word, nullable=False),
    sa.Column('kinds', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('quiet_from', sa.Integer(), nullable=True),
    sa.Column('quiet_until', sa.Integer(), nullable=True),
    sa.Column('critical_passes', sa.Boolean(), nullable=False),
    sa.Column('of_platform', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('made_at', instant, nullable=False),
    sa.Column('tried_at', instant, nullable=True),
    sa.Column('told_at', instant, nullable=True),
    sa.Column('last_error', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id']),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_alert_channel_workspace_id', 'alert_channel', ['workspace_id'], unique=False)

    op.create_table('alert_notice',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('channel_id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('alert_id', sa.String(), nullable=True),
    sa.Column('event', word, nullable=False),
    sa.Column('said', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('state', word, nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('last_error', sa.String(), nullable=True),
    sa.Column('created_at', instant, nullable=False),
    sa.Column('due_at', instant, nullable=True),
    sa.Column('sent_at', instant, nullable=True),
    sa.ForeignKeyConstraint(['alert_id'], ['alert.id']),
    sa.ForeignKeyConstraint(['channel_id'], ['alert_channel.id']),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id']),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_alert_notice_due', 'alert_notice', ['state', 'due_at', 'id'], unique=False)
    op.create_index('ix_alert_notice_channel', 'alert_notice', ['channel_id', 'id'], unique=False)
    op.create_index('ix_alert_notice_alert', 'alert_notice', ['alert_id', 'channel_id', 'id'], unique=False)


def downgrade() -> None:
    raise NotImplementedError('restore a backup instead')
