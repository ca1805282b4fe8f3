"""A provider that stands in for the real one: its true schema, and nothing behind it.

Real Terraform talks to it as to any provider. So everything that Terraform itself checks is
checked (types, references, for_each, conditions, validations), and what it would make can be read
resolved from the state. What only Google's API knows is not checked: whether a value is allowed.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import grpc
import msgspec

from tests.terraform import wire
from tests.terraform.provider_schema import Attribute, Block, Schema
from tests.terraform.young_project import YoungProject

PROJECT_NUMBER = "123456789012"

_SINGLE, _LIST = 1, 2
_ERROR = 1
# Which arguments cannot change without a new resource is not in the bindings.
_REPLACED_WITH = {
    "google_secret_manager_secret_version": ("secret", "secret_data_wo_version"),
    "google_storage_bucket_object": ("bucket", "name"),
    "time_sleep": ("triggers",),
}
_UNKNOWN = msgspec.msgpack.Ext(0, b"\x00")


@contextmanager
def standing_in(
    schemas: Mapping[str, Schema], project: YoungProject | None = None
) -> Iterator[dict[str, str]]:
    """Serve these providers.

    Args:
        project: Refuses what is not there yet; None if everything is.

    Yields:
        The environment in which Terraform talks to them.
    """
    servers: list[grpc.Server] = []
    attached = {}
    try:
        for name, schema in schemas.items():
            server = grpc.server(ThreadPoolExecutor(16))
            server.add_generic_rpc_handlers((_handlers(StandIn(schema, project)),))
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            servers.append(server)
            attached[f"hashicorp/{name}"] = {
                "Protocol": "grpc",
                "ProtocolVersion": 5,
                "Pid": os.getpid(),
                "Test": True,
                "Addr": {"Network": "tcp", "String": f"127.0.0.1:{port}"},
            }
        yield {"TF_REATTACH_PROVIDERS": json.dumps(attached), "TF_DISABLE_PLUGIN_TLS": "1"}
    finally:
        for server in servers:
            server.stop(grace=None)


class StandIn:
    """Answers Terraform's calls of one provider."""

    def __init__(self, schema: Schema, project: YoungProject | None = None) -> None:
        self._schema = schema
        self._project = project
        self._told = self._tell()

    def at_work(self) -> AbstractContextManager[None]:
        """Keep the project's time from passing meanwhile."""
        return self._project.time.working() if self._project else nullcontext()

    def get_schema(self, _request: bytes) -> bytes:
        """Tell the schema."""
        return self._told

    def prepare(self, request: bytes) -> bytes:
        """Take the provider's own configuration as it is."""
        return wire.message(1, wire.fields(request)[1])

    def agree(self, _request: bytes) -> bytes:
        """Have nothing to say."""
        return b""

    def upgrade(self, request: bytes) -> bytes:
        """Read a resource from the state."""
        raw = wire.fields(wire.fields(request)[3])[1]
        return wire.message(1, _value(json.loads(raw)))

    def read(self, request: bytes) -> bytes:
        """Find a resource as it was left."""
        return wire.message(1, wire.fields(request)[2])

    def plan(self, request: bytes) -> bytes:
        """Propose what the configuration says, with results to be known later."""
        given = wire.fields(request)
        type_name = given[1].decode()
        before, proposed = _read(given[2]), _read(given[3])
        if proposed is None:
            return wire.message(1, _value(None))
        block = self._schema.resources[type_name]
        planned = wire.message(1, _value(_filled(block, proposed, lambda _name, _of: _UNKNOWN)))
        for name in _REPLACED_WITH.get(type_name, ()):
            if before is not None and before[name] != proposed[name]:
                planned += wire.message(2, wire.message(1, wire.text(1, name)))
        return planned

    def apply(self, request: bytes) -> bytes:
        """Make the resource, with made-up results."""
        given = wire.fields(request)
        type_name, planned = given[1].decode(), _read(given[3])
        if planned is not None:
            is_new = _read(given[2]) is None
            refusal = (
                self._project.refusal(type_name, planned) if self._project and is_new else None
            )
            if refusal is not None:
                return wire.message(1, _value(None)) + wire.message(3, _error(refusal))
            block = self._schema.resources[type_name]
            planned = _filled(block, planned, lambda name, of: _result(type_name, name, of))
        return wire.message(1, _value(planned))

    def read_data(self, request: bytes) -> bytes:
        """Find a data source, with made-up results."""
        given = wire.fields(request)
        type_name = given[1].decode()
        block = self._schema.data_sources[type_name]
        found = _filled(block, _read(given[2]), lambda name, of: _result(type_name, name, of))
        return wire.message(1, _value(found))

    def _tell(self) -> bytes:
        parts = [wire.message(1, _schema(self._schema.provider, is_provider=True))]
        for number, blocks in ((2, self._schema.resources), (3, self._schema.data_sources)):
            parts += [
                wire.message(number, wire.text(1, name) + wire.message(2, _schema(block)))
                for name, block in blocks.items()
            ]
        return b"".join(parts)


def _handlers(provider: StandIn) -> grpc.GenericRpcHandler:
    calls = {
        "GetSchema": provider.get_schema,
        "PrepareProviderConfig": provider.prepare,
        "ValidateResourceTypeConfig": provider.agree,
        "ValidateDataSourceConfig": provider.agree,
        "UpgradeResourceState": provider.upgrade,
        "Configure": provider.agree,
        "ReadResource": provider.read,
        "PlanResourceChange": provider.plan,
        "ApplyResourceChange": provider.apply,
        "ReadDataSource": provider.read_data,
        "Stop": provider.agree,
    }
    return grpc.method_handlers_generic_handler(
        "tfplugin5.Provider",
        {name: _handler(call, provider.at_work) for name, call in calls.items()},
    )


def _handler(
    call: Callable[[bytes], bytes], at_work: Callable[[], AbstractContextManager[None]]
) -> grpc.RpcMethodHandler:
    def answer(request: bytes, _context: grpc.ServicerContext) -> bytes:
        with at_work():
            return call(request)

    return grpc.unary_unary_rpc_method_handler(answer)


def _error(summary: str) -> bytes:
    return wire.whole(1, _ERROR) + wire.text(2, summary)


def _schema(block: Block, *, is_provider: bool = False) -> bytes:
    return wire.message(2, _block(block, is_provider=is_provider))


def _block(block: Block, *, is_provider: bool = False) -> bytes:
    parts = [
        wire.message(2, _attribute(name, attribute))
        for name, attribute in block.attributes.items()
        if not (is_provider and attribute.is_result)
    ]
    for name, nested in block.blocks.items():
        is_single = name == "timeouts"
        parts.append(
            wire.message(
                3,
                wire.text(1, name)
                + wire.message(2, _block(nested.block))
                + wire.whole(3, _SINGLE if is_single else _LIST)
                + wire.whole(4, int(nested.is_required and not is_single))
                + wire.whole(5, int(not nested.is_many and not is_single)),
            )
        )
    return b"".join(parts)


def _attribute(name: str, attribute: Attribute) -> bytes:
    is_optional = not attribute.is_required and not attribute.is_result
    return (
        wire.text(1, name)
        + wire.message(2, json.dumps(attribute.type).encode())
        + wire.whole(4, attribute.is_required)
        + wire.whole(5, is_optional)
        + wire.whole(6, attribute.is_result)
        + wire.whole(10, _is_write_only(name))
    )


def _is_write_only(name: str) -> bool:
    return name.endswith("_wo")


def _filled(
    block: Block, given: Mapping[str, Any], fill: Callable[[str, Mapping[str, Any]], Any]
) -> dict[str, Any]:
    """Fill in results that are not known yet, and forget what is never kept."""
    filled = dict(given)
    for name, attribute in block.attributes.items():
        if _is_write_only(name):
            filled[name] = None
        elif attribute.is_result and (given[name] is None or _is_unknown(given[name])):
            value = fill(name, given)
            filled[name] = _as_type(attribute.type, value) if value is not _UNKNOWN else value
    for name, nested in block.blocks.items():
        if isinstance(given[name], list):
            filled[name] = [_filled(nested.block, one, fill) for one in given[name]]
    return filled


def _is_unknown(value: Any) -> bool:
    return isinstance(value, msgspec.msgpack.Ext)


def _as_type(kind: Any, value: str) -> Any:
    if kind == ["list", "string"]:
        return [value]
    if isinstance(kind, list):
        return {} if kind[0] == "map" else []
    return {"string": value, "number": 1, "bool": False}.get(kind)


def _result(type_name: str, name: str, of: Mapping[str, Any]) -> str:
    """Make up a result that tells whose it is."""
    names = (of.get(one) for one in ("account_id", "secret_id", "name", "secret"))
    of_whom = next((one for one in names if isinstance(one, str)), "it")
    if name == "email":
        return f"{of_whom}@example.iam.gserviceaccount.com"
    if name == "member":
        return f"serviceAccount:{of_whom}@example.iam.gserviceaccount.com"
    if name == "uri":
        runs_as = of.get("service_account_email") or f"relay-{of_whom}@"
        return f"https://{runs_as.partition('@')[0].removeprefix('relay-')}-abc.a.run.app"
    if name == "number":
        return PROJECT_NUMBER
    if name == "urls":
        return f"https://{of_whom}-{PROJECT_NUMBER}.{of['location']}.run.app"
    if type_name == "google_pubsub_topic" and name == "id":
        return f"projects/{of['project'] or 'a-project'}/topics/{of_whom}"
    return f"{type_name}/{of_whom}/{name}"


def _read(dynamic: bytes) -> Any:
    return msgspec.msgpack.decode(wire.fields(dynamic)[1])


def _value(value: Any) -> bytes:
    return wire.message(1, msgspec.msgpack.encode(value))
