"""Who looks, and what there is for them (law 19)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Viewer:
    """A person.

    :param name: as Airflow writes it; the owner of schedules.
    :param is_admin: whether they see everything.
    """

    name: str
    is_admin: bool = False

    @property
    def values(self) -> dict[str, object]:
        """The parameters of :data:`SEES_SCHEDULE` and :data:`SEES_ACCOUNT`."""
        return {"viewer": self.name, "sees_all": self.is_admin}


def sees_schedule(viewer: str, sees_all: str) -> str:
    """Return the condition under which a person sees a row ``s`` with ``source``, ``owner``, ``definition``.

    Schedules of the screens are seen by their owner, those of git by whom they name; ``?`` finds a word in a
    list and a text that is the word.

    :param viewer: the person's name, in SQL.
    :param sees_all: whether they see everything, in SQL.
    """
    return f"""
({sees_all} OR (s.source = 'postgres' AND s.owner = {viewer})
 OR (s.source = 'yaml' AND (s.definition -> 'visible_to' ? 'everyone'
                            OR s.definition -> 'visible_to' ? {viewer})))
"""


#: The same for one person, with the parameters of :attr:`Viewer.values`.
SEES_SCHEDULE = sees_schedule("%(viewer)s", "%(sees_all)s")

#: A condition on a row ``a`` of accounts: they are seen by whom they were granted to.
SEES_ACCOUNT = """
(%(sees_all)s OR a.everyone OR EXISTS (
    SELECT 1 FROM data_sync.account_grants g WHERE g.account = a.account AND g.grantee = %(viewer)s))
"""
