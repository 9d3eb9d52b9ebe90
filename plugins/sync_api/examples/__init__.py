"""An example of each body and answer by the name of its schema, for the document.

A test checks each of them against its schema, and that no operation is without one.
"""

from __future__ import annotations

from typing import Any

from sync_api.examples import events, figures, logs, manual, networks, schedules, settings

#: Put into the finished document: FastAPI takes every ``null`` out of those that stand at a model.
EXAMPLES: dict[str, Any] = {
    **schedules.EXAMPLES,
    **manual.EXAMPLES,
    **logs.EXAMPLES,
    **events.EXAMPLES,
    **figures.EXAMPLES,
    **networks.EXAMPLES,
    **settings.EXAMPLES,
}
