"""Fixtures of the end-to-end tests; what they hand out is in harness.py.

LEAKWATCH        the binary under test (tools/check.py sets it)
LEAKWATCH_BUILD  the build folder, for what the tests build or unpack
LEAKWATCH_GO     the go command to build the services with; else go from PATH, /usr/local/go, /usr/lib/go
"""
import os
import re
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
import harness  # noqa: E402
from harness import BUILD, ROOT  # noqa: E402



def find_go():
    places = [os.environ.get("LEAKWATCH_GO"), shutil.which("go"), "/usr/local/go/bin/go", "/usr/lib/go/bin/go"]
    return next((p for p in places if p and os.access(p, os.X_OK)), None)


def pytest_report_header(config):
    go = find_go()
    version = subprocess.run([go, "version"], capture_output=True, text=True).stdout.strip() if go else "none: make deps"
    return [f"leakwatch: {harness.LEAKWATCH}", f"go: {version}"]


def build_services(name, **more):
    go = find_go()
    assert go, "no Go to build the services with: run make deps, or set LEAKWATCH_GO"
    out = os.path.join(BUILD, "e2e", name)
    os.makedirs(os.path.dirname(out), exist_ok=True)
    env = dict(os.environ, GOTOOLCHAIN="local", GOPROXY="off", GOFLAGS="-trimpath", GOWORK="off", CGO_ENABLED="0", **more)
    env.setdefault("GOCACHE", os.path.join(ROOT, "build", "go-cache"))  # one for all builds; needs no HOME
    made = f"{out}.{os.getpid()}"  # others may be running the one that is there
    p = subprocess.run([go, "build", "-o", made, "."], cwd=os.path.join(ROOT, "fixtures", "services"), env=env, capture_output=True, text=True)
    assert p.returncode == 0, f"the Go services do not build:\n{p.stdout}{p.stderr}"
    os.replace(made, out)
    return out


@pytest.fixture(scope="session")
def services():
    """The path of the Go services' binary, built once."""
    return build_services("services")


@pytest.fixture
def proving_service(stops):
    """Like service, built so that the garbage collector tells which goroutines are lost (Go 1.26 and 1.27)."""
    go = find_go()
    version = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True).stdout if go else ""
    minor = int((re.match(r"go1\.(\d+)", version) or [0, 0])[1])
    if minor < 26:
        pytest.skip(f"{version.strip() or 'no Go'}: goroutineleak needs Go 1.26")
    binary = build_services("services-proving", **({"GOEXPERIMENT": "goroutineleakprofile"} if minor == 26 else {}))

    def start(name, *args, **more):
        stops.append(harness.Service(binary, name, *args, **more))
        return stops[-1]
    return start


@pytest.fixture
def stops(request):
    """A list; everything put into it is stopped at the end, newest first, and every failure to stop is told."""
    things = []
    request.node.leakwatch_things = things
    yield things
    problems = []
    for thing in reversed(things):
        try:
            thing.stop()
        except AssertionError as e:
            problems.append(str(e))
    assert not problems, "; ".join(problems)


@pytest.fixture
def service(services, stops):
    """service(name, *flags, fixed=False, address=…) starts one."""
    def start(name, *args, **more):
        stops.append(harness.Service(services, name, *args, **more))
        return stops[-1]
    return start


@pytest.fixture
def receiver(stops):
    r = harness.Receiver()
    stops.append(r)
    yield r
    assert not r.broken, "messages that are no webhook message: " + r.broken[0]


@pytest.fixture
def daemon(tmp_path, stops, receiver):
    """daemon(jobs, **top-level keys) starts leakwatch run with a fast detector and the receiver as its webhook.

    Alerts go out at once and end as soon as their finding does, so that a test need not wait; the
    detector's own persistence stays, on its scaled clock.
    """
    def start(jobs, window="100ms", interval="100ms", started=True, env=None, options=(), **more):
        config = {
            "global": {"scrape_interval": interval, "scrape_timeout": interval},
            "scrape_configs": jobs,
            "detect": {"window": window},
            "web": {"listen_address": ""},  # its default is one port for the whole host
            "alerting": {
                "group_wait": "0s", "group_interval": "1s", "group_by": ["alertname", "job", "instance", "class"],
                "rules": {"GoroutineLeak": {"keep_firing_for": "0s"}, "MemoryLeak": {"keep_firing_for": "0s"},
                          "FileDescriptorLeak": {"keep_firing_for": "0s"}, "BlockedForever": {"keep_firing_for": "0s"},
                          "LockConvoy": {"keep_firing_for": "0s"}},
                "receivers": [{"name": "test", "webhook_configs": [{"url": receiver.url, "send_resolved": True}]}],
            },
        }
        for key, value in more.items():
            config[key] = {**config[key], **value} if isinstance(value, dict) and key in config else value
        folder = tmp_path / f"daemon{len(stops)}"
        folder.mkdir()
        d = harness.Daemon(folder, config, env=env, options=options)
        stops.append(d)
        return d.start() if started else d
    return start


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows the end of the daemon's log and what the webhook got."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    for thing in getattr(item, "leakwatch_things", []):
        if isinstance(thing, harness.Daemon):
            report.sections.append(("daemon log", thing.log()[-6000:]))
        if isinstance(thing, harness.Receiver):
            report.sections.append(("webhook", thing.describe()))
