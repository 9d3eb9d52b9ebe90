"""What the one-machine set-up raises towards people: one sentence that says what to do."""

from __future__ import annotations

from data_sync.errors import DataSyncError


class LocalError(DataSyncError):
    """Raised when this machine is not ready: a taken port, a running demo, a service that fails."""
