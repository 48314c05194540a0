"""What a phone number is: E.164, checked by the phonenumbers library."""

import phonenumbers

from core.errors import Impossible

# Stands in place of the number wherever that of an erased contact stood.
ERASED = "erased"


def parse_number(text: str) -> str:
    """``text`` as E.164 with its plus, such as ``+4915112345678``.

    Taken with or without plus, spaces, dashes and brackets, but never without a country code: Meta would
    guess the sender's own and deliver to a stranger. Refuses with Impossible ``invalid_recipient``.
    """
    digits = text.strip()
    if not digits.startswith("+"):
        digits = "+" + digits
    try:
        number = phonenumbers.parse(digits, None)
    except phonenumbers.NumberParseException:
        raise _invalid(text) from None
    # Some shorter numbers are possible too, but only when dialled from next door.
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise _invalid(text)
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _invalid(text: str) -> Impossible:
    shown = text if len(text) <= 40 else text[:40] + "…"
    return Impossible(
        f"“{shown}” is not a phone number with its country code. Write it like +49 151 12345678.",
        code="invalid_recipient",
    )


def pretty_number(e164: str) -> str:
    """``+4915112345678`` → ``+49 1511 2345678``: grouped the way its country does. Unparsable text stays."""
    try:
        number = phonenumbers.parse(e164, None)
    except phonenumbers.NumberParseException:
        return e164
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL))


def mask_number(e164: str) -> str:
    """``+4915112340123`` → ``+49•••••0123``: country and last four digits, for those who may not see more."""
    if e164 == ERASED:
        return e164
    try:
        country = f"+{phonenumbers.parse(e164, None).country_code}"
    except phonenumbers.NumberParseException:
        country = ""
    return f"{country}•••••{e164[-4:]}"
