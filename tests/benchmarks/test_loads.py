"""What ``make bench`` rests on, at sizes that take no time; no test here looks at a clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import requests

from benchmarks import __main__ as bench
from benchmarks import loads, pace
from benchmarks.canned import World
from benchmarks.figures import Figure, Sheet, keep
from benchmarks.network import Network, serving
from benchmarks.server import Server, running

_WORLD = World(rows=2_000, days=10, campaigns=30, coupons=40)


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with serving(_WORLD) as found:
        yield found


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as found:
        yield found


class _Reader:
    """Reads the canned network as Admitad's documentation says."""

    def __init__(self, network: Network) -> None:
        self._base = f"{network.url}/admitad"
        self._session = requests.Session()
        self._session.trust_env = False
        answer = self._session.post(f"{self._base}/token/", auth=("id", "secret"), data={}).json()
        self._session.headers["Authorization"] = f"Bearer {answer['access_token']}"

    def actions(self, first: str, last: str, step: int = 500) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        while True:
            query = {"date_start": first, "date_end": last, "limit": str(step), "offset": str(len(rows))}
            body = self._session.get(f"{self._base}/statistics/actions/", params=query).content
            page = msgspec.json.decode(body)
            rows += page["results"]
            if len(rows) >= page["_meta"]["count"]:
                return rows


def test_the_canned_network_shows_each_purchase_once_on_its_day_however_it_is_paged(network: Network) -> None:
    network.become("first")
    reader = _Reader(network)
    rows = reader.actions("28.02.2026", "31.03.2026")
    assert len({row["action_id"] for row in rows}) == len(rows) == _WORLD.rows
    assert len({row["positions"][0]["id"] for row in rows if row["positions"]} - {0}) > _WORLD.rows / 2  # type: ignore[index]
    assert [str(row["action_date"]) for row in rows] == sorted(str(row["action_date"]) for row in rows)
    assert rows == reader.actions("28.02.2026", "31.03.2026", step=333)
    one_day = reader.actions("04.03.2026", "04.03.2026")
    assert one_day == [row for row in rows if str(row["action_date"]).startswith("2026-03-04")]
    assert len(one_day) == _WORLD.per_day


def test_one_row_in_a_hundred_changes_in_status_amount_and_time(network: Network) -> None:
    reader = _Reader(network)
    network.become("first")
    before = {row["action_id"]: row for row in reader.actions("01.03.2026", "10.03.2026")}
    network.become("changed")
    after = {row["action_id"]: row for row in reader.actions("01.03.2026", "10.03.2026")}
    changed = [key for key in before if before[key] != after[key]]
    assert len(changed) == _WORLD.rows / 100
    for key in changed:
        names = {name for name in before[key] if before[key][name] != after[key][name]}
        assert {"status", "status_updated"} <= names <= {"status", "status_updated", "payment"}
        assert str(after[key]["status_updated"]) > str(before[key]["status_updated"])


def test_without_a_token_nothing_is_shown(network: Network) -> None:
    answer = requests.get(f"{network.url}/admitad/statistics/actions/")
    assert answer.status_code == 401


def test_our_loads_store_what_the_network_shows_and_say_what_they_cost(
    server: Server, network: Network
) -> None:
    found = list(loads.ours(server, network))
    assert [load.what for load in found] == [loads.FIRST, loads.AGAIN, loads.CHANGED]
    for load in found:
        assert load.rows == _WORLD.rows
        assert min(load.usage.cpu, load.usage.memory, load.cost.wal) > 0


def test_a_load_that_stores_something_else_is_no_figure(
    server: Server, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = network.served

    def one_more() -> object:
        served = told()
        return replace(served, rows=served.rows + 1)

    monkeypatch.setattr(network, "served", one_more)
    with pytest.raises(loads.WrongLoadError, match="instead of 2001 rows"):
        list(loads.ours(server, network))


@pytest.mark.prove
@pytest.mark.skipif(not loads.DLT_PYTHON.exists(), reason="dlt is installed by `make bench` alone")
def test_dlt_loads_the_same(server: Server, network: Network) -> None:
    found = list(loads.dlt(server, network))
    assert [load.rows for load in found] == [_WORLD.rows] * 3


def test_a_trip_at_the_networks_pace_reads_everything_and_counts_its_calls(server: Server) -> None:
    trip = pace.Trip("windows", World(rows=14 * 20, days=14, delay=0.01), goal=None)
    units, served = pace.travel(server, trip)
    assert units == len(served.pages) == 2


def test_figures_are_kept_as_json(tmp_path: Path) -> None:
    sheet = Sheet("loads", ("s", "rows"), [("ours", [1.5, 3])])
    keep({"cores": 2}, {"loads": [sheet, Figure("load", 1.5, "s")]}, tmp_path / "build" / "bench.json")
    kept = json.loads((tmp_path / "build" / "bench.json").read_text())
    assert kept["parts"]["loads"][0]["lines"] == [["ours", [1.5, 3]]]
    assert kept["parts"]["loads"][1]["name"] == "load"


def test_a_part_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(SystemExit, match=r"no part 'speed'.*loads"):
        bench.main(["speed"])
