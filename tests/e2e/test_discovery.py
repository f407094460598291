"""Targets that come and go: from files and servers, after relabelling, and with a configuration that is read again while
the daemon runs.  What stays the same keeps its history, its alerts and its connection."""
import http.server
import json
import os
import signal
import threading

import pytest
import stored
from harness import SANITIZED, free_port, http_get, wait_until


def put(path, text):
    """As configuration management does it: a new file, renamed into place."""
    new = f"{path}.new"
    with open(new, "w", encoding="utf-8") as f:
        f.write(text if isinstance(text, str) else json.dumps(text))
    os.rename(new, path)


def groups(*services, **labels):
    return [{"targets": [s if isinstance(s, str) else s.address for s in services], "labels": labels}]


def watched(address):
    """{instance: job} of the targets whose goroutines were read."""
    body = http_get(address, "/metrics")[1].decode()
    found = {}
    for line in body.splitlines():
        if line.startswith("leakwatch_target_up{") and 'endpoint="goroutine"' in line and line.endswith(" 1"):
            labels = dict(part.split("=", 1) for part in line[line.index("{") + 1:line.index("}")].split(","))
            found[labels["instance"].strip('"')] = labels["job"].strip('"')
    return found


def scraped(d, service):
    """When a target was scraped, whatever life of the daemon or list it was in."""
    return [at for (at,) in stored.rows(d, "SELECT at_ms FROM scrape s JOIN target t ON t.id = s.target_id WHERE t.instance = ?"
                                           " ORDER BY at_ms", service.address)]


def reload(d, expect="configuration reloaded"):
    before = d.log().count(expect)
    d.process.send_signal(signal.SIGHUP)
    wait_until(lambda: d.log().count(expect) > before, 15, lambda: d.log()[-2000:])


@pytest.fixture
def web():
    return f"127.0.0.1:{free_port()}"


def test_files(service, daemon, tmp_path, web):
    one, two = service("pool", "-limit", 5), service("spike", "-limit", 5)
    folder = tmp_path / "targets.d"
    folder.mkdir()
    put(folder / "a.json", groups(one, service="shop"))
    jobs = [{"job_name": "files", "file_sd_configs": [{"files": [str(folder / "*.json"), str(folder / "*.yaml")], "refresh_interval": "1h"}]}]
    d = daemon(jobs, web={"listen_address": web})
    wait_until(lambda: set(watched(web)) == {one.address}, 10, lambda: watched(web))

    # A second file, in place; both are watched.
    put(folder / "b.yaml", f"- targets: ['{two.address}']\n  labels: {{service: till}}\n")
    wait_until(lambda: set(watched(web)) == {one.address, two.address}, 10, lambda: watched(web))
    # Half a file changes nothing, and is told.
    put(folder / "a.json", '[{"targets": ["' + one.address)
    wait_until(lambda: "a.json" in d.log() and "its targets stay as they were" in d.log(), 10, d.log)
    # So does a target of this host's sockets, which files may not name by themselves.
    put(folder / "a.json", groups("unix:/run/secret.sock"))
    wait_until(lambda: "allow_local" in d.log(), 10, d.log)
    assert set(watched(web)) == {one.address, two.address}
    # One that is gone takes its targets with it; one that comes back goes on with its history.
    first = scraped(d, two)[0]
    os.unlink(folder / "b.yaml")
    wait_until(lambda: set(watched(web)) == {one.address}, 10, lambda: watched(web))
    put(folder / "b.yaml", f"- targets: ['{two.address}']\n")
    wait_until(lambda: len(watched(web)) == 2, 10, lambda: watched(web))
    n = len(scraped(d, two))
    wait_until(lambda: len(scraped(d, two)) > n + 3, 10, "more samples")
    assert scraped(d, two)[0] == first
    assert stored.rows(d, f"SELECT count(*) FROM target WHERE instance = '{two.address}'") == [(1,)]


def test_kubernetes_volume(service, daemon, tmp_path, web):
    """A mounted ConfigMap: the file is a link through ..data, which is what is replaced."""
    one, two = service("pool", "-limit", 5), service("spike", "-limit", 5)
    for name, of in (("..2026_1", one), ("..2026_2", two)):
        (tmp_path / "map" / name).mkdir(parents=True)
        put(tmp_path / "map" / name / "targets.yaml", f"- targets: ['{of.address}']\n")
    os.symlink("..2026_1", tmp_path / "map" / "..data")
    os.symlink("..data/targets.yaml", tmp_path / "map" / "targets.yaml")
    jobs = [{"job_name": "k8s", "file_sd_configs": [{"files": [str(tmp_path / "map" / "*.yaml")], "refresh_interval": "1h"}]}]
    daemon(jobs, web={"listen_address": web})
    wait_until(lambda: set(watched(web)) == {one.address}, 10, lambda: watched(web))
    os.symlink("..2026_2", tmp_path / "map" / "..data_tmp")
    os.rename(tmp_path / "map" / "..data_tmp", tmp_path / "map" / "..data")
    wait_until(lambda: set(watched(web)) == {two.address}, 10, lambda: watched(web))


class Inventory:
    """A server that lists targets."""

    def __init__(self):
        self.status, self.body, self.seen = 200, [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.seen.append(dict(self.headers))
                body = outer.body if isinstance(outer.body, bytes) else json.dumps(outer.body).encode()
                self.send_response(outer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/targets"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def test_a_server_and_relabelling(service, daemon, stops, tmp_path, web):
    one, two = service("pool", "-limit", 5), service("spike", "-limit", 5)
    inventory = Inventory()
    stops.append(inventory)
    inventory.body = groups(one, __meta_team="shop", canary="no") + groups(two, __meta_team="till", canary="yes")
    (tmp_path / "token").write_text("s3cret\n")
    jobs = [{"job_name": "http", "http_sd_configs": [{"url": inventory.url, "refresh_interval": "1s",
                                                      "authorization": {"credentials_file": str(tmp_path / "token")}}],
             "relabel_configs": [{"source_labels": ["canary"], "regex": "y.*", "action": "drop"},
                                 {"regex": "__meta_(t.*)", "action": "labelmap"},
                                 {"source_labels": ["team"], "target_label": "instance", "replacement": "the-$1"}]}]
    d = daemon(jobs, web={"listen_address": web})
    wait_until(lambda: set(watched(web)) == {"the-shop"}, 10, lambda: watched(web))
    assert inventory.seen[0]["Authorization"] == "Bearer s3cret" and inventory.seen[0]["Accept"] == "application/json"
    wait_until(lambda: stored.rows(d, "SELECT labels FROM target"), 5, "the target's row")
    assert json.loads(stored.rows(d, "SELECT labels FROM target")[0][0]) == {"team": "shop", "canary": "no"}
    # Errors and nonsense change nothing.
    for inventory.status, inventory.body in ((500, []), (200, b"<html>"), (200, {"targets": []})):
        n = len(inventory.seen)
        wait_until(lambda: len(inventory.seen) > n + 1, 10, "the server to be asked")
        assert set(watched(web)) == {"the-shop"}
    inventory.body = groups(two, __meta_team="till", canary="no")
    wait_until(lambda: set(watched(web)) == {"the-till"}, 10, lambda: watched(web))


def test_reload(service, daemon, receiver, web):
    leak, other = service("heartbeat", "-users", 50, "-rate", 50), service("pool", "-limit", 5)
    jobs = [{"job_name": "leak", "static_configs": [{"targets": [leak.address]}]}]
    d = daemon(jobs, web={"listen_address": web})
    wait_until(lambda: receiver.alerts("firing", alertname="GoroutineLeak"), 60, receiver.describe)
    config = d.config

    # Another target and another alerting rule: the leak's alert stands, nobody is told again.
    config["scrape_configs"].append({"job_name": "other", "static_configs": [{"targets": [other.address]}]})
    d.configure(config)
    reload(d)
    wait_until(lambda: len(watched(web)) == 2, 10, lambda: watched(web))
    # A mistake refuses all of it.
    d.configure(dict(config, detect={"window": "100ms", "sensitivty": "low"}, scrape_configs=config["scrape_configs"][:1]))
    reload(d, "reload refused")
    assert "did you mean" in d.log() and len(watched(web)) == 2
    # What only a restart can change is refused too.
    d.configure(dict(config, detect={"window": "1s"}))
    reload(d, "reload refused")
    assert "detect.window" in d.log()
    # A rule takes the goroutines of the class that leaks: what stood under the old name ends.
    d.configure(dict(config, classes=[{"name": "agent", "match": {"mentions": ["main.(*agent)."]}}]))
    reload(d)
    assert len(receiver.alerts()) == 1, receiver.describe()
    wait_until(lambda: receiver.alerts("resolved", **{"class": "main.(*agent).expire"}), 10, receiver.describe)
    wait_until(lambda: "agent" in [c.name for c in stored.classes(d, "leak")], 10, "the class of the new rule")
    # A target that is taken out is not watched; its alert stands for a quarter of an hour more.
    d.configure(dict(config, scrape_configs=config["scrape_configs"][1:]))
    reload(d)
    wait_until(lambda: set(watched(web)) == {other.address}, 10, lambda: watched(web))
    assert stored.rows(d, "SELECT count(*) FROM target WHERE gone_ms > 0 AND job = 'leak'") == [(1,)]
    d.stop()


def test_a_thousand_reloads_leak_nothing(service, daemon, web):
    services = [service("pool", "-limit", 5), service("spike", "-limit", 5), service("timers", "-rate", 20)]
    jobs = [{"job_name": s.name, "static_configs": [{"targets": [s.address]}]} for s in services]
    d = daemon(jobs, web={"listen_address": web})
    wait_until(lambda: len(watched(web)) == 3, 10, lambda: watched(web))
    # Every other configuration has one rule and one target less, so that much is really made and freed.
    texts = []
    for config in (dict(d.config, classes=[{"name": "timer", "match": {"mentions": ["time.Sleep"]}}]),
                   dict(d.config, scrape_configs=jobs[:2])):
        d.configure(config)
        with open(d.config_path, encoding="utf-8") as f:
            texts.append(f.read())

    def numbers():
        with open(f"/proc/{d.process.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"), len(os.listdir(f"/proc/{d.process.pid}/fd"))

    def reloads(n):
        for i in range(n):
            put(d.config_path, texts[i % 2])
            before = count()
            d.process.send_signal(signal.SIGHUP)
            wait_until(lambda: count() > before, 10, "a reload", every=0.001)

    def count():
        return int([v for v in http_get(web, "/metrics")[1].decode().splitlines() if v.startswith("leakwatch_reloads_total ")][0].split()[1])

    reloads(200)  # by then caches and the allocator are at their size
    early, early_fds = numbers()
    reloads(800)
    late, late_fds = numbers()
    print(f"resident {early >> 10} KiB after 200 reloads, {late >> 10} KiB after 1,000; {early_fds} and {late_fds} descriptors")
    assert count() == 1000
    assert abs(late_fds - early_fds) < 10
    if SANITIZED == 1:  # the address sanitizer keeps what was freed, to see it used again
        assert late < early + (2 << 20)
    wait_until(lambda: len(watched(web)) == 2, 10, lambda: watched(web))
    for s in services[:2]:  # through all of it they were scraped, over the connections they had
        assert stored.rows(d, f"SELECT count(*) FROM target WHERE instance = '{s.address}'") == [(1,)]
    d.stop()
