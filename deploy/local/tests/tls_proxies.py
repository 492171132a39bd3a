"""Proxies that end TLS in front of something: HAProxy, nginx and Traefik, set as their users set them."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from waiting import until_blocking

from roomwire_local.certificates import Authority
from roomwire_local.free_ports import free_port
from roomwire_local.system import HOST

START_TIMEOUT_S = 30.0
NAMES = ("localhost", HOST, "chat.example")


@contextlib.contextmanager
def answering(command: Sequence[str], url: str) -> Iterator[None]:
    """Run a program for as long as the context lasts, from when a URL answers."""
    process = subprocess.Popen(command)
    try:
        with httpx.Client(trust_env=False, verify=False) as http:

            def answers() -> bool:
                if process.poll() is not None:
                    raise RuntimeError(f"{command[0]} has ended")
                return _answers(http, url)

            until_blocking(answers, within_s=START_TIMEOUT_S)
        yield
    finally:
        process.terminate()
        process.wait()


def _answers(http: httpx.Client, url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return http.get(url).is_success
    return False


def binary(name: str) -> str:
    """Return the path of a program; the test fails without it."""
    found = shutil.which(
        name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin:{Path(sys.executable).parent}"
    )
    if found is None:
        pytest.fail(f"there is no {name}: apt-get install --no-install-recommends haproxy nginx-light")
    return found


@contextlib.contextmanager
def ending_tls(kind: str, folder: Path, target: int) -> Iterator[int]:
    """Run a proxy that ends TLS in front of a port; yields its own port. `ca.crt` in the folder vouches for it."""
    certificate = Authority().write(folder, *NAMES)
    port = free_port()
    command = [binary(kind), *CONFIGS[kind](folder, port, target, certificate)]
    with answering(command, f"https://{HOST}:{port}/"):
        yield port


def _haproxy(folder: Path, port: int, target: int, certificate: tuple[Path, Path]) -> list[str]:
    pem, config = folder / "both.pem", folder / "haproxy.cfg"
    pem.write_text("".join(path.read_text() for path in certificate))
    config.write_text(
        f"""
defaults
  mode http
  timeout connect 5s
  timeout client 50s
  timeout server 50s
  timeout tunnel 1h
frontend public
  bind {HOST}:{port} ssl crt {pem}
  option forwardfor
  http-request set-header X-Forwarded-Proto https
  default_backend all
backend all
  server one {HOST}:{target}
"""
    )
    return ["-db", "-f", str(config)]


def _nginx(folder: Path, port: int, target: int, certificate: tuple[Path, Path]) -> list[str]:
    config = folder / "nginx.conf"
    config.write_text(
        f"""
pid {folder}/nginx.pid;
daemon off;
error_log stderr warn;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_header {{ default upgrade; "" ""; }}
  server {{
    listen {HOST}:{port} ssl;
    ssl_certificate {certificate[0]};
    ssl_certificate_key {certificate[1]};
    location / {{
      proxy_pass http://{HOST}:{target};
      proxy_http_version 1.1;
      proxy_buffering off;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_header;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_read_timeout 3600s;
      proxy_send_timeout 3600s;
    }}
  }}
}}
"""
    )
    return ["-p", str(folder), "-e", "stderr", "-c", str(config)]


def _traefik(folder: Path, port: int, target: int, certificate: tuple[Path, Path]) -> list[str]:
    from roomwire_local.ingress import Entry, write_round_robin_config

    entry = Entry(port, free_port(), HOST, certificate=certificate)
    return [f"--configFile={write_round_robin_config(folder, entry, gateways=[target])}"]


CONFIGS: dict[str, Callable[[Path, int, int, tuple[Path, Path]], list[str]]] = {
    "haproxy": _haproxy,
    "nginx": _nginx,
    "traefik": _traefik,
}
