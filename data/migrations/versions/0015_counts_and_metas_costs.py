"""Waiting messages are counted from an index alone; what Meta itself says it charged is kept."""

import sqlalchemy as sa
from alembic import op

import data.columns

revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None


def upgrade() -> None:
    due = sa.text("state IN ('queued', 'retry_queued')")
    op.drop_index('ix_message_due', table_name='message')
    op.create_index('ix_message_due', 'message',
                    ['phone_number_id', 'due_at', 'id', 'waiting_for', 'state'], unique=False,
                    sqlite_where=due, postgresql_where=due)
    instant = data.columns.Instant()
    for name, kind in (
        ('costs_read_at', instant),
        ('costs_due_at', instant),
        ('costs_error', sa.String()),
    ):
        op.add_column('waba', sa.Column(name, kind, nullable=True))
    op.create_index('ix_waba_costs_due_at', 'waba', ['costs_due_at'], unique=False)
    op.execute("UPDATE waba SET costs_due_at = sync_due_at")
    op.create_table('meta_cost',
    sa.Column('waba_id', sa.String(), nullable=False),
    sa.Column('start_at', instant, nullable=False),
    sa.Column('category', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('messages', sa.BigInteger(), nullable=False),
    sa.Column('cost_micros', sa.BigInteger(), nullable=True),
    sa.Column('currency', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['waba_id'], ['waba.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('waba_id', 'start_at', 'category', 'kind')
    )
    op.create_index('ix_meta_cost_workspace', 'meta_cost', ['workspace_id', 'start_at'], unique=False)
