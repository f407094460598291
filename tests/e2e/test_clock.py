"""The host's clock is set an hour forward, an hour back: alerts come and end when they would have, and a leak is found as ever."""
import os
import subprocess
import time

import pytest
from conftest import BUILD
from harness import SANITIZED, free_port, wait_until

FOR = KEEP = 6  # s
HOUR = 3600


@pytest.fixture(scope="module")
def shim():
    if SANITIZED > 1:
        pytest.skip("a sanitizer wants to be the first library")
    out = os.path.join(BUILD, "e2e", f"clock_shim.{os.getpid()}.so")
    os.makedirs(os.path.dirname(out), exist_ok=True)
    source = os.path.join(os.path.dirname(__file__), "clock_shim.c")
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", out, source], check=True)
    yield out
    os.unlink(out)


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_an_hour_makes_nothing_early_or_late(shim, service, daemon, receiver, tmp_path, by):
    setting = tmp_path / "clock"
    setting.write_text("0")
    leak = service("worker-status", "-rate", 40)
    to_come = f"127.0.0.1:{free_port()}"
    d = daemon([{"job_name": "leak", "static_configs": [{"targets": [leak.address]}]},
                {"job_name": "late", "static_configs": [{"targets": [to_come]}]}],
               env={"LD_PRELOAD": shim, "CLOCK_SHIM": str(setting)},
               alerting={"rules": {"WatchTargetDown": {"for": f"{FOR}s", "keep_firing_for": f"{KEEP}s"}}})

    def state():
        found = [a["state"] for a in d.command("alerts")["alerts"] if a["name"] == "WatchTargetDown"]
        return found[0] if found else None

    wait_until(lambda: state() == "pending", 10, "a target that is down")
    pending = time.monotonic()
    setting.write_text(str(by))
    wait_until(lambda: state() == "firing", FOR + 10, state)
    took = time.monotonic() - pending
    assert FOR - 1 <= took <= FOR + 4, f"fired after {took:.1f} s of {FOR}"

    # It comes up; while its alert lingers the clock is set right again.
    service("pool", "-limit", 5, address=to_come)
    wait_until(lambda: "late/" + to_come + ": up" in d.log(), 10, "it to be up")
    up = time.monotonic()
    wait_until(lambda: time.monotonic() > up + 1.5, 5, "a scrape")
    setting.write_text("0")
    assert state() == "firing"
    wait_until(lambda: receiver.alerts("resolved", alertname="WatchTargetDown"), KEEP + 10, receiver.describe)
    lingered = time.monotonic() - up
    print(f"set by {by} s: fired after {took:.1f} s, resolved after {lingered:.1f} s")
    assert KEEP - 1 <= lingered <= KEEP + 5, f"resolved after {lingered:.1f} s of {KEEP}"

    # The detector goes on through both.
    wait_until(lambda: receiver.alerts("firing", alertname="GoroutineLeak", job="leak"), 40, receiver.describe)
    assert d.log().count("the clock was set back") == 1
