"""The inbox: deliveries and updates from Meta, kept raw."""

import sqlalchemy as sa
from alembic import op

import data.columns

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    op.create_table('delivery',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=True),
    sa.Column('phone_number_id', sa.String(), nullable=True),
    sa.Column('received_at', data.columns.Instant(), nullable=False),
    sa.Column('sha256', sa.String(), nullable=False),
    sa.Column('size', sa.Integer(), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=True),
    sa.Column('state', sa.Enum('pending', 'applied', 'failed', 'ignored', name='deliverystate', native_enum=False, length=32), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('applied_at', data.columns.Instant(), nullable=True),
    sa.Column('updates', sa.Integer(), nullable=False),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.Column('error', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_delivery_pending', 'delivery', ['id'], unique=False, sqlite_where=PENDING, postgresql_where=PENDING)
    op.create_index('ix_delivery_phone', 'delivery', ['workspace_id', 'phone_number_id', 'id'], unique=False)
    op.create_index('ix_delivery_state', 'delivery', ['workspace_id', 'state', 'id'], unique=False)
    op.create_index('ix_delivery_workspace', 'delivery', ['workspace_id', 'id'], unique=False)

    op.create_table('delivery_failure',
    sa.Column('delivery_id', sa.String(), nullable=False),
    sa.Column('path', sa.String(), nullable=False),
    sa.Column('field', sa.String(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('at', data.columns.Instant(), nullable=False),
    sa.ForeignKeyConstraint(['delivery_id'], ['delivery.id'], ),
    sa.PrimaryKeyConstraint('delivery_id', 'path')
    )

    op.create_table('meta_update',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('waba_id', sa.String(), nullable=False),
    sa.Column('phone_number_id', sa.String(), nullable=True),
    sa.Column('field', sa.String(), nullable=False),
    sa.Column('value', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('at', data.columns.Instant(), nullable=False),
    sa.Column('received_at', data.columns.Instant(), nullable=False),
    sa.Column('effect_at', data.columns.Instant(), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_meta_update_field', 'meta_update', ['workspace_id', 'field', 'at'], unique=False)
    op.create_index('ix_meta_update_received_at', 'meta_update', ['received_at'], unique=False)

    op.create_table('phone_heard',
    sa.Column('phone_number_id', sa.String(), nullable=False),
    sa.Column('last_at', data.columns.Instant(), nullable=False),
    sa.ForeignKeyConstraint(['phone_number_id'], ['phone.id'], ),
    sa.PrimaryKeyConstraint('phone_number_id')
    )

    op.create_table('bad_signature',
    sa.Column('minute', data.columns.Instant(), nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('minute')
    )

    op.add_column('contact', sa.Column('named_at', data.columns.Instant(), nullable=True))
    op.add_column('message', sa.Column('meta_type', sa.String(), nullable=True))
    op.add_column('message_status', sa.Column('pricing', sa.JSON(none_as_null=True), nullable=True))
    op.add_column('message_status', sa.Column('conversation', sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    raise NotImplementedError('restore a backup instead')
