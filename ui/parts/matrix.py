"""Permissions down, roles across: a word and a sign in each cell, never colour alone."""

from collections.abc import Callable, Iterable
from typing import Any

from nicegui import ui

from core.access import CATEGORIES, Permission, granted
from data.enums import Role
from ui.act import handler
from ui.theme import icon_url


class _Grid(ui.element, component="matrix.js"):
    """What the browser draws: see matrix.js."""


class Matrix:
    """``on_open`` is called with *permission:role*, of the cell that was chosen."""

    def __init__(self, *, label: str, on_open: Callable[[str], Any]) -> None:
        opened = handler(on_open)
        self._grid = _Grid()
        self._grid.props.update(
            label=label, roles=[], groups=[], marked="", open="", yes=icon_url("check"), no=icon_url("x")
        )
        self._grid.on("open", lambda event: opened(event.args))

    def show(self, permissions: Iterable[Permission], *, whole: int, marked: Role | None) -> None:
        """These rows, by category. Beside each role stands how many of ``whole`` it has."""
        rows = list(permissions)
        self._grid.props["roles"] = [
            {
                "key": role.value,
                "name": role.value.capitalize(),
                "count": f"{len(granted(role))} of {whole}",
            }
            for role in Role
        ]
        self._grid.props["groups"] = [
            {"name": name, "rows": [_row(each) for each in rows if each.category == name]}
            for name in CATEGORIES
            if any(each.category == name for each in rows)
        ]
        self._grid.props["marked"] = marked.value if marked else ""
        self._grid.set_visibility(bool(rows))
        self._grid.update()

    def mark_open(self, cell: str) -> None:
        """The cell whose drawer is open; pass it as a drawer's ``on_change``."""
        self._grid.props["open"] = cell
        self._grid.update()


def _row(permission: Permission) -> dict[str, Any]:
    return {
        "key": permission.key,
        "title": permission.title,
        "cells": [role in permission.roles for role in Role],
    }
