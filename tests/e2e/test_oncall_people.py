"""What people say to the daemon: silences and acknowledgements over its socket, which outlive it."""
import os
import stat

import pytest
from harness import Failed, command, wait_until


def job(name, *addresses):
    return {"job_name": name, "static_configs": [{"targets": list(addresses)}]}


def test_silences_and_acknowledgements(service, daemon, receiver):
    quiet, loud = service("registry", "-rate", 20), service("registry", "-rate", 20)
    d = daemon([job("quiet", quiet.address), job("loud", loud.address)], alerting={"repeat_interval": "3s"})
    assert stat.S_IMODE(os.stat(d.db + ".sock").st_mode) == 0o660

    # A silence before anything leaks, as text and JSON, and what is refused.
    said = command("silence", "add", "--db", d.db, "--for", "10m", "--comment", "deploying\x1b[2J", "job=~qui.t", "alertname=GoroutineLeak")
    (silence,) = d.command("silence", "list")["silences"]
    assert said == f"silence {silence['id']}\n"
    assert silence["matchers"] == ['job=~"qui.t"', 'alertname="GoroutineLeak"'] and silence["uid"] == os.getuid()
    assert "\x1b" not in d.command("silence", "list", parse=False)
    command("silence", "add", "--db", d.db, "--for", "10m", "--comment", "all", "job=~.*", code=1)
    command("silence", "add", "--db", d.db, "--for", "never", "--comment", "x", "job=a", code=2)
    command("silence", "add", "--db", d.db, "--for", "1h", "job=a", code=2)
    command("silence", "expire", "--db", d.db, "beef", code=1)
    command("ack", "--db", d.db, "beef", code=1)
    command("ack", "--db", d.db + ".no", "beef", code=74)

    # The loud one is told and told again, the quiet one only shown.
    wait_until(lambda: len(receiver.alerts("firing", job="loud", alertname="GoroutineLeak")) >= 2, 60, receiver.describe)

    def row(name):
        return next((a for a in d.command("alerts")["alerts"] if a["labels"].get("job") == name and a["name"] == "GoroutineLeak"), None)

    wait_until(lambda: row("quiet") and row("quiet")["state"] == "firing", 60, "the silenced alert to be shown")
    assert row("quiet")["silence"] == silence["id"] and row("loud")["silence"] is None
    assert "firing, silenced" in d.command("alerts", parse=False)

    # Somebody takes the loud one; the daemon is killed: both are remembered.
    command("ack", "--db", d.db, row("loud")["id"][:8], "on", "it")
    assert row("loud")["acknowledged"]["comment"] == "on it"
    told = len(receiver.alerts(job="loud", alertname="GoroutineLeak"))
    d.kill()
    d.start()
    with pytest.raises(Failed):
        wait_until(lambda: len(receiver.alerts(job="loud", alertname="GoroutineLeak")) > told + 1, 7, "no repetition")
    assert not receiver.alerts(job="quiet", alertname="GoroutineLeak"), "a silenced alert was told"

    # The silence ends early: what is still so is told now.
    command("silence", "expire", "--db", d.db, silence["id"])
    wait_until(lambda: receiver.alerts("firing", job="quiet", alertname="GoroutineLeak"), 10, receiver.describe)
    d.stop()
    assert not os.path.exists(d.db + ".sock")
