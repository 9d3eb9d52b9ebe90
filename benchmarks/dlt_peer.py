"""A process that loads the same purchases with dlt, set up as fast as was found without loading less.

Run by the interpreter of ``.venv-dlt``. Pages come over the same library, are decoded by msgspec into
typed columns, and reach dlt as pyarrow tables; dlt copies them as parquet files over ADBC and merges them by
upsert on the primary key, leaving rows alone of which no column has changed. Times are times, amounts exact
decimals, the positions of an order JSON text; there is no history and no raw payload.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

os.environ |= {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    "DATA_WRITER__DISABLE_COMPRESSION": "true",
}

import dlt
import msgspec
import pyarrow
import pyarrow.compute
import requests

from benchmarks.usage import report

_PAGE = 500
_ROWS_PER_TABLE = 20_000
_MOMENT = pyarrow.timestamp("us")
_AMOUNT = pyarrow.decimal128(18, 4)
_TYPES = {
    **dict.fromkeys(("id", "action_id", "advcampaign_id", "website_id", "tariff_id"), pyarrow.int64()),
    **dict.fromkeys(("banner_id", "conversion_time", "processed", "paid"), pyarrow.int64()),
    **dict.fromkeys(("status_updated", "action_date", "click_date"), _MOMENT),
    **dict.fromkeys(("payment", "cart"), _AMOUNT),
}
_TEXTS = (
    *("order_id", "status", "closing_date", "currency", "advcampaign_name", "website_name", "action"),
    *("action_type", "promocode", "subid", "subid1", "subid2", "subid3", "subid4", "keyword", "comment"),
    *("click_user_referer", "click_user_ip", "click_country_code", "positions"),
)
_SCHEMA = pyarrow.schema([(name, _TYPES.get(name, pyarrow.string())) for name in (*_TYPES, *_TEXTS)])


def _field_type(name: str) -> Any:
    if name == "positions":
        return msgspec.Raw
    if name in ("payment", "cart"):
        return Decimal | None
    return int if pyarrow.types.is_int64(_SCHEMA.field(name).type) else str | None


_ACTION = msgspec.defstruct("Action", [(name, _field_type(name)) for name in _SCHEMA.names], gc=False)
_DECODER: Any = msgspec.json.Decoder(
    msgspec.defstruct("Envelope", [("results", list[_ACTION]), ("_meta", dict[str, int])])  # type: ignore[valid-type]
)


def pages(url: str, days: tuple[str, str]) -> Iterator[pyarrow.Table]:
    """Read the list to its end; several pages go into one table."""
    session = requests.Session()
    form = {"grant_type": "client_credentials", "scope": "statistics"}
    token = session.post(f"{url}/admitad/token/", auth=("bench-id", "bench-secret"), data=form).json()
    session.headers["Authorization"] = f"Bearer {token['access_token']}"
    query: dict[str, Any] = {"order_by": "datetime", "date_start": days[0], "date_end": days[1]}
    rows: list[Any] = []
    offset, total = 0, 1
    while offset < total:
        place = {"limit": _PAGE, "offset": offset}
        body = session.get(f"{url}/admitad/statistics/actions/", params=query | place).content
        answer = _DECODER.decode(body)
        total = answer._meta["count"]
        offset += len(answer.results)
        rows += answer.results
        if len(rows) >= _ROWS_PER_TABLE or offset >= total:
            yield _table(rows)
            rows = []


def _table(rows: list[Any]) -> pyarrow.Table:
    columns = []
    for field in _SCHEMA:
        values = [getattr(row, field.name) for row in rows]
        if field.type == _MOMENT:
            column = pyarrow.compute.strptime(pyarrow.array(values), "%Y-%m-%d %H:%M:%S", "us")
        elif field.name == "positions":
            column = pyarrow.array([str(value, "utf-8") for value in values], field.type)
        else:
            column = pyarrow.array(values, field.type)
        columns.append(column)
    return pyarrow.Table.from_arrays(columns, schema=_SCHEMA)


def load(order: dict[str, Any]) -> None:
    """Load everything into a Postgres.

    :param order: ``url``, ``database``, ``folder`` for dlt's own files, ``days`` as Admitad writes them.
    """
    resource = dlt.resource(
        pages(order["url"], tuple(order["days"])),
        name="actions",
        primary_key="action_id",
        write_disposition={"disposition": "merge", "strategy": "upsert", "skip_unchanged_rows": True},
    )
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=order["folder"],
        destination=dlt.destinations.postgres(order["database"]),
        dataset_name="affiliate",
    )
    pipeline.run(resource, loader_file_format="parquet").raise_on_failed_jobs()


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    report(lambda: load(asked))
