"""The reference is complete and names nothing that is not there: each table, and what the program reads."""

import re
from collections.abc import Iterable
from typing import Any

import typer
from fastapi.routing import APIRoute

from core.access import PERMISSIONS, PLATFORM
from core.alerts.kinds import KINDS
from core.ports.meta_error_table import LOCAL_ROWS, META_RANGES, META_ROWS
from core.runtime import Runtime
from core.settings import Settings
from data.enums import Role
from jobs.schedule import schedules
from main import app as commands
from tests.docs.markdown import DOCS, ROOT, documents, table
from tests.docs.refusals import codes
from ui.app import API, BESIDE_THE_API, build
from ui.pages import PAGES

ROLES = (Role.OWNER, Role.MANAGER, Role.AGENT, Role.VIEWER, Role.SUPPORT)
# Read by the program itself, or by its tests, and no setting.
NO_SETTINGS = {"WAYPOST_CHROMIUM", "WAYPOST_URL", "WAYPOST_KEY", "WAYPOST_TEST_POSTGRES_URL"}


def compare(said: Iterable[str], real: Iterable[str], where: str) -> None:
    written, there = set(said), set(real)
    missing, made_up = sorted(there - written), sorted(written - there)
    assert not missing, f"{where} lacks {', '.join(missing)}"
    assert not made_up, f"{where} names what does not exist: {', '.join(made_up)}"


def test_every_route_of_the_api_with_its_permission(unused: Runtime) -> None:
    real: dict[str, str] = {}
    for path, methods in build(unused, version="test").openapi()["paths"].items():
        for method, operation in methods.items():
            permission = operation.get("x-permission")
            real[f"{method.upper()} {path.removeprefix(API)}"] = (
                f"`{permission}`" if permission else "everybody"
            )
    said = table(DOCS / "api.md", "route")
    compare(said, real, "docs/api.md")
    assert {route: cells[0] for route, cells in said.items()} == real


def test_every_form_and_file_beside_the_api() -> None:
    real = {
        f"{method} {route.path}"
        for router in BESIDE_THE_API
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    real |= {"GET /webhooks/whatsapp", "POST /webhooks/whatsapp"}
    compare(table(DOCS / "api.md", "address"), real, "docs/api.md, beside the API")


def test_every_page_with_its_permission() -> None:
    said = dict(re.findall(r"^`(/[^`]*)` · `([a-z_.]+)`", (DOCS / "pages.md").read_text(), re.MULTILINE))
    compare(said, (page.path for page in PAGES), "docs/pages.md")
    assert said == {page.path: page.permission for page in PAGES}


def test_every_setting_with_its_default() -> None:
    said = table(DOCS / "settings.md", "setting")
    compare(said, map(str.upper, Settings.model_fields), "docs/settings.md")
    for name, field in Settings.model_fields.items():
        assert said[name.upper()][0].strip("`") == _written(field.default), name


def test_the_example_of_the_settings_has_them_all() -> None:
    names = re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    real = {name.upper() for name in Settings.model_fields} - {"WAYPOST_DEMO"}  # serve --demo sets it
    compare(names, real, ".env.example")


def test_every_permission_with_its_roles() -> None:
    said = table(DOCS / "permissions.md", "permission")
    compare(said, PERMISSIONS, "docs/permissions.md")
    for key, permission in PERMISSIONS.items():
        title, *ticks = said[key]
        assert title == permission.title
        assert [tick == "✓" for tick in ticks] == [role in permission.roles for role in ROLES], key
    compare(table(DOCS / "permissions.md", "flag"), PLATFORM, "docs/permissions.md, the platform")


def test_every_schedule_with_its_times(unused: Runtime) -> None:
    real = {each.name: each for each in schedules(unused)}
    said = table(DOCS / "schedules.md", "schedule")
    compare(said, real, "docs/schedules.md")
    for name, schedule in real.items():
        at_s = schedule.at_s
        moment = "" if at_s is None else f"{at_s // 3600:02.0f}:{at_s % 3600 // 60:02.0f}"
        assert said[name][:2] == [_spell(schedule.every_s), moment], name


def test_every_kind_of_alert() -> None:
    said = table(DOCS / "alerts.md", "kind")
    compare(said, KINDS, "docs/alerts.md")
    for key, kind in KINDS.items():
        assert said[key] == [kind.severity.value, kind.title, kind.advice, kind.ends], key


def test_every_code_of_a_refusal() -> None:
    compare(table(DOCS / "errors.md", "code"), codes(), "docs/errors.md")


def test_every_error_of_a_message_with_its_class() -> None:
    real = {row.code: row for row in (*LOCAL_ROWS, *META_ROWS, *(row for _, row in META_RANGES))}
    said = table(DOCS / "errors.md", "error")
    compare(said, real, "docs/errors.md")
    assert said == {code: [row.klass, row.title] for code, row in real.items()}


def test_every_command() -> None:
    found = typer.main.get_command(commands)
    compare(table(DOCS / "commands.md", "command"), _names(found), "docs/commands.md")


def test_settings_and_permissions_that_are_named_exist() -> None:
    settings = {name.upper() for name in Settings.model_fields}
    for path in documents():
        named = set(re.findall(r"\b(?:WAYPOST|START|TOKEN)_[A-Z_]*[A-Z]\b", path.read_text()))
        made_up = named - settings - NO_SETTINGS - {"WAYPOST_ABUSE"}
        assert not made_up, f"{path.name} names settings that do not exist: {made_up}"


def _written(value: Any) -> str:
    """A default as it is written in the environment; empty where there is none."""
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(_written(each) for each in value)
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _spell(seconds: float) -> str:
    for length, unit in ((3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"


def _names(group: Any) -> list[str]:
    """Commands, those of a group with its name before them."""
    return [
        f"{name} {inner}".strip()
        for name, command in group.commands.items()
        for inner in (command.commands if hasattr(command, "commands") else [""])
    ]
