import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from data.engine import Database, open_database
from data.schema import migrate, revision
from data.tables import METADATA, is_ours


def test_the_migrations_make_exactly_the_models_tables(database: Database) -> None:
    with database.write.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_ours})
        assert compare_metadata(context, METADATA) == []


def test_every_index_is_there_with_its_condition(database: Database) -> None:
    """Partial indexes are what autogenerate does not compare on every database."""
    with database.read.connect() as connection:
        if database.is_sqlite:
            rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'index'"))
        else:
            rows = connection.execute(
                text("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'")
            )
        found = {name: sql for name, sql in rows if sql}
    for table in METADATA.sorted_tables:
        for index in table.indexes:
            assert index.name in found
            is_partial = index.dialect_options["sqlite"]["where"] is not None
            assert (" WHERE " in found[str(index.name)]) is is_partial, index.name


def test_a_migrated_database_is_at_this_programs_revision_and_migrating_again_changes_nothing(
    database: Database,
) -> None:
    present, wanted = revision(database)
    assert present == wanted != ""
    migrate(database)
    assert revision(database) == (present, wanted)


def test_an_empty_database_has_no_revision(tmp_path: object) -> None:
    database = open_database(f"sqlite:///{tmp_path}/deep/down/new.db")
    assert revision(database)[0] is None
    database.dispose()


@pytest.mark.parametrize(
    ("plan", "included", "overage_micros", "per_second"),
    [
        ("free", 100, None, 1),
        ("starter", 100, 10_000, 10),
        ("pro", 500, 5_000, 30),
        ("enterprise", 50_000, None, 80),
    ],
)
def test_b7_the_plans_are_in_the_table(
    database: Database, plan: str, included: int, overage_micros: int | None, per_second: int
) -> None:
    columns = "included_conversations, overage_micros, messages_per_second"
    with database.read.connect() as connection:
        found = connection.execute(text(f"SELECT {columns} FROM plan WHERE name = :plan"), {"plan": plan})
        assert found.one() == (included, overage_micros, per_second)
