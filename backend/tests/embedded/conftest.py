import shutil

import pytest
from embedded_helpers import FAST

from app.core.embedded import start_servers


@pytest.fixture(scope="session")
def seed(tmp_path_factory):
    """A data folder that was used and stopped once: to copy it is quicker than a first start."""
    folder = tmp_path_factory.mktemp("seed") / "d"
    start_servers(folder, postgres_settings=FAST).stop()
    return folder


def copy(seed, folder):
    return shutil.copytree(seed, folder / "d", ignore=shutil.ignore_patterns("*.sock", ".s.*"))


@pytest.fixture(scope="module")
def data(seed, tmp_path_factory):
    """A used data folder with nothing running, which the tests of a module use in turn."""
    return copy(seed, tmp_path_factory.mktemp("module"))


@pytest.fixture
def own_data(seed, tmp_path):
    """A used data folder for one test to damage."""
    return copy(seed, tmp_path)


@pytest.fixture
def start(request):
    """Start servers on a folder (the module's); what still runs at the end is stopped."""
    running = []

    def start(folder=None, **options):
        options.setdefault("postgres_settings", FAST)
        folder = folder or request.getfixturevalue("data")
        running.append(start_servers(folder, **options))
        return running[-1]

    yield start
    for servers in running:
        servers.stop()


@pytest.fixture
def servers(start):
    return start()
