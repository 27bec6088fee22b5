"""The gateway's log and environment: `.env`, proxies, addresses with a password, certificates."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.integration.sentinel_contract.place import SECRET, Place, token
from tests.integration.sentinel_contract.recording import NotReplayed, normal, recorded
from tests.integration.sentinel_contract.scenarios import scenario


@scenario()
def logs(place: Place) -> Any:
    child = place.child("a")
    gateway = place.gateway([child.backend], {"RUST_LOG": "debug"})
    gateway.call("echo", {"text": "an argument"})
    lines = [line.split(" ", 1) for line in gateway.log(all_warnings=True)]
    coloured = place.gateway([child.backend], {"NO_COLOR": None}, audit=False)
    secrets = {"HEALTH_TOKEN": "of-the-health-port", "BACKEND_SHARED_SECRET": "of-the-backends"}
    debug = place.gateway([child.backend], {**secrets, "LOG_LEVEL": "debug"})
    debug.call("echo", {"text": "an argument"})
    written = debug.stderr()
    held = {"JWT_SECRET_KEY": SECRET, "SENTINEL_TOKEN": token()[:60], "DATABASE_URL": "of-the-tests", **secrets}
    return {
        "ANSI colours when not a tty": "\x1b[" in coloured.stderr(),
        "NO_COLOR respected": "\x1b[" not in gateway.stderr(),
        "debug level: arguments or results in the log": "an argument" in written,
        "debug lines": NotReplayed("the number of lines that libraries write at debug"),
        "lines": _in_order([f"<time> {level:>5} {text}" for level, text in lines]),
        "secrets in debug log": [name for name, value in held.items() if value in written],
        "stdout has only JSON-RPC": not gateway.not_json,
    }


def _in_order(lines: list[str]) -> list[str]:
    """The start's lines in their own order; of the rest, which two tasks write beside each other, the recording's."""
    order = {normal(line): number for number, line in enumerate(recorded("logs")["lines"])}
    begun = next((number for number, line in enumerate(lines) if "Metrics endpoint" in line), len(lines))
    return lines[:begun] + sorted(lines[begun:], key=lambda line: order.get(normal(line), 0))


@scenario()
def dotenv_and_proxy(place: Place) -> Any:
    file = place.folder / ".env"
    file.write_text(f"SENTINEL_TOKEN={token(sub='from-dotenv')}\nHEALTH_TOKEN=of-the-health-port\n")
    gateway = place.gateway([place.child("a").backend], {"SENTINEL_TOKEN": None})
    gateway.call("echo")
    rows = place.rows("client_subject", expected=1)
    status = gateway.get("/metrics")[0]
    file.unlink()
    proxy, direct = place.http("viaproxy"), place.http("direct")
    environment: dict[str, str | None] = {"http_proxy": f"http://127.0.0.1:{proxy.port}"}
    behind = {"name": "viaproxy", "type": "http", "url": "http://backend.invalid/mcp"}
    through = place.gateway([behind], environment, audit=False)
    past = place.gateway([direct.backend()], {**environment, "NO_PROXY": "127.0.0.1"}, audit=False)
    return {
        ".env in the working folder is read": rows,
        "NO_PROXY is kept": past.names() if direct.requests else [],
        "http_proxy is used for backends": [
            through.names(),
            proxy.lines()[0] == "POST http://backend.invalid/mcp initialize",
        ],
        "metrics status": status,
    }


@scenario()
def url_secrets(place: Place) -> Any:
    h = place.http("h")
    url = f"http://user:of-the-address@127.0.0.1:{h.port}/mcp"
    gateway = place.gateway([{"name": "h", "type": "http", "url": url, "retries": 0}])
    gateway.call("h")
    h.stop()
    answer = gateway.call("h")
    rows = place.rows("audit_log::text", expected=2)
    return {
        "audit row holds it": "of-the-address" in str(rows),
        "error answer": answer,
        "password in the URL stands in the log": "of-the-address" in gateway.stderr(),
        "sent as basic authorization": sorted({request.headers.get("authorization", "")[:6] for request in h.requests}),
    }


@scenario()
def https_own_ca(place: Place) -> Any:
    certificate, context = own_certificate(place.folder)
    h = place.http("h", tls=context)
    backend = {"name": "h", "type": "http", "url": f"https://localhost:{h.port}/mcp", "retries": 0}
    gateway = place.gateway([backend], {"SSL_CERT_FILE": str(certificate)}, audit=False)
    return {"log": gateway.log("ERROR"), "own CA by SSL_CERT_FILE is accepted": gateway.names() == ["h"]}


def own_certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate of nobody's authority for localhost: its file, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file, both = folder / "certificate.pem", folder / "both.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    both.write_bytes(private + file.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return file, context
