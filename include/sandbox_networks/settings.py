"""What can be chosen about the sandbox: plain data that also comes from a JSON file or the command line."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

T = TypeVar("T")

RowsPerDay = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
"""How many purchases happen on one day, for one account of one network."""


class SettingsError(ValueError):
    """A setting cannot be used; its text says which one and why."""


class SandboxSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that is fixed when the sandbox starts; the rest is changed through ``/_admin``.

    The same settings, clock and faults give the same rows in any process.
    """

    seed: int = 7
    """Another seed is another world."""
    rows_per_day: RowsPerDay = 60
    first_day: date = date(2025, 1, 1)
    """The first calendar day that has rows; the last one is the clock's today."""
    now: datetime | None = None
    """Where the clock stands still from the start (with a zone); ``None``: it shows the real time."""
    networks: tuple[str, ...] | None = None
    """Slugs of the networks to serve; ``None`` for all."""
    enforce_limits: bool = True
    """Whether a call over a network's limit is refused; violations are counted either way."""
    options: dict[str, dict[str, Any]] = {}
    """Per network slug: its own options, such as ``{"admitad": {"zone": "UTC"}}``."""

    def __post_init__(self) -> None:
        """Refuse what no type can rule out.

        :raises SettingsError: for a clock without a zone, or days before 2010, which have no ids.
        """
        if self.first_day.year < 2010:
            raise SettingsError("The sandbox's first day must be in 2010 or later.")
        if self.now is not None and self.now.tzinfo is None:
            raise SettingsError(
                "The sandbox clock needs a time zone: write 2026-03-10T12:00:00Z, for instance."
            )


def load_settings(path: Path) -> SandboxSettings:
    """Read settings from a JSON file.

    :raises SettingsError: when the file cannot be read or holds something else than settings.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=SandboxSettings)
    except (OSError, msgspec.DecodeError) as error:
        raise SettingsError(f"The settings file {path.name} cannot be used: {error}") from error


def changed_settings(settings: SandboxSettings, **changes: Any) -> SandboxSettings:
    """Copy settings with some fields changed.

    :raises SettingsError: for an unknown field or a value that it cannot have.
    """
    try:
        return msgspec.convert(msgspec.structs.asdict(settings) | changes, SandboxSettings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"A setting of the sandbox cannot be used: {error}") from error


def read_options(kind: type[T], slug: str, settings: SandboxSettings) -> T:
    """Turn the options of one network into its own options class.

    :raises SettingsError: for an unknown name or a value of the wrong type.
    """
    try:
        return msgspec.convert(settings.options.get(slug, {}), type=kind)
    except msgspec.ValidationError as error:
        raise SettingsError(f"The options of the sandbox network {slug} cannot be used: {error}") from error
