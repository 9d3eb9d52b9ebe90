"""An example of your own DAG: it starts when an Admitad read was complete, and reads the fresh rows.

Airflow starts it through the asset that a sync announces; the rows come through the Postgres provider.
"""

from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import DAG, task

from data_sync.assets import asset_of
from data_sync.database import connection_id

QUERY = """
SELECT status, commission_currency, count(*) AS rows, sum(commission) AS commission
FROM data_sync.purchases
WHERE account = 'admitad_default' AND vanished_at IS NULL
GROUP BY status, commission_currency ORDER BY status, commission_currency
"""


@task
def commission_by_status() -> list[list[str]]:
    """Sum the commission per status and currency."""
    rows = PostgresHook(postgres_conn_id=connection_id()).get_records(QUERY)
    for row in rows:
        print(*row)
    return [[str(value) for value in row] for row in rows]


with DAG(
    dag_id="example_fresh_purchases",
    schedule=[asset_of("admitad_default", "purchases")],
    is_paused_upon_creation=False,
    tags=["data sync", "example"],
) as dag:
    commission_by_status()
