"""What the end-to-end tests share: the Go services, the daemon under test, a webhook receiver.

Everything that starts a process or a socket has a stop(), is a context manager, and is stopped by
its fixture (conftest.py) also when the test fails.  Waiting is always polling with a time limit
(wait_until); nothing sleeps and hopes.
"""
import http.client
import http.server
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("LEAKWATCH_BUILD", os.path.join(ROOT, "build"))
# The sanitizers' shadow memory counts as resident; bounds on memory are that much wider with them.
SANITIZED = 8 if os.path.basename(BUILD).startswith("build-san") else 1
LEAKWATCH = os.environ.get("LEAKWATCH", os.path.join(BUILD, "leakwatch"))


class Failed(AssertionError):
    """A time limit passed, or a process did not do what it should."""


def wait_until(condition, seconds, what, every=0.05):
    """Polls until condition() is truthy and returns that; Failed after so many seconds.

    what: words for the message, or a function that makes them from the state at the end.
    """
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise Failed(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(every)


def free_port():
    """A port nobody listens on now.  For addresses that must be known before their server runs."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def open_terminal():
    """(our end, the terminal); skips the test where the system has none to give."""
    try:
        return os.openpty()
    except OSError as e:
        pytest.skip(f"no pseudo-terminals here: {e}")


def http_get(address, path, timeout=5):
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=timeout)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def yaml(value, indent=0):
    """Block-style YAML of dicts, lists, strings, numbers and booleans."""
    pad = "  " * indent
    if isinstance(value, dict) and value:
        out = []
        for key, inner in value.items():
            nested = isinstance(inner, (dict, list)) and inner
            out.append(f"{pad}{scalar(key)}:" + ("\n" + yaml(inner, indent + 1) if nested else " " + yaml(inner)))
        return "\n".join(out)
    if isinstance(value, list) and value:
        return "\n".join(f"{pad}- " + yaml(inner, indent + 1).lstrip() for inner in value)
    return scalar(value)


def scalar(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value if re.fullmatch(r"[A-Za-z_./][\w./()*-]*|\d+(ms|s|m|h|d)", value) else json.dumps(value)
    return json.dumps(value)


class Service:
    """One Go service of fixtures/services, or another program with pprof, as a child."""

    def __init__(self, binary, name, *args, address="127.0.0.1:0", fixed=False, env=None):
        self.binary, self.name, self.args, self.fixed, self.env = binary, name, [str(a) for a in args], fixed, env
        self.address = address
        self.process = None
        self.start()

    def start(self, fixed=None):
        """Starts it, at the address it had before when there was one."""
        self.fixed = self.fixed if fixed is None else fixed
        command = [self.binary, self.name, "-parent", "-addr", self.address] + (["-fixed"] if self.fixed else []) + self.args
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=dict(os.environ, **(self.env or {})))
        line = self.process.stdout.readline()  # ends with the process when it fails to start
        if not line.startswith("listening "):
            self.process.wait(5)
            raise Failed(f"{self.name} did not start (exit {self.process.returncode}): {line!r}")
        self.address = line.split()[1]
        self.started = time.time()

    def metrics(self):
        """{'name{labels}': value} of its /metrics."""
        status, body = http_get(self.address, "/metrics")
        assert status == 200, f"{self.name}: /metrics answered {status}"
        return {m.group(1): float(m.group(2)) for m in re.finditer(r"^([^#\s]\S*) (\S+)$", body.decode(), re.M)}

    def leaked(self, klass=None):
        """The true number of leaked goroutines, of one class or of all."""
        return sum(v for k, v in self.metrics().items() if k.startswith("fixture_leaked_goroutines") and (not klass or f'class="{klass}"' in k))

    def stop(self):
        if not self.process:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Failed(f"{self.name} did not end at SIGTERM")
        finally:
            process.stdin.close()
            process.stdout.close()
        assert process.returncode == 0, f"{self.name} ended with {process.returncode}"


class Receiver:
    """A webhook receiver that keeps every message, and answers 200 or what .answer is or returns."""

    def __init__(self):
        self.messages = []  # (time, headers, body), body as read from JSON
        self.raw = []  # the bytes of each of those bodies
        self.tried = []  # the headers of every attempt, answered well or not
        self.broken = []  # what was no webhook message, and why
        self.lock = threading.Lock()
        self.answer = 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status = outer.take(dict(self.headers), raw)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def take(self, headers, raw):
        with self.lock:
            try:
                body = json.loads(raw.decode("utf-8"))
                self.verify(body)
            except (ValueError, AssertionError, KeyError) as e:
                self.broken.append(f"{e}: {raw[:2000]!r}")
                return 400
            self.tried.append({k.lower(): v for k, v in headers.items()})
            status = self.answer() if callable(self.answer) else self.answer
            if 200 <= status < 300:
                self.raw.append(raw)
                self.messages.append((time.time(), self.tried[-1], body))
            return status

    @staticmethod
    def verify(body):
        """The fields of Alertmanager's webhook message, version 4, that receivers rely on."""
        assert body["version"] == "4", "version"
        assert body["status"] in ("firing", "resolved"), "status"
        for key, kind in (("groupKey", str), ("receiver", str), ("groupLabels", dict), ("commonLabels", dict),
                          ("commonAnnotations", dict), ("externalURL", str), ("alerts", list), ("truncatedAlerts", int)):
            assert isinstance(body[key], kind), key
        assert body["alerts"], "no alerts"
        for alert in body["alerts"]:
            assert alert["status"] in ("firing", "resolved"), "alert status"
            for key in ("labels", "annotations"):
                assert all(isinstance(v, str) for v in alert[key].values()), key
            for key in ("startsAt", "endsAt"):
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", alert[key]), key
            assert alert["fingerprint"] and "generatorURL" in alert, "fingerprint"

    def alerts(self, status=None, **labels):
        """Every alert of every message so far, oldest first, as dicts with the time of arrival in 'at'."""
        with self.lock:
            found = [dict(a, at=at) for at, _, body in self.messages for a in body["alerts"]]
        return [a for a in found if status in (None, a["status"]) and all(a["labels"].get(k) == v for k, v in labels.items())]

    def describe(self):
        return "the webhook got " + (", ".join(
            f"{a['status']} {a['labels'].get('alertname')} {a['labels'].get('job')} {a['labels'].get('class', '')}" for a in self.alerts()) or "nothing")

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


class Daemon:
    """leakwatch run on a configuration of its own in folder, with its log kept beside."""

    numbers = itertools.count(1)

    def __init__(self, folder, config, env=None, options=()):
        self.folder, self.env, self.options = str(folder), env or {}, list(options)
        self.config_path = os.path.join(self.folder, "leakwatch.yaml")
        self.log_path = os.path.join(self.folder, "daemon.log")
        self.db = os.path.join(self.folder, "leakwatch.db")
        config.setdefault("storage", {})["path"] = self.db
        self.configure(config)
        self.process = None

    def configure(self, config):
        config = {"web": {"listen_address": ""}, **config}  # its default port is for one daemon of a host
        self.config = config
        with open(self.config_path, "w", encoding="utf-8") as f:
            f.write(yaml(config) + "\n")

    def start(self, wait=True):
        """Runs it and waits for READY=1, as systemd would."""
        name = f"\0leakwatch-e2e-{os.getpid()}-{next(self.numbers)}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(name)
            notify.settimeout(0.05)
            with open(self.log_path, "ab") as log:
                self.process = subprocess.Popen([LEAKWATCH, "run", "-c", self.config_path, *self.options], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                env=dict(os.environ, NOTIFY_SOCKET="@" + name[1:], **self.env))
            if wait:
                wait_until(lambda: self.ready(notify), 20, "READY=1 from the daemon")
        return self

    def ready(self, notify):
        if self.process.poll() is not None:
            raise Failed(f"the daemon ended with {self.process.returncode} while starting:\n{self.log()[-4000:]}")
        try:
            return b"READY=1" in notify.recv(4096)
        except TimeoutError:
            return False

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def peak_bytes(self):
        """The most memory it has had resident (VmHWM)."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmHWM:\s+(\d+) kB", f.read()).group(1)) * 1024

    def command(self, *args, code=0, parse=True):
        """Runs a leakwatch command on its store; its JSON, or with parse=False its text."""
        return command(args[0], "--db", self.db, *(["--format", "json"] if parse else []), *args[1:], code=code, parse=parse)

    def stop(self, expect=0, seconds=15):
        """SIGTERM, and the exit status that must follow."""
        if not self.process:
            return
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Failed(f"the daemon did not end within {seconds} s of SIGTERM")
        assert process.returncode == expect, f"the daemon ended with {process.returncode}"

    def kill(self):
        """kill -9; start() may follow."""
        process = self.process
        process.kill()
        process.wait()


def command(*args, code=0, parse=False, stdin=None, timeout=60):
    """Runs leakwatch ARGS, checks its exit status, returns its standard output (as JSON with parse)."""
    p = subprocess.run([LEAKWATCH] + [str(a) for a in args], input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL,
                       capture_output=True, text=True, errors="replace", timeout=timeout)
    assert p.returncode == code, f"leakwatch {' '.join(map(str, args))}: exit {p.returncode}, not {code}\n{p.stdout[-2000:]}\n{p.stderr[-4000:]}"
    return json.loads(p.stdout) if parse else p.stdout
