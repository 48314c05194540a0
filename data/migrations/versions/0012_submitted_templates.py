"""Templates submitted to Meta, and the versions of their words. What is known already is the first version."""

import sqlalchemy as sa
from alembic import op

import data.columns

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade() -> None:
    instant, document = data.columns.Instant(), sa.JSON(none_as_null=True)
    op.create_table('template_submission',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('waba_id', sa.String(), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('state', sa.String(length=32), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('language', sa.String(), nullable=False),
    sa.Column('category', sa.String(), nullable=False),
    sa.Column('components', document, nullable=False),
    sa.Column('was_approved', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('asked_at', instant, nullable=False),
    sa.Column('asked_by', sa.String(), nullable=False),
    sa.Column('answered_at', instant, nullable=True),
    sa.Column('error_code', sa.String(), nullable=True),
    sa.Column('error', sa.String(), nullable=True),
    sa.Column('seen_at', instant, nullable=True),
    sa.ForeignKeyConstraint(['waba_id'], ['waba.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_template_submission_named', 'template_submission',
                    ['waba_id', 'name', 'language', 'asked_at'], unique=False)
    op.create_index('ix_template_submission_kind', 'template_submission',
                    ['waba_id', 'kind', 'asked_at'], unique=False)
    op.create_index('ix_template_submission_state', 'template_submission',
                    ['workspace_id', 'state', 'asked_at'], unique=False)
    op.create_table('template_version',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('waba_id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('language', sa.String(), nullable=False),
    sa.Column('category', sa.String(), nullable=False),
    sa.Column('components', document, nullable=False),
    sa.Column('at', instant, nullable=False),
    sa.Column('source', sa.String(length=32), nullable=False),
    sa.Column('made_by', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['waba_id'], ['waba.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_template_version_template', 'template_version',
                    ['waba_id', 'name', 'language', 'at', 'id'], unique=False)
    op.create_index('ix_template_version_workspace_id', 'template_version', ['workspace_id'], unique=False)
    op.execute(
        "INSERT INTO template_version"
        " (id, workspace_id, waba_id, name, language, category, components, at, source)"
        " SELECT 'tve_' || substr(id, 5), workspace_id, waba_id, name, language, category, components,"
        " synced_at, 'sync' FROM template"
    )


def downgrade() -> None:
    raise NotImplementedError('restore a backup instead')
