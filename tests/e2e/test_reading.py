"""The commands that read, for somebody who is not the daemon's user: while it runs, after a kill and after it stopped; and what
they say of files that cannot be read."""
import json
import os
import shutil
import sqlite3
import subprocess

import pytest
from harness import LEAKWATCH, wait_until

NOBODY = 65534
COMMANDS = [["status"], ["targets"], ["classes"], ["alerts"], ["history", "h", "main.(*agent).beat"]]


def become_nobody():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def read(words, db, other=False):
    return subprocess.run([LEAKWATCH, words[0], "--db", str(db), "--format", "json", *words[1:]], capture_output=True, text=True,
                          timeout=20, preexec_fn=become_nobody if other else None)


def refused(db, code, says, **more):
    for words in COMMANDS:
        p = read(words, db, **more)
        assert p.returncode == code and says in p.stderr and p.stderr.count("\n") == 1 and not p.stdout, f"{words}: {p.returncode} {p.stderr}"


@pytest.fixture
def open_folder(tmp_path):
    """Another user may go through tmp_path, and not write there."""
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    at = tmp_path
    while at != at.parent and at.stat().st_uid == 0 and at.name:
        if at.stat().st_mode & 0o001 == 0:
            at.chmod(0o711)
        at = at.parent
    return tmp_path


def test_another_user_reads_in_every_state(service, daemon, open_folder):
    d = daemon([{"job_name": "h", "static_configs": [{"targets": [service("heartbeat").address]}]}])
    classes = wait_until(lambda: d.command("classes")["classes"], 15, "classes")
    COMMANDS[-1][2] = classes[0]["class"]

    def all_read():
        answers = []
        for words in COMMANDS:
            p = read(words, d.db, other=True)
            assert p.returncode == 0 and not p.stderr, f"{words}: {p.returncode} {p.stderr}"
            answers.append(json.loads(p.stdout))
        return answers

    assert all_read()[0]["running"]
    d.kill()
    killed = all_read()
    assert not killed[0]["running"] and len(killed[1]["targets"]) == 1 and killed[4]["samples"]
    d.start()
    d.stop()
    stopped = all_read()
    assert not stopped[0]["running"] and len(stopped[4]["samples"]) >= len(killed[4]["samples"])

    # A copy of the one file into a folder that may not be written cannot be joined; one that backup made is whole in itself.
    shut = open_folder / "shut"
    shut.mkdir()
    shutil.copy(d.db, shut / "copied.db")
    subprocess.run([LEAKWATCH, "backup", "--db", d.db, shut / "backup.db"], check=True, timeout=20)
    shut.chmod(0o555)
    refused(shut / "copied.db", 74, "has no -wal and -shm beside it", other=True)
    assert json.loads(read(["targets"], shut / "backup.db", other=True).stdout)["targets"]
    assert sorted(os.listdir(shut)) == ["backup.db", "copied.db"]
    (shut / "backup.db").chmod(0o600)
    refused(shut / "backup.db", 74, "may not be read by you, but by its owner, root", other=True)


def test_what_is_no_store_is_named(service, daemon, tmp_path):
    d = daemon([{"job_name": "h", "static_configs": [{"targets": [service("heartbeat").address]}]}])
    wait_until(lambda: d.command("targets")["targets"], 15, "a target")
    d.stop()
    whole = open(d.db, "rb").read()
    files = {
        "missing": (None, 74, "there is no "),
        "empty": (b"", 74, "is empty: no daemon has written to it yet"),
        "text": (b"not a database, but a page of words\n" * 40, 65, "is not a leakwatch store, or it is damaged"),
        "cut": (whole[:len(whole) // 3], 65, "is not a leakwatch store, or it is damaged"),
    }
    for name, (content, code, says) in files.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        refused(tmp_path / name, code, says)
        assert content is None or (tmp_path / name).read_bytes() == content
    assert not (tmp_path / "missing").exists()
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE x (a)")
    other.close()
    refused(tmp_path / "other", 65, "is the database of another program")
    with sqlite3.connect(d.db) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    refused(d.db, 65, "written by a newer leakwatch")
