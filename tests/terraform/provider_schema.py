"""A provider's real schema, read from the bindings that are generated from it.

The wheel of ``cdktn-provider-NAME`` holds a jsii assembly: every resource and data source of
the provider as a class, every block as an interface, every argument as a property. From these
the schema is put together again as Terraform knows it. What the bindings do not carry: which
lists are sets, which optional arguments are filled in if left out, and what values are allowed.
"""

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PINS = Path(__file__).with_name("provider-packages.txt")
CACHE = ROOT / ".local" / "terraform"

_RESOURCE = "cdktn.TerraformResource"
_DATA_SOURCE = "cdktn.TerraformDataSource"
_PROVIDER = "cdktn.TerraformProvider"
_ARGUMENT = re.compile(r"#([a-z0-9_]+) ")
_TYPE = re.compile(r"/([0-9.]+)/docs(?:/\S+)? ([a-z0-9_]+)\}")
_NUMBERS = {"string": "string", "number": "number", "boolean": "bool"}
_OUTPUTS = {
    "cdktn.IResolvable": "bool",
    "cdktn.StringMap": ["map", "string"],
    "cdktn.NumberMap": ["map", "number"],
    "cdktn.BooleanMap": ["map", "bool"],
    "cdktn.AnyMap": "dynamic",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """An argument or a result of a block.

    Attributes:
        type: As Terraform writes types in JSON.
        is_result: It cannot be given.
    """

    type: Any
    is_required: bool
    is_result: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What a resource, or a block in it, takes and gives."""

    attributes: Mapping[str, Attribute]
    blocks: Mapping[str, "NestedBlock"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedBlock:
    """A block that stands in another.

    Attributes:
        is_many: There may be more than one.
    """

    block: Block
    is_required: bool
    is_many: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """Everything of one provider."""

    version: str
    provider: Block
    resources: Mapping[str, Block]
    data_sources: Mapping[str, Block]

    def only(self, types: Collection[str]) -> "Schema":
        """Leave out all but these types: what is never asked for need not be told."""
        return replace(
            self,
            resources={name: block for name, block in self.resources.items() if name in types},
            data_sources={
                name: block for name, block in self.data_sources.items() if name in types
            },
        )


def schemas() -> dict[str, Schema]:
    """Return the schema of each pinned provider, by its name.

    The first call downloads the packages, some 67 MB, and keeps what is needed of them.
    """
    return {name: _schema(name) for name in _packages()}


def _packages() -> dict[str, str]:
    """Return the line that pins each provider's package."""
    pins = PINS.read_text().replace("\\\n", " ").splitlines()
    lines = [line for line in pins if line and not line.startswith("#")]
    return {line.partition("==")[0].removeprefix("cdktn-provider-"): line for line in lines}


def _schema(name: str) -> Schema:
    pin = _packages()[name]
    kept = CACHE / f"schema-{name}-{_fingerprint(pin)}.json"
    if not kept.exists():
        _extract(name, pin, into=kept)
    return _from_plain(json.loads(kept.read_text()))


def _fingerprint(pin: str) -> str:
    """Change whenever the package or this way of reading it does."""
    return hashlib.sha256(pin.encode() + Path(__file__).read_bytes()).hexdigest()[:12]


def _extract(name: str, pin: str, *, into: Path) -> None:
    """Download a package and keep its schema."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as here:
        folder = Path(here)
        wanted = folder / "wanted.txt"
        wanted.write_text(f"{pin}\n")
        download = ["download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        which = ["--require-hashes", "--requirement", str(wanted), "--dest", here]
        subprocess.run([sys.executable, "-m", "pip", *download, *which], check=True)
        (wheel,) = folder.glob("*.whl")
        unfinished = folder / "schema.json"
        unfinished.write_text(json.dumps(read_assembly(_assembly(wheel)), separators=(",", ":")))
        unfinished.rename(into)
    for outdated in set(CACHE.glob(f"schema-{name}-*.json")) - {into}:
        outdated.unlink(missing_ok=True)


def _assembly(wheel: Path) -> dict[str, Any]:
    with zipfile.ZipFile(wheel) as archive:
        (inner,) = (name for name in archive.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=BytesIO(archive.read(inner))) as package:
            assembly = package.extractfile("package/.jsii")
            assert assembly is not None
            found: dict[str, Any] = json.loads(assembly.read())
            return found


def read_assembly(assembly: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema that a jsii assembly was generated from, as plain JSON."""
    reader = _Reader(assembly["types"])
    plain: dict[str, Any] = {"resources": {}, "data_sources": {}}
    for kind in assembly["types"].values():
        base = kind.get("base")
        if base not in (_RESOURCE, _DATA_SOURCE, _PROVIDER):
            continue
        described = _TYPE.search(kind["docs"]["summary"])
        assert described is not None, kind["fqn"]
        plain["version"] = described[1]
        block = reader.block(kind["initializer"]["parameters"][2]["type"]["fqn"], kind["fqn"])
        if base == _PROVIDER:
            block["attributes"].pop("alias")
            plain["provider"] = block
        else:
            group = "resources" if base == _RESOURCE else "data_sources"
            plain[group][described[2]] = block
    return plain


class _Reader:
    """Turns the assembly's types into blocks.

    Args:
        types: By their full names.
    """

    def __init__(self, types: Mapping[str, Any]) -> None:
        self._types = types
        self._open: list[str] = []

    def block(self, config: str, output: str) -> dict[str, Any]:
        """Return the block with these arguments (an interface) and results (a class)."""
        attributes: dict[str, Any] = {}
        blocks: dict[str, Any] = {}
        arguments = self._types[config].get("properties", [])
        for argument in arguments:
            name, is_required = _argument_name(argument), not argument.get("optional")
            nested = next(self._structs(argument["type"]), None)
            if nested is None or nested in self._open:
                attributes[name] = [self._type(argument["type"]), is_required, False]
            else:
                is_many = "collection" in json.dumps(argument["type"])
                self._open.append(nested)
                block = self.block(nested, f"{nested}OutputReference")
                self._open.pop()
                blocks[name] = [block, is_required, is_many]
        given = {argument["name"] for argument in arguments}
        for name, kind in self._results(output):
            if name not in given:
                attributes[_snake(name)] = [self._output_type(kind), False, True]
        if not self._open and "id" in attributes:
            # The bindings let every resource be given an id, which the provider makes itself.
            attributes["id"] = ["string", False, True]
        return {"attributes": attributes, "blocks": blocks}

    def _structs(self, kind: Mapping[str, Any]) -> Iterator[str]:
        """Find the interfaces of this assembly that a type is made of."""
        if "collection" in kind:
            yield from self._structs(kind["collection"]["elementtype"])
        for one in kind.get("union", {}).get("types", []):
            yield from self._structs(one)
        found = self._types.get(kind.get("fqn", ""))
        if found is not None and found["kind"] == "interface":
            yield found["fqn"]

    def _results(self, output: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        properties = self._types.get(output, {}).get("properties", [])
        names = {one["name"] for one in properties}
        for one in properties:
            name = one["name"]
            is_twin = name.endswith("Input") and (
                name.removesuffix("Input") in names or name == "idInput"
            )
            if not is_twin and not one.get("static") and name not in ("fqn", "internalValue"):
                yield name, one["type"]

    def _type(self, kind: Mapping[str, Any]) -> Any:
        if "primitive" in kind:
            return _NUMBERS.get(kind["primitive"], "dynamic")
        if "collection" in kind:
            element = self._type(kind["collection"]["elementtype"])
            return [{"array": "list", "map": "map"}[kind["collection"]["kind"]], element]
        known = [
            self._type(one) for one in kind.get("union", {}).get("types", []) if "fqn" not in one
        ]
        return known[0] if known else "dynamic"

    def _output_type(self, kind: Mapping[str, Any]) -> Any:
        full_name = kind.get("fqn", "")
        if not full_name:
            return self._type(kind)
        if full_name in _OUTPUTS:
            return _OUTPUTS[full_name]
        element = f"{full_name.removesuffix('List')}OutputReference"
        if not full_name.endswith("List") or element not in self._types:
            return "dynamic"
        fields = {_snake(name): self._output_type(its) for name, its in self._results(element)}
        return ["list", ["object", fields]]


def _argument_name(argument: Mapping[str, Any]) -> str:
    docs = argument["docs"]
    found = _ARGUMENT.search(docs.get("remarks", "") + docs.get("summary", ""))
    return found[1] if found else _snake(argument["name"])


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def _from_plain(plain: Mapping[str, Any]) -> Schema:
    return Schema(
        version=plain["version"],
        provider=_block(plain["provider"]),
        resources={name: _block(block) for name, block in plain["resources"].items()},
        data_sources={name: _block(block) for name, block in plain["data_sources"].items()},
    )


def _block(plain: Mapping[str, Any]) -> Block:
    return Block(
        attributes={
            name: Attribute(type=kind, is_required=is_required, is_result=is_result)
            for name, (kind, is_required, is_result) in plain["attributes"].items()
        },
        blocks={
            name: NestedBlock(block=_block(block), is_required=is_required, is_many=is_many)
            for name, (block, is_required, is_many) in plain["blocks"].items()
        },
    )


if __name__ == "__main__":
    schemas()
