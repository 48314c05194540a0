"""Meta's OpenAPI file, mended in memory where it contradicts its own examples and what Meta takes."""

import re
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

MESSAGES = "/{Version}/{Phone-Number-ID}/messages"
SUB_TYPES = ["quick_reply", "url", "catalog", "flow", "copy_code", "mpm", "order_details", "voice_call"]
PARAMETERS = ["currency", "date_time", "document", "image", "text", "video", "location", "action", "product"]
BUTTON_PARAMETERS = ["payload", "text", "coupon_code", "action"]


class Contract:
    """The file, loaded once; ``errors`` says what is wrong with the body of a send."""

    def __init__(self, path: Path) -> None:
        document = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
        operation = document["paths"][MESSAGES]["post"]["requestBody"]["content"]["application/json"]
        self.examples: dict[str, Any] = {
            name: example["value"] for name, example in operation["examples"].items()
        }
        schemas = document["components"]["schemas"]
        repair(schemas)
        mapping: dict[str, str] = schemas["Message"]["discriminator"]["mapping"]
        self._by_type = {
            kind: Draft202012Validator({"$ref": reference, "components": {"schemas": schemas}})
            for kind, reference in mapping.items()
        }

    def errors(self, body: dict[str, Any]) -> list[str]:
        """One sentence for each fault; of the kind of message that the body says it is."""
        validator = self._by_type[body.get("type", "text")]
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]


def repair(schemas: dict[str, Any]) -> None:
    """The schemas take what Meta takes, and still refuse unknown fields."""
    base = schemas["BaseMessageProperties"]
    base["required"] = ["messaging_product", "to"]
    base["properties"]["biz_opaque_callback_data"] = {"type": "string", "maxLength": 512}
    schemas["LanguageObject"]["required"] = ["code"]
    index = {"type": ["string", "integer"], "pattern": "^[0-9]$", "minimum": 0, "maximum": 9}
    sub_type = {"type": "string", "pattern": f"^(?i:{'|'.join(SUB_TYPES)})$"}
    for name in ("TemplateComponent", "ButtonComponent"):
        part = schemas[name]["allOf"][-1] if "allOf" in schemas[name] else schemas[name]
        part["properties"] |= {"index": index, "sub_type": sub_type}
    schemas["ParameterObject"]["properties"]["type"]["enum"] = PARAMETERS
    schemas["ParameterObject"]["properties"]["parameter_name"] = {"type": "string"}
    schemas["ButtonParameterObject"]["properties"]["type"]["enum"] = BUTTON_PARAMETERS
    for name in list(schemas):
        if name.endswith("Message") and "allOf" in schemas[name]:
            # `additionalProperties: false` inside `allOf` refuses what the other half allows.
            for half in schemas[name]["allOf"]:
                half.pop("additionalProperties", None)
            schemas[name]["unevaluatedProperties"] = False
    _number_coordinates(schemas)
    schemas["TemplateObject"]["properties"]["components"]["items"] = _one_of(schemas, "TemplateComponent")
    for name, parameter in (
        ("HeaderComponent", "ParameterObject"),
        ("BodyComponent", "ParameterObject"),
        ("ButtonComponent", "ButtonParameterObject"),
    ):
        part = schemas[name]["allOf"][-1]
        part["properties"]["parameters"]["items"] = _one_of(schemas, parameter)


def _one_of(schemas: dict[str, Any], name: str) -> dict[str, Any]:
    """What the discriminator of a schema says, in words that a validator of JSON schemas reads. Kinds that
    the file has no schema for are taken as they are."""
    mapping: dict[str, str] = schemas[name]["discriminator"]["mapping"]
    kinds: list[str] = schemas[name]["properties"]["type"]["enum"]
    rest = {"required": ["type"], "properties": {"type": {"enum": sorted(set(kinds) - set(mapping))}}}
    return {"oneOf": [*({"$ref": reference} for reference in mapping.values()), rest]}


def _number_coordinates(node: Any) -> None:
    if isinstance(node, dict):
        for key, value in node.items():
            if re.fullmatch("latitude|longitude", str(key)) and isinstance(value, dict):
                value["type"] = ["number", "string"]
            _number_coordinates(value)
    elif isinstance(node, list):
        for value in node:
            _number_coordinates(value)
