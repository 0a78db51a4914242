"""`leaderboard serve`: starting, answering, ending, and all that hangs on it."""

import os
import re
import signal
import urllib.request

from cli_helpers import Service, children, command_line, eventually, living, ours, run, workers


def test_serves_and_ends_in_order(data):
    with Service(data) as service:
        assert service.is_well()
        assert (data / "address").read_text().strip() == service.url
        started = ours(service.pid)
        assert len(started) >= 2

        assert service.end(signal.SIGTERM) == 0, service.said()

        assert not any(map(living, started))
        assert not (data / "address").exists()
        assert service.said() == ""


def test_ends_in_order_while_it_starts(tmp_path):
    with Service(tmp_path / "d", wait=False) as service:
        assert eventually(lambda: any("postgres" in command_line(p) for p in children(service.pid)))
        started = ours(service.pid)

        assert service.end(signal.SIGTERM) == 0, service.said()

        assert not any(map(living, started))
        assert "Traceback" not in service.said()


def test_a_killed_worker_comes_back_and_an_interrupt_ends_all(data):
    with Service(data, "--workers", "2") as service:
        first, second = workers(service.pid)
        os.kill(first, signal.SIGKILL)

        assert eventually(lambda: len({*workers(service.pid)} - {first}) == 2)
        assert second in workers(service.pid)
        assert eventually(lambda: "worker replaced" in service.said())
        assert eventually(service.is_well)

        started = ours(service.pid)
        # As a terminal does: to the whole group at once.
        os.killpg(service.pid, signal.SIGINT)

        assert service.process.wait(timeout=40) == 0, service.said()
        assert not any(map(living, started))
        assert "Traceback" not in service.said()


def test_nothing_outlives_a_killed_parent(data):
    with Service(data, "--workers", "2") as service:
        started = ours(service.pid)
        assert len(started) >= 4

        service.end(signal.SIGKILL)

        assert eventually(lambda: not any(map(living, started)))
    with Service(data) as again:  # the stale address and locks are no hindrance
        assert again.is_well()
        assert again.end() == 0


def test_a_second_instance_on_the_folder_is_refused(service):
    refused = run("serve", "--port", 0, "--data", service.data)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert f"in use by process {service.pid}" in refused.stderr
    assert service.is_well()
    assert (service.data / "address").exists()


def test_metrics_of_all_workers(data, tmp_path, monkeypatch):
    """Whichever is asked shows all of them; the folder between them goes with the service."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with Service(data, "--workers", "2") as service:
        pids = set(map(str, workers(service.pid)))

        def shown():
            with urllib.request.urlopen(f"{service.url}/metrics", timeout=10) as answer:
                return set(re.findall(r'worker="(\d+)"', answer.read().decode()))

        assert eventually(lambda: shown() == pids)
        assert len(list(tmp_path.glob("leaderboard-metrics-*/*.json"))) == 2
        assert service.end() == 0
        assert not list(tmp_path.glob("leaderboard-metrics-*"))
