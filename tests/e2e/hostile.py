"""Servers that answer a scrape in every wrong way; one behaviour each, on raw sockets.

A behaviour gets the connection and the request's path, after the request's head was read, and may
do what it likes until the connection breaks or the server stops.
"""
import os
import socket
import struct
import threading
import time
import zlib

DUMP = (b"goroutine profile: total 3\n"
        b"2 @ 0x43a1d6 0x44b0ac 0x46e2a1\n#\t0x46e2a0\tmain.wait+0x20\t/src/app/main.go:17\n\n"
        b"1 @ 0x43a1d6 0x44b0ac 0x46f3b1\n#\t0x46f3b0\tmain.main+0x50\t/src/app/main.go:9\n\n")
METRICS = b"# TYPE go_goroutines gauge\ngo_goroutines 3\n# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 1.7e+09\n"
MIB = 1 << 20


def head(status="200 OK", length=None, *more):
    lines = [f"HTTP/1.1 {status}", "Content-Type: text/plain; charset=utf-8"]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines + list(more)) + "\r\n\r\n").encode()


def answer(conn, body, status="200 OK", *more):
    conn.sendall(head(status, len(body), *more) + body)


def sound(conn, path):
    """What a well-behaved service says."""
    answer(conn, METRICS if path.startswith("/metrics") else DUMP)


def silence(conn, _):
    conn.recv(1)  # until the client goes


def drip(conn, path):
    """One byte a second."""
    conn.sendall(head(length=len(DUMP)))
    for byte in DUMP:
        conn.sendall(bytes([byte]))
        time.sleep(1)


def endless(conn, _):
    conn.sendall(head() + b"goroutine profile: total 99999999\n")
    record = DUMP.split(b"\n", 1)[1] * 1000
    while True:
        conn.sendall(record)


def chunks(conn, _):
    """Chunked, without an end."""
    conn.sendall(head("200 OK", None, "Transfer-Encoding: chunked"))
    piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    while True:
        conn.sendall(piece)


def half(conn, _):
    conn.sendall(head(length=2 * len(DUMP)) + DUMP)


def short(conn, path):
    """A Content-Length that is less than what comes."""
    conn.sendall(head(length=40) + (METRICS if path.startswith("/metrics") else DUMP))


def reset(conn, _):
    conn.sendall(head(length=2 * len(DUMP)) + DUMP)
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def bomb():
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([packer.compress(bytes(MIB)) for _ in range(64)] + [packer.flush()])


BOMB = bomb()


def gzip_bomb(conn, _):
    """A thousandth of what it becomes: 64 MiB of zeros."""
    answer(conn, BOMB, "200 OK", "Content-Encoding: gzip")


def garbage(conn, _):
    answer(conn, os.urandom(4096))


def no_http(conn, _):
    conn.sendall(b"220 mail.example.org ESMTP ready\r\n" * 10)


def tls(conn, _):
    """A TLS server's alert, where plain HTTP is expected."""
    conn.sendall(b"\x15\x03\x01\x00\x02\x02\x28")


def html(conn, _):
    answer(conn, b"<!DOCTYPE html><html><head><title>Welcome</title></head><body>" + b"<p>hello</p>" * 100 + b"</body></html>")


def json(conn, _):
    answer(conn, b'{"status":"ok","goroutines":12}')


def empty(conn, _):
    answer(conn, b"")


def status(code, text):
    def behaviour(conn, _):
        answer(conn, text.encode() + b"\n", f"{code} {text}")
    return behaviour


def elsewhere(conn, _):
    answer(conn, b"", "302 Found", "Location: http://192.0.2.1/debug/pprof/goroutine?debug=1")


def loop(conn, path):
    answer(conn, b"", "302 Found", "Location: " + path)


def long_line(conn, _):
    """100 MB without a newline."""
    conn.sendall(head(length=100 * MIB) + b"goroutine profile: total 1\n1 @ 0x1 ")
    for _ in range(100):
        conn.sendall(b"A" * MIB)


def many_metrics(conn, path):
    """A sound dump, and a gigabyte of metrics."""
    if not path.startswith("/metrics"):
        return sound(conn, path)
    conn.sendall(head(length=1024 * MIB))
    for i in range(1 << 30):
        conn.sendall(b"".join(b'm{a="%d"} 1\n' % (i * 4096 + n) for n in range(4096)))


def nul_bytes(conn, path):
    body = METRICS if path.startswith("/metrics") else DUMP
    answer(conn, body.replace(b"main.wait", b"main\0wait") + b"\0" * 100)


EVIL = b"main.\x1b[2J\x1b]0;owned\x07%s%n%100000d\"'<script>alert(1)</script>\\"


def evil_names(conn, path):
    """Names with control characters, quotes, markup and format strings; a label of 64 KiB."""
    if path.startswith("/metrics"):
        return answer(conn, METRICS + b'x{l="' + b"%n" * 32768 + b'"} 1\ny{l="a\\nb\\"c\\\\"} 1\n')
    return answer(conn, DUMP.replace(b"main.wait", EVIL).replace(b"/src/app/main.go:17", b"/src/\x1b[31m%s.go:17"))


class Server:
    """Runs one behaviour on a port of its own; .requests counts what it was asked."""

    def __init__(self, behaviour):
        self.behaviour = behaviour
        self.requests = 0
        self.conns = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            conn.settimeout(30)
            self.conns.add(conn)
            threading.Thread(target=self.one, args=(conn,), daemon=True).start()

    def one(self, conn):
        try:
            with conn, conn.makefile("rb") as lines:
                path = lines.readline().split(b" ")[1].decode()
                while lines.readline().strip():
                    pass
                self.requests += 1
                self.behaviour(conn, path)
        except (OSError, IndexError):
            pass  # the client went, or the server stopped
        finally:
            self.conns.discard(conn)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept, which close does not
        self.listener.close()
        for conn in list(self.conns):
            try:
                conn.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.thread.join(0.1)
