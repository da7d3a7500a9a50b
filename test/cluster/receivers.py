"""Servers that alarms are told to: HTTP and SMTP, in threads of the test, with or without TLS.

Each keeps what it received. They listen from `open` to `close`, at the same port each time.
"""
import http.server
import json
import socketserver
import ssl
import subprocess
import threading

from harness import free_port


def make_certificate(folder):
    """A certificate for localhost that signs itself, and its key; their paths."""
    cert, key = f"{folder}/cert.pem", f"{folder}/key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def context_of(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


class Receiver:
    def __init__(self, certificate=None):
        self.port, self.certificate = free_port(), certificate
        self.received, self.server = [], None

    def open(self):
        receiver = self

        class Handler(self.handler):
            pass

        Handler.receiver = receiver
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        # A client that does not trust our certificate hangs up.
        self.server.handle_error = lambda *_: None
        if self.certificate and self.tls_at_once:
            self.server.socket = context_of(self.certificate).wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def close(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None


class HttpHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.receiver.requests.append(dict(self.headers))
        status = self.receiver.statuses.pop(0) if self.receiver.statuses else 200
        if status == 200:
            self.receiver.received.append(json.loads(body))
        self.send_response(status)
        self.send_header("Location", f"http://127.0.0.1:{self.receiver.port}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Webhook(Receiver):
    """`statuses` are the next answers; 200 when there are none."""
    handler, tls_at_once = HttpHandler, True

    def __init__(self, certificate=None):
        super().__init__(certificate)
        self.requests, self.statuses = [], []


class SmtpHandler(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.mail = {"tls": False, "auth": None, "to": []}
        self.say("220 localhost")
        while line := self.rfile.readline().decode().strip():
            if not self.command(line):
                return

    def command(self, line):
        verb = line[:4].upper()
        if verb == "EHLO":
            more = ["STARTTLS"] if self.receiver.certificate and not self.mail["tls"] else ["AUTH PLAIN"]
            for text in ["localhost", "8BITMIME", *more[:-1]]:
                self.say("250-" + text)
            self.say("250 " + more[-1])
        elif line.upper() == "STARTTLS":
            self.say("220 go on")
            tls = context_of(self.receiver.certificate).wrap_socket(self.connection, server_side=True)
            self.rfile, self.wfile = tls.makefile("rb"), tls.makefile("wb", 0)
            self.mail["tls"] = True
        elif verb == "AUTH":
            secret = line.split()[2] if len(line.split()) > 2 else None
            if secret is None:
                self.say("334 ")
                secret = self.rfile.readline().decode().strip()
            self.mail["auth"] = secret
            self.say("235 welcome")
        elif verb == "MAIL":
            self.mail["from"] = line
            self.say("250 ok")
        elif verb == "RCPT":
            self.mail["to"].append(line)
            self.say("250 ok")
        elif verb == "DATA":
            self.say("354 go on")
            text = b""
            while not text.endswith(b"\r\n.\r\n"):
                text += self.rfile.readline()
            self.receiver.received.append({**self.mail, "text": text.decode()})
            self.say("250 taken")
        else:
            self.say("221 bye" if verb == "QUIT" else "500 what")
            return verb != "QUIT"
        return True


class Mail(Receiver):
    handler, tls_at_once = SmtpHandler, False
