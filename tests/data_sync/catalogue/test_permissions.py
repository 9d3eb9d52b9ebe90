"""A schedule of the screens shows that it could not run now: no account, or none that its owner may use."""

from __future__ import annotations

import pytest

from data_sync import accounts, catalogue
from data_sync.catalogue import editing
from data_sync.dag.source import Source
from data_sync.database import Database
from tests.data_sync.catalogue.drawn import revision, schedule
from tests.data_sync.catalogue.parses import built

SHOP = "admitad_shop2"


@pytest.fixture
def mine(db: Database) -> None:
    """A schedule of omar, who is no admin and may use the account."""
    with db.transaction() as cursor:
        accounts.grant(cursor, SHOP, "omar")
        accounts.mirror(cursor, SHOP, exists=True)
        editing.create(cursor, schedule("mine", networks=["admitad:shop2"]), owner="omar", trusted=False)


def problems(db: Database, key: str = "mine") -> list[str]:
    with db.transaction() as cursor:
        found = catalogue.find(cursor, key)
    assert found is not None
    return found.problems


def test_a_connection_that_is_gone_is_shown_before_the_next_run_and_clears_by_itself(
    db: Database, source: Source, mine: None
) -> None:
    assert "mine" in built(source)
    assert source.problems() == problems(db) == []
    with db.transaction() as cursor:
        accounts.mirror(cursor, SHOP, exists=False)
    (shown,) = source.problems()
    assert shown.startswith("schedule mine: There is no Airflow connection 'admitad_shop2'. Add it under")
    assert problems(db) == [shown.removeprefix("schedule mine: ")]
    assert built(source)["mine"] == schedule("mine", networks=["admitad:shop2"]), "its DAG stays"
    with db.transaction() as cursor:
        accounts.mirror(cursor, SHOP, exists=True)
    assert source.problems() == problems(db) == []


def test_a_permission_that_is_taken_back_is_shown_and_clears_when_it_is_given_again(
    db: Database, source: Source, mine: None
) -> None:
    assert source.problems() == []
    with db.transaction() as cursor:
        accounts.revoke(cursor, SHOP, "omar")
    (shown,) = source.problems()
    assert "omar may not use the account admitad_shop2" in shown
    assert "data-sync accounts grant admitad_shop2 omar" in shown
    with db.transaction() as cursor:
        accounts.grant(cursor, SHOP, "everyone")
    assert source.problems() == []
    with db.transaction() as cursor:
        accounts.revoke(cursor, SHOP, "everyone")
    assert source.problems() == [shown]


def test_each_owner_is_judged_alone_and_an_admin_may_use_all(
    db: Database, source: Source, mine: None
) -> None:
    with db.transaction() as cursor:
        editing.create(cursor, schedule("hers", networks=["admitad:shop2"]), owner="anna", trusted=True)
        accounts.revoke(cursor, SHOP, "omar")
    assert len(source.problems()) == 1
    assert (problems(db, "hers"), len(problems(db))) == ([], 1)
    with db.transaction() as cursor:
        accounts.mirror(cursor, SHOP, exists=False)
    assert len(source.problems()) == 2


def test_what_does_not_change_is_not_written(db: Database, source: Source, mine: None) -> None:
    with db.transaction() as cursor:
        accounts.revoke(cursor, SHOP, "omar")
    source.problems()
    before = revision(db)
    for _ in range(3):
        built(source)
        source.problems()
    assert revision(db) == before


def test_an_edit_that_mends_it_clears_it_at_once(db: Database, source: Source, mine: None) -> None:
    with db.transaction() as cursor:
        accounts.mirror(cursor, SHOP, exists=False)
    assert len(source.problems()) == 1
    with db.transaction() as cursor:
        accounts.grant(cursor, "admitad_default", "omar")
        editing.change(cursor, schedule("mine"), revision=1, trusted=False)
    assert problems(db) == []
    assert source.problems() == []
