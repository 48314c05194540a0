"""What is known of tokens, and the work that keeps them alive."""

import sqlalchemy as sa
from alembic import op

import data.columns

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    instant = data.columns.Instant()
    for name, kind in (
        ('kind', sa.String()),
        ('scopes', sa.JSON(none_as_null=True)),
        ('inspected_at', instant),
        ('refreshed_at', instant),
        ('refused_at', instant),
        ('let_go', sa.Integer()),
        ('due_at', instant),
        ('taken_at', instant),
        ('new_sealed', sa.LargeBinary()),
        ('new_expires_at', instant),
        ('last_error', sa.String()),
        ('told_days', sa.Integer()),
    ):
        op.add_column('access_token', sa.Column(name, kind, nullable=True))
    for name in ('turn', 'attempts'):
        op.add_column('access_token', sa.Column(name, sa.Integer(), server_default='0', nullable=False))
    for name in ('wants_new', 'needs_attention'):
        op.add_column('access_token', sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index('ix_access_token_due_at', 'access_token', ['due_at'], unique=False)


def downgrade() -> None:
    raise NotImplementedError('restore a backup instead')
