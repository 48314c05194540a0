"""What lists of dead letters are narrowed to: in an address, and in a body."""

from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import Field, StringConstraints

from core.dead_letters.filters import LetterFilter
from core.ports.meta_errors import ErrorClass
from data.enums import LetterState
from ui.api.messages import Instant, Since, Text, Until, check_range
from ui.api.shapes import ID_MAX, Body, MetaId

Code = Annotated[str | None, Query(alias="errorCode", max_length=64)]
Fingerprint = Annotated[str | None, Query(max_length=64)]
PhoneId = Annotated[MetaId | None, Query(alias="phoneNumberId")]
TemplateName = Annotated[str | None, Query(alias="templateName", max_length=512)]
Class = Annotated[ErrorClass | None, Query(alias="class")]
Attempts = Annotated[int | None, Query(ge=0, le=1000)]
Assignee = Annotated[str | None, Query(alias="assigneeId", max_length=ID_MAX)]
BulkId = Annotated[str | None, Query(alias="bulkId", max_length=ID_MAX)]
Short = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=ID_MAX)]


def _asked(
    state: LetterState | None = None,
    error_code: Code = None,
    fingerprint: Fingerprint = None,
    phone_number_id: PhoneId = None,
    template_name: TemplateName = None,
    to: Text = None,
    since: Since = None,
    until: Until = None,
    q: Text = None,
    klass: Class = None,
    attempts: Attempts = None,
    assignee_id: Assignee = None,
    bulk_id: BulkId = None,
) -> LetterFilter:
    check_range(since, until)
    return LetterFilter(
        state=state,
        error_code=error_code,
        fingerprint=fingerprint,
        phone_number_id=phone_number_id,
        template_name=template_name,
        to=to,
        since=since,
        until=until,
        q=q,
        klass=klass,
        attempts=attempts,
        assignee_id=assignee_id,
        bulk_id=bulk_id,
    )


Asked = Annotated[LetterFilter, Depends(_asked)]


class FilterBody(Body):
    """The same words as in an address."""

    state: Annotated[LetterState | None, Field(strict=False)] = None
    error_code: Short | None = None
    fingerprint: Short | None = None
    phone_number_id: MetaId | None = None
    template_name: Short | None = None
    to: Short | None = None
    since: Annotated[Instant | None, Field(alias="from", strict=False)] = None
    until: Annotated[Instant | None, Field(strict=False)] = None
    q: Short | None = None
    klass: Annotated[ErrorClass | None, Field(alias="class", strict=False)] = None
    attempts: Annotated[int | None, Field(ge=0, le=1000)] = None
    assignee_id: Id | None = None
    bulk_id: Id | None = None

    def read(self) -> LetterFilter:
        return LetterFilter(**self.model_dump())


_WORDS = {
    "state": "state",
    "error_code": "errorCode",
    "fingerprint": "fingerprint",
    "phone_number_id": "phoneNumberId",
    "template_name": "templateName",
    "to": "to",
    "since": "from",
    "until": "until",
    "q": "q",
    "klass": "class",
    "attempts": "attempts",
    "assignee_id": "assigneeId",
    "bulk_id": "bulkId",
}


def filter_words(kept: dict[str, Any]) -> dict[str, Any]:
    """A filter as a row keeps it, in the words of the API."""
    return {_WORDS[name]: value for name, value in kept.items() if name in _WORDS}
