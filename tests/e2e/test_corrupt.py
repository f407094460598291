"""A history that is damaged is set aside, told, and never overwritten; one of a newer version is refused."""
import glob
import os
import signal
import sqlite3
import subprocess

from harness import LEAKWATCH, wait_until

RULES = {"rules": {"WatchStorageDamaged": {"labels": {"team": "watch"}}}}


def corrupt(path):
    """The first page is that of no database any more; what it was is returned."""
    with open(path, "r+b") as f:
        f.seek(0)
        f.write(b"\xa5" * 4096)
    return open(path, "rb").read()


def aside(d, suffix=""):
    return [f for f in glob.glob(d.db + ".corrupt-*" + suffix) if suffix or not f.endswith(("-wal", "-shm"))]


def test_corrupt_file_is_set_aside_and_told(service, daemon, receiver):
    heartbeat = service("heartbeat")
    d = daemon([{"job_name": "h", "static_configs": [{"targets": [heartbeat.address]}]}], alerting=RULES)
    wait_until(lambda: d.command("targets")["targets"], 15, "a target")
    d.kill()  # so that there is a write-ahead log
    wal = open(d.db + "-wal", "rb").read()
    broken = corrupt(d.db)
    assert wal

    d.start()
    (alert,) = wait_until(lambda: receiver.alerts("firing", alertname="WatchStorageDamaged"), 15, receiver.describe)
    (kept,) = aside(d)
    assert kept in alert["annotations"]["summary"] and alert["labels"]["team"] == "watch"
    assert open(kept, "rb").read() == broken, "the damaged file was changed"
    assert open(kept + "-wal", "rb").read() == wal
    wait_until(lambda: d.command("targets")["targets"], 15, "a new history")

    # It stands over a restart, as one alert, and ends when somebody has taken the file away.
    d.stop()
    d.start()
    (row,) = [a for a in d.command("alerts")["alerts"] if a["name"] == "WatchStorageDamaged"]
    assert row["state"] == "firing"
    for f in aside(d, "*"):
        os.rename(f, os.path.join(os.path.dirname(d.db), "elsewhere" + f[-4:]))
    d.process.send_signal(signal.SIGHUP)
    wait_until(lambda: receiver.alerts("resolved", alertname="WatchStorageDamaged"), 15, receiver.describe)
    assert len(receiver.alerts("firing", alertname="WatchStorageDamaged")) == 1
    d.stop()


def test_newer_file_is_refused_and_left_alone(service, daemon):
    heartbeat = service("heartbeat")
    d = daemon([{"job_name": "h", "static_configs": [{"targets": [heartbeat.address]}]}])
    wait_until(lambda: d.command("targets")["targets"], 15, "a target")
    d.stop()
    with sqlite3.connect(d.db) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    before = open(d.db, "rb").read()
    run = subprocess.run([LEAKWATCH, "run", "-c", d.config_path], capture_output=True, text=True, timeout=20)
    assert run.returncode == 65 and "newer leakwatch (store version 99" in run.stdout + run.stderr
    shown = subprocess.run([LEAKWATCH, "status", "--db", d.db], capture_output=True, text=True, timeout=20)
    assert shown.returncode == 65 and "newer leakwatch" in shown.stderr
    assert open(d.db, "rb").read() == before and not aside(d)
