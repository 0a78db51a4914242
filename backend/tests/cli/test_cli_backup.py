"""The disaster: a backup is taken under traffic, everything is lost, and everything comes back."""

import json
import shutil
import stat
import urllib.request

from cli_helpers import Service, run


def post(service, path, body):
    request = urllib.request.Request(
        f"{service.url}{path}", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def submit(service, user_id, score, mode="ranked"):
    body = {"user_id": user_id, "score": score, "game_mode": mode, "metadata": {"level": 7}}
    return post(service, "/api/leaderboard/submit", body)


def standings(service):
    status, page = service.get("/api/leaderboard/top?limit=1000")
    assert status == 200
    return [(row["rank"], row["username"], row["total_score"]) for row in page["entries"]]


def test_a_backup_brings_everything_back(data, tmp_path):
    file, lost = tmp_path / "b.dump", tmp_path / "gone"
    with Service(data) as service:
        made = run("demo", "--data", data, "--players", 40, "--rate", 0)
        assert made.returncode == 0, made.stderr
        nova = post(service, "/api/users", {"username": "Nova", "email": "nova@example.com"})
        submit(service, nova["user_id"], 2**53 - 1)
        before = standings(service)

        backed_up = run("backup", file, "--data", data)
        assert backed_up.returncode == 0, backed_up.stderr
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        again = run("backup", file, "--data", data)
        assert (again.returncode, "is there already" in again.stderr) == (1, True)

        submit(service, nova["user_id"], -5)  # after the backup: lost with the disk
        assert standings(service) != before
        service.end()
    data.rename(lost)

    new = tmp_path / "new"
    restored = run("restore", file, "--data", new)
    assert restored.returncode == 0, restored.stderr
    assert "Ledger, boards and index agree." in restored.stdout
    verified = run("verify", "--data", new)
    assert verified.returncode == 0, verified.stderr
    assert verified.stdout.startswith("Audit log: ")
    assert verified.stdout.endswith("\nAll agree.\n")
    with Service(new) as service:
        assert " restore " in run("audit", "--limit", 1, "--data", new).stdout
        assert standings(service) == before
        answer = submit(service, nova["user_id"], -1)  # ids go on where they were
        assert answer["new_rank"] == 1
        assert service.get(f"/api/leaderboard/rank/{nova['user_id']}")[1]["score"] == 2**53 - 2
        service.end()
    verified = run("verify", "--data", new)
    assert verified.returncode == 0, verified.stdout


def test_nothing_is_overwritten_and_what_is_no_backup_is_refused(data, tmp_path):
    file = tmp_path / "b.dump"
    assert run("backup", file, "--data", data).returncode == 0
    full = run("restore", file, "--data", data)
    assert full.returncode == 1
    assert "not empty" in full.stderr
    assert full.stderr.count("\n") == 1

    none = run("restore", tmp_path / "none", "--data", tmp_path / "x")
    assert (none.returncode, none.stderr.count("\n")) == (1, 1)
    assert not (tmp_path / "x").exists()

    broken = tmp_path / "broken.dump"
    broken.write_bytes(file.read_bytes()[:5_000])
    refused = run("restore", broken, "--data", tmp_path / "y")
    assert refused.returncode == 1
    assert "pg_restore failed" in refused.stderr
    # All or nothing: the same folder takes the whole file afterwards.
    whole = run("restore", file, "--data", tmp_path / "y")
    assert whole.returncode == 0, whole.stderr
    shutil.rmtree(tmp_path / "y")


def test_a_backup_that_can_not_be_written_leaves_nothing(data, tmp_path):
    missing = run("backup", tmp_path / "no" / "b.dump", "--data", data)
    assert missing.returncode == 1
    assert missing.stderr.count("\n") == 1
    assert [each.name for each in tmp_path.iterdir()] == ["d"]
