"""leakwatch backup, while the daemon writes hundreds of rows a second: the copy is whole, is read like the store, and nobody
waits for it; what cannot be made is said, and leaves nothing behind."""
import os
import re
import sqlite3
import subprocess
import time
from contextlib import closing

import pytest
import stored
from harness import LEAKWATCH, command, free_port, http_get, wait_until

JOBS, INTERVAL, COPIES = 40, 0.2, 5
LAG = 0.25  # s; the loop may be late by itself on a loaded machine


def backup(db, file, **more):
    return subprocess.run([LEAKWATCH, "backup", "--db", str(db), str(file)], capture_output=True, text=True, timeout=60, **more)


def query(path, sql):
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute(sql).fetchall()


def old_history():
    """Another service's year before, so that a copy takes its time."""
    began = int(time.time()) - 300 * 86400
    return "".join(f'leakwatch_goroutines{{target="old/a:{k}",class="main.work"}} {n * 7919 % 1000} {began + 60 * n}\n'
                   for k in range(10) for n in range(10000))


def test_copies_under_load(service, daemon, receiver, tmp_path):
    leak, web = service("worker-status", "-rate", 40), f"127.0.0.1:{free_port()}"
    d = daemon([{"job_name": f"j{n}", "scrape_budget": "0%", "static_configs": [{"targets": [leak.address]}]} for n in range(JOBS)],
               interval=f"{INTERVAL * 1000:.0f}ms", window="100ms", started=False, web={"listen_address": web})
    command("import", "-c", d.config_path, "-", stdin=old_history())
    d.start()
    wait_until(lambda: receiver.alerts("firing"), 60, receiver.describe)

    def lag():
        return float(re.search(r"^leakwatch_loop_lag_seconds (\S+)", http_get(web, "/metrics")[1].decode(), re.M).group(1))

    lag()  # since it was last asked for
    began, copies, took, late = time.time(), [tmp_path / f"copy{n}.db" for n in range(COPIES)], [], []
    for copy in copies:
        at = time.monotonic()
        made = backup(d.db, copy)
        took.append(time.monotonic() - at)
        assert made.returncode == 0 and not made.stderr, made.stderr
        late.append(lag())
    ended = time.time()
    print(f"{os.path.getsize(copies[-1]) >> 10} KiB in {max(took):.2f} s at most; the loop was late by {max(late):.3f} s at most")
    assert max(late) <= LAG

    # Each is whole, as of its moment, and later ones know more.
    newest = []
    for copy in copies:
        assert query(copy, "PRAGMA integrity_check") == [("ok",)]
        assert query(copy, "PRAGMA foreign_key_check") == []
        newest.append(query(copy, "SELECT max(at_ms) FROM scrape")[0][0])
        assert not [f for f in os.listdir(tmp_path) if f.startswith(copy.name + ".part")]
        assert os.stat(copy).st_mode == os.stat(d.db).st_mode
    assert newest == sorted(newest) and newest[0] < newest[-1]
    # It went on writing all the while: no scrape of those seconds is missing.
    wait_until(lambda: stored.scrapes(d, "j0")[-1] > ended, 10, "what was queued")
    at = [t for t in stored.scrapes(d, "j0") if began - 1 < t < ended]
    assert max(b - a for a, b in zip(at, at[1:])) <= 3 * INTERVAL

    # The commands read a copy as they read the store, and a daemon takes one over.
    shown = command("alerts", "--db", copies[-1], "--format", "json", parse=True)["alerts"]
    assert {a["state"] for a in shown} == {"firing"}
    samples = command("history", "--db", copies[-1], "--format", "json", f"j0/{leak.address}", "main.(*worker).report", parse=True)["samples"]
    assert len(samples) > 20 and samples == d.command("history", f"j0/{leak.address}", "main.(*worker).report")["samples"][:len(samples)]
    standing = {a["id"]: a["fired"] for a in shown}
    d.stop()
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(d.db + suffix):
            os.unlink(d.db + suffix)
    os.rename(copies[-1], d.db)
    d.start()
    after = {a["id"]: a["fired"] for a in d.command("alerts")["alerts"]}
    assert standing.items() <= after.items(), "an alert of the copy is another one, or gone"


def test_what_cannot_be_made_is_said(service, daemon, tmp_path):
    d = daemon([{"job_name": "h", "static_configs": [{"targets": [service("heartbeat").address]}]}])
    wait_until(lambda: d.command("targets")["targets"], 15, "a target")
    taken = tmp_path / "taken.db"
    taken.write_text("mine")

    def refused(file, *says, **more):
        p = backup(more.pop("db", d.db), file, **more)
        assert p.returncode == 74 and p.stderr.count("\n") == 1 and all(s in p.stderr for s in says), p.stderr

    refused(taken, "taken.db exists; a backup replaces nothing")
    assert taken.read_text() == "mine"
    refused(d.db, "leakwatch.db exists")
    refused(tmp_path / "nowhere" / "copy.db", "cannot make", "nowhere/copy.db", "No such file or directory")
    refused(tmp_path / "copy.db", "there is no", "nothing.db", "--db", db=tmp_path / "nothing.db")
    assert not (tmp_path / "copy.db").exists() and not (tmp_path / "nothing.db").exists()
    if os.geteuid() == 0:
        shut = tmp_path / "shut"
        shut.mkdir(0o555)
        for folder in [tmp_path, *list(tmp_path.parents)[:2]]:
            folder.chmod(0o755)
        os.chmod(d.folder, 0o777)  # of another user the database is read with its write-ahead log's index
        refused(shut / "copy.db", "cannot make", "Permission denied", preexec_fn=lambda: (os.setgid(65534), os.setuid(65534)))
        assert not os.listdir(shut)


def test_a_full_disk_is_said(service, daemon, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        d = daemon([{"job_name": "h", "static_configs": [{"targets": [service("heartbeat").address]}]}])
        wait_until(lambda: d.command("targets")["targets"], 15, "a target")
        p = backup(d.db, small / "copy.db")
        assert p.returncode == 74 and "no room for" in p.stderr and "is full" in p.stderr, p.stderr
        assert not os.listdir(small), "something was left behind"
        d.stop()
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
