"""The JSON Schema of ``config/schedules.yaml``, made from the model, so that editors help and check.

It knows the words and the shapes. What it cannot know (networks, zones, whether a cron expression
fires) is checked by :mod:`data_sync.schedules.validate`.

Run ``python -m data_sync.schedules.json_schema`` to write ``config/schedules.schema.json`` anew; a test
fails while the committed file differs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from data_sync.schedules.fields import KEY_PATTERN, RESERVED_KEYS
from data_sync.schedules.model import Defaults, Schedule

FILE = Path(__file__).parents[3] / "config" / "schedules.schema.json"
_TIMINGS = (
    ("interval", "cron"),
    ("interval", "times"),
    ("cron", "times"),
    ("interval", "weekdays"),
    ("cron", "weekdays"),
)


def render() -> str:
    """Return the schema as the text of its file."""
    return json.dumps(_schema(), indent=2, ensure_ascii=False) + "\n"


def _schema() -> dict[str, Any]:
    entry = Schedule.model_json_schema(ref_template="#/$defs/{model}")
    defaults = Defaults.model_json_schema(ref_template="#/$defs/{model}")
    shared = {**entry.pop("$defs", {}), **defaults.pop("$defs", {})}
    del entry["properties"]["key"]
    # What an entry leaves out may come from the defaults.
    del entry["required"]
    one_timing = [{"not": {"required": list(pair)}} for pair in _TIMINGS]
    for fields in (entry, defaults):
        fields["allOf"] = one_timing
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Schedules of Affiliate Data Sync",
        "type": "object",
        "additionalProperties": False,
        "required": ["schedules"],
        "properties": {
            "defaults": {"$ref": "#/$defs/Defaults"},
            "schedules": {
                "type": "object",
                "description": "One entry per schedule, by its key: letters a-z, digits, - and _.",
                "propertyNames": {"pattern": f"^{KEY_PATTERN}$", "not": {"enum": [*RESERVED_KEYS]}},
                "additionalProperties": {"$ref": "#/$defs/Schedule"},
            },
        },
        "$defs": {**shared, "Defaults": defaults, "Schedule": entry},
    }


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
