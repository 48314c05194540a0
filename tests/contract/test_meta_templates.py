"""Every template in Meta's own OpenAPI file passes through our form, comes out as it was, and is valid."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.templates.draft_rules import problems
from core.templates.drafts import components_of, read_draft

TEMPLATES = ("/{Version}/{WABA-ID}/message_templates", "/{Version}/{TEMPLATE_ID}")
# What the file's examples leave to be filled in.
PLACEHOLDERS = {
    "<TEMPLATE_NAME>": "flow_offer",
    "{{Flow-ID}}": "1224567890123456",
    "{{Flow-Name}}": "offers",
    "<SCREEN_ID>": "WELCOME_SCREEN",
}


@pytest.fixture(scope="module")
def examples() -> list[dict[str, Any]]:
    path = os.environ.get("WAYPOST_META_OPENAPI")
    if not path:
        pytest.skip("WAYPOST_META_OPENAPI does not name Meta's OpenAPI file")
    paths = yaml.load(Path(path).read_bytes(), Loader=yaml.CSafeLoader)["paths"]
    found: list[dict[str, Any]] = []
    for address in TEMPLATES:
        _collect({name: call for name, call in paths[address].items() if name != "parameters"}, found)
    return found


def _collect(node: Any, found: list[dict[str, Any]]) -> None:
    """Every value that stands as an example and has components."""
    if isinstance(node, dict):
        if isinstance(node.get("components"), list) and "name" in node:
            text = json.dumps(node)
            for placeholder, word in PLACEHOLDERS.items():
                text = text.replace(placeholder, word)
            found.append(json.loads(text))
        for value in node.values():
            _collect(value, found)
    elif isinstance(node, list):
        for value in node:
            _collect(value, found)


def test_every_template_of_the_file_comes_out_of_the_form_as_it_went_in(
    examples: list[dict[str, Any]],
) -> None:
    assert len(examples) >= 15
    for example in examples:
        draft = read_draft(
            name=example["name"],
            language=example["language"],
            category=example["category"],
            components=example["components"],
        )
        as_it_was = [{**component, "type": component["type"].upper()} for component in example["components"]]
        assert components_of(draft) == as_it_was, example["name"]
        assert problems(draft) == [], example["name"]
