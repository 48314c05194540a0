"""Contacts: merges, erasure, opt-outs; searched by name, listed by activity."""

import sqlalchemy as sa
from alembic import op

import data.columns
import data.contacts

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

LISTED = sa.text('merged_into IS NULL AND erased_at IS NULL')
MERGED = sa.text('merged_into IS NOT NULL')
ACTIVE = sa.text('lifted_at IS NULL')


def upgrade() -> None:
    op.add_column(
        'contact', sa.Column('last_activity_at', data.columns.Instant(), nullable=False, server_default='0')
    )
    op.add_column(
        'contact',
        sa.Column('merged_into', sa.String(), sa.ForeignKey('contact.id'), nullable=True),
        inline_references=True,
    )
    op.add_column('contact', sa.Column('erased_at', data.columns.Instant(), nullable=True))
    op.add_column('contact', sa.Column('digest', sa.String(), nullable=True))
    op.execute(
        'UPDATE contact SET last_activity_at = COALESCE('
        '(SELECT max(message.created_at) FROM message WHERE message.contact_id = contact.id), created_at)'
    )
    op.create_index('ix_contact_activity', 'contact', ['workspace_id', 'last_activity_at', 'id'],
                    sqlite_where=LISTED, postgresql_where=LISTED)
    op.create_index('ix_contact_merged', 'contact', ['merged_into'],
                    sqlite_where=MERGED, postgresql_where=MERGED)

    op.drop_index('ix_message_contact_id', table_name='message')
    op.create_index('ix_message_contact', 'message', ['contact_id', 'id'])

    with op.batch_alter_table('suppression') as suppression:
        suppression.alter_column('message_id', existing_type=sa.String(), nullable=True)
        suppression.add_column(sa.Column('lift_reason', sa.String(), nullable=True))
    op.create_index('ix_suppression_opted_out', 'suppression', ['workspace_id', 'contact_id'],
                    sqlite_where=ACTIVE, postgresql_where=ACTIVE)
    op.create_index('ix_suppression_contact', 'suppression', ['contact_id', 'id'])

    words = op.create_table('contact_word',
    sa.Column('contact_id', sa.String(), nullable=False),
    sa.Column('word', data.contacts.BYTEWISE, nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['contact_id'], ['contact.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('contact_id', 'word')
    )
    op.create_index('ix_contact_word', 'contact_word', ['workspace_id', 'word', 'contact_id'])
    op.create_table('digest_key',
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('workspace_id')
    )
    op.create_table('contact_erasure',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('contact_id', sa.String(), nullable=False),
    sa.Column('asked_at', data.columns.Instant(), nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=True),
    sa.Column('cursor', sa.String(), nullable=False),
    sa.Column('cleared', sa.Integer(), nullable=False),
    sa.Column('done_at', data.columns.Instant(), nullable=True),
    sa.ForeignKeyConstraint(['contact_id'], ['contact.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_contact_erasure_open', 'contact_erasure', ['id'],
                    sqlite_where=sa.text('done_at IS NULL'), postgresql_where=sa.text('done_at IS NULL'))
    named = op.get_bind().execute(
        sa.text('SELECT id, workspace_id, name FROM contact WHERE name IS NOT NULL')
    )
    rows = [
        {'contact_id': contact_id, 'workspace_id': workspace_id, 'word': word}
        for contact_id, workspace_id, name in named
        for word in data.contacts.words_of(name)
    ]
    if rows:
        op.bulk_insert(words, rows)


def downgrade() -> None:
    raise NotImplementedError('restore a backup instead')
