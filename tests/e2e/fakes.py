"""A Go service's pages without a Go service: for what no service of ours does, and for bodies that were recorded."""
import http.server
import threading


class Fake:
    """Answers GET with pages[part](query) of the path's last part ("": the index); a page gives a body, or (status, body)."""

    def __init__(self, pages):
        self.pages, self.asked, self.gone = pages, [], False
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if outer.gone:  # over a connection that was kept
                    self.close_connection = True
                    return
                path, _, query = self.path.partition("?")
                part = path.rsplit("/", 1)[1]
                outer.asked.append((part, query))
                page = outer.pages.get(part)
                answer = page(query) if page else (404, "404 page not found\n")
                status, body = answer if isinstance(answer, tuple) else (200, answer)
                body = body.encode() if isinstance(body, str) else body
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except ConnectionError:  # who asked did not wait
                    self.close_connection = True

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.gone = True
        self.server.shutdown()
        self.server.server_close()
