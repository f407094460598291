"""Several instances of a job: which leak, and in which version."""
from harness import wait_until


def test_the_version_that_leaks_is_named(service, daemon, receiver):
    bad = [service("registry", "-rate", 40, "-version", "v1.5.0") for _ in range(2)]
    good = service("registry", "-rate", 40, "-version", "v1.4.0", fixed=True)
    d = daemon([{"job_name": "shop", "static_configs": [{"targets": [s.address for s in bad + [good]]}]}])

    def told():
        alerts = [a for a in d.command("alerts", parse=True)["alerts"] if a["name"] == "GoroutineLeak"]
        return [a["annotations"].get("fleet", "") for a in alerts]

    words = "2 of 3 instances leak"
    wait_until(lambda: [f for f in told() if f.startswith(words) and "runs an older version (v1.4.0): first seen in v1.5.0" in f], 90,
               lambda: f"no alert names the version: {told()}")
    # The healthy instance has none.
    assert {a["labels"]["instance"] for a in d.command("alerts", parse=True)["alerts"] if a["name"] == "GoroutineLeak"} == {s.address for s in bad}
