"""Who asked for a run, and whether they may use every account.

A task knows the name of who asked and nothing more: Airflow's auth manager answers in the api-server only.
"""

from __future__ import annotations

from airflow.sdk.configuration import conf
from airflow.utils.platform import getuser


def is_trusted(user: str | None) -> bool:
    """Tell whether a person may use every account without a grant.

    Admins may: those of ``[data_sync] admins``, and where Airflow's simple auth manager is in use, its
    admins. So may whoever has a shell as the user that Airflow runs as (the ``airflow`` command names that
    user), and Airflow itself, whose runs name nobody.
    """
    return user is None or user in _admins() or everybody_is_admin()


def _admins() -> set[str]:
    named = conf.get("data_sync", "admins", fallback="") or ""
    found = {name.strip() for name in named.split(",") if name.strip()}
    found.add(getuser())
    if _is_simple():
        pairs = (conf.get("core", "simple_auth_manager_users", fallback="") or "").split(",")
        found |= {name.strip() for name, _, role in (pair.partition(":") for pair in pairs)
                  if role.strip().lower() == "admin"}  # fmt: skip
    return found


def _is_simple() -> bool:
    return "SimpleAuthManager" in (conf.get("core", "auth_manager", fallback="") or "SimpleAuthManager")


def everybody_is_admin() -> bool:
    """Tell whether Airflow's simple auth manager lets everybody do everything."""
    return _is_simple() and bool(conf.getboolean("core", "simple_auth_manager_all_admins", fallback=False))
