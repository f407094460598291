"""The alert names the version in which the leak began, also when it is told only after another one was deployed, and after a
restart of the daemon."""
import re

from harness import wait_until


def job(name, *services):
    return {"job_name": name, "static_configs": [{"targets": [s.address for s in services]}]}


def test_instances_that_leak_and_one_that_does_not(service, daemon, receiver):
    """Two of three instances run the version that leaks: the alert says who does not, and what it runs."""
    fleet = [service("registry", "-rate", 30, "-version", "v2.0.0") for _ in range(2)]
    fleet.append(service("registry", "-rate", 30, "-version", "v1.9.0", fixed=True))
    daemon([job("fleet", *fleet)], alerting={"repeat_interval": "1s"})
    want = re.compile(rf"2 of 3 instances leak, [0-9,]+( to [0-9,]+)? an hour each; {re.escape(fleet[2].address)} runs an older version "
                      r"\(v1\.9\.0\): first seen in v2\.0\.0( \(v1\.9\.0 ran .* without it\))?")
    wait_until(lambda: [a for a in receiver.alerts("firing", job="fleet") if want.fullmatch(a["annotations"].get("fleet", ""))], 60,
               lambda: str([a["annotations"].get("fleet") for a in receiver.alerts("firing", job="fleet")]))


def test_the_version_in_which_it_began(service, daemon, receiver):
    told, silent = service("registry", "-rate", 30, "-version", "v1.2.3"), service("registry", "-rate", 30)
    d = daemon([job("told", told), job("silent", silent)], alerting={
        "repeat_interval": "1s", "rules": {"GoroutineLeak": {"keep_firing_for": "15m"}}})
    alert = wait_until(lambda: receiver.alerts("firing", job="told", alertname="GoroutineLeak"), 60, receiver.describe)[0]
    assert alert["annotations"]["version"] == "v1.2.3"
    assert "It began in version v1.2.3.\n" in alert["annotations"]["description"]
    other = wait_until(lambda: receiver.alerts("firing", job="silent", alertname="GoroutineLeak"), 60, receiver.describe)[0]
    assert "version" not in other["annotations"], other["annotations"]["version"]

    # Another version is deployed, which leaks as well, and the daemon is killed: it began when it began, and what runs is told.
    told.stop()
    told.args[told.args.index("v1.2.3")] = "v1.3.0"
    told.start()
    d.kill()
    d.start()

    def repeated():
        return [a for a in receiver.alerts("firing", job="told", alertname="GoroutineLeak")
                if "It began in version v1.2.3; v1.3.0 runs now.\n" in a["annotations"]["description"]]

    wait_until(repeated, 30, lambda: receiver.alerts("firing", job="told")[-1]["annotations"]["description"])
    assert {a["startsAt"] for a in receiver.alerts(job="told", alertname="GoroutineLeak")} == {alert["startsAt"]}
