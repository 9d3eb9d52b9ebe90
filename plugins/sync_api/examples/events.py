"""Of live events."""

from __future__ import annotations

from typing import Any

STEP: dict[str, Any] = {
    "log_id": 1204, "unit_index": 0, "kind": "purchases", "label": "1 to 7 Mar", "status": "processing",
    "reason": None, "waiting_until": None, "tries": 1, "pages": 3, "items_expected": 2140, "requests": 4,
    "waited_seconds": 0.6, "rows_read": 1500, "rows_inserted": 1500, "rows_updated": 0, "rows_unchanged": 0,
    "rows_outdated": 0, "rows_rejected": 0, "rows_vanished": 0, "is_complete": False,
    "started_at": "2026-03-08T01:00:04Z", "finished_at": None,
}  # fmt: skip

EXAMPLES: dict[str, Any] = {
    "StepProgress": STEP,
    "StreamReady": {"is_whole": True, "by": "listening"},
    "StreamEnd": {"code": "time-over", "detail": "This stream has had its time: connect again."},
}
