"""Several instances of a job: which leak, how fast, and which version brought it."""
import os
import re
import time

from harness import free_port, http_get, wait_until


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


def leaks_of(receiver, job, after=0):
    """What the webhook was told last of each instance."""
    return list({a["labels"]["instance"]: a for a in receiver.alerts("firing", job=job, alertname="GoroutineLeak") if a["at"] > after}.values())


def test_six_instances_and_their_versions(service, daemon, receiver):
    """Five of six leak, the sixth runs an older version; then that one gets the new version, too, and the old one is remembered."""
    new = [service("registry", "-rate", 40, "-version", "v1.5.0") for _ in range(5)]
    old = service("registry", "-rate", 40, "-version", "v1.4.0", fixed=True)
    page = f"127.0.0.1:{free_port()}"
    d = daemon([{"job_name": "shop", "static_configs": [{"targets": [s.address for s in new + [old]]}]}],
               web={"listen_address": page}, alerting={"repeat_interval": "1s"})
    words = re.compile(rf"5 of 6 instances leak, [0-9,.]+( to [0-9,.]+)? an hour each; {re.escape(old.address)} runs an older version "
                       r"\(v1\.4\.0\): first seen in v1\.5\.0( \(v1\.4\.0 ran .* without it\))?")

    def all_tell(pattern, n, after=0):
        alerts = leaks_of(receiver, "shop", after)
        return alerts if len(alerts) == n and all(pattern.fullmatch(a["annotations"].get("fleet", "")) for a in alerts) else None

    alerts = wait_until(lambda: all_tell(words, 5), 90, lambda: str([a["annotations"].get("fleet") for a in leaks_of(receiver, "shop")]))

    # A line for each of them; none in the description.
    lines = alerts[0]["annotations"]["instances"].split("\n")
    assert sorted(line.split()[0] for line in lines) == sorted(s.address for s in new + [old])
    assert lines[5] == f"{old.address} v1.4.0 clean", lines
    assert all(re.fullmatch(r"\S+ v1\.5\.0 leaks \S+ since \d{4}-\d\d-\d\d \d\d:\d\d UTC", line) for line in lines[:5]), lines
    assert lines[5] not in alerts[0]["annotations"]["description"]

    # The commands, while it runs.
    name = alerts[0]["labels"]["class"]
    group, = [g for g in d.command("classes", "--class", name, "--job", "shop")["by_class"]]
    assert (group["instances"], group["leak"], group["clean"], group["unknown"], group["class"]) == (6, 5, 1, 0, name)
    assert words.fullmatch(group["text"]), group["text"]
    rates = [r["rate_per_hour"] for r in group["rows"] if r["state"] == "leaks"]
    assert len(rates) == 5 and rates == sorted(rates, reverse=True) and (group["fastest"], group["slowest"]) == (rates[0], rates[-1])
    clean, = [r for r in group["rows"] if r["state"] == "clean"]
    assert (clean["instance"], clean["version"], clean["rate_per_hour"], clean["since"]) == (old.address, "v1.4.0", None, None)
    text = d.command("classes", "--by-class", parse=False)
    assert re.search(rf"^ *5 +0 +6 +\d .*shop +{re.escape(name)}$", text, re.M), text
    assert f"\nshop, {name}: 5 of 6 instances leak" in text and re.search(rf"^clean +v1\.4\.0 +{re.escape(old.address)}$", text, re.M), text
    assert re.search(rf"^INSTANCES AND VERSIONS\nshop, {re.escape(name)}: 5 of 6", d.command("status", parse=False), re.M)
    assert not d.command("classes", "--job", "nobody")["by_class"]
    d.command("classes", "--by-class", "--job", code=2, parse=False)

    # The alert's page has the table, with a link to each one's plot.
    listed = [a for a in d.command("alerts")["alerts"] if a["labels"] == alerts[0]["labels"] and a["name"] == "GoroutineLeak"]
    identity = listed[0]["id"]
    body = http_get(page, "/alerts/" + identity)[1].decode()
    assert "<h2>Instances and versions</h2>" in body and body.count("<td>v1.5.0</td>") == 5 and body.count("<td>v1.4.0</td>") == 1
    series, target = [r for r in group["rows"] if r["state"] == "leaks"][0]["series_id"], clean["target_id"]
    assert f'<a href="/series/{series}">' in body and (f'<a href="/targets/{target}">' in body or f'<a href="/series/{clean["series_id"]}">' in body)
    keep(page, identity)

    # The sixth is deployed, too: none of the old ones is left to be compared with.
    old.stop()
    old.args[old.args.index("v1.4.0")] = "v1.5.0"
    old.start(fixed=False)
    remembered = re.compile(r"all 6 instances leak, [0-9,.]+( to [0-9,.]+)? an hour each; all run v1\.5\.0: first seen in v1\.5\.0 "
                            r"\(v1\.4\.0 ran [^)]* without it\)")
    wait_until(lambda: all_tell(remembered, 6), 90, lambda: str([a["annotations"].get("fleet") for a in leaks_of(receiver, "shop")]))
    d.kill()
    d.start()
    again = time.time()
    wait_until(lambda: all_tell(remembered, 6, again), 30,
               lambda: str([a["annotations"].get("fleet") for a in leaks_of(receiver, "shop")]))
    d.stop()
    group = d.command("classes", "--class", name)["by_class"][0]
    assert remembered.fullmatch(group["text"]), group["text"]
    assert re.match(r"first seen in v1\.5\.0 \(v1\.4\.0 ran ", leaks_of(receiver, "shop")[0]["annotations"]["first_seen"])


def keep(page, alert):
    """For whoever wants to look at it: LEAKWATCH_KEEP_PAGE names a file."""
    if os.environ.get("LEAKWATCH_KEEP_PAGE"):
        with open(os.environ["LEAKWATCH_KEEP_PAGE"], "wb") as f:
            f.write(http_get(page, "/alerts/" + alert)[1])


def test_a_single_instance_has_a_history_too(service, daemon, receiver):
    only = service("registry", "-rate", 40, "-version", "v1.4.0", fixed=True)
    d = daemon([{"job_name": "one", "static_configs": [{"targets": [only.address]}]}], alerting={"repeat_interval": "1s"})
    wait_until(lambda: any(t["up"] for t in d.command("targets")["targets"]), 20, "the target to be up")
    started = d.command("targets")["targets"][0]["first_seen"]
    wait_until(lambda: d.command("targets")["targets"][0]["last_scrape"] - started > 12, 60, "the old version to be watched for a while")
    only.stop()
    only.args[only.args.index("v1.4.0")] = "v1.5.0"
    only.start(fixed=False)
    want = re.compile(r"first seen in v1\.5\.0 \(v1\.4\.0 ran \d+ s without it\)")
    wait_until(lambda: [a for a in leaks_of(receiver, "one") if want.fullmatch(a["annotations"].get("first_seen", ""))], 60,
               lambda: str([a["annotations"] for a in leaks_of(receiver, "one")]))
    a, = leaks_of(receiver, "one")
    assert "fleet" not in a["annotations"] and "instances" not in a["annotations"]
    assert re.search(r"^Versions: first seen in v1\.5\.0 \(v1\.4\.0 ran \d+ s without it\)\.$", a["annotations"]["description"], re.M)
    assert a["annotations"]["version"] == "v1.5.0"
