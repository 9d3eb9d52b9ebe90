"""Whether the installation is sound: how its parts stand, and which settings are wrong, each with its fix.

``GET /sync/settings`` and ``data-sync status`` show the same. A part that cannot be read says so and takes
no other down. No secret, address or path is part of what is found.
"""

from data_sync.checkup.advice import Advice, Severity
from data_sync.checkup.report import Report, Versions, make_report

__all__ = ["Advice", "Report", "Severity", "Versions", "make_report"]
