"""Receivers of notices for tests, on ports of the kernel's choice: a webhook whose answers a test decides, and a mail server with
STARTTLS, AUTH and recipients that it refuses. What arrives is kept in order."""

import asyncio
import email
import email.policy
import http.server
import json
import pathlib
import ssl
import subprocess
import threading
import time

from aiosmtpd.smtp import SMTP, AuthResult

import harness

HOST = "127.0.0.1"


class Arrivals:
    """A list that can be waited on."""

    def __init__(self):
        self.items: list = []
        self._changed = threading.Condition()

    def add(self, item):
        with self._changed:
            self.items.append(item)
            self._changed.notify_all()

    def wait(self, predicate, what: str, deadline_s: float = harness.DEADLINE_S):
        """The first item that `predicate` accepts."""
        def found():
            return next((item for item in self.items if predicate(item)), None)
        with self._changed:
            if not self._changed.wait_for(lambda: found() is not None, deadline_s):
                raise AssertionError(f"waited {deadline_s} s in vain for: {what}; arrived: {self.items}")
            return found()

    def wait_count(self, count: int, what: str, deadline_s: float = harness.DEADLINE_S) -> list:
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.items) >= count, deadline_s):
                raise AssertionError(f"waited {deadline_s} s in vain for {count} {what}; arrived: {self.items}")
            return list(self.items)


class WebhookReceiver:
    """Keeps each request as {"id", "status" (answered), "payload", "headers", "at_s"}.

    `answers` is used up one by one, then every answer is 200: a status, or (status, headers), or "hang" to take the request
    and never answer, or "half" to end the connection within the answer."""

    def __init__(self, port: int = 0, answers=()):
        self.answers = list(answers)
        self.requests = Arrivals()
        self._ended = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                receiver._take(self)

            def log_message(self, *_):
                pass

        http.server.ThreadingHTTPServer.allow_reuse_address = True
        self._server = http.server.ThreadingHTTPServer((HOST, port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://{HOST}:{self.port}/notices"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _take(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        answer = self.answers.pop(0) if self.answers else 200
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        self.requests.add({"id": handler.headers["webhook-id"], "status": status, "payload": json.loads(body),
                           "headers": dict(handler.headers), "at_s": time.monotonic()})
        if status == "hang":
            handler.close_connection = True
            self._ended.wait()
            return
        if status == "half":
            handler.close_connection = True
            handler.wfile.write(b"HTTP/1.1 2")
            return
        handler.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()

    def wait_accepted(self, what: str, predicate=lambda payload: True, deadline_s: float = harness.DEADLINE_S):
        """The first request that was answered with 2xx and whose payload `predicate` accepts."""
        return self.requests.wait(
            lambda r: isinstance(r["status"], int) and 200 <= r["status"] < 300 and predicate(r["payload"]), what, deadline_s)

    def stop(self):
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def make_certificate(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """A self-signed certificate for 127.0.0.1 and localhost; (certificate, key)."""
    certificate, key = folder / "mail.crt", folder / "mail.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


class MailReceiver:
    """Keeps each accepted mail as {"from", "to", "message" (email.message.EmailMessage), "tls", "user", "at_s"}.

    `refuse` maps a recipient to the replies that its RCPT gets, used up one by one; a single string is given always. With
    `certificate` and `key`, STARTTLS is required; with `user` and `password`, AUTH is."""

    def __init__(self, refuse: dict | None = None, certificate=None, key=None, user=None, password=None):
        self.mails = Arrivals()
        self.refused = Arrivals()
        self._refuse = refuse or {}
        self._user, self._password = user, password
        self._options = {"hostname": "localhost"}
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self._options.update(tls_context=context, require_starttls=True)
        if user:
            self._options.update(authenticator=self._authenticate, auth_required=True,
                                 auth_require_tls=certificate is not None)
        self._loop = asyncio.new_event_loop()
        listening = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(listening,), daemon=True)
        self._thread.start()
        if not listening.wait(harness.DEADLINE_S):
            raise AssertionError("the mail receiver does not listen")
        self.url = f"smtp://{HOST}:{self.port}"

    def _run(self, listening: threading.Event):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            self._loop.create_server(lambda: SMTP(self, **self._options), HOST, 0))
        self.port = server.sockets[0].getsockname()[1]
        listening.set()
        self._loop.run_forever()
        server.close()

    def _authenticate(self, server, session, envelope, mechanism, data):
        good = (data.login.decode(), data.password.decode()) == (self._user, self._password)
        session.user = self._user if good else None
        return AuthResult(success=good, handled=False)

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        replies = self._refuse.get(address)
        reply = replies if isinstance(replies, str) else replies.pop(0) if replies else None
        if reply:
            self.refused.add({"to": address, "reply": reply})
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.mails.add({"from": envelope.mail_from, "to": list(envelope.rcpt_tos),
                        "message": email.message_from_bytes(envelope.original_content, policy=email.policy.default),
                        "tls": session.ssl is not None, "user": getattr(session, "user", None), "at_s": time.monotonic()})
        return "250 OK"

    def stop(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
