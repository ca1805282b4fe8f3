"""Reads from terraform/ which indexes there are to be."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.terraform.firestore_indexes import Index, Indexes, Part
from tests.terraform.hcl_files import declared, read_folder

_LOCAL = re.compile(r"\$\{(?:toset\()?local\.(\w+)\)?\}")
_LITERAL = re.compile(r"\$\{toset\((\[[^()]*\])\)\}")


@cache
def indexes_as_written(folder: Path) -> Indexes:
    """Read the indexes out of the files, whose lists of them are written out."""
    files = read_folder(folder)
    local = {
        name: its for file in files for one in file.get("locals", ()) for name, its in one.items()
    }
    composite, fields = set(), {}
    for one in declared(files):
        if one.type == "google_firestore_index":
            composite |= {
                Index(
                    _text(one.body["collection"]),
                    tuple(Part(_text(part["path"]), _text(part["mode"])) for part in parts),
                )
                for parts in local[_local_name(one.body["for_each"])].values()
            }
        elif one.type == "google_firestore_field":
            (config,) = one.body["index_config"]
            modes = {_text(its["order"]) for its in config.get("indexes", ())}
            for key in _keys(one.body.get("for_each"), local):
                named = (_each(one.body["collection"], key), _each(one.body["field"], key))
                fields[named] = frozenset(modes)
    return Indexes(composite=frozenset(composite), fields=fields)


def indexes_as_made(resources: Mapping[str, Mapping[str, Any]]) -> Indexes:
    """Read the indexes out of Terraform's state, by the resources' addresses."""
    composite, fields = set(), {}
    for address, values in resources.items():
        if address.startswith("google_firestore_index."):
            composite.add(Index(values["collection"], tuple(map(_made_part, values["fields"]))))
        elif address.startswith("google_firestore_field."):
            (config,) = values["index_config"]
            modes = {its["order"] or its["array_config"] for its in config["indexes"] or ()}
            fields[values["collection"], values["field"]] = frozenset(modes)
    return Indexes(composite=frozenset(composite), fields=fields)


def _made_part(values: Mapping[str, Any]) -> Part:
    return Part(values["field_path"], values["order"] or values["array_config"])


def _keys(for_each: str | None, local: Mapping[str, Any]) -> Iterator[str | None]:
    if for_each is None:
        yield None
    elif literal := _LITERAL.fullmatch(for_each):
        yield from json.loads(literal[1])
    else:
        yield from map(_text, local[_local_name(for_each)])


def _local_name(for_each: str) -> str:
    found = _LOCAL.fullmatch(for_each)
    assert found, f"{for_each} is more than a list that is written out"
    return found[1]


def _each(value: str, key: str | None) -> str:
    if value == "${each.key}":
        assert key is not None
        return key
    return _text(value)


def _text(value: str) -> str:
    text = json.loads(value)
    assert isinstance(text, str)
    return text
