"""Schedules: what should run when, which days it reads, and the checks of ``config/schedules.yaml``.

Pure Python: it knows neither Airflow nor Postgres. What other rooms use:

- ``model.Schedule``: one definition (``from_dict``, ``to_dict``, ``definition_hash``, ``when``, ``days``);
  it raises ``problems.ScheduleRefusedError`` with every ``problems.Finding``
- ``accounts.AccountRef``: ``admitad:shop2`` with its ``conn_id`` and ``group_id``
- ``yaml_source.read_file``: the schedules and the problems of a YAML file
- ``validate.validate_file``: the problems alone, missing accounts included
- ``timing.When`` and ``timing.next_runs``: cron expressions in a zone, and the ticks to come
- ``date_ranges.resolve``: a named range as days
- ``planning.plan_units`` and ``planning.network_days``: units of work, and days in a network's zone
- ``json_schema.render``: the JSON Schema that editors check the YAML with
"""
