"""Programs of the distribution that are written in Go, as children: fetched by tools/peers.sh, unpacked, never installed.

Each answers on loopback only and keeps its data in a folder of the test.  What is said of ports is what
each of them needs to show its profiles.
"""
import http.client
import json
import os
import socket
import subprocess

from harness import Failed, free_port, http_get, wait_until

PACKAGES = ["prometheus", "prometheus-alertmanager", "etcd-server", "nats-server", "caddy"]


class Unavailable(Exception):
    """The packages could not be fetched."""


def fetch(root, build, packages=PACKAGES):
    """{package: folder}; Unavailable with the reason where there is no network, mirror or apt."""
    try:
        got = subprocess.run(["sh", os.path.join(root, "tools", "peers.sh"), "get", *packages], capture_output=True, text=True,
                             timeout=300, env=dict(os.environ, PEERS=os.path.join(build, "peers")))
    except (OSError, subprocess.TimeoutExpired) as e:
        raise Unavailable(str(e)) from None
    if got.returncode:
        raise Unavailable((got.stderr.strip().splitlines() or ["peers.sh gave no reason"])[-1])
    return dict(zip(packages, got.stdout.split()))


class Program:
    """One of them.  address: where its profiles are; metrics: whether it has /metrics there."""

    def __init__(self, name, command, folder, address, ready, metrics=True, cwd=None):
        self.name, self.address, self.metrics = name, address, metrics
        folder.mkdir(exist_ok=True)
        self.log_path = folder / "output"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([str(c) for c in command], cwd=cwd or folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=dict(os.environ, HOME=str(folder), XDG_DATA_HOME=str(folder), XDG_CONFIG_HOME=str(folder)))
        self.ready = ready

    def wait(self):
        def answers():
            if self.process.poll() is not None:
                raise Failed(f"{self.name} ended with {self.process.returncode}:\n{self.log_path.read_text(errors='replace')[-2000:]}")
            try:
                return all(http_get(self.address, path, 2)[0] == 200 for path in self.ready)
            except OSError:
                return False

        wait_until(answers, 40, f"{self.name} to be ready", every=0.2)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failed(f"{self.name} did not end at SIGTERM") from None


def local():
    return f"127.0.0.1:{free_port()}"


def prometheus(root, folder, targets, interval="1s"):
    folder.mkdir()
    address = local()
    (folder / "prometheus.yml").write_text(json.dumps({  # JSON is YAML
        "global": {"scrape_interval": interval, "scrape_timeout": interval},
        "scrape_configs": [{"job_name": "all", "static_configs": [{"targets": [address, *targets]}]}]}))
    return Program("prometheus", [f"{root}/usr/bin/prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                                  f"--web.listen-address={address}"], folder, address, ["/-/ready"])


def alertmanager(root, folder):
    """Debian's build reads its templates from /usr/share: a copy that looks below its working directory does without installing."""
    folder.mkdir()
    with open(f"{root}/usr/bin/prometheus-alertmanager", "rb") as f:
        program = f.read().replace(b"/usr/share/prometheus/alertmanager", b"usr//share/prometheus/alertmanager")
    (folder / "alertmanager").write_bytes(program)
    (folder / "alertmanager").chmod(0o755)
    (folder / "alertmanager.yml").write_text(json.dumps({"route": {"receiver": "none", "group_by": ["alertname"]}, "receivers": [{"name": "none"}]}))
    address = local()
    return Program("alertmanager", [folder / "alertmanager", f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/data",
                                    f"--web.listen-address={address}", "--cluster.listen-address="], folder, address, ["/-/ready"], cwd=root)


def etcd(root, folder):
    client, peer = local(), local()
    return Program("etcd", [f"{root}/usr/bin/etcd", "--data-dir=data", "--enable-pprof", f"--listen-client-urls=http://{client}",
                            f"--advertise-client-urls=http://{client}", f"--listen-peer-urls=http://{peer}",
                            f"--initial-advertise-peer-urls=http://{peer}", f"--initial-cluster=default=http://{peer}"],
                   folder, client, ["/health"])


def nats(root, folder):
    """No pprof unless prof_port is set; no Prometheus metrics at all."""
    folder.mkdir()
    clients, profiles = local(), local()
    (folder / "nats.conf").write_text(f'listen: "{clients}"\nprof_port: {profiles.split(":")[1]}\njetstream {{store_dir: data}}\n')
    p = Program("nats", [f"{root}/usr/sbin/nats-server", "-c", "nats.conf"], folder, profiles, ["/debug/pprof/"], metrics=False)
    p.clients = clients
    return p


def caddy(root, folder):
    """Profiles and metrics are on the administration's address."""
    folder.mkdir()
    site, admin = local(), local()
    (folder / "Caddyfile").write_text(f'{{\n\tadmin {admin}\n\tauto_https off\n\tstorage file_system data\n}}\n'
                                      f'http://:{site.split(":")[1]} {{\n\tbind 127.0.0.1\n\trespond "hello"\n}}\n')
    p = Program("caddy", [f"{root}/usr/bin/caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"], folder, admin, ["/metrics"])
    p.site = site
    return p


class Load:
    """A little of what each of them is for: a turn() every tenth of a second."""

    def __init__(self, prometheus, alertmanager, etcd, nats, caddy):
        self.prometheus, self.alertmanager, self.etcd, self.caddy = prometheus, alertmanager, etcd, caddy
        self.turns = 0
        host, port = nats.clients.split(":")
        self.subscriber, self.publisher = (self.nats_client(host, int(port)) for _ in range(2))
        self.subscriber.sendall(b"SUB load 1\r\n")
        host, port = etcd.address.split(":")
        self.watch = http.client.HTTPConnection(host, int(port), timeout=5)
        self.watch.request("POST", "/v3/watch", json.dumps({"create_request": {"key": "a2V5"}}))

    @staticmethod
    def nats_client(host, port):
        s = socket.create_connection((host, port), timeout=5)
        assert s.recv(4096).startswith(b"INFO ")
        s.sendall(b'CONNECT {"verbose":false}\r\n')
        return s

    @staticmethod
    def post(address, path, body):
        host, port = address.rsplit(":", 1)
        c = http.client.HTTPConnection(host, int(port), timeout=5)
        try:
            c.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = c.getresponse()
            answer.read()
            assert answer.status == 200, f"{path}: {answer.status}"
        finally:
            c.close()

    def turn(self):
        n = self.turns
        self.turns += 1
        assert http_get(self.caddy.site, "/")[0] == 200
        self.publisher.sendall(b"PUB load 5\r\nhello\r\n")
        assert self.subscriber.recv(65536), "the NATS server hung up"
        self.publisher.sendall(b"PONG\r\n")
        self.subscriber.sendall(b"PONG\r\n")
        if n % 5 == 0:
            self.post(self.etcd.address, "/v3/kv/put", {"key": "a2V5", "value": "dmFsdWU="})
            assert http_get(self.prometheus.address, "/api/v1/query?query=up")[0] == 200
            self.post(self.alertmanager.address, "/api/v2/alerts", [{"labels": {"alertname": f"load{n % 4}"}}])

    def stop(self):
        for thing in (self.subscriber, self.publisher, self.watch):
            thing.close()
