"""Real Alertmanagers in a cluster: Debian's package, unpacked (tools/peers.sh), each on ports and data of its own."""
import json

import peers
from harness import free_port, http_get


def fetch(root, build):
    """The folder of the unpacked package; peers.Unavailable where it cannot be fetched."""
    return peers.fetch(root, build, ["prometheus-alertmanager"])["prometheus-alertmanager"]


class Member:
    """One of them; .start() after .stop() is the same one again, at its address and with its data."""

    def __init__(self, package, folder, name, hook):
        self.package, self.folder, self.name = package, folder, name
        self.address, self.gossip = (f"127.0.0.1:{free_port()}" for _ in range(2))
        self.others = []
        self.hook = hook
        self.program = None

    def start(self):
        """As peers.alertmanager, in a cluster, and telling what it decides to the hook at once."""
        self.folder.mkdir(exist_ok=True)
        with open(f"{self.package}/usr/bin/prometheus-alertmanager", "rb") as f:
            program = f.read().replace(b"/usr/share/prometheus/alertmanager", b"usr//share/prometheus/alertmanager")
        (self.folder / "alertmanager").unlink(missing_ok=True)
        (self.folder / "alertmanager").write_bytes(program)
        (self.folder / "alertmanager").chmod(0o755)
        (self.folder / "alertmanager.yml").write_text(json.dumps({
            "route": {"receiver": "hook", "group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"},
            "receivers": [{"name": "hook", "webhook_configs": [{"url": self.hook, "send_resolved": True}]}]}))
        self.program = peers.Program(
            self.name, [self.folder / "alertmanager", f"--config.file={self.folder}/alertmanager.yml", f"--storage.path={self.folder}/data",
                        f"--web.listen-address={self.address}", f"--cluster.listen-address={self.gossip}", "--cluster.peer-timeout=2s",
                        "--cluster.gossip-interval=50ms", "--cluster.pushpull-interval=1s", "--cluster.settle-timeout=1s",
                        *[f"--cluster.peer={o.gossip}" for o in self.others]],
            self.folder, self.address, ["/-/ready"], cwd=self.package)
        return self

    def wait(self):
        self.program.wait()
        return self

    def alerts(self):
        """What its API lists now: {fingerprint: alert}."""
        status, body = http_get(self.address, "/api/v2/alerts")
        assert status == 200
        return {a["fingerprint"]: a for a in json.loads(body)}

    def stop(self):
        program, self.program = self.program, None
        if program:
            program.stop()
