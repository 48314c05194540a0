"""One thing that Meta tells by webhook, in the hands of those who apply it."""

from dataclasses import dataclass
from typing import Any

from sqlmodel import col, select

from core.phones.history import Word
from core.phones.reading import digits, shouted
from core.unit import Unit
from data.sending import Phone, Waba


@dataclass(frozen=True, slots=True)
class Told:
    """One change, for those who apply it."""

    unit: Unit
    waba: Waba
    value: dict[str, Any]
    word: Word

    def text(self, name: str) -> str | None:
        return shouted(self.value.get(name))

    def phones(self) -> list[Phone]:
        statement = select(Phone).where(col(Phone.waba_id) == self.waba.id).order_by(col(Phone.id))
        return list(self.unit.session.exec(statement))

    def phone(self) -> Phone | None:
        """The number that the change names by its digits."""
        named = digits(self.value.get("display_phone_number"))
        return next((one for one in self.phones() if named and digits(one.display_number) == named), None)
