"""An identity provider for tests, as a process of its own: metadata, keys of two types, and tokens to order.

It prints its URL (with a slash behind it, its issuer), and ends with its standard input.
"""

import base64
import http.server
import json
import sys
import threading
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa


def base64url(number: int, size: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(size)).rstrip(b"=").decode()


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
KEYS = {"RS256": ("rsa-1", RSA), "ES256": ("ec-1", EC), "PS256": ("rsa-1", RSA)}
_rsa, _ec = RSA.public_key().public_numbers(), EC.public_key().public_numbers()
JWKS = [
    {"kty": "RSA", "kid": "rsa-1", "use": "sig", "n": base64url(_rsa.n, 256), "e": "AQAB", "x5t": "x"},
    {
        "kty": "EC",
        "kid": "ec-1",
        "use": "sig",
        "alg": "ES256",
        "crv": "P-256",
        "x": base64url(_ec.x, 32),
        "y": base64url(_ec.y, 32),
    },
    # As providers have them beside: one for encryption, and one that is broken.
    {"kty": "RSA", "kid": "enc-1", "use": "enc", "alg": "RSA-OAEP", "n": base64url(_rsa.n, 256), "e": "AQAB"},
    {"kty": "EC", "kid": "broken-1", "use": "sig", "crv": "P-256", "x": "AA", "y": "AA"},
]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers gateways with what it publishes, and tests with tokens."""

    def do_GET(self) -> None:
        issuer = f"http://{self.headers['Host']}/"
        published = {
            "/.well-known/openid-configuration": {
                "issuer": issuer,
                "jwks_uri": f"{issuer}keys",
                "authorization_endpoint": f"{issuer}authorize",
                "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            },
            "/keys": {"keys": JWKS},
        }
        if self.path not in published:
            self.send_error(404)
            return
        self._answer(json.dumps(published[self.path]))

    def do_POST(self) -> None:
        """Sign what is asked for."""
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kid, key = KEYS[order["alg"]]
        now = int(time.time())
        claims = {"iss": f"http://{self.headers['Host']}/", "iat": now, "exp": now + 300} | order["claims"]
        self._answer(
            jwt.encode(claims, key, algorithm=order["alg"], headers={"kid": kid, "typ": order["typ"]})
        )

    def _answer(self, body: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.shutdown()
