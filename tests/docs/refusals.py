"""Every code that a refusal can carry, read from the source: they stand where they are raised."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from core import errors
from core.team.rules import _TERMS
from core.templates.handing_over import _KNOWN
from tests.docs.markdown import ROOT
from ui.api.errors import _CODES

# What the sandbox says is Meta's; what they say is kept as a word of the message, or is a code of Meta's.
_NOT_OURS = ("core/sandbox/", "core/ports/")


def codes() -> set[str]:
    found = {known[0] for known in _KNOWN.values()} | {terms.code for terms in _TERMS.values()}
    found |= set(_CODES.values())
    found |= {each.code for each in vars(errors).values() if isinstance(each, type) and hasattr(each, "code")}
    for path in sorted([*(ROOT / "core").rglob("*.py"), *(ROOT / "ui").rglob("*.py")]):
        if not str(path.relative_to(ROOT)).startswith(_NOT_OURS) or path.name == "sandbox.py":
            found |= set(_codes_in(path))
    return found


def _codes_in(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        given: list[ast.expr] = []
        if isinstance(node, ast.Call):
            given = [each.value for each in node.keywords if each.arg == "code"]
            if ast.unparse(node.func) == "refusal" and len(node.args) == 3:
                given.append(node.args[2])
        elif isinstance(node, ast.ClassDef):
            given = [
                each.value
                for each in node.body
                if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "code"
            ]
        for value in given:
            code = constants.get(value.id) if isinstance(value, ast.Name) else getattr(value, "value", None)
            if isinstance(code, str) and re.fullmatch(r"[a-z][a-z_]+", code):
                yield code
