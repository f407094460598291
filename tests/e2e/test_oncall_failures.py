"""A receiver that fails in every way before it takes a message, and a daemon that is killed meanwhile: each alert is told at
least once, under one webhook-id, and nobody else waits for it."""
import base64
import hashlib
import hmac
import http.server
import json
import random
import socket
import struct
import threading
import time

import pytest
from answering import Server
from harness import wait_until


class Trouble:
    """Answers each webhook-id's attempts in turn: silence, a reset in mid-body, 429 with Retry-After, 503, 200 that is lost on
    its way (so that the message comes again), 200.  .taken has what it processed, once for each attempt that it did."""

    def __init__(self, turns):
        self.turns = turns
        self.attempts = {}  # webhook-id: [(time, behaviour)]
        self.taken = []  # (webhook-id, body)
        self.lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                key = self.headers["webhook-id"]
                with outer.lock:
                    tries = outer.attempts.setdefault(key, [])
                    turn = outer.turns[min(len(tries), len(outer.turns) - 1)]
                    tries.append((time.time(), turn))
                    if turn in ("lost", "ok"):
                        outer.taken.append((key, json.loads(raw)))
                getattr(self, turn)()

            def silence(self):
                time.sleep(1.5)
                self.close_connection = True

            def reset(self):
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of")
                self.wfile.flush()
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True

            lost = reset

            def busy(self):
                self.reply(429, "Retry-After: 2\r\n")

            def down(self):
                self.reply(503, "")

            def ok(self):
                self.reply(200, "")

            def reply(self, status, more):
                self.wfile.write(f"HTTP/1.1 {status} x\r\n{more}Content-Length: 0\r\n\r\n".encode())

            def finish(self):
                try:
                    super().finish()
                except (OSError, ValueError):
                    pass  # it was reset

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # connections that are reset
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.mark.parametrize("kills", [0, 4])
def test_told_in_spite_of_all(service, daemon, receiver, stops, kills):
    trouble = Trouble(["silence", "reset", "busy", "down", "lost", "ok"])
    stops.append(trouble)
    registry = service("registry", "-rate", 30)
    receivers = [{"name": "both", "webhook_configs": [{"url": trouble.url, "timeout": "1s"}, {"url": receiver.url}]}]
    d = daemon([{"job_name": "shop", "static_configs": [{"targets": [registry.address]}]}], alerting={"receivers": receivers})
    wait_until(lambda: receiver.alerts("firing", alertname="GoroutineLeak"), 60, receiver.describe)
    assert not trouble.taken, "the one that answers had to wait for the one that does not"

    seed = int(time.time())
    print("seed", seed)
    dice = random.Random(seed)
    for _ in range(kills):
        end = time.time() + dice.uniform(0.1, 2.5)
        wait_until(lambda: time.time() > end, 5, "a while")
        d.kill()
        d.start()

    def taken(status):
        return [key for key, body in trouble.taken if any(a["status"] == status and a["labels"]["alertname"] == "GoroutineLeak" for a in body["alerts"])]

    wait_until(lambda: len(taken("firing")) >= 2, 120, lambda: str(trouble.attempts))
    assert len(set(taken("firing"))) == 1, "one alert under several ids"
    (key,) = set(taken("firing"))
    tries = trouble.attempts[key]
    # The busy one is not asked again before it said (a daemon that is killed may not have heard it say so).
    if not kills:
        waits = {turn: later - at for (at, turn), (later, _) in zip(tries, tries[1:])}
        assert waits["busy"] >= 1.9, waits
    (fired,) = {h["webhook-id"] for _, h, b in receiver.messages for a in b["alerts"] if a["status"] == "firing" and a["labels"]["alertname"] == "GoroutineLeak"}
    assert fired != key  # an id is a receiver's own

    trouble.turns = ["ok"]
    registry.stop()
    registry.start(fixed=True)
    wait_until(lambda: taken("resolved"), 90, lambda: str(trouble.attempts))
    wait_until(lambda: receiver.alerts("resolved", alertname="GoroutineLeak"), 10, receiver.describe)


def test_refused_and_given_up_and_signed(service, daemon, receiver, stops, tmp_path):
    """What a receiver refuses is parked, what nobody took is given up, and both are told; who has a secret can check who sent."""
    refusing = Server()
    stops.append(refusing)
    key = bytes(range(32))
    (tmp_path / "secret").write_text("whsec_" + base64.b64encode(key).decode() + "\n")
    registry = service("registry", "-rate", 30)
    d = daemon([{"job_name": "shop", "static_configs": [{"targets": [registry.address]}]}], alerting={"give_up_after": "3s", "receivers": [
        {"name": "all", "webhook_configs": [{"url": refusing.url + "/refuse"}, {"url": "http://127.0.0.1:1/nobody"},
                                            {"url": receiver.url, "secret_file": str(tmp_path / "secret")}]}]})
    wait_until(lambda: receiver.messages, 60, receiver.describe)
    wait_until(lambda: "error: receiver all/webhook/0: refuses the message of" in d.log(), 10, "that one refuses it")
    wait_until(lambda: "critical: receiver all/webhook/1: was never told of" in d.log(), 30, "that one was never told")
    assert len(refusing.bodies("/refuse")) == 1, "what was refused was sent again"
    (alert,) = [a for a in d.command("alerts")["alerts"] if a["name"] == "GoroutineLeak"]

    def states():
        return {x["receiver"]: x["state"] for x in d.command("alerts", "show", alert["id"])["deliveries"]}

    wait_until(lambda: states() == {"all/webhook/0": "parked", "all/webhook/1": "given up", "all/webhook/2": "delivered"}, 10, lambda: str(states()))
    _, headers, _ = receiver.messages[0]
    signed = b"%s.%s.%s" % (headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), receiver.raw[0])
    assert headers["webhook-signature"] == "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 120
