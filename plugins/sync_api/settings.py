"""Settings: how the installation stands, and what is set wrongly."""

from __future__ import annotations

from data_sync.checkup import Report, Versions, make_report
from data_sync.checkup.workers import note_on_workers
from data_sync.looking.installation import Tables
from data_sync.schema import REVISION
from network_clients import registry
from sync_api.access import SettingsReader
from sync_api.room import Tables as OurTables
from sync_api.room import room
from sync_api.shapes.settings import (
    AirflowDatabase,
    InstalledVersions,
    NetworkClientInfo,
    NetworkPool,
    OwnDagState,
    PackageVersion,
    QueueDepth,
    Service,
    Settings,
    SettingsProblem,
    SyncDatabase,
    UnreadablePart,
    Workers,
)

router = room("", "Settings")


@router.get("/settings")
def get_settings(caller: SettingsReader, db: OurTables) -> Settings:
    """Say how Airflow and our database stand, and what is set wrongly, each with its fix.

    It answers also while the database data_sync is away; parts that cannot be read say why.
    """
    found = make_report(db)
    return Settings(
        checked_at=found.checked_at,
        is_sound=found.is_sound,
        problems=[SettingsProblem(**vars(advice)) for advice in found.advice],
        unreadable=[UnreadablePart(part=part, reason=why) for part, why in found.unreadable.items()],
        executors=list(found.executors),
        services=None if found.services is None else [Service(**vars(one)) for one in found.services],
        workers=_workers(found),
        queue=QueueDepth(**vars(found.queue)) if found.queue else None,
        pools=_pools(found),
        own_dags=None if found.own_dags is None else [OwnDagState(**vars(dag)) for dag in found.own_dags],
        import_errors=found.import_errors,
        database=_database(found.tables) if found.tables else None,
        airflow_database=_airflow_database(found),
        versions=_versions(found.versions),
    )


def _workers(found: Report) -> Workers | None:
    if found.workers is None:
        return None
    return Workers(**vars(found.workers), note=note_on_workers(found.executors))


def _pools(found: Report) -> list[NetworkPool] | None:
    if found.pools is None:
        return None
    pools = []
    for slug in registry.all_networks():
        facts = registry.facts_of(slug)
        use = found.pools.get(facts.pool)
        values = vars(use) if use else {"slots": None, "running": 0, "queued": 0, "scheduled": 0}
        pools.append(
            NetworkPool(
                name=facts.pool,
                network=slug,
                exists=use is not None,
                usual_slots=facts.max_parallel,
                **values,
            )
        )
    return pools


def _database(tables: Tables) -> SyncDatabase:
    same = ("revision", "server_version", "clock", "schedules", "schedules_with_problems", "open_runs")
    return SyncDatabase(
        **{name: getattr(tables, name) for name in same},
        needed_revision=REVISION,
        file_taken_over_at=tables.mirrored_at,
    )


def _airflow_database(found: Report) -> AirflowDatabase | None:
    if (metadata := found.airflow_database) is None:
        return None
    return AirflowDatabase(
        revision=metadata.revision, needed_revision=metadata.needed, server_version=metadata.server_version
    )


def _versions(versions: Versions) -> InstalledVersions:
    return InstalledVersions(
        data_sync=versions.data_sync,
        airflow=versions.airflow,
        python=versions.python,
        packages=[PackageVersion(name=name, version=number) for name, number in versions.packages.items()],
        networks=[
            NetworkClientInfo(network=slug, limits_verified=day) for slug, day in versions.networks.items()
        ],
    )
