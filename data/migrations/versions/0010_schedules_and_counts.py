"""What the clock does by itself, the newest of what came of it, and what all processes counted."""

import sqlalchemy as sa
from alembic import op

import data.columns

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade() -> None:
    instant = data.columns.Instant()
    op.create_table(
        'schedule',
        sa.Column('name', sa.String(), nullable=False),
        sa.Column('about', sa.String(), nullable=False),
        sa.Column('every_s', sa.Float(), nullable=False),
        sa.Column('at_s', sa.Float(), nullable=True),
        sa.Column('can_pause', sa.Boolean(), nullable=False),
        sa.Column('due_at', instant, nullable=True),
        sa.Column('asked_at', instant, nullable=True),
        sa.Column('asked_by', sa.String(), nullable=True),
        sa.Column('paused_at', instant, nullable=True),
        sa.Column('paused_by', sa.String(), nullable=True),
        sa.Column('pause_reason', sa.String(), nullable=False),
        sa.Column('running_since', instant, nullable=True),
        sa.Column('ran_at', instant, nullable=True),
        sa.Column('took_ms', sa.Integer(), nullable=False),
        sa.Column('result', sa.String(), nullable=False),
        sa.Column('holder', sa.String(), nullable=True),
        sa.Column('succeeded_at', instant, nullable=True),
        sa.Column('failing_since', instant, nullable=True),
        sa.Column('failures', sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint('name'),
    )
    op.create_table(
        'schedule_run',
        sa.Column('id', sa.String(), nullable=False),
        sa.Column('schedule', sa.String(), nullable=False),
        sa.Column('tick_at', instant, nullable=True),
        sa.Column('asked_by', sa.String(), nullable=True),
        sa.Column('holder', sa.String(), nullable=False),
        sa.Column('started_at', instant, nullable=False),
        sa.Column('finished_at', instant, nullable=True),
        sa.Column('took_ms', sa.Integer(), nullable=False),
        sa.Column('outcome', sa.String(length=32), nullable=False),
        sa.Column('result', sa.String(), nullable=False),
        sa.Column('times', sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(['schedule'], ['schedule.name'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id'),
    )
    op.create_index('ix_schedule_run_schedule', 'schedule_run', ['schedule', 'id'], unique=False)
    op.create_table(
        'tally',
        sa.Column('name', sa.String(), nullable=False),
        sa.Column('label', sa.String(), nullable=False),
        sa.Column('count', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('name', 'label'),
    )


def downgrade() -> None:
    raise NotImplementedError('restore a backup instead')
