"""A project in its first minutes: what Google refuses until what it rests on has arrived.

Time is virtual. It stands still while Terraform works, and moves on to the next end of a
`time_sleep` when Terraform has nothing left to do but wait.
"""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

# Terraform is idle only after so long without a call: between two steps it takes some milliseconds.
IDLE_S = 3.0

SERVICE_ARRIVES_S = 60.0
AGENT_ARRIVES_S = 60.0
GRANT_ARRIVES_S = 120.0
METRIC_ARRIVES_S = 600.0

_SERVICES = {
    "google_artifact_registry_": "artifactregistry",
    "google_billing_budget": "billingbudgets",
    "google_cloud_run_v2_": "run",
    "google_cloud_scheduler_": "cloudscheduler",
    "google_cloudfunctions2_": "cloudfunctions",
    "google_firestore_": "firestore",
    "google_logging_": "logging",
    "google_monitoring_": "monitoring",
    "google_project_iam_custom_role": "iam",
    "google_project_iam_member": "cloudresourcemanager",
    "google_pubsub_": "pubsub",
    "google_secret_manager_": "secretmanager",
    "google_service_account": "iam",
    "google_storage_": "storage",
}
# What a deployment of a function needs beside its services.
_BUILT_WITH = {"roles/logging.logWriter", "roles/storage.objectViewer"}


class VirtualTime:
    """Seconds that pass only while everybody waits."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._now = 0.0
        self._at_work = 0
        self._idle_since = time.monotonic()
        self._wakes: list[float] = []
        self._is_over = False
        self._mover = threading.Thread(target=self._move, daemon=True)
        self._mover.start()

    def now(self) -> float:
        """Return the time, in seconds."""
        with self._changed:
            return self._now

    @contextmanager
    def working(self) -> Iterator[None]:
        """Stand still meanwhile."""
        with self._changed:
            self._at_work += 1
        try:
            yield
        finally:
            with self._changed:
                self._at_work -= 1
                self._idle_since = time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, within `working`."""
        with self._changed:
            wake = self._now + seconds
            self._wakes.append(wake)
            self._at_work -= 1
            self._idle_since = time.monotonic()
            self._changed.wait_for(lambda: self._now >= wake or self._is_over)
            self._at_work += 1

    def stop(self) -> None:
        """End, with everybody's waits."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        self._mover.join()

    def _move(self) -> None:
        while not self._is_over:
            with self._changed:
                idle_s = time.monotonic() - self._idle_since
                if self._wakes and not self._at_work and idle_s >= IDLE_S:
                    self._now = min(self._wakes)
                    self._wakes = [one for one in self._wakes if one > self._now]
                    self._idle_since = time.monotonic()
                    self._changed.notify_all()
            time.sleep(IDLE_S / 20)


class YoungProject:
    """Answers "not there yet" where Google does."""

    def __init__(self) -> None:
        self.time = VirtualTime()
        self._made: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def refusal(self, type_name: str, planned: Mapping[str, Any]) -> str | None:
        """Return why a resource cannot be made yet; None if it can."""
        if type_name == "time_sleep":
            self.time.sleep(float(planned["create_duration"].removesuffix("s")))
            return None
        why = self._missing_service(type_name) or self._missing_part(type_name, planned)
        if why is None:
            self._remember(type_name, planned)
        return why

    def _missing_service(self, type_name: str) -> str | None:
        for prefix, service in _SERVICES.items():
            if type_name.startswith(prefix):
                if self._has("service", f"{service}.googleapis.com", for_s=SERVICE_ARRIVES_S):
                    return None
                return f"Error 403: {service} API has not been used, or it is disabled"
        return None

    def _missing_part(self, type_name: str, planned: Mapping[str, Any]) -> str | None:
        member = planned.get("member")
        is_of_pubsub = isinstance(member, str) and "@gcp-sa-pubsub." in member
        if is_of_pubsub and not self._has("agent", "pubsub", for_s=AGENT_ARRIVES_S):
            return f"Error 400: Service account {member} does not exist"
        if type_name == "google_monitoring_alert_policy":
            return self._missing_metric(planned)
        if type_name == "google_cloudfunctions2_function":
            return self._missing_grant(planned)
        return None

    def _missing_metric(self, planned: Mapping[str, Any]) -> str | None:
        conditions = json.dumps(
            [one for one in planned["conditions"] if not _is_unvalidated(one)], default=str
        )
        for (kind, name), _ in list(self._made.items()):
            is_used = (
                f"logging.googleapis.com/user/{name}\\" in conditions
                or f"logging_googleapis_com:user_{name}{{" in conditions
            )
            if kind == "metric" and is_used and not self._has(kind, name, for_s=METRIC_ARRIVES_S):
                return f"Error 404: Cannot find metric(s) that match {name}"
        return None

    def _missing_grant(self, planned: Mapping[str, Any]) -> str | None:
        (build,), (service,) = planned["build_config"], planned["service_config"]
        builder = _name(build["service_account"])
        wanted = {f"{role} {builder}" for role in _BUILT_WITH}
        wanted.add(f"roles/artifactregistry.writer {builder}")
        runner = _name(service["service_account_email"])
        for secret in service["secret_environment_variables"]:
            wanted.add(f"{secret['secret']} {runner}")
        for grant in sorted(wanted):
            if not self._has("grant", grant, for_s=GRANT_ARRIVES_S):
                return f"Error 403: Permission denied: {grant}"
        return None

    def _remember(self, type_name: str, planned: Mapping[str, Any]) -> None:
        if type_name == "google_project_service":
            self._make("service", planned["service"])
        elif type_name == "google_pubsub_topic":
            self._make("agent", "pubsub")
        elif type_name == "google_logging_metric":
            self._make("metric", planned["name"])
        elif type_name == "google_secret_manager_secret_iam_member":
            secret = planned["secret_id"].split("/")[1]
            self._make("grant", f"{secret} {_name(planned['member'])}")
        elif type_name.endswith("_iam_member"):
            self._make("grant", f"{planned['role']} {_name(planned['member'])}")

    def _make(self, kind: str, name: str) -> None:
        with self._lock:
            self._made.setdefault((kind, name), self.time.now())

    def _has(self, kind: str, name: str, *, for_s: float) -> bool:
        with self._lock:
            made_at = self._made.get((kind, name))
        return made_at is not None and self.time.now() - made_at >= for_s


def _is_unvalidated(condition: Mapping[str, Any]) -> bool:
    queries = condition["condition_prometheus_query_language"] or ()
    return any(query["disable_metric_validation"] for query in queries)


def _name(identity: str) -> str:
    """Return the account id in an email, a member or a stand-in's made-up id."""
    return identity.rpartition(":")[2].partition("@")[0].removesuffix("/id").rpartition("/")[2]
