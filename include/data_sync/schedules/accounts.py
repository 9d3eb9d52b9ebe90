"""How a schedule names the accounts that it reads: ``admitad`` or ``admitad:shop2``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from data_sync.schedules.words import RefusedValueError, shown

#: The name of a network's account when a schedule names the network alone.
DEFAULT_NAME = "default"

SLUG_PATTERN = r"[a-z0-9]+"
NAME_PATTERN = r"[a-z0-9][a-z0-9_-]{0,49}"
_WORD = re.compile(rf"({SLUG_PATTERN})(?::({NAME_PATTERN}))?")
_CONN_ID = re.compile(rf"({SLUG_PATTERN})_({NAME_PATTERN})")


@dataclass(frozen=True, order=True)
class AccountRef:
    """One account of a network, by the network's slug and the account's name.

    A slug has no underscore, so that connection ids and group ids lead back to one account only.
    """

    network: str
    name: str = DEFAULT_NAME

    @classmethod
    def parse(cls, word: object) -> AccountRef:
        """Read ``admitad`` or ``admitad:shop2``; ``admitad:default`` is the same as ``admitad``.

        :raises RefusedValueError: for anything else.
        """
        match = _WORD.fullmatch(word) if isinstance(word, str) else None
        if match is None:
            raise RefusedValueError(f"{shown(word)} does not name an account", _instead_of(word))
        return cls(match[1], match[2] or DEFAULT_NAME)

    @classmethod
    def from_conn_id(cls, conn_id: str) -> AccountRef:
        """Read an Airflow connection id such as ``admitad_shop2``.

        :raises RefusedValueError: for an id that cannot belong to an account.
        """
        network, _, name = conn_id.partition("_")
        return cls.parse(f"{network}:{name}")

    @classmethod
    def from_group_id(cls, group_id: str) -> AccountRef:
        """Read a task group's id such as ``admitad`` or ``admitad__shop2``.

        :raises RefusedValueError: for an id that cannot belong to an account.
        """
        network, separator, name = group_id.partition("__")
        return cls.parse(f"{network}:{name}" if separator else network)

    @property
    def conn_id(self) -> str:
        """The Airflow connection that holds the account's credentials; the account's key in all tables."""
        return f"{self.network}_{self.name}"

    @property
    def group_id(self) -> str:
        """The task group of this account in a schedule's DAG."""
        return self.network if self.name == DEFAULT_NAME else f"{self.network}__{self.name}"

    def __str__(self) -> str:
        """Return the word that a schedule names the account by."""
        return self.network if self.name == DEFAULT_NAME else f"{self.network}:{self.name}"


def _instead_of(word: object) -> str:
    if isinstance(word, str) and (match := _CONN_ID.fullmatch(word)):
        return f"write {AccountRef(match[1], match[2])}"
    return (
        "write a network such as admitad, or a network and one of its accounts such as admitad:shop2, in "
        "lower-case letters and digits"
    )
