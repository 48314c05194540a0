"""From a webhook's JSON to its updates: every entry × change × item. What cannot be understood is named and
never costs its neighbours; unknown fields, words and values are kept as they come."""

from collections.abc import Callable, Iterator
from typing import Any

from core.inbox.rules import (
    NAME_MAX,
    dict_in,
    id_in,
    moment,
    moment_in,
    wa_id_in,
    word_in,
    written,
)
from core.inbox.updates import (
    Change,
    Content,
    InboundMessage,
    NotUnderstood,
    Preference,
    Reading,
    Unreadable,
    Update,
)
from core.messaging.reports import StatusReport
from core.storable import storable

CODE_MAX = 10**9
DETAIL_MAX = 500
_NEW_NUMBER = ("wa_id", "new_wa_id")


def read(envelope: Any) -> Reading:
    """Everything that the webhook says, in its order. Never fails, whatever JSON it is."""
    reading = Reading()
    entries = envelope.get("entry") if isinstance(envelope, dict) else None
    if not isinstance(entries, list):
        reading.unreadable.append(Unreadable("", "", "", None, "the body has no list of entries"))
        return reading
    for number, entry in enumerate(entries):
        path = f"entry[{number}]"
        changes = entry.get("changes") if isinstance(entry, dict) else None
        if not isinstance(changes, list):
            waba = id_in(entry, "id") or "" if isinstance(entry, dict) else ""
            reading.unreadable.append(Unreadable(path, "", waba, None, "the entry has no list of changes"))
            continue
        for position, change in enumerate(changes):
            _read_change(reading, f"{path}.changes[{position}]", entry, change)
    return reading


def named(envelope: Any) -> Iterator[tuple[str | None, str]]:
    """(phone number id, WABA id) of every change, as far as it names them: whom the webhook may concern."""
    entries = envelope.get("entry") if isinstance(envelope, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            changes = entry.get("changes")
            for change in changes if isinstance(changes, list) else [{}]:
                yield _owner(entry, dict_in(change, "value"))


def _owner(entry: dict[str, Any], value: dict[str, Any]) -> tuple[str | None, str]:
    """Some account updates come in the entry of a portfolio and name the account inside."""
    phone = id_in(dict_in(value, "metadata"), "phone_number_id")
    waba = id_in(dict_in(value, "waba_info"), "waba_id") or id_in(entry, "id") or ""
    return phone, waba


def _read_change(reading: Reading, path: str, entry: dict[str, Any], change: Any) -> None:
    value = dict_in(change, "value")
    phone, waba = _owner(entry, value)
    try:
        field = word_in(change, "field") if isinstance(change, dict) else ""
        if not field or not isinstance(change.get("value"), dict):
            raise NotUnderstood("the change has no field with a value")
        if field == "messages" and phone is None:
            raise NotUnderstood("the change names no phone")
    except NotUnderstood as problem:
        reading.unreadable.append(Unreadable(path, "", waba, phone, str(problem)))
        return
    for place, read_one, item in _items(field, value, at=entry.get("time")):
        where = f"{path}.value{place}"
        try:
            content = read_one(item)
        except NotUnderstood as problem:
            reading.unreadable.append(Unreadable(where, field, waba, phone, str(problem)))
        else:
            reading.updates.append(Update(len(reading.updates), where, field, waba, phone, content))


def _items(
    field: str, value: dict[str, Any], *, at: Any
) -> Iterator[tuple[str, Callable[[Any], Content], Any]]:
    """(where in the value, what reads it, the item) for each thing that a change tells."""
    if field == "messages":
        names = _names(value)
        yield from _listed(value, "statuses", _status)
        yield from _listed(value, "messages", lambda item: _message(item, names))
        if value.get("errors"):
            yield ".errors", lambda errors: Change({"errors": storable(errors)}, moment(at)), value["errors"]
    elif field == "user_preferences":
        yield from _listed(value, "user_preferences", _preference)
    else:
        yield "", lambda whole: Change(storable(whole), moment(at)), value


def _listed(
    value: dict[str, Any], key: str, read_one: Callable[[dict[str, Any]], Content]
) -> Iterator[tuple[str, Callable[[Any], Content], Any]]:
    items = value.get(key, [])
    if not isinstance(items, list):
        yield f".{key}", _refuse_list, items
        return
    for number, item in enumerate(items):
        yield f".{key}[{number}]", read_one if isinstance(item, dict) else _refuse_item, item


def _refuse_list(_: Any) -> Content:
    raise NotUnderstood("this is no list")


def _refuse_item(_: Any) -> Content:
    raise NotUnderstood("this is no object")


def _status(item: dict[str, Any]) -> StatusReport:
    wamid = id_in(item, "id")
    if wamid is None:
        raise NotUnderstood("id is missing or unusable")
    error = _first_error(item)
    code = error.get("code")
    detail = dict_in(error, "error_data").get("details")
    return StatusReport(
        wamid=wamid,
        status=word_in(item, "status"),
        at=moment_in(item, "timestamp"),
        message_id=id_in(item, "biz_opaque_callback_data"),
        error_code=code if type(code) is int and 0 <= code < CODE_MAX else None,
        error_detail=storable(str(detail or error.get("title") or "")[:DETAIL_MAX]) if error else "",
        pricing=_kept(item, "pricing"),
        conversation=_kept(item, "conversation"),
    )


def _first_error(item: dict[str, Any]) -> dict[str, Any]:
    errors = item.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    return first if isinstance(first, dict) else {}


def _kept(item: dict[str, Any], key: str) -> str | None:
    found = item.get(key)
    return written(found) if isinstance(found, dict) else None


def _message(item: dict[str, Any], names: dict[str, str]) -> InboundMessage:
    wamid = id_in(item, "id")
    if wamid is None:
        raise NotUnderstood("id is missing or unusable")
    wa_id, user_id = wa_id_in(item, "from"), id_in(item, "from_user_id")
    if wa_id is None and user_id is None:
        raise NotUnderstood("from is missing or no number, and from_user_id is missing too")
    meta_type = item.get("type")
    system = dict_in(item, "system")
    body = dict_in(item, "text").get("body")
    return InboundMessage(
        wamid=wamid,
        wa_id=wa_id,
        user_id=user_id,
        at=moment_in(item, "timestamp"),
        meta_type=word_in(item, "type") if isinstance(meta_type, str) and meta_type else "unknown",
        text=storable(body) if isinstance(body, str) else None,
        name=names.get(wa_id or "") or names.get(user_id or ""),
        new_wa_id=next(filter(None, (wa_id_in(system, key) for key in _NEW_NUMBER)), None),
        raw=storable(item),
    )


def _names(value: dict[str, Any]) -> dict[str, str]:
    """Whatever id a contact is known by → the name of their profile."""
    contacts = value.get("contacts")
    names = {}
    for contact in contacts if isinstance(contacts, list) else ():
        name = dict_in(contact, "profile").get("name")
        if isinstance(name, str) and name:
            for known_by in (wa_id_in(contact, "wa_id"), id_in(contact, "user_id")):
                if known_by is not None:
                    names[known_by] = str(storable(name[:NAME_MAX]))
    return names


def _preference(item: dict[str, Any]) -> Preference:
    wa_id, user_id = wa_id_in(item, "wa_id"), id_in(item, "user_id")
    if wa_id is None and user_id is None:
        raise NotUnderstood("wa_id is missing or no number, and user_id is missing too")
    return Preference(
        wa_id=wa_id,
        user_id=user_id,
        category=word_in(item, "category") if "category" in item else "marketing_messages",
        value=word_in(item, "value"),
        at=moment_in(item, "timestamp"),
    )
