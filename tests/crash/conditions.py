"""Conditions that a crash test makes come and go under a cloud_alertd that scrapes them."""

import contextlib
import http.server
import random
import threading

import harness

CONDITIONS = 12


class Conditions:
    """A page of gauges, each 1 while its condition holds; one that never holds stands for what could be invented."""

    def __init__(self, bench: harness.Bench):
        self.holds = [False] * CONDITIONS
        conditions = self

        class Page(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = "".join(f'trouble{{id="{i}"}} {int(v)}\n' for i, v in enumerate(conditions.holds)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # Whoever asked was killed.
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        bench.callback(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{server.server_port}"

    def true_ids(self) -> set[str]:
        return {str(i) for i, holds in enumerate(self.holds) if holds}

    def flip_some(self, source: random.Random) -> set[str]:
        """Changes up to three conditions, but never the first; returns which."""
        changed = source.sample(range(1, CONDITIONS), source.randint(0, 3))
        for i in changed:
            self.holds[i] = not self.holds[i]
        return {str(i) for i in changed}

    def alertd_config(self, bench: harness.Bench) -> str:
        """What a cloud_alertd that looks at them and judges by rules.toml has in front."""
        return f"""
[http]
listen = "127.0.0.1:0"
[storage]
dir = "{bench.dir}/state"
[rules]
files = ["rules.toml"]
interval = "100ms"
[[scrape]]
job = "trouble"
targets = ["{self.address}"]
interval = "100ms"
"""
