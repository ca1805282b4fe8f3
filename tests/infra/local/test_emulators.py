"""Where emulators and Java are looked for, and what is said if there are none."""

import zipfile
from pathlib import Path

import pytest

from infra.local.emulators import FIREBASE_CLI, Jar, Kind, java_for, locate
from infra.local.errors import EmulatorsUnavailable

SDK_JARS = {
    Kind.FIRESTORE: "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar",
    Kind.PUBSUB: "platform/pubsub-emulator/lib/cloud-pubsub-emulator-0.8.20-all.jar",
}
FIREBASE_JARS = {
    Kind.FIRESTORE: "cloud-firestore-emulator-v{}.jar",
    Kind.PUBSUB: "pubsub-emulator-{}/pubsub-emulator/lib/cloud-pubsub-emulator-{}-all.jar",
}
every_kind = pytest.mark.parametrize("kind", list(Kind))


def a_file(path: Path, text: str = "", *, executable: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if executable:
        path.chmod(0o755)
    return path


def cached(kind: Kind, version: str, *, home: Path) -> Path:
    name = FIREBASE_JARS[kind].replace("{}", version)
    return a_file(home / ".cache" / "firebase" / "emulators" / name)


def nothing_on_this_machine(tmp_path: Path) -> dict[str, str]:
    return {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path / "home")}


def fetches_nothing(_args: tuple[str, ...]) -> None:
    raise AssertionError("nothing was to be fetched")


@every_kind
def test_an_sdk_that_is_named_comes_first(tmp_path, kind):
    env = nothing_on_this_machine(tmp_path) | {"CLOUDSDK_ROOT_DIR": str(tmp_path / "sdk")}
    jar = a_file(tmp_path / "sdk" / SDK_JARS[kind])
    cached(kind, "9.9.9", home=tmp_path / "home")

    assert locate(kind, env=env, fetch=fetches_nothing).path == jar


@every_kind
def test_an_sdk_is_found_behind_the_symbolic_link_to_its_gcloud(tmp_path, kind):
    env = nothing_on_this_machine(tmp_path)
    jar = a_file(tmp_path / "sdk" / SDK_JARS[kind])
    gcloud = a_file(tmp_path / "sdk" / "bin" / "gcloud", executable=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gcloud").symlink_to(gcloud)

    assert locate(kind, env=env, fetch=fetches_nothing).path == jar


@every_kind
def test_an_sdk_that_only_gcloud_knows_is_asked_for(tmp_path, kind):
    env = nothing_on_this_machine(tmp_path)
    jar = a_file(tmp_path / "elsewhere" / SDK_JARS[kind])
    says_where = f"#!/bin/sh\necho {tmp_path / 'elsewhere'}\n"
    a_file(tmp_path / "bin" / "gcloud", says_where, executable=True)

    assert locate(kind, env=env, fetch=fetches_nothing).path == jar


@every_kind
def test_the_newest_version_in_the_firebase_cache_is_taken(tmp_path, kind):
    env = nothing_on_this_machine(tmp_path)
    cached(kind, "1.9.8", home=tmp_path / "home")
    newest = cached(kind, "1.10.2", home=tmp_path / "home")

    assert locate(kind, env=env, fetch=fetches_nothing) == Jar(newest)


def test_the_firebase_cache_may_be_elsewhere(tmp_path):
    elsewhere = {"FIREBASE_EMULATORS_PATH": str(tmp_path / "cache")}
    jar = a_file(tmp_path / "cache" / "cloud-firestore-emulator-v1.22.0.jar")

    env = nothing_on_this_machine(tmp_path) | elsewhere

    assert locate(Kind.FIRESTORE, env=env, fetch=fetches_nothing) == Jar(jar)


@every_kind
def test_an_emulator_that_is_nowhere_is_fetched_with_one_exact_version(tmp_path, kind):
    env = nothing_on_this_machine(tmp_path)
    npx = a_file(tmp_path / "bin" / "npx", executable=True)
    fetched: list[tuple[str, ...]] = []

    def fetch(args: tuple[str, ...]) -> None:
        fetched.append(args)
        cached(kind, "1.22.0", home=tmp_path / "home")

    locate(kind, env=env, fetch=fetch)

    assert fetched == [(str(npx), "--yes", FIREBASE_CLI, f"setup:emulators:{kind}")]


@pytest.mark.parametrize("has_npx", [False, True], ids=["without npx", "npx in vain"])
@every_kind
def test_an_emulator_that_cannot_be_had_says_what_to_install(tmp_path, kind, has_npx):
    env = nothing_on_this_machine(tmp_path)
    if has_npx:
        a_file(tmp_path / "bin" / "npx", executable=True)

    with pytest.raises(EmulatorsUnavailable, match=r"gcloud components install .*npx"):
        locate(kind, env=env, fetch=lambda _args: None)


def a_jar(tmp_path: Path, *, class_version: int) -> Jar:
    path = tmp_path / "emulator.jar"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Main-Class: org.example.Main\r\n")
        head = b"\xca\xfe\xba\xbe\x00\x00" + class_version.to_bytes(2, "big")
        archive.writestr("org/example/Main.class", head)
    return Jar(path)


def a_java(tmp_path: Path, says: str) -> Path:
    return a_file(tmp_path / "bin" / "java", f"#!/bin/sh\necho '{says}' >&2\n", executable=True)


@pytest.mark.parametrize(
    "says",
    ['openjdk version "21.0.2" 2024-01-16', 'openjdk version "21" 2023-09-19'],
    ids=["21.0.2", "21"],
)
def test_a_java_that_is_new_enough_is_taken(tmp_path, says):
    java = a_java(tmp_path, says)

    found = java_for(a_jar(tmp_path, class_version=65), env=nothing_on_this_machine(tmp_path))

    assert found == java


@pytest.mark.parametrize(
    "says",
    ['openjdk version "17.0.15"', 'java version "1.8.0_202"', "install Java first"],
    ids=["17", "8", "macOS stub"],
)
def test_a_java_that_is_too_old_says_which_is_needed(tmp_path, says):
    a_java(tmp_path, says)

    with pytest.raises(EmulatorsUnavailable, match="needs Java 21"):
        java_for(a_jar(tmp_path, class_version=65), env=nothing_on_this_machine(tmp_path))


def test_java_home_wins_over_the_path(tmp_path):
    a_java(tmp_path, 'openjdk version "11.0.1"')
    at_home = a_java(tmp_path / "jdk", 'openjdk version "21.0.1"')
    env = nothing_on_this_machine(tmp_path) | {"JAVA_HOME": str(tmp_path / "jdk")}

    assert java_for(a_jar(tmp_path, class_version=65), env=env) == at_home


def test_no_java_at_all_says_which_to_install(tmp_path):
    with pytest.raises(EmulatorsUnavailable, match="Install Java 11"):
        java_for(a_jar(tmp_path, class_version=55), env=nothing_on_this_machine(tmp_path))


def test_a_jar_that_was_not_fetched_to_its_end_is_named(tmp_path):
    jar = Jar(a_file(tmp_path / "emulator.jar", "half of it"))

    with pytest.raises(EmulatorsUnavailable, match=r"emulator\.jar is damaged"):
        java_for(jar, env=nothing_on_this_machine(tmp_path))
