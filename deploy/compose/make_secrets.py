"""Makes the secrets that are missing, and never changes one that is there: each in the folder of the service that reads it.

`compose.yaml` runs it before everything else. `SECRETS` names the folder of the services' folders.
"""

import os
import secrets
from pathlib import Path

from roomwire.identity.tokens import SigningKey

SERVICES = ("gateway", "auth")


def make(folder: Path, acl: str, *, redis_host: str, prefix: str) -> None:
    """Create the missing secrets.

    Args:
        folder: The folder that contains one for each service.
        acl: The users of Redis, in the form of the chart's file.
        redis_host: The host name of Redis in the services' URLs.
        prefix: The prefix of every key in Redis.

    """
    passwords = {service: _password(folder / "redis" / service) for service in SERVICES}
    acl = acl.replace("{{ .Values.redis.prefix }}", prefix)
    for service, password in passwords.items():
        acl = acl.replace(f"@{service}-password@", password)
        (folder / service / f"{service}-url").write_text(f"redis://{service}:{password}@{redis_host}:6379/0")
    (folder / "redis" / "users.acl").write_text(acl)
    _once(folder / "auth" / "signing-key.pem", SigningKey.generate().to_pem())
    _once(folder / "gateway" / "relay-secret", secrets.token_urlsafe(32))


def _password(path: Path) -> str:
    return _once(path, secrets.token_urlsafe(32))


def _once(path: Path, text: str) -> str:
    """Write a file atomically unless it exists, and return its content."""
    if not path.exists():
        new = path.with_suffix(".new")
        new.write_text(text)
        new.rename(path)
    return path.read_text()


def give_to(owner: int, folder: Path) -> None:
    """Make one user the owner of all files and folders, and their only reader."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o400)
        os.chown(path, owner, owner)


def main() -> None:
    """Create the secrets where `compose.yaml` mounts the services' volumes."""
    folder = Path(os.environ.get("SECRETS", "/secrets"))
    acl = Path(__file__).with_name("users.acl").read_text()
    make(folder, acl, redis_host=os.environ["REDIS_HOST"], prefix=os.environ["REDIS_PREFIX"])
    for service in (*SERVICES, "redis"):
        give_to(int(os.environ["OWNER"]), folder / service)
    # Redis itself sets the modes of its data.
    os.chown(folder / "data", *[int(os.environ["OWNER"])] * 2)


if __name__ == "__main__":
    os.umask(0o077)
    main()
