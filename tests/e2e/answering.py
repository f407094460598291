"""A server that answers as Slack, PagerDuty and a dead man's switch do."""
import http.server
import json
import threading


class Server:
    """Keeps every request as (method, path, headers, JSON), and answers as .answers says for the path's beginning."""

    def __init__(self):
        self.requests = []
        self.answers = {"/slack": (200, "ok"), "/pagerduty": (202, '{"status":"success"}'), "/beat": (200, "OK"), "/refuse": (404, "no_service")}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.requests.append((self.command, self.path, dict(self.headers), json.loads(raw) if raw else None))
                status, text = next(a for path, a in outer.answers.items() if self.path.startswith(path))
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def bodies(self, path):
        return [body for _, p, _, body in self.requests if p.startswith(path)]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)
