"""The entry points of functions/main.py, with every query written down as it leaves the client.

The local stack serves this file in place of the deployed one (`running_stack(functions=...)`).
Each process writes a file of its own into the folder that `RECORDED_QUERIES` names, one JSON
object a line.
"""

import importlib.util
import json
import os
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict

FUNCTIONS = Path(__file__).parents[3] / "functions"
STORE = "relay.adapters.firestore"


class Recording(grpc.UnaryStreamClientInterceptor):  # type: ignore[misc]
    """Writes down the queries that go through a channel, and which method of the store asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writing = threading.Lock()

    def intercept_unary_stream(self, send: Any, details: Any, request: Any) -> Any:
        kind = type(request).__name__
        if kind == "RunQueryRequest":
            self._write(request.structured_query)
        elif kind == "RunAggregationQueryRequest":
            self._write(request.structured_aggregation_query.structured_query)
        return send(details, request)

    def _write(self, query: Any) -> None:
        recorded = {"asked_by": _asked_by(), "query": MessageToDict(type(query).pb(query))}
        with self._writing, (self._folder / f"{os.getpid()}.jsonl").open("a") as file:
            file.write(json.dumps(recorded) + "\n")


def _asked_by() -> str | None:
    """Return the method of the store that this call came through, None if it did not."""
    asked_by = None
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__") == STORE:
            asked_by = frame.f_code.co_qualname
        frame = frame.f_back
    return asked_by


def _record_from_now_on(folder: Path) -> None:
    open_channel = grpc.insecure_channel

    def open_recorded_channel(*args: Any, **kwargs: Any) -> grpc.Channel:
        return grpc.intercept_channel(open_channel(*args, **kwargs), Recording(folder))

    grpc.insecure_channel = open_recorded_channel


def _deployed() -> Any:
    sys.path.append(str(FUNCTIONS))
    spec = importlib.util.spec_from_file_location("deployed_main", FUNCTIONS / "main.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_record_from_now_on(Path(os.environ["RECORDED_QUERIES"]))
globals().update({name: its for name, its in vars(_deployed()).items() if name[0] != "_"})
