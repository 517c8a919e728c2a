"""A webhook that takes everything at once and keeps when."""

import json
import socket
import threading
import time

from core.bench import Failed


class Webhook:
    """Keeps each request as (nanoseconds of the steady clock, payload), taken once its last byte is there and before it is
    answered. Serves on loopback until the bench ends."""

    def __init__(self):
        self.taken: list[tuple[int, dict]] = []
        self._changed = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket):
        held = b""
        with connection:
            while True:
                head, separator, rest = held.partition(b"\r\n\r\n")
                if separator:
                    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
                    if len(rest) >= length:
                        at_ns = time.monotonic_ns()
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                        self._keep(at_ns, rest[:length])
                        held = rest[length:]
                        continue
                more = connection.recv(1 << 16)
                if not more:
                    return
                held += more

    def _keep(self, at_ns: int, body: bytes):
        with self._changed:
            self.taken.append((at_ns, json.loads(body)))
            self._changed.notify_all()

    def wait(self, status: str, since_ns: int, deadline_s: float) -> int:
        """When the first notice of `status` after `since_ns` was taken."""
        def found():
            return next((at for at, payload in self.taken if at >= since_ns and payload["status"] == status), None)
        with self._changed:
            if not self._changed.wait_for(lambda: found() is not None, deadline_s):
                raise Failed(f"no {status} notice within {deadline_s} s")
            return found()

    def wait_alerts(self, count: int, deadline_s: float) -> int:
        """When notices had told of `count` alerts that fire; Failed where some were told of twice."""
        def told():
            return sum(len(payload["alerts"]) for _, payload in self.taken if payload["status"] == "firing")
        with self._changed:
            if not self._changed.wait_for(lambda: told() >= count, deadline_s):
                raise Failed(f"{told()} of {count} alerts were told within {deadline_s} s")
            if told() > count:
                raise Failed(f"{told()} alerts were told, of {count}")
            return self.taken[-1][0]
