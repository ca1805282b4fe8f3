"""Reads terraform/ and compares what stands there with the providers' schemas."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hcl2

from tests.terraform.provider_schema import Block, Schema

_META = {"count", "depends_on", "for_each", "lifecycle", "provider"}
_IS_BLOCK = "__is_block__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A resource or data source as it is written.

    Attributes:
        kind: ``resource`` or ``data``.
    """

    kind: str
    type: str
    name: str
    body: Mapping[str, Any]

    @property
    def address(self) -> str:
        """What to call it in a message."""
        return f"{self.kind} {self.type}.{self.name}"


def read_folder(folder: Path) -> list[dict[str, Any]]:
    """Read every file."""
    files = sorted(folder.glob("*.tf"))
    assert files, f"no Terraform in {folder}"
    return [_parsed(file.read_text()) for file in files]


# Many tests ask about the same files, and to parse them takes a second.
@cache
def _parsed(text: str) -> dict[str, Any]:
    return hcl2.loads(text)


def declared(files: list[dict[str, Any]]) -> list[Declared]:
    """Find every resource and data source, also those inside checks."""
    return [one for file in files for one in _declared(file)]


def labelled(files: list[dict[str, Any]], kind: str) -> dict[str, Mapping[str, Any]]:
    """Find every block of a kind that has one label, such as ``variable``."""
    return {
        _unquoted(label): body
        for file in files
        for block in file.get(kind, [])
        for label, body in block.items()
    }


def _declared(scope: Mapping[str, Any]) -> Iterator[Declared]:
    for kind in ("resource", "data"):
        for one in scope.get(kind, []):
            for type_name, named in one.items():
                for name, body in named.items():
                    yield Declared(
                        kind=kind, type=_unquoted(type_name), name=_unquoted(name), body=body
                    )
    for check in scope.get("check", []):
        for body in check.values():
            yield from _declared(body)


def misfits(files: list[dict[str, Any]], schemas: Mapping[str, Schema]) -> list[str]:
    """Say everything that does not fit the schemas; nothing if all does."""
    found: list[str] = []
    for one in declared(files):
        schema = schemas.get(one.type.partition("_")[0])
        known = {} if schema is None else schema.resources
        if one.kind == "data":
            known = {} if schema is None else schema.data_sources
        block = known.get(one.type)
        if block is None:
            found.append(f"{one.address}: no such type")
        else:
            found += _misfits(one.body, block, where=one.address, is_top=True)
    for name, body in labelled(files, "provider").items():
        found += _misfits(body, schemas[name].provider, where=f"provider {name}", is_top=True)
    return found


def _misfits(
    body: Mapping[str, Any], block: Block, *, where: str, is_top: bool = False
) -> Iterator[str]:
    given = {name: value for name, value in body.items() if not name.startswith("__")}
    dynamic = {
        _unquoted(label): its["content"]
        for one in given.pop("dynamic", [])
        for label, its in one.items()
    }
    if is_top:
        given = {name: value for name, value in given.items() if name not in _META}
    for name, value in {**given, **dynamic}.items():
        if _is_block(value):
            yield from _nested_misfits(name, value, block, where=where, is_dynamic=name in dynamic)
        elif name not in block.attributes:
            what = "is a block, not an argument" if name in block.blocks else "no such argument"
            yield f"{where}: {name}: {what}"
        elif block.attributes[name].is_result:
            yield f"{where}: {name}: a result, not an argument"
    required = {name for name, one in block.attributes.items() if one.is_required}
    required |= {name for name, one in block.blocks.items() if one.is_required}
    for name in sorted(required - given.keys() - dynamic.keys()):
        yield f"{where}: {name}: missing"


def _nested_misfits(
    name: str, bodies: list[Mapping[str, Any]], block: Block, *, where: str, is_dynamic: bool
) -> Iterator[str]:
    nested = block.blocks.get(name)
    if nested is None:
        what = "is an argument, not a block" if name in block.attributes else "no such block"
        yield f"{where}: {name}: {what}"
        return
    if len(bodies) > 1 and not nested.is_many and not is_dynamic:
        yield f"{where}: {name}: more than one"
    for body in bodies:
        yield from _misfits(body, nested.block, where=f"{where}: {name}")


def _is_block(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, dict) and _IS_BLOCK in one for one in value)
    )


def _unquoted(label: str) -> str:
    return label.strip('"')
