"""The catalogue: every schedule in one table, whichever source owns it.

A key may stand in both sources, git (YAML) and the screens (Postgres): then YAML wins, the clash is shown,
and the other one comes back when the YAML entry goes. ``mirror`` takes the file over, ``stored`` reads,
``editing`` changes what the screens own, ``exchange`` moves schedules from one source to the other,
``permissions`` shows which accounts they cannot use, ``switches`` keeps the pause of one key from the next,
``belonging`` what was done under it.
"""

from data_sync.catalogue.mirror import mirror_yaml
from data_sync.catalogue.stored import StoredSchedule, find, list_schedules

__all__ = ["StoredSchedule", "find", "list_schedules", "mirror_yaml"]
