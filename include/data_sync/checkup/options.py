"""Airflow's options as this process sees them; the other services may have others."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from airflow.configuration import conf

from data_sync.dag.files import content_of, digest_of, schedules_file
from data_sync.schedules.yaml_text import Content

_FERNET_BYTES = 32
#: Words that stand in examples, and keys that are too short to be random.
_WEAK = ("secret", "changeme", "password", "airflow", "temporary")
_SHORT = 16


def executors() -> tuple[str, ...]:
    """Return the names of the executors, in the order of the option."""
    named = conf.get("core", "executor", fallback="") or ""
    return tuple(word.strip().rpartition(".")[2] for word in named.split(",") if word.strip())


def seconds(section: str, option: str, usual: float) -> float:
    """Return an option that is a number of seconds."""
    return float(conf.getfloat(section, option, fallback=usual))


def fernet_keys_are_good() -> bool:
    """Tell whether connections are encrypted: there is a key, and each is one."""
    keys = [key.strip() for key in (conf.get("core", "fernet_key", fallback="") or "").split(",")]
    return all(_is_fernet_key(key) for key in keys)


def _is_fernet_key(key: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(key.encode())) == _FERNET_BYTES
    except (binascii.Error, ValueError):
        return False


def unset_secrets() -> list[str]:
    """Return the options of secrets that are not set, so that each process makes up its own."""
    return [
        f"[{section}] {option}"
        for section, option in (("api", "secret_key"), ("api_auth", "jwt_secret"))
        if not _is_set(section, option) and not (option == "jwt_secret" and _has_key_pair())
    ]


def weak_secrets() -> list[str]:
    """Return the options of secrets that somebody could guess."""
    return [
        f"[{section}] {option}"
        for section, option in (("api", "secret_key"), ("api_auth", "jwt_secret"))
        if _is_set(section, option) and _is_weak(conf.get(section, option, fallback="") or "")
    ]


def _is_weak(secret: str) -> bool:
    return 0 < len(secret) < _SHORT or secret.lower().strip("_-0123456789") in _WEAK


def _is_set(section: str, option: str) -> bool:
    """Tell whether somebody has set an option, in whichever way: Airflow makes up what nobody has."""
    return (conf.get(section, option, fallback="") or "") not in ("", conf.get_default_value(section, option))


def _has_key_pair() -> bool:
    return bool(conf.get("api_auth", "jwt_private_key_path", fallback=""))


def metadata_driver() -> str:
    """Return the driver of Airflow's database, such as ``postgresql+psycopg2``."""
    return (conf.get("database", "sql_alchemy_conn", fallback="") or "").partition("://")[0]


def schedules_here() -> tuple[str, int] | None:
    """Return hash and revision of the ``schedules.yaml`` that this machine has, where it has one."""
    folder = conf.get("core", "dags_folder", fallback="")
    if not folder:
        return None
    content = content_of(schedules_file(str(Path(folder, "quick_sync.py"))))
    return (digest_of(content), content.revision) if isinstance(content, Content) else None
