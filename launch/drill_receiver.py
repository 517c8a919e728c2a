"""The webhook receiver and the mail server of a drill: loopback only, ports of the kernel's choice.

Prints `ready drill_receiver webhook=http://... smtp=smtp://...`, then one line of JSON for each notice that arrives:

    {"kind": "webhook", "received_ns": 1795000000000000000, "id": "...", "status": "firing", "alertname": "...",
     "alerts": 1, "summary": "...", "starts_at": "2026-11-21T00:36:06.123Z"}
    {"kind": "mail", "received_ns": ..., "id": "...", "status": "firing", "to": ["..."], "summary": "the subject"}

`received_ns` is Unix time; `id` is the same over repeated attempts. Ends on SIGTERM or SIGINT.
"""

import asyncio
import email
import email.policy
import http.server
import json
import signal
import threading
import time

from aiosmtpd.smtp import SMTP

HOST = "127.0.0.1"
BODY_LIMIT_BYTES = 16 << 20
PRINTING = threading.Lock()


def tell(**fields):
    with PRINTING:
        print(json.dumps(fields), flush=True)


class WebhookHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_POST(self):
        try:
            length = int(self.headers.get("Content-Length", "-1"))
        except ValueError:
            length = -1
        if not 0 <= length <= BODY_LIMIT_BYTES:
            self.close_connection = True
            return self._answer(413 if length > 0 else 411)
        body = self.rfile.read(length)
        received_ns = time.time_ns()
        try:
            payload = json.loads(body)
            alerts = payload["alerts"]
            first = alerts[0] if alerts else {"labels": {}, "annotations": {}}
            fields = {"status": payload["status"], "alertname": payload["groupLabels"].get("alertname", ""),
                      "alerts": len(alerts), "summary": first["annotations"].get("summary", ""),
                      "starts_at": first.get("startsAt", "")}
        except (ValueError, KeyError, TypeError, AttributeError):
            return self._answer(400)
        self._answer(200)
        tell(kind="webhook", received_ns=received_ns, id=self.headers.get("webhook-id", ""), **fields)

    def _answer(self, status: int):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class MailHandler:
    async def handle_DATA(self, server, session, envelope):
        received_ns = time.time_ns()
        message = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        subject = str(message.get("Subject", ""))
        status = subject.partition("]")[0].lstrip("[").lower() if subject.startswith("[") else ""
        tell(kind="mail", received_ns=received_ns, id=str(message.get("Message-ID", "")), status=status,
             to=envelope.rcpt_tos, summary=subject)
        return "250 OK"


async def serve():
    web = http.server.ThreadingHTTPServer((HOST, 0), WebhookHandler)
    web.daemon_threads = True
    threading.Thread(target=web.serve_forever, daemon=True).start()

    loop = asyncio.get_running_loop()
    handler = MailHandler()
    mail = await loop.create_server(lambda: SMTP(handler, hostname="localhost", enable_SMTPUTF8=True), HOST, 0)
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    with PRINTING:
        print(f"ready drill_receiver webhook=http://{HOST}:{web.server_port}/notices"
              f" smtp=smtp://{HOST}:{mail.sockets[0].getsockname()[1]}", flush=True)
    await stopping.wait()
    web.shutdown()
    mail.close()


if __name__ == "__main__":
    asyncio.run(serve())
