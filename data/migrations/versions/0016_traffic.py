"""What was sent and heard is counted minute by minute. Counting begins with this version."""

import sqlalchemy as sa
from alembic import op

revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('traffic',
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('step', sa.Integer(), nullable=False),
    sa.Column('phone_number_id', sa.String(), nullable=False),
    sa.Column('template_name', sa.String(), nullable=False),
    sa.Column('slot', sa.Integer(), nullable=False),
    sa.Column('counts', sa.JSON(none_as_null=True), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('workspace_id', 'step', 'phone_number_id', 'template_name', 'slot')
    )
    op.create_table('traffic_change',
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('minute', sa.Integer(), nullable=False),
    sa.Column('phone_number_id', sa.String(), nullable=False),
    sa.Column('template_name', sa.String(), nullable=False),
    sa.Column('counts', sa.JSON(none_as_null=True), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('number')
    )
    op.create_index('ix_traffic_change_workspace', 'traffic_change', ['workspace_id'], unique=False)
