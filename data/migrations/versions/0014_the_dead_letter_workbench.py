"""The dead-letter workbench: kept counts, words to search by, bulk work, saved views."""

import json

import sqlalchemy as sa
from alembic import op

import data.columns
from data.words import index_text, texts_in

revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None

HOUR = 3_600_000_000
KEY = ('workspace_id', 'state', 'fingerprint', 'phone_number_id', 'error_code', 'template_name')
COUNTED = ('state', 'fingerprint', 'phone_number_id', 'error_code', 'template_name', 'dead_at')
AT_ONCE = 1000


def upgrade() -> None:
    _columns()
    _counts()
    _texts()
    _bulk_work()
    if op.get_bind().dialect.name == 'sqlite':
        _sqlite_triggers()
    else:
        _postgresql_triggers()
    _fill()


def _columns() -> None:
    op.add_column('message', sa.Column('redrive_id', sa.String(), nullable=True))
    op.add_column('dead_letter', sa.Column('closed_reason', sa.String(), nullable=True))
    op.add_column('dead_letter', sa.Column('bulk_id', sa.String(), nullable=True))
    op.add_column('letter_action', sa.Column('bulk_id', sa.String(), nullable=True))
    for name, table, columns, where in (
        ('ix_message_redrive', 'message', ['redrive_id', 'state', 'waiting_for'], 'redrive_id IS NOT NULL'),
        ('ix_dead_letter_bulk', 'dead_letter', ['bulk_id', 'dead_at', 'id'], 'bulk_id IS NOT NULL'),
        ('ix_dead_letter_closed', 'dead_letter', ['closed_at'], 'closed_at IS NOT NULL'),
    ):
        op.create_index(name, table, columns, unique=False,
                        sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    for column in ('attempts', 'assignee_id'):
        op.create_index(f"ix_dead_letter_{column.removesuffix('_id')}", 'dead_letter',
                        ['workspace_id', 'state', column, 'dead_at', 'id'], unique=False)


def _key_columns() -> list[sa.Column]:
    return [
        sa.Column('workspace_id', sa.String(), nullable=False),
        sa.Column('state', sa.String(length=32), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in KEY[2:]),
    ]


def _counts() -> None:
    workspace = ['workspace_id'], ['workspace.id']
    op.create_table('letter_tally',
    *_key_columns(),
    sa.Column('letters', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(*workspace, ondelete='CASCADE'),
    sa.PrimaryKeyConstraint(*KEY)
    )
    op.create_table('letter_hour',
    *_key_columns(),
    sa.Column('hour', sa.Integer(), nullable=False),
    sa.Column('letters', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(*workspace, ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('workspace_id', 'hour', *KEY[1:])
    )
    op.create_table('letter_tally_change',
    sa.Column('number', sa.Integer(), nullable=False),
    *_key_columns(),
    sa.Column('hour', sa.Integer(), nullable=False),
    sa.Column('letters', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(*workspace, ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('number')
    )
    op.create_index('ix_letter_tally_change_workspace', 'letter_tally_change', ['workspace_id'], unique=False)


def _texts() -> None:
    op.create_table('letter_text',
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('letter_id', sa.String(), nullable=False),
    sa.Column('error_words', sa.Text(), nullable=False),
    sa.Column('payload_words', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['letter_id'], ['dead_letter.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('number'),
    sa.UniqueConstraint('letter_id')
    )
    columns = 'workspace_id, error_words, payload_words'
    if op.get_bind().dialect.name != 'sqlite':
        for name in ('error', 'payload'):
            op.execute(f'CREATE INDEX letter_word_{name} ON letter_text '
                       f"USING gin (array_to_tsvector(string_to_array({name}_words, ' ')))")
        return
    op.execute(f"CREATE VIRTUAL TABLE letter_word USING fts5({columns}, content='letter_text', "
               "content_rowid='number', tokenize='unicode61', detail='full')")
    new = 'NEW.number, NEW.workspace_id, NEW.error_words, NEW.payload_words'
    old = new.replace('NEW', 'OLD')
    into = f'INSERT INTO letter_word(rowid, {columns}) VALUES ({new});'
    out = f"INSERT INTO letter_word(letter_word, rowid, {columns}) VALUES ('delete', {old});"
    for name, when, body in (
        ('in', 'INSERT', into), ('out', 'DELETE', out), ('again', 'UPDATE', out + into),
    ):
        op.execute(f'CREATE TRIGGER letter_word_{name} AFTER {when} ON letter_text BEGIN {body} END')


def _bulk_work() -> None:
    instant, document = data.columns.Instant(), sa.JSON(none_as_null=True)
    op.create_table('bulk_work',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('verb', sa.String(length=32), nullable=False),
    sa.Column('state', sa.String(length=32), nullable=False),
    sa.Column('wanted', document, nullable=False),
    sa.Column('is_listed', sa.Boolean(), nullable=False),
    sa.Column('reason', sa.String(), nullable=True),
    sa.Column('assignee_id', sa.String(), nullable=True),
    sa.Column('rate_per_second', sa.Integer(), nullable=False),
    sa.Column('canary', sa.Integer(), nullable=True),
    sa.Column('canary_passed', sa.Boolean(), nullable=False),
    sa.Column('include_unknown', sa.Boolean(), nullable=False),
    sa.Column('held', document, nullable=False),
    sa.Column('total', sa.Integer(), nullable=False),
    sa.Column('done', sa.Integer(), nullable=False),
    sa.Column('skipped', document, nullable=False),
    sa.Column('left_failed', sa.Integer(), nullable=False),
    sa.Column('until_at', instant, nullable=True),
    sa.Column('until_id', sa.String(), nullable=True),
    sa.Column('place_at', instant, nullable=True),
    sa.Column('place_id', sa.String(), nullable=True),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('slots', sa.LargeBinary(), nullable=False),
    sa.Column('watched', document, nullable=False),
    sa.Column('verdicts', sa.String(), nullable=False),
    sa.Column('cause', sa.String(), nullable=True),
    sa.Column('started_by', sa.String(), nullable=False),
    sa.Column('started_by_name', sa.String(), nullable=False),
    sa.Column('started_at', instant, nullable=False),
    sa.Column('finished_at', instant, nullable=True),
    sa.ForeignKeyConstraint(['assignee_id'], ['user_account.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    running = sa.text("state = 'running'")
    op.create_index('ix_bulk_work_running', 'bulk_work', ['state'], unique=False,
                    sqlite_where=running, postgresql_where=running)
    op.create_index('ix_bulk_work_workspace', 'bulk_work', ['workspace_id', 'id'], unique=False)
    op.create_table('bulk_letter',
    sa.Column('bulk_id', sa.String(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('letter_id', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['bulk_id'], ['bulk_work.id'], ),
    sa.PrimaryKeyConstraint('bulk_id', 'position')
    )
    op.create_table('saved_view',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('workspace_id', sa.String(), nullable=False),
    sa.Column('owner_id', sa.String(), nullable=True),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('wanted', document, nullable=False),
    sa.Column('is_shared', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('created_at', instant, nullable=False),
    sa.ForeignKeyConstraint(['owner_id'], ['user_account.id'], ),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_saved_view_workspace', 'saved_view', ['workspace_id', 'name'], unique=False)


def _sqlite_triggers() -> None:
    def change(row, letters):
        values = [f"coalesce({row}.{name}, '')" for name in KEY]
        return (f"INSERT INTO letter_tally_change ({', '.join(KEY)}, hour, letters) "
                f"VALUES ({', '.join(values)}, {row}.dead_at / {HOUR}, {letters});")

    differs = ' OR '.join(f'NEW.{name} IS NOT OLD.{name}' for name in COUNTED)
    for name, when, body in (
        ('in', 'INSERT', change('NEW', 1)),
        ('out', 'DELETE', change('OLD', -1)),
        ('again', f"UPDATE OF {', '.join(COUNTED)}", change('OLD', -1) + change('NEW', 1)),
    ):
        condition = f'WHEN {differs} ' if name == 'again' else ''
        op.execute(f'CREATE TRIGGER dead_letter_counted_{name} AFTER {when} ON dead_letter '
                   f'{condition}BEGIN {body} END')


def _postgresql_triggers() -> None:
    """One a statement: many letters of one cause are one row."""
    key = ', '.join(f"coalesce({name}, '')" if name == 'template_name' else name for name in KEY)

    def changes(rows, letters):
        return f'SELECT {key}, (dead_at / {HOUR})::integer, {letters} FROM {rows}'

    for name, when, tables, rows in (
        ('in', 'INSERT', 'NEW TABLE AS added', changes('added', 1)),
        ('out', 'DELETE', 'OLD TABLE AS gone', changes('gone', -1)),
        ('again', 'UPDATE', 'OLD TABLE AS gone NEW TABLE AS added',
         f"{changes('gone', -1)} UNION ALL {changes('added', 1)}"),
    ):
        op.execute(
            f'CREATE FUNCTION dead_letter_counted_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN '
            f"INSERT INTO letter_tally_change ({', '.join(KEY)}, hour, letters) "
            f"SELECT {', '.join(KEY)}, hour, sum(letters) FROM ({rows}) AS counted ({', '.join(KEY)}, hour, "
            f"letters) GROUP BY {', '.join(KEY)}, hour HAVING sum(letters) <> 0; RETURN NULL; END $$"
        )
        op.execute(
            f'CREATE TRIGGER dead_letter_counted_{name} AFTER {when} ON dead_letter REFERENCING {tables} '
            f'FOR EACH STATEMENT EXECUTE FUNCTION dead_letter_counted_{name}()'
        )


def _fill() -> None:
    """What is there is counted, and its words are found."""
    names = ', '.join(KEY)
    grouped = "workspace_id, state, fingerprint, phone_number_id, error_code, coalesce(template_name, '')"
    op.execute(f'INSERT INTO letter_tally ({names}, letters) SELECT {grouped}, count(*) FROM dead_letter '
               f'GROUP BY {grouped}')
    op.execute(f'INSERT INTO letter_hour ({names}, hour, letters) SELECT {grouped}, dead_at / {HOUR}, '
               f'count(*) FROM dead_letter GROUP BY {grouped}, dead_at / {HOUR}')
    connection, after = op.get_bind(), ''
    find = sa.text(
        'SELECT l.id, l.workspace_id, l.error_code, l.error_detail, l.template_name, m.payload, m.recipient '
        'FROM dead_letter AS l JOIN message AS m ON m.id = l.message_id WHERE l.id > :after '
        'ORDER BY l.id LIMIT :most'
    )
    add = sa.text(
        'INSERT INTO letter_text (workspace_id, letter_id, error_words, payload_words) '
        'VALUES (:workspace_id, :letter_id, :error_words, :payload_words)'
    )
    while rows := connection.execute(find, {'after': after, 'most': AT_ONCE}).all():
        after = rows[-1].id
        added = [
            {
                'workspace_id': row.workspace_id,
                'letter_id': row.id,
                'error_words': index_text(row.error_code, row.template_name, row.error_detail),
                'payload_words': index_text(
                    *texts_in(json.loads(row.payload) if isinstance(row.payload, str) else row.payload)
                ),
            }
            for row in rows
            if row.recipient != 'erased'
        ]
        if added:
            connection.execute(add, added)


def downgrade() -> None:
    raise NotImplementedError('restore a backup instead')
