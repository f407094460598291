"""The disk of the history is full, then has room again; its file is removed: the daemon goes on judging and telling, says what is
wrong, and what alerts did is never lost."""
import os
import sqlite3
import subprocess
from contextlib import closing

import pytest
import stored
from harness import LEAKWATCH, command, wait_until

MIB = 1 << 20
FREE = 2 * MIB  # storage.min_free


@pytest.fixture
def small_disk(tmp_path):
    at = tmp_path / "disk"
    at.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(at)], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield at
    subprocess.run(["umount", "-l", str(at)], check=True)


def fill(disk):
    """Takes all that is left, to the last byte."""
    with open(disk / "others", "ab", buffering=0) as f:
        for size in (MIB, 4096, 1):
            try:
                while True:
                    f.write(b"x" * size)
            except OSError:
                pass


def integrity(path):
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute("PRAGMA integrity_check").fetchall()


def test_full_and_free_again(service, daemon, receiver, small_disk):
    pool, leak = service("pool", "-limit", 20), service("worker-status", "-rate", 100)
    db = small_disk / "leakwatch.db"
    d = daemon([{"job_name": "pool", "static_configs": [{"targets": [pool.address]}]},
                {"job_name": "leak", "static_configs": [{"targets": [leak.address]}]}],
               storage={"path": str(db), "min_free": f"{FREE}B"}, started=False,
               alerting={"rules": {"WatchStorageFull": {"keep_firing_for": "0s"}, "GoroutineLeak": {"keep_firing_for": "15m"}}})
    d.config["storage"]["path"] = str(db)
    d.configure(d.config)
    d.db = str(db)
    d.start()
    wait_until(lambda: len(stored.scrapes(d, "pool")) > 5, 15, "a history")

    fill(small_disk)
    full = stored.scrapes(d, "pool")[-1]
    wait_until(lambda: receiver.alerts("firing", alertname="WatchStorageFull"), 20, receiver.describe)
    # What leaks is found and told on time, and is told whoever reads the store: the ballast was for that.
    (leaks,) = wait_until(lambda: receiver.alerts("firing", alertname="GoroutineLeak", job="leak"), 60, receiver.describe)
    wait_until(lambda: [a for a in d.command("alerts")["alerts"] if a["name"] == "GoroutineLeak" and a["state"] == "firing"], 15,
               "the alert in the store")
    # kill -9.  Where others have taken what the ballast left, too, it cannot start, says why, and changes nothing: the unit tries
    # again every few seconds.
    d.kill()
    fill(small_disk)
    p = subprocess.run([LEAKWATCH, "run", "-c", d.config_path], capture_output=True, text=True, timeout=20)
    assert p.returncode == 74 and "disk is full" in p.stdout + p.stderr, p.stderr

    os.unlink(small_disk / "others")
    d.start()
    wait_until(lambda: receiver.alerts("resolved", alertname="WatchStorageFull"), 90, receiver.describe)
    wait_until(lambda: stored.scrapes(d, "pool")[-1] > full + 5, 20, "samples again")
    (alert,) = [a for a in d.command("alerts")["alerts"] if a["name"] == "GoroutineLeak"]
    assert alert["state"] == "firing" and receiver.alerts("firing", alertname="GoroutineLeak")[0]["fingerprint"] == leaks["fingerprint"]
    assert len(receiver.alerts("firing", alertname="GoroutineLeak")) == 1, "told twice: " + receiver.describe()
    d.stop()
    assert integrity(db) == [("ok",)]


def test_removed_under_the_daemon(service, daemon, receiver):
    d = daemon([{"job_name": "leak", "static_configs": [{"targets": [service("worker-status", "-rate", 100).address]}]}])
    (told,) = wait_until(lambda: receiver.alerts("firing", alertname="GoroutineLeak"), 60, receiver.describe)
    before = stored.scrapes(d, "leak")
    for suffix in ("", "-wal", "-shm"):
        os.unlink(d.db + suffix)
    wait_until(lambda: os.path.exists(d.db), 30, "the file to be put back")
    # All that was known is in it, and what comes is added.
    after = wait_until(lambda: [t for t in [stored.scrapes(d, "leak")] if t[-1] > before[-1] + 1], 20, "samples")[0]
    assert after[:len(before)] == before
    d.stop()
    assert integrity(d.db) == [("ok",)]
    (alert,) = command("alerts", "--db", d.db, "--format", "json", parse=True)["alerts"]
    assert alert["state"] == "firing" and len(receiver.alerts("firing")) == 1 and told
