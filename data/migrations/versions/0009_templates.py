"""Templates: what Meta says of them over time, and counts of their messages from an index."""

import sqlalchemy as sa
from alembic import op

import data.columns

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    instant, document = data.columns.Instant(), sa.JSON(none_as_null=True)
    op.add_column('waba', sa.Column('templates_due_at', instant, nullable=True))
    op.add_column('waba', sa.Column('templates_error', sa.String(), nullable=True))
    op.create_index('ix_waba_templates_due_at', 'waba', ['templates_due_at'], unique=False)
    op.execute('UPDATE waba SET templates_due_at = templates_synced_at')
    for name, kind in (
        ('meta_id', sa.String()),
        ('asked_category', sa.String()),
        ('planned_category', sa.String()),
        ('planned_at', instant),
        ('quality', sa.String()),
        ('rejected_reason', sa.String()),
    ):
        op.add_column('template', sa.Column(name, kind, nullable=True))
    op.create_index('ix_template_named', 'template', ['workspace_id', 'name', 'language', 'id'], unique=False)
    op.create_table('template_change',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('waba_id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('language', sa.String(), nullable=False),
    sa.Column('aspect', sa.String(length=32), nullable=False),
    sa.Column('said', sa.String(), nullable=False),
    sa.Column('detail', document, nullable=True),
    sa.Column('at', instant, nullable=False),
    sa.Column('noticed_at', instant, nullable=False),
    sa.Column('source', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['waba_id'], ['waba.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_template_change_template', 'template_change',
                    ['waba_id', 'name', 'language', 'at', 'id'], unique=False)
    op.create_index('ix_template_change_workspace_id', 'template_change', ['workspace_id'], unique=False)
    # For counting the messages of a template without reading them.
    op.drop_index('ix_message_template', table_name='message')
    op.create_index('ix_message_template', 'message',
                    ['workspace_id', 'template_name', 'id', 'template_language', 'phone_number_id'],
                    unique=False)
    failed = sa.text("template_name IS NOT NULL AND state IN ('failed', 'dead')")
    op.create_index('ix_message_template_failed', 'message',
                    ['workspace_id', 'template_name', 'id', 'template_language', 'phone_number_id',
                     'error_code', 'state'], unique=False,
                    sqlite_where=failed, postgresql_where=failed)


def downgrade() -> None:
    raise NotImplementedError('restore a backup instead')
