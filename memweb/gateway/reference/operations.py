"""Every operation of the REST API as rows for a page, read out of its OpenAPI document so that they cannot drift."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from memweb.gateway.api import api

Schema = Mapping[str, Any]
GROUPS = {
    "providers": "Providers",
    "assets": "Files",
    "transcriptions": "Transcriptions",
    "tasks": "Tasks",
    "audio streams": "Streams",
    "webhook": "Webhook",
}
"""Tags of the document in the order of the page; others follow under their own name."""
ENVELOPE = {"code", "msg", "message", "success", "failed"}
DEEPEST = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One parameter, or one field of a body or an answer; fields of fields are named with dots."""

    name: str
    type: str
    note: str
    required: bool = False


@dataclass(slots=True)
class Operation:
    """One method at one path."""

    id: str
    methods: list[str]
    path: str
    says: str
    by_key: bool
    parameters: list[Row]
    body_type: str
    body: list[Row]
    answer: list[Row]
    statuses: list[str]


@dataclass(slots=True)
class Group:
    """Operations of one tag."""

    name: str
    operations: list[Operation] = field(default_factory=list)


def grouped(document: Schema) -> list[Group]:
    """The operations of an OpenAPI document by tag. The same operation by another method is the same one."""
    groups = {tag: Group(name) for tag, name in GROUPS.items()}
    components = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            tag = told["tags"][0]
            listed = groups.setdefault(tag, Group(tag.capitalize())).operations
            if listed and listed[-1].id == told["operationId"] and listed[-1].path == path:
                listed[-1].methods.append(method.upper())
            else:
                listed.append(_operation(method.upper(), path, told, components))
    return [group for group in groups.values() if group.operations]


def _operation(method: str, path: str, told: Schema, components: Schema) -> Operation:
    content = told.get("requestBody", {}).get("content", {})
    body_type = next(iter(content), "")
    body = content[body_type].get("schema", {}) if body_type else {}
    return Operation(
        id=told["operationId"],
        methods=[method],
        path=path,
        says=told.get("description") or told["summary"],
        by_key=bool(told.get("security")),
        parameters=[_parameter(one, components) for one in told.get("parameters", [])],
        body_type=body_type,
        body=list(_rows(body, components)),
        answer=[row for row in _rows(_answer(told), components) if row.name not in ENVELOPE],
        statuses=sorted(str(status) for status in told["responses"]),
    )


def _answer(told: Schema) -> Schema:
    good = {str(status): response for status, response in told["responses"].items()}.get("200", {})
    schema: Schema = good.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _parameter(told: Schema, components: Schema) -> Row:
    schema = told.get("schema", {})
    described = {**schema, "description": schema.get("description") or told.get("description", "")}
    note = f"In the {told['in']}. {_note(described, components)}".strip()
    return Row(told["name"], _type(schema, components), note, bool(told.get("required")))


def _rows(schema: Schema, components: Schema, prefix: str = "", depth: int = 0) -> Iterator[Row]:
    """The fields of an object, those of the objects in it below them."""
    schema = _plain(schema, components)
    if schema.get("type") == "array":
        yield from _rows(schema.get("items", {}), components, prefix and f"{prefix}[]", depth)
        return
    for name, inner in schema.get("properties", {}).items():
        full = f"{prefix}.{name}" if prefix else name
        required = name in schema.get("required", [])
        yield Row(full, _type(inner, components), _note(inner, components), required)
        if depth < DEEPEST:
            yield from _rows(inner, components, full, depth + 1)


def _plain(schema: Schema, components: Schema) -> Schema:
    """The schema itself: what it refers to, or of `this or null` this."""
    while True:
        if "$ref" in schema:
            schema = components[schema["$ref"].rpartition("/")[2]]
        elif "anyOf" in schema:
            schema = next((one for one in schema["anyOf"] if one.get("type") != "null"), {})
        elif len(schema.get("allOf", [])) == 1:
            schema = schema["allOf"][0]
        else:
            return schema


def _type(schema: Schema, components: Schema) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(one, components) for one in schema["anyOf"])
    schema = _plain(schema, components)
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " or ".join(json.dumps(one) for one in schema["enum"])
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"list of {_type(schema.get('items', {}), components)}"
    return {"date-time": "time", "binary": "bytes"}.get(schema.get("format", ""), kind)


def _note(schema: Schema, components: Schema) -> str:
    """What the document says; bounds, default and example."""
    plain = _plain(schema, components)
    told = []
    least, most = plain.get("minimum"), plain.get("maximum")
    if plain.get("maxLength"):
        told.append(f"at most {plain['maxLength']} characters")
    if least is not None and most is not None and most < 10**9:
        told.append(f"{least} to {most}")
    if schema.get("default") not in (None, ""):
        told.append(f"default {json.dumps(schema['default'])}")
    if plain.get("examples"):
        told.append(f"such as {json.dumps(plain['examples'][0])}")
    bounds = ", ".join(told)
    return " ".join(filter(None, [schema.get("description", ""), bounds and f"{bounds[0].upper()}{bounds[1:]}."]))


@cache
def operations() -> list[Group]:
    """Those of the gateway's own API, at its own address."""
    return grouped(api.get_openapi_schema())
