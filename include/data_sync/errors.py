"""The tree of errors that this package raises towards people.

::

    DataSyncError
    ├── ConfigError          a setting, a schedule or a command is wrong; the message says what to write
    │   ├── ScheduleMissingError   there is no schedule of that key
    │   ├── ScheduleExistsError    the key is taken by another schedule of the screens
    │   ├── ScheduleReadOnlyError  the schedule is kept in ``schedules.yaml`` and changed there only
    │   └── ScheduleChangedError   somebody else has changed the schedule since it was looked at
    ├── DatabaseError        the database ``data_sync`` cannot be reached or is behind its migrations
    ├── AirflowUnreachableError  Airflow's metadata database cannot be reached from this process
    ├── AccountRefusedError  an account cannot be used: wrong connection type, or not by this author
    │   └── AccountMissingError  there is no Airflow connection of that id
    ├── SecretsUnavailableError  a secrets backend does not answer, so nobody knows whether one exists
    ├── TooManyRejectedError  too many of the rows that a network sent cannot be stored truthfully
    ├── StepTakenError       another process has taken over this unit of work
    └── UnitCancelledError   somebody has asked that this unit of work ends

Errors of networks have their own tree in :mod:`network_clients.errors`.
"""

from __future__ import annotations


class DataSyncError(Exception):
    """Say what went wrong and what to do, in one or two plain sentences."""


class ConfigError(DataSyncError):
    """Raised when a setting, a schedule or the words of a command are wrong."""


class ScheduleMissingError(ConfigError):
    """Raised when there is no schedule of a key, or it has been deleted."""


class ScheduleExistsError(ConfigError):
    """Raised when a schedule is to be made whose key another one of the screens has."""


class ScheduleReadOnlyError(ConfigError):
    """Raised when a schedule that is kept in ``schedules.yaml`` is to be changed anywhere else."""


class ScheduleChangedError(ConfigError):
    """Raised when a schedule is to be changed from an older revision than the one that it has."""


class DatabaseError(DataSyncError):
    """Raised when the database ``data_sync`` cannot be reached, or its tables are not up to date."""


class AirflowUnreachableError(DataSyncError):
    """Raised where Airflow's metadata database cannot be reached: in tasks, and on machines without it."""


class AccountRefusedError(DataSyncError):
    """Raised when an account cannot be used: of the wrong type, missing, or not by the author of a run."""


class AccountMissingError(AccountRefusedError):
    """Raised when there is no Airflow connection of the account's id."""


class SecretsUnavailableError(DataSyncError):
    """Raised when a connection was not found while a secrets backend did not answer: it may exist."""


class TooManyRejectedError(DataSyncError):
    """Raised at the end of a unit of which too many rows had to be set aside; all others are stored."""


class StepTakenError(DataSyncError):
    """Raised when another process has taken over a unit of work: this one must stop without a trace."""


class UnitCancelledError(DataSyncError):
    """Raised when somebody has asked that a unit of work ends: what it has stored stays."""

    def __init__(self, who: str) -> None:
        self.who = who
        super().__init__(f"cancelled by {who}")
