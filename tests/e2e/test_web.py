"""The daemon's own metrics and health: read by Debian's promtool, bounded for each target, and there for others while
somebody holds the address."""
import collections
import concurrent.futures
import html
import http.client
import os
import re
import shutil
import socket
import subprocess

import pytest
from conftest import BUILD, ROOT
from harness import free_port, http_get, wait_until

SERIES_A_TARGET = 25
RULES = os.path.join(ROOT, "etc", "prometheus")


@pytest.fixture(scope="session")
def promtool():
    got = subprocess.run(["sh", os.path.join(ROOT, "tools", "peers.sh"), "get", "prometheus"], capture_output=True, text=True,
                         timeout=300, env=dict(os.environ, PEERS=os.path.join(BUILD, "peers")))
    if got.returncode:
        pytest.skip("Debian's prometheus could not be fetched: " + (got.stderr.strip().splitlines() or ["no reason"])[-1])
    return os.path.join(got.stdout.split()[0], "usr/bin/promtool")


def checked(tool, *args, stdin=None):
    """promtool ARGS, which must find nothing to say."""
    p = subprocess.run([tool, *args], input=stdin, capture_output=True, text=True, timeout=60)
    assert p.returncode == 0, p.stdout + p.stderr
    return p.stdout + p.stderr


def read(address):
    """{name: [(labels, value)]} of its /metrics."""
    status, body = http_get(address, "/metrics")
    assert status == 200
    found = collections.defaultdict(list)
    for m in re.finditer(r"^([a-z_]+)(?:\{(.*)\})? (\S+)$", body.decode(), re.M):
        found[m[1]].append((dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', m[2] or "")), float(m[3])))
    return found


def one(metrics, name, **labels):
    (value,) = [v for l, v in metrics[name] if labels.items() <= l.items()]
    return value


def test_metrics(service, daemon, receiver, promtool):
    leak, quiet = service("heartbeat", "-users", 50, "-rate", 50), service("pool", "-limit", 5)
    gone = f"127.0.0.1:{free_port()}"
    address = f"127.0.0.1:{free_port()}"
    jobs = [{"job_name": "leak", "static_configs": [{"targets": [leak.address]}]},
            {"job_name": "quiet", "static_configs": [{"targets": [quiet.address]}]},
            {"job_name": "gone", "static_configs": [{"targets": [gone]}]}]
    d = daemon(jobs, web={"listen_address": address})
    wait_until(lambda: receiver.alerts("firing", alertname="GoroutineLeak"), 60, receiver.describe)
    m = read(address)

    assert one(m, "leakwatch_target_up", job="leak", endpoint="goroutine") == 1
    assert one(m, "leakwatch_target_up", job="leak", endpoint="metrics") == 1
    assert one(m, "leakwatch_target_up", job="gone", endpoint="goroutine") == 0
    (name,) = [l["class"] for l, v in m["leakwatch_class_verdict"] if l["job"] == "leak" and v == 3 and "expire" in l["class"]]
    assert 0.6 < one(m, "leakwatch_class_growth_per_hour", job="leak", **{"class": name}) / (50 * 3600) < 1.4
    assert one(m, "leakwatch_target_verdict", job="leak") == 3 and one(m, "leakwatch_target_verdict", job="quiet") < 2
    assert one(m, "leakwatch_target_goroutines", job="leak") > 100
    assert one(m, "leakwatch_target_scrape_bytes", job="leak", endpoint="goroutine") > 500
    assert 0 < one(m, "leakwatch_target_scrape_duration_seconds", job="quiet", endpoint="goroutine") < 1
    # (the target that is gone is an alert only after three minutes)
    assert one(m, "leakwatch_alerts", state="firing") == 1
    wait_until(lambda: one(read(address), "leakwatch_outbox_outcomes_total", outcome="delivered") >= 1, 5, "the delivery to be counted")
    assert one(m, "leakwatch_store_up") == 1 and one(m, "leakwatch_targets") == 3 and one(m, "leakwatch_targets_up") == 2
    assert 0 <= one(m, "leakwatch_loop_lag_seconds") < 2
    assert (1 << 20) < one(m, "process_resident_memory_bytes")
    a_target = collections.Counter(l["instance"] for samples in m.values() for l, _ in samples if "instance" in l)
    assert max(a_target.values()) <= SERIES_A_TARGET and len(a_target) == 3, a_target

    # In the format, as Prometheus has it, and its lint has nothing to say.
    text = http_get(address, "/metrics")[1].decode()
    assert checked(promtool, "check", "metrics", stdin=text) == ""
    assert http_get(address, "/-/healthy") == (200, b"ok\n") and http_get(address, "/-/ready") == (200, b"ok\n")
    assert http_get(address, "/else")[0] == 404
    # The rules for Prometheus ask for nothing that is not there.
    with open(os.path.join(RULES, "leakwatch.rules.yml"), encoding="utf-8") as f:
        asked = set(re.findall(r"(?<![\w:])leakwatch_\w+", f.read()))
    assert len(asked) > 10 and asked <= set(m), asked - set(m)
    d.stop()


def test_rules_for_prometheus(promtool):
    assert "SUCCESS" in checked(promtool, "check", "config", os.path.join(RULES, "prometheus.yml"))
    assert "SUCCESS" in checked(promtool, "test", "rules", os.path.join(RULES, "leakwatch.test.yml"))


def test_slow_clients_cost_nobody_anything(service, daemon):
    pool = service("pool", "-limit", 5)
    port = free_port()
    d = daemon([{"job_name": "pool", "static_configs": [{"targets": [pool.address]}]}], web={"listen_address": f"localhost:{port}"})
    held = []
    try:
        for _ in range(300):
            held.append(socket.create_connection(("127.0.0.1", port), 5))
            held[-1].sendall(b"GET /metrics HTTP/1.1\r\nHost: localh")
        for _ in range(5):
            m = read(f"localhost:{port}")
        assert one(m, "leakwatch_web_connections") <= 64 and one(m, "leakwatch_loop_lag_seconds") < 1
        before = one(m, "leakwatch_scrapes_total")
        wait_until(lambda: one(read(f"localhost:{port}"), "leakwatch_scrapes_total") > before + 3, 10, "scrapes to go on")
        assert len(os.listdir(f"/proc/{d.process.pid}/fd")) < 150
    finally:
        for s in held:
            s.close()
    # A page that a browser opened under its own name for 127.0.0.1 gets nothing.
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    c.request("GET", "/metrics", headers={"Host": "rebound.example"})
    assert c.getresponse().status == 421
    c.close()


def test_on_a_unix_socket(service, daemon, tmp_path):
    pool, path = service("pool", "-limit", 5), tmp_path / "web.sock"
    d = daemon([{"job_name": "pool", "static_configs": [{"targets": [pool.address]}]}], web={"listen_address": f"unix:{path}"})
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(str(path))
        s.sendall(b"GET /-/ready HTTP/1.1\r\nHost: leakwatch\r\n\r\n")
        answer = b"".join(iter(lambda: s.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"ok\n")
    d.kill()  # leaves the socket behind
    d.start()
    d.stop()
    assert not path.exists()


def test_an_address_that_is_taken_does_not_stop_the_watch(service, daemon):
    pool = service("pool", "-limit", 5)
    d = daemon([{"job_name": "pool", "static_configs": [{"targets": [pool.address]}]}], web={"listen_address": pool.address})
    wait_until(lambda: "up," in d.log(), 10, "a scrape")
    assert "Address already in use" in d.log()


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """browse(url) -> (the document after loading, what the console said), by a real Chromium."""
    program = shutil.which("chromium")
    env = dict(os.environ)
    if not program:
        got = subprocess.run(["sh", os.path.join(ROOT, "tools", "peers.sh"), "get", "chromium", "fonts-dejavu-core"], capture_output=True, text=True,
                             timeout=600, env=dict(os.environ, PEERS=os.path.join(BUILD, "peers")))
        if got.returncode:
            pytest.skip("Debian's chromium could not be fetched: " + (got.stderr.strip().splitlines() or ["no reason"])[-1])
        root, fonts = got.stdout.split()
        # It does not draw a page, nor live on, without a font.
        config = tmp_path_factory.mktemp("fonts") / "fonts.conf"
        config.write_text(f"<fontconfig><dir>{fonts}/usr/share/fonts</dir><cachedir>{config.parent}</cachedir></fontconfig>")
        env["FONTCONFIG_FILE"] = str(config)
        program = os.path.join(root, "usr/lib/chromium/chromium")
        places = [d for top in ("lib", "usr/lib") for d, _, files in os.walk(os.path.join(root, top)) if any(".so" in f for f in files)]
        env["LD_LIBRARY_PATH"] = ":".join(places)

    def browse(url):
        profile = tmp_path_factory.mktemp("chromium")
        p = subprocess.run([program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
                            "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
                            "--enable-logging=stderr", f"--user-data-dir={profile}", "--dump-dom", url],
                           capture_output=True, text=True, timeout=120, env=env)
        assert p.returncode == 0 and "<html" in p.stdout, p.stderr[-2000:]
        return p.stdout, "\n".join(line for line in p.stderr.splitlines() if "CONSOLE" in line)

    return browse


def test_pages_in_a_browser(service, daemon, receiver, browser):
    """From the overview to the alert, its target and its series, as a person would go."""
    leak = service("heartbeat", "-users", 20, "-rate", 50)
    address = f"127.0.0.1:{free_port()}"
    d = daemon([{"job_name": "leak", "static_configs": [{"targets": [leak.address], "labels": {"note": "<b onmouseover=alert(1)>&"}}]}],
               web={"listen_address": address})
    wait_until(lambda: receiver.alerts("firing", alertname="GoroutineLeak"), 60, receiver.describe)
    # Written by another thread, so a moment later.
    wait_until(lambda: b"/alerts/" in http_get(address, "/")[1], 10, "the alert to be on the page")

    seen = []
    for path in ["/", None, None, None]:
        if path is None:
            kind = ["alerts", "targets", "series"][len(seen) - 1]
            path = re.search(rf'href="(/{kind}/[0-9a-f]+)"', seen[-1])[1]
        dom, console = browser(f"http://{address}{path}")
        assert console == "", console  # neither an error nor something the policy forbade
        assert "<script" not in dom and "<b onmouseover" not in dom
        seen.append(dom)
    overview, alert, target, series = (html.unescape(re.sub(r"<style>.*?</style>", "", s, flags=re.S)) for s in seen)
    assert "1 alert firing, 1 of 1 target up" in overview
    assert "GoroutineLeak" in alert and "leakwatch ack " in alert and "main." in alert
    assert 'note="<b onmouseover=alert(1)>&"' in target and "All series" in target
    assert "verdict" in series and "leaking" in series
    for page in (alert, target, series):
        (line, *_) = re.findall(r'<path class="value" d="([^"]*)"', page)
        assert len(re.findall("[ML]", line)) > 10, line
    # Named wrongly, with a query that means nothing, while twenty ask at once.
    assert [http_get(address, p)[0] for p in ("/targets/99", "/series/x", "/alerts/00", "/targets/", "/series/1?range=%00&&")] == [404, 404, 404, 404, 200]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(lambda _: http_get(address, "/", 10)[0], range(200)))
    assert set(codes) <= {200, 503} and codes.count(200) > 20
    assert one(read(address), "leakwatch_loop_lag_seconds") < 1
    assert http_get(address, "/")[0] == 200
    d.stop()
