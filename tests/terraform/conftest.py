"""What the tests of the deployment share: the providers' schemas, and Terraform if it is there."""

import os
import shutil
from collections.abc import Iterator, Mapping

import pytest

from tests.terraform.hcl_files import declared, read_folder
from tests.terraform.provider_schema import Schema
from tests.terraform.provider_schema import schemas as read_schemas
from tests.terraform.running import SOURCE, Workspace, workspace
from tests.terraform.stand_in import standing_in
from tests.terraform.young_project import YoungProject

REQUIRE_TERRAFORM = "RELAY_REQUIRE_TERRAFORM"


@pytest.fixture(scope="session")
def schemas() -> Mapping[str, Schema]:
    """Every provider's schema."""
    return read_schemas()


@pytest.fixture(scope="session")
def terraform() -> None:
    """Terraform itself: 1.11 or newer, on the PATH."""
    if shutil.which("terraform"):
        return
    why = "no terraform on the PATH"
    if os.environ.get(REQUIRE_TERRAFORM):
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def providers(terraform: None, schemas: Mapping[str, Schema]) -> Iterator[Mapping[str, str]]:
    """Stand-ins for the providers, and the environment in which Terraform finds them."""
    with standing_in(_used(schemas)) as env:
        yield env


def _used(schemas: Mapping[str, Schema]) -> Mapping[str, Schema]:
    used = {one.type for one in declared(read_folder(SOURCE))}
    return {name: schema.only(used) for name, schema in schemas.items()}


@pytest.fixture
def young(
    terraform: None,
    schemas: Mapping[str, Schema],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Workspace, YoungProject]]:
    """A copy of terraform/, and a project in which nothing was ever done."""
    project = YoungProject()
    with standing_in(_used(schemas), project) as env:
        yield workspace(tmp_path_factory.mktemp("work") / "terraform", env), project
        project.time.stop()


@pytest.fixture
def fresh(providers: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy of terraform/ that nothing was done with."""
    return workspace(tmp_path_factory.mktemp("work") / "terraform", providers)


@pytest.fixture(scope="session")
def applied(providers: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy of terraform/ that was applied."""
    made = workspace(tmp_path_factory.mktemp("work") / "terraform", providers)
    made.apply()
    return made
