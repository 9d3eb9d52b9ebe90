"""Naive local times, as most networks print them, from and to epoch seconds.

A network's zone decides its calendar days and the clock times in its rows. Formatting is on the hot path
of every row, so the part of a time above the quarter of an hour is remembered: all zones in use today
change their offset on such a boundary.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sandbox_networks.settings import SettingsError

_QUARTER = 900
_SECONDS = tuple(f"{second:02d}" for second in range(60))


class Zone:
    """One time zone, by its IANA name.

    :raises SettingsError: when there is no such zone.
    """

    def __init__(self, name: str) -> None:
        """Read the zone from the system or the tzdata package."""
        try:
            self._zone = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise SettingsError(
                f"{name!r} is not a time zone: write an IANA name such as Europe/Moscow."
            ) from error
        self._minutes = lru_cache(maxsize=65_536)(self._read_minutes)

    def _read_minutes(self, quarter: int) -> tuple[str, ...]:
        local = datetime.fromtimestamp(quarter * _QUARTER, self._zone)
        return tuple(f"{local:%Y-%m-%d %H}:{local.minute + minute:02d}:" for minute in range(15))

    def text(self, epoch: int) -> str:
        """Write an instant as local ``YYYY-MM-DD HH:MM:SS``."""
        return self._minutes(epoch // _QUARTER)[epoch % _QUARTER // 60] + _SECONDS[epoch % 60]

    def day(self, epoch: int) -> int:
        """Find the local calendar day of an instant, as a proleptic ordinal."""
        return datetime.fromtimestamp(epoch, self._zone).toordinal()

    def midnight(self, ordinal: int) -> int:
        """Find the instant at which a local calendar day starts."""
        day = date.fromordinal(ordinal)
        return int(datetime(day.year, day.month, day.day, tzinfo=self._zone).timestamp())

    def day_length(self, ordinal: int) -> int:
        """Count the seconds of a local calendar day: 23 or 25 hours when the clocks change."""
        return self.midnight(ordinal + 1) - self.midnight(ordinal)

    def instant(self, local: datetime, *, latest: bool = False) -> int:
        """Turn a naive local time into an instant.

        :param latest: which of the two instants to take for a time that exists twice.
        """
        aware = local.replace(tzinfo=self._zone, fold=int(latest))
        return int((aware - datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))) / timedelta(seconds=1))
