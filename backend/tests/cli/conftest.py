import shutil

import pytest
from cli_helpers import Service, run


@pytest.fixture(scope="session")
def cli_seed(tmp_path_factory):
    """A migrated data folder: to copy it is quicker than a first start."""
    folder = tmp_path_factory.mktemp("cli-seed") / "d"
    with Service(folder) as service:
        service.end()
    return folder


def copy(seed, folder):
    return shutil.copytree(seed, folder / "d", ignore=shutil.ignore_patterns("*.sock", ".s.*"))


@pytest.fixture
def data(cli_seed, tmp_path):
    """A used data folder with nothing running."""
    return copy(cli_seed, tmp_path)


@pytest.fixture(scope="module")
def service(cli_seed, tmp_path_factory):
    """A running service with a small crowd on its board, shared by a module's tests."""
    with Service(copy(cli_seed, tmp_path_factory.mktemp("service"))) as running:
        made = run("demo", "--data", running.data, "--players", 50, "--rate", 0)
        assert made.returncode == 0, made.stderr
        yield running
        assert running.end() == 0
