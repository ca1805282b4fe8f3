"""The deployment that a command works on: its store, its topics and its dead letters.

Commands use the relay's own code on the relay's own documents, so they keep the promises that the
functions keep. They need no tenant's key and call no provider.
"""

import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import google.auth
from google.auth.exceptions import DefaultCredentialsError

from infra.local.plan import StackDescription
from infra.operate.counts import Counts, FirestoreCounts
from infra.operate.dead_letters import DeadLetters, PubSubDeadLetters
from infra.operate.errors import NoDeployment
from relay import config
from relay.adapters.database import connect
from relay.adapters.firestore import (
    FirestoreAccounts,
    FirestoreDurations,
    FirestoreJobs,
    FirestoreLists,
)
from relay.adapters.pubsub import PubSubTopics, publisher
from relay.adapters.runtime import SystemClock, WorkerThreads
from relay.assembly import PUMP_PATIENCE_S, Adapters, Relay

PROJECT = "GOOGLE_CLOUD_PROJECT"
EMULATORS = ("FIRESTORE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A deployment, as commands see it.

    Attributes:
        name: In words.
    """

    name: str
    adapters: Adapters
    relay: Relay
    counts: Counts
    dead_letters: DeadLetters


def local_deployment(stack_file: Path, env: Mapping[str, str]) -> Deployment:
    """Return the local stack that wrote this file.

    Raises:
        NoDeployment: No stack is up.
    """
    try:
        stack = StackDescription.read(stack_file)
    except OSError:
        raise NoDeployment(
            f"no local stack is up: there is no {stack_file}. Start one with make up, or name a"
            " project with --project"
        ) from None
    except (ValueError, TypeError) as error:
        raise NoDeployment(f"{stack_file} is not a stack's: {error}") from None
    account, topic = next(iter(stack.ticks_topics.items()))
    settings = {
        **env,
        PROJECT: stack.project,
        "COMPLETIONS_TOPIC": stack.completions_topic,
        "TICKS_TOPIC": topic.removesuffix(f"-{account}"),
        "FIRESTORE_EMULATOR_HOST": stack.firestore_emulator_host,
        "PUBSUB_EMULATOR_HOST": stack.pubsub_emulator_host,
    }
    return _deployment(f"the local stack at {stack.api_url}", settings)


def real_deployment(project: str, env: Mapping[str, str]) -> Deployment:
    """Return the deployment in a project, with Application Default Credentials.

    Args:
        env: `FIRESTORE_DATABASE`, `TICKS_TOPIC` and the like, where they are not the defaults.

    Raises:
        NoDeployment: There are no credentials, or a variable is malformed.
    """
    emulated = [name for name in EMULATORS if env.get(name)]
    if emulated:
        raise NoDeployment(f"{' and '.join(emulated)} must not be set with --project")
    try:
        google.auth.default()
    except DefaultCredentialsError:
        raise NoDeployment(
            "there are no credentials: run gcloud auth application-default login"
        ) from None
    return _deployment(f"project {project}", {**env, PROJECT: project})


def _deployment(name: str, env: Mapping[str, str]) -> Deployment:
    try:
        settings = config.common_settings(env)
    except LookupError as error:
        raise NoDeployment(str(error)) from None
    database = connect(settings.project, settings.database, env=env)
    adapters = Adapters(
        jobs=FirestoreJobs(database, time_to_live=settings.time_to_live),
        accounts=FirestoreAccounts(database),
        durations=FirestoreDurations(database),
        lists=FirestoreLists(database),
        topics=PubSubTopics(
            publisher(env),
            project=settings.project,
            completions_topic=settings.completions_topic,
            ticks_topic=settings.ticks_topic,
        ),
        clock=SystemClock(),
        draw=random.random,
        random_bytes=secrets.token_bytes,
        open_workers=WorkerThreads,
        is_stopping=lambda: False,
    )
    return Deployment(
        name=f"{name}, database {settings.database}",
        adapters=adapters,
        relay=Relay(adapters, patience_s=PUMP_PATIENCE_S),
        counts=FirestoreCounts(database),
        dead_letters=PubSubDeadLetters(
            project=settings.project, ticks_topic=settings.ticks_topic, env=env
        ),
    )
