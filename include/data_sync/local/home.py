"""The folder that holds all state of the one-machine set-up, its secrets and its lock.

The folder is ``.data`` at the root of the checkout. It survives a restart; ``make clean`` removes it.
Files that hold secrets have mode 600.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.fernet import Fernet

from data_sync.local.errors import LocalError

#: The checkout: this file lies in <checkout>/include/data_sync/local.
CHECKOUT = Path(__file__).resolve().parents[3]

#: The one person who can log in.
ADMIN = "admin"


@dataclass(frozen=True)
class Secrets:
    """What is generated once per folder: keys of Airflow, the admin's password, the sandbox's."""

    admin_password: str
    fernet_key: str
    jwt_secret: str
    session_key: str

    @classmethod
    def generate(cls) -> Secrets:
        """Make new ones; the password is short enough to type."""
        return cls(
            admin_password=secrets.token_urlsafe(12),
            fernet_key=Fernet.generate_key().decode(),
            jwt_secret=secrets.token_urlsafe(48),
            session_key=secrets.token_urlsafe(32),
        )


class Home:
    """The paths inside the folder, and the lock that keeps two starts apart.

    :param root: the folder; it need not exist yet.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.postgres = self.root / "postgres"
        self.airflow = self.root / "airflow"
        self.logs = self.root / "logs"
        self.environment = self.root / "env"
        self.passwords = self.root / "passwords.json"
        self._secrets_file = self.root / "secrets.json"
        self._lock_file = self.root / "lock"

    def prepare(self) -> Secrets:
        """Make the folders and the secrets that are missing; return the secrets.

        :raises LocalError: when the secrets cannot be read.
        """
        for folder in (self.airflow, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
        if not self._secrets_file.exists():
            write_private(self._secrets_file, json.dumps(asdict(Secrets.generate())))
        try:
            found = Secrets(**json.loads(self._secrets_file.read_text()))
        except (ValueError, TypeError) as error:
            raise LocalError(
                f"{self._secrets_file} is damaged. Run make clean, which removes all of this demo's state."
            ) from error
        write_private(self.passwords, json.dumps({ADMIN: found.admin_password}))
        return found

    def lock(self) -> int:
        """Claim the folder for this process; return the open descriptor that holds the claim.

        The system gives the claim up when the last process that holds the descriptor ends, however
        it ends.

        :raises LocalError: when another start has it.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode().strip()
            os.close(descriptor)
            raise LocalError(
                f"A demo is already running here{f' (process {holder})' if holder else ''}: "
                "use it, or end it with Ctrl-C in its terminal and try again."
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        return descriptor

    def remove(self) -> None:
        """Delete the folder with all it holds."""
        shutil.rmtree(self.root)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in one step."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
    draft.replace(path)
