"""What memory is: in a real cgroup of this host, page cache that grows without end is no leak and is
said to be none; anonymous memory that grows is one, and is said to be of the Go heap.

Needs root and a cgroup file system with memory, v2 or v1; recorded trees are tested in
tests/unit/test_hostmem.c everywhere.
"""
import os
import subprocess
import sys

import pytest
from harness import wait_until

V1, V2 = "/sys/fs/cgroup/memory", "/sys/fs/cgroup"
ENTRY = 128 << 10
FILLER = """
import os, sys, time
with open(sys.argv[1], "wb") as f:
    for _ in range(600):
        f.write(b"x" * (2 << 20))
        f.flush()
        time.sleep(0.05)
time.sleep(600)
"""


class Cgroup:
    """A cgroup of its own, below ours."""

    def __init__(self, name):
        version = 1 if os.path.exists(f"{V1}/memory.stat") else 2
        mount = V1 if version == 1 else V2
        with open("/proc/self/cgroup", encoding="ascii") as f:
            lines = [line.strip().split(":", 2) for line in f]
        own = next((path for _, controllers, path in lines if ("memory" in controllers.split(",") if version == 1 else controllers == "")), "/")
        # Below our own where the mount shows it; a container may see its cgroup as the root.
        self.below = own if os.path.isdir(mount + own) else "/"
        self.path = os.path.join(mount + self.below, name)
        os.mkdir(self.path)
        if not os.path.exists(f"{self.path}/memory.stat"):
            os.rmdir(self.path)
            raise OSError("no memory controller")

    def add(self, pid):
        with open(f"{self.path}/cgroup.procs", "w", encoding="ascii") as f:
            f.write(str(pid))

    def remove(self):
        wait_until(lambda: not open(f"{self.path}/cgroup.procs", encoding="ascii").read(), 10, "an empty cgroup")
        os.rmdir(self.path)


@pytest.fixture
def cgroup():
    made = []

    def make(name):
        try:
            made.append(Cgroup(name))
        except OSError as e:
            pytest.skip(f"no cgroup can be made here: {e}")
        return made[-1]

    yield make
    for c in made:
        c.remove()


def test_page_cache_is_no_leak_and_a_heap_is(service, daemon, receiver, cgroup, tmp_path):
    cached, leaking = cgroup(f"leakwatch-cache-{os.getpid()}"), cgroup(f"leakwatch-heap-{os.getpid()}")
    reader = service("timers", "-rate", 20, "-life", "1s")
    heap = service("heap", "-rate", 40, "-size", ENTRY, env={"GOGC": "10"})
    cached.add(reader.process.pid)
    leaking.add(heap.process.pid)
    filler = subprocess.Popen([sys.executable, "-c", FILLER, str(tmp_path / "big.log")])
    try:
        cached.add(filler.pid)
        d = daemon([
            # Named by its directory, as a unit is; the other by its process.
            {"job_name": "cached", "cgroup": cached.path, "static_configs": [{"targets": [reader.address]}]},
            {"job_name": "leaking", "pid": heap.process.pid, "static_configs": [{"targets": [heap.address]}]},
        ], window="200ms", interval="100ms")

        alerts = wait_until(lambda: receiver.alerts("firing", job="leaking", alertname="MemoryLeak"), 100, receiver.describe)
        assert alerts[0]["labels"]["class"] == "anonymous_memory_bytes"

        def memory():
            return {m["target"].split("/")[0]: m for m in d.command("status")["memory"]}

        wait_until(lambda: "Page cache grew by" in memory().get("cached", {}).get("text", ""), 60, "page cache that is named")
        wait_until(lambda: "Go heap and stacks in use" in memory().get("leaking", {}).get("text", ""), 60, "a heap that is named")
        told = memory()
        assert "no leak" in told["cached"]["text"] and "Anonymous" not in told["cached"]["text"]
        assert told["cached"]["page_cache"] > 16 << 20
        assert told["leaking"]["pid"] == heap.process.pid
        text = d.command("status", parse=False)
        assert "MEMORY" in text and "Page cache grew by" in text
        # It grew for as long as the leak took to be told, and by far more.
        assert not receiver.alerts(job="cached"), receiver.describe()
        again = receiver.alerts("firing", job="leaking", alertname="MemoryLeak")[-1]
        assert again["annotations"]["summary"]
    finally:
        filler.kill()
        filler.wait()
        reader.stop()
        heap.stop()


def test_what_each_holds_is_told(service, daemon, receiver):
    """Connections that leak in waves: two goroutines and a descriptor each."""
    s = service("registry", "-rate", 30, "-waves", "8s")
    d = daemon([{"job_name": "waves", "static_configs": [{"targets": [s.address]}]}], window="400ms", interval="200ms")

    def each():
        rows = [c for c in d.command("classes")["classes"] if c["class"] == "http-client-conn"]
        return rows and rows[0]["each"] and rows[0]["each"].get("fds")

    fds = wait_until(each, 120, lambda: f"descriptors of each: {d.command('classes')['classes']}", every=0.5)
    assert abs(fds["estimate"] - 0.5) < 0.1, fds
    assert fds["low"] <= fds["estimate"] <= fds["high"]
    wait_until(lambda: "; each holds 0." in d.command("status", parse=False), 60, "the status says so", every=0.5)


def test_what_is_not_there_is_said(service, daemon):
    s = service("timers", "-rate", 20, "-life", "1s")
    d = daemon([{"job_name": "lost", "cgroup": "nothing-of-the-kind.service", "static_configs": [{"targets": [s.address]}]}], window="200ms", interval="100ms")
    # In a container without a cgroup file system that is what is missing.
    said = "nothing-of-the-kind.service" if os.path.ismount("/sys/fs/cgroup") else "no cgroup file system with memory is mounted"
    wait_until(lambda: said in d.log(), 20, "a cgroup that is not there is said")
    wait_until(lambda: d.command("classes")["classes"], 20, "its goroutines are counted all the same")
    assert d.log().count(said) == 1


def test_a_process_that_is_gone_does_not_speak(service, daemon):
    """A pid is that of one life of a service.  After the next start it is said to be another's, and memory is that of the metrics."""
    s = service("timers", "-rate", 20, "-life", "1s")
    pid = s.process.pid
    d = daemon([{"job_name": "again", "pid": pid, "static_configs": [{"targets": [s.address]}]}], window="200ms", interval="100ms")

    def others():
        return {o["name"]: o["value"] for o in d.command("classes")["others"]}

    wait_until(lambda: f"memory is read from process {pid}" in d.log(), 20, "it is found")
    wait_until(lambda: others().get("anonymous_memory_bytes"), 20, "its anonymous memory")
    s.stop()
    s.start()
    assert s.process.pid != pid
    wait_until(lambda: f"there is no process {pid} to be seen, or it is not the one" in d.log(), 30, "it is said to be gone")
    wait_until(lambda: others().get("process_resident_memory_bytes"), 20, "resident memory is there")
    assert d.alive()


def test_discovery_may_not_name_processes(service, daemon, tmp_path):
    s = service("timers", "-rate", 20, "-life", "1s")
    targets = tmp_path / "targets.yaml"
    targets.write_text(f"- targets: ['{s.address}']\n  labels: {{__pid__: '1'}}\n", encoding="utf-8")
    d = daemon([{"job_name": "outsider", "file_sd_configs": [{"files": [str(targets)]}]}], window="200ms", interval="100ms")
    wait_until(lambda: "may only be named with allow_local: true" in d.log(), 20, "it is refused")
    assert not d.command("targets")["targets"]
    targets.write_text(f"- targets: ['{s.address}']\n  labels: {{__pid__: '{s.process.pid}'}}\n", encoding="utf-8")
    d.configure({**d.config, "scrape_configs": [{**d.config["scrape_configs"][0], "allow_local": True}]})
    d.process.send_signal(1)
    wait_until(lambda: f"memory is read from process {s.process.pid}" in d.log(), 20, "it is taken")


def test_a_census_names_the_socket(service, daemon, receiver):
    """Every creator of an HTTP connection is the transport; only the descriptors tell to whom it goes."""
    leaky = service("logstream", "-rate", 10, "-life", "1s")
    d = daemon([{"job_name": "shipper", "pid": leaky.process.pid, "static_configs": [{"targets": [leaky.address]}]}], window="200ms", interval="200ms")

    def fds():
        rows = [o for o in d.command("classes")["others"] if o["name"] == "process_open_fds"]
        return rows and rows[0].get("census")

    wait_until(lambda: receiver.alerts("firing", job="shipper", alertname="GoroutineLeak"), 60, receiver.describe)
    census = wait_until(lambda: "runtime.sock" in (fds() or {}).get("what_grows", "") and fds(), 60, lambda: f"a census: {fds()}")
    new, of = (int(w) for w in census["what_grows"].split(" new ")[0].split(" of "))
    assert new >= 0.9 * of, census
    assert census["grown"][0]["what"].startswith("unix /") and census["grown"][0]["what"].endswith("/runtime.sock"), census
