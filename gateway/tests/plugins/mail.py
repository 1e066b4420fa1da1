"""A mail server that writes down what it takes, as Python's own e-mail package reads it.

mail.py PORT FOLDER [CERTIFICATE KEY]: with a certificate it wants STARTTLS and the login `takst` / `sesame-open`.
Who a message is to says what becomes of it: `no@` is refused, `later@` is asked to come again once, `lost@` is taken once without a word.
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self, folder):
        self.folder = folder
        self.seen = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("no@"):
            return "550 5.1.1 nobody of that name"
        if address.startswith("later@") and address not in self.seen:
            self.seen.add(address)
            return "451 4.7.1 come again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        kept = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "user": session.auth_data.decode() if session.auth_data else None,
            "text": message.get_body(("plain",)).get_content(),
            "html": message.get_body(("html",)).get_content(),
        }
        kept.update({name.lower(): str(value) for name, value in message.items()})
        number = len(list(self.folder.glob("*.json")))
        part = self.folder / f"{number:03}.part"
        part.write_text(json.dumps(kept), encoding="utf-8")
        part.rename(self.folder / f"{number:03}.json")
        if envelope.rcpt_tos[0].startswith("lost@") and "lost" not in self.seen:
            self.seen.add("lost")
            server.transport.abort()
        return "250 taken"


def login(server, session, envelope, mechanism, data):
    fine = data.login == b"takst" and data.password == b"sesame-open"
    return AuthResult(success=fine, auth_data=data.login) if fine else AuthResult(success=False, handled=False)


async def main(port, folder, certificate=None, key=None):
    options = {}
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        options = dict(tls_context=context, require_starttls=True, auth_required=True, authenticator=login)
    handler = Handler(Path(folder))
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: SMTP(handler, hostname="mail", **options), "127.0.0.1", int(port))
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main(*sys.argv[1:]))
