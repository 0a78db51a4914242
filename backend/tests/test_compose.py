"""What docker-compose.yml and the Dockerfiles promise, as far as reading them can tell. On an
engine, scripts/compose-test tries it."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from app.core.config import Settings

TOP = Path(__file__).parents[2]
BACKEND, FRONTEND = TOP / "backend", TOP / "frontend"
LASTING = {"postgres", "redis", "backend", "web"}
OBSERVING = {"prometheus", "grafana"}
ONCE = {"secrets", "roles", "init"}


@pytest.fixture(scope="module")
def stack():
    return yaml.safe_load((TOP / "docker-compose.yml").read_text())


@pytest.fixture(scope="module")
def services(stack):
    return stack["services"]


def test_there_is_nothing_but_what_is_checked_here(stack):
    assert stack["services"].keys() == LASTING | ONCE | OBSERVING
    optional = {name for name, each in stack["services"].items() if each.get("profiles")}
    assert optional == OBSERVING


def test_nginx_alone_is_published_and_grafana_to_this_machine(services):
    assert {name: each["ports"] for name, each in services.items() if "ports" in each} == {
        "web": ["${WEB_PORT:-8080}:8080"],
        "grafana": ["${GRAFANA_PORT:-127.0.0.1:3000}:3000"],
    }


def test_who_can_reach_whom(stack, services):
    assert {name: set(services[name].get("networks", ())) for name in services} == {
        "secrets": set(), "postgres": {"data"}, "redis": {"data"},
        "roles": {"data"}, "init": {"data"},
        "backend": {"api", "data"}, "web": {"front", "api"},
        "prometheus": {"api", "observe"}, "grafana": {"observe", "graphs"},
    }  # fmt: skip
    assert services["secrets"]["network_mode"] == "none"
    networks = stack["networks"]
    assert {name for name in networks if not (networks[name] or {}).get("internal")} == {
        "front", "graphs",
    }  # fmt: skip
    # The engine picks the addresses, so that two projects never ask for the same, and the backend
    # believes its own networks: both lead to containers of this file alone.
    assert not any("ipam" in (each or {}) for each in networks.values())
    assert services["backend"]["environment"]["TRUSTED_PROXIES"].startswith("own-networks,")
    assert all(networks[name]["internal"] for name in services["backend"]["networks"])


def test_one_service_builds_an_image_and_projects_have_their_own(stack, services):
    """Where two build the same tag, the second makes the first one's containers look outdated, and
    each `up` recreates them and what depends on them."""
    for file in ("docker-compose.yml", "docker-compose.dev.yml"):
        described = yaml.safe_load((TOP / file).read_text())["services"]
        built = [each["image"] for each in described.values() if "build" in each]
        assert len(set(built)) == len(built), file
        ours = {each["image"] for each in described.values() if "$" in each["image"]}
        assert ours == set(built)
        assert all(image.startswith("${COMPOSE_PROJECT_NAME:-leaderboard") for image in built)
    assert "build" in services["init"]


def test_a_new_build_recreates_neither_postgresql_nor_redis(services):
    """Compose recreates whatever depends on a container that it recreates."""

    def needed(name):
        direct = set(services[name].get("depends_on", ()))
        return {name} | direct.union(*map(needed, direct))

    for name in ("postgres", "redis"):
        assert not any("build" in services[each] for each in needed(name)), name
        assert not any("$" in services[each]["image"] for each in needed(name)), name


def test_the_service_does_not_own_its_tables(services):
    """`init` alone has the owner's URL; what the service's role may do is in test_rights.py."""
    urls = {
        name: services[name]["environment"]["DATABASE_URL_FILE"] for name in ("init", "backend")
    }
    assert urls == {
        "init": "/run/secrets/admin/database_url",
        "backend": "/run/secrets/backend/database_url",
    }
    assert "--service-role=leaderboard" in services["init"]["command"]


def test_every_container_is_bounded_and_can_do_little(services):
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert service["logging"]["options"]["max-size"], name
        assert "privileged" not in service
    assert {name for name, each in services.items() if "cap_add" in each} == {"secrets"}
    assert {name for name, each in services.items() if each.get("user") == "0:0"} == {"secrets"}


def test_what_lasts_comes_back_and_is_looked_after(services):
    for name in LASTING | OBSERVING:
        assert services[name]["restart"] == "unless-stopped"
        assert services[name]["stop_grace_period"]
    for name in ONCE:
        assert services[name]["restart"] == "no"
    for name in {"postgres", "redis"} | OBSERVING:
        assert services[name]["healthcheck"]["test"]
    for folder in (BACKEND, FRONTEND):
        assert "\nHEALTHCHECK " in (folder / "Dockerfile").read_text()


def test_the_order_of_starting_and_so_of_stopping(services):
    waits = {
        name: {other: how["condition"] for other, how in each.get("depends_on", {}).items()}
        for name, each in services.items()
    }
    well, done = "service_healthy", "service_completed_successfully"
    assert waits == {
        "secrets": {},
        "postgres": {"secrets": done},
        "redis": {"secrets": done},
        "roles": {"postgres": well},
        "init": {"roles": done, "redis": well},
        "backend": {"init": done, "postgres": well, "redis": well},
        "web": {"backend": well},
        "prometheus": {"init": done},
        "grafana": {"secrets": done},
    }


def test_no_secret_is_written_down(services):
    """Nothing by that name has a value, but for files that `secrets` makes."""
    told = re.compile(r"secret|password|token|auth$|key$|_url", re.IGNORECASE)
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            if told.search(name) and name != "PUBLIC_URL":
                assert name.endswith("_FILE") or value in ("true", "false"), name
                assert value in ("true", "false") or value.startswith("/run/secrets/"), name
    text = (TOP / "docker-compose.yml").read_text()
    assert not re.search(r"://[^/\s]*:[^/\s]*@|--requirepass|--pass", text)
    assert "trust" not in text.replace("TRUSTED_PROXIES", "")


def test_who_sees_which_secrets(services):
    seen = {
        name: {
            str(each).split(":")[0]
            for each in service.get("volumes", ())
            if "-secrets:" in str(each)
        }
        for name, service in services.items()
    }
    assert seen == {
        "secrets": {f"{who}-secrets" for who in ("postgres", "redis", "backend", "admin",
                                                  "grafana", "prometheus")},
        "postgres": {"postgres-secrets"},
        "roles": {"postgres-secrets"},
        "redis": {"redis-secrets"},
        "init": {"backend-secrets", "admin-secrets", "prometheus-secrets"},
        "backend": {"backend-secrets"},
        "web": set(),
        "prometheus": {"prometheus-secrets"},
        "grafana": {"grafana-secrets"},
    }  # fmt: skip


def test_the_servers_keep_what_they_were_told(stack, services):
    assert "postgres-data:/var/lib/postgresql/data" in services["postgres"]["volumes"]
    init = services["postgres"]["environment"]["POSTGRES_INITDB_ARGS"]
    assert "--data-checksums" in init
    assert init.count("scram-sha-256") == 2
    assert not {"fsync", "synchronous_commit"} & set(re.findall(r"-c(\w+)=off", str(services)))
    redis = services["redis"]["command"]
    assert redis[redis.index("--appendonly") + 1] == "yes"
    assert redis[redis.index("--maxmemory-policy") + 1] == "noeviction"
    assert stack["volumes"].keys() >= {"postgres-data", "redis-data"}


def test_variables_are_settings(services):
    for name in services["backend"]["environment"]:
        assert name.lower() in Settings.model_fields, name
    assert services["backend"]["environment"]["AUTH_MODE"] == "closed"


def test_prometheus_finds_its_configuration_and_its_key(services):
    config = yaml.safe_load((BACKEND / "ops/prometheus/prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    place = job["authorization"]["credentials_file"]
    assert f"--read-key-file={place}" in services["init"]["command"]
    for name in ("init", "prometheus"):
        mounts = [each.split(":") for each in services[name]["volumes"]]
        assert ["prometheus-secrets", str(Path(place).parent)] in [each[:2] for each in mounts]
    (sought,) = job["dns_sd_configs"]
    assert sought["names"] == ["backend"]
    assert services["prometheus"]["user"] == "65534:65534"
    script = (BACKEND / "docker" / "secrets.sh").read_text()
    assert '"$root/prometheus" 10001:65534' in script


def test_grafana_finds_its_files_and_lets_nobody_in_by_default(services):
    grafana = services["grafana"]
    mounts = {each.split(":")[1]: each.split(":")[0] for each in grafana["volumes"]}
    provided = BACKEND / "ops/grafana/provisioning"
    assert TOP / mounts["/etc/grafana/provisioning"] == provided
    (provider,) = yaml.safe_load((provided / "dashboards/leaderboard.yml").read_text())["providers"]
    assert list((TOP / mounts[provider["options"]["path"]]).glob("*.json"))
    (source,) = yaml.safe_load((provided / "datasources/leaderboard.yml").read_text())[
        "datasources"
    ]
    assert source["url"] == "http://prometheus:9090"
    told = grafana["environment"]
    assert told["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana/admin_password"
    assert (told["GF_AUTH_ANONYMOUS_ENABLED"], told["GF_USERS_ALLOW_SIGN_UP"]) == ("false", "false")


def test_the_connections_of_three_backends_fit(services):
    (most,) = (
        int(each.partition("=")[2])
        for each in services["postgres"]["command"]
        if each.startswith("-cmax_connections=")
    )
    pool = Settings(_env_file=None).database_pool_size
    assert 3 * 2 * (pool + 1) + 30 <= most


def test_the_servers_for_development_are_reached_from_this_machine_alone():
    services = yaml.safe_load((TOP / "docker-compose.dev.yml").read_text())["services"]
    ports = [port for each in services.values() for port in each.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert "--reload" in str(services["backend"]["command"])


@pytest.mark.parametrize("folder", [BACKEND, FRONTEND])
def test_images_run_without_root_and_hold_only_what_they_need(folder):
    stages = (folder / "Dockerfile").read_text().split("\nFROM ")
    assert re.search(r"^USER (?!root|0)", stages[-1], re.MULTILINE)
    ignored = (folder / ".dockerignore").read_text().splitlines()
    assert next(line for line in ignored if not line.startswith("#")) == "*"
    copied = re.findall(r"^COPY (?!--from)(.*)$", "\n".join(stages), re.MULTILINE)
    for source in [each for line in copied for each in line.split()[:-1]]:
        assert list(folder.glob(source)), source


def test_the_embedded_servers_stay_out_of_the_image():
    path = BACKEND / "docker" / "without_embedded.py"
    spec = importlib.util.spec_from_file_location("without_embedded", path)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    whole = (BACKEND / "requirements.txt").read_text()
    done = subprocess.run(
        [sys.executable, "-IS", path, BACKEND / "requirements.txt"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip

    def names(text):
        return set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))

    gone = names(whole) - names(done.stdout)
    assert gone >= program.EMBEDDED
    # What went along was for them alone, whatever else is pinned by then.
    asked = {program.name_of(block): program.for_whom(block) for block in blocks(whole)}
    assert all(asked[name] <= gone for name in gone - program.EMBEDDED)
    assert {"fastapi", "asyncpg", "redis", "numpy"} <= names(done.stdout)
    assert all(block in whole for block in blocks(done.stdout))
    assert all("--hash=sha256:" in block for block in blocks(done.stdout))


def blocks(text):
    return re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]


def test_external_servers_take_the_place_of_the_containers(services):
    added = yaml.safe_load((BACKEND / "ops/external/docker-compose.yml").read_text())
    own = added["services"]
    assert own.keys() == {"postgres", "redis", "roles", "init", "backend"}
    assert all(own[name].keys() == {"profiles"} for name in ("postgres", "redis", "roles"))
    given = {name for name in services["backend"]["environment"] if name.endswith("_FILE")}
    for name in ("init", "backend"):
        for server in {"postgres", "redis", "roles"} & services[name]["depends_on"].keys():
            assert own[name]["depends_on"][server]["required"] is False
        assert own[name]["environment"].keys() == given
        assert set(own[name]["networks"]) == added["networks"].keys()
    # The one role that is given owns the tables.
    assert own["init"]["command"] == [
        word for word in services["init"]["command"] if not word.startswith("--service-role")
    ]
    # `init` waited for `secrets` through PostgreSQL.
    assert "secrets" in own["init"]["depends_on"]


def test_new_relic_gets_a_way_out_and_a_key_from_a_file():
    added = yaml.safe_load((BACKEND / "ops/newrelic/docker-compose.yml").read_text())
    assert added["services"].keys() == {"backend"}
    backend = added["services"]["backend"]
    assert backend.keys() == {"environment", "networks", "secrets"}
    (network,) = backend["networks"]
    assert added["networks"] == {network: None}
    (secret,) = backend["secrets"]
    assert backend["environment"]["NEW_RELIC_LICENSE_KEY_FILE"] == f"/run/secrets/{secret}"
    assert added["secrets"][secret]["file"].startswith("${NEW_RELIC_LICENSE_KEY_FILE:?")
