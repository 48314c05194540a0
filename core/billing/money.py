"""Money (B9): whole micro-dollars where it is stored, Decimal where it is reckoned, rounded once."""

from decimal import ROUND_HALF_UP, Decimal

MICROS = 1_000_000
_CENT = Decimal("0.01")


def exact(micros: int) -> str:
    """The amount in US dollars, unrounded, with two decimals at least. *1 250 000 → 1.25; 5 000 → 0.005.*"""
    amount = (Decimal(micros) / MICROS).normalize()
    return f"{amount if amount.as_tuple().exponent <= -2 else amount.quantize(_CENT):f}"  # type: ignore[operator]


def rounded(micros: int) -> Decimal:
    """The amount in US dollars and cents, half a cent up. *1, 3, 5 overages on Pro: 0.005 → 0.01,
    0.015 → 0.02, 0.025 → 0.03.*"""
    return (Decimal(micros) / MICROS).quantize(_CENT, rounding=ROUND_HALF_UP)


def micros_of(amount: Decimal) -> int:
    """Whole micro-dollars; a finer amount is a mistake and raises ValueError."""
    micros = amount * MICROS
    if micros != micros.to_integral_value():
        raise ValueError("an amount has at most six decimals")
    return int(micros)
