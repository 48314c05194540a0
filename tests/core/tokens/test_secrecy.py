"""Planted tokens are found nowhere, and a sealed one opens only where it belongs (K3)."""

import pytest
from sqlmodel import col, select

from core.errors import Conflict
from core.phones.queries import token_of
from core.tokens.queries import list_tokens
from data.sending import AccessToken, Waba
from data.tables import METADATA
from tests.core.tokens.conftest import Keeper


def stored(keeper: Keeper) -> str:
    """Every column of every row, as it lies in the database."""
    with keeper.runtime.database.read.connect() as connection:
        return "\n".join(
            repr(tuple(row)) for table in METADATA.sorted_tables for row in connection.execute(table.select())
        )


def test_k3_planted_tokens_are_in_no_column_log_or_view(
    keeper: Keeper, capfd: pytest.CaptureFixture[str]
) -> None:
    planted = [f"{fate}-canary-0123456789" for fate in ("soon", "flaky", "hollow", "expired", "revoked")]
    for token in planted:
        keeper.give(token, attempts=3, needs_attention=False, refused_at=None, due_at=keeper.now)
        keeper.tick()
        found = {token, keeper.token}
        with keeper.runtime.unit(keeper.place.owner) as unit:
            shown = f"{stored(keeper)}{list_tokens(unit)}{''.join(capfd.readouterr())}"
        assert [secret for secret in found if secret in shown] == []
        keeper.advance(3600)
    assert len(keeper.mails()) > 0


def test_k3_a_sealed_token_of_one_account_does_not_open_in_the_row_of_another(keeper: Keeper) -> None:
    with keeper.runtime.unit(keeper.place.owner, write=True) as unit:
        workspace_id = keeper.place.workspace.id
        unit.session.add(Waba(id="777", workspace_id=workspace_id, name="Second", connected_at=unit.now))
        unit.session.flush()
        first = unit.session.exec(select(AccessToken).where(col(AccessToken.waba_id) == keeper.waba_id)).one()
        unit.session.add(
            AccessToken(
                id="tok_second",
                workspace_id=workspace_id,
                waba_id="777",
                sealed=first.sealed,
                replaced_at=unit.now,
            )
        )
    with keeper.runtime.unit(keeper.place.owner) as unit:
        assert token_of(unit, waba_id=keeper.waba_id) == "test-token"
        with pytest.raises(Conflict, match="belongs to another row"):
            token_of(unit, waba_id="777")
