"""Accounts: Airflow connections of a network, who may use them, and how they are missed in words."""

from __future__ import annotations

import json

import pytest

from data_sync import accounts
from data_sync.database import Database
from data_sync.errors import AccountMissingError, AccountRefusedError, SecretsUnavailableError
from tests.data_sync.kit import make_schedule


def allowed(db: Database, account: str, user: str | None, *, trusted: bool = False) -> bool:
    with db.transaction() as cursor:
        refused = accounts.refused_accounts(cursor, [account], user=user, trusted=trusted)
    assert all(name == account and sentence.endswith((".", str(user or "USER"))) for name, sentence in
               refused.items())  # fmt: skip
    return not refused


def test_permissions_are_given_and_taken_back(db: Database) -> None:
    shop = "admitad_shop2"
    assert not allowed(db, shop, "ann")
    assert allowed(db, shop, "ann", trusted=True)
    with db.transaction() as cursor:
        accounts.grant(cursor, shop, "ann", by="admin")
        accounts.grant(cursor, shop, "ann", by="admin")
    assert (allowed(db, shop, "ann"), allowed(db, shop, "bob"), allowed(db, shop, None)) == (
        True,
        False,
        False,
    )
    with db.transaction() as cursor:
        accounts.grant(cursor, shop, "everyone")
        accounts.revoke(cursor, shop, "ann")
    assert (allowed(db, shop, "ann"), allowed(db, shop, "bob")) == (True, True)
    with db.transaction() as cursor:
        accounts.revoke(cursor, shop, "everyone")
        (row,) = accounts.list_accounts(cursor)
    assert not allowed(db, shop, "bob")
    assert (row["network"], row["state"], row["users"]) == ("admitad", "unknown", [])


def test_an_account_that_does_not_exist_is_refused_to_everybody(db: Database) -> None:
    with db.transaction() as cursor:
        accounts.grant(cursor, "admitad_shop2", "ann")
        accounts.mirror(cursor, "admitad_shop2", exists=False)
        for trusted in (True, False):
            refused = accounts.refused_accounts(
                cursor, ["admitad_shop2", "admitad_new"], user="ann", trusted=trusted
            )
            assert "There is no Airflow connection 'admitad_shop2'" in refused["admitad_shop2"]
            # Nobody has looked for the other one yet: it is not missing, but may not be used by everybody.
            assert ("admitad_new" in refused) is not trusted


def test_a_name_that_was_typed_wrong_once_is_not_known_from_then_on(db: Database) -> None:
    with db.transaction() as cursor:
        accounts.mirror(cursor, "admitad_typo", exists=False)
        assert accounts.list_accounts(cursor) == []


def test_an_account_that_never_was_is_forgotten_once_nothing_names_it(db: Database) -> None:
    names = ["admitad_typo", "admitad_named", "admitad_granted", "admitad_gone", "admitad_new"]
    definition = make_schedule(networks=["admitad", "admitad:named"]).to_dict()
    with db.transaction() as cursor:
        accounts.mirror_unknown(cursor, names)
        accounts.grant(cursor, "admitad_granted", "ann")
        accounts.mirror(cursor, "admitad_gone", exists=True)
        for name in names[:4]:
            accounts.mirror(cursor, name, exists=False)
        cursor.execute(
            "INSERT INTO data_sync.sync_schedules (key, source, name, definition, definition_hash) "
            "VALUES ('daily', 'yaml', 'Daily', %s::jsonb, 'x')",
            [json.dumps(definition)],
        )
        assert accounts.forget_unused(cursor) == ["admitad_typo"]
        assert [row["account"] for row in accounts.list_accounts(cursor)] == sorted(names[1:])
        cursor.execute("UPDATE data_sync.sync_schedules SET deleted_at = now()")
        assert accounts.forget_unused(cursor) == ["admitad_named"]
        assert accounts.forget_unused(cursor) == []


def test_what_was_found_is_remembered(db: Database) -> None:
    with db.transaction() as cursor:
        accounts.mirror(cursor, "admitad_default", exists=True)
        accounts.mirror(cursor, "admitad_default", exists=False)
        accounts.mirror_unknown(cursor, ["admitad_default"])
        (row,) = cursor.execute(
            "SELECT state, seen_at IS NOT NULL AS seen FROM data_sync.accounts"
        ).fetchall()
    assert row == {"state": "missing", "seen": True}


def test_credentials_come_from_the_connections_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_ADMITAD_SHOP2",
        '{"conn_type": "affiliate_admitad", "login": "id", "password": "secret", '
        '"extra": {"website_id": 7, "x": null}}',
    )
    found = accounts.load_credentials("admitad_shop2")
    assert dict(found.values) == {"login": "id", "password": "secret", "website_id": "7"}
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("account", "message"),
    [
        ("admitad_nowhere", "There is no Airflow connection 'admitad_nowhere'. Add it under Admin"),
        ("admitad_wrong", "has the type 'http'. Change it to Admitad"),
        ("nosuchnetwork_default", "belongs to no network that this installation knows"),
    ],
)
def test_an_account_that_cannot_be_used_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, account: str, message: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ADMITAD_WRONG", '{"conn_type": "http"}')
    with pytest.raises(AccountRefusedError) as refused:
        accounts.load_credentials(account)
    assert message in str(refused.value)


class SilentVault:
    """A secrets backend whose server does not answer."""

    def get_connection(self, conn_id: str) -> None:
        raise TimeoutError("no answer")


def test_a_secrets_backend_that_does_not_answer_is_not_a_missing_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow.sdk.execution_time import supervisor

    loaded = supervisor.ensure_secrets_backend_loaded()
    monkeypatch.setattr(supervisor, "ensure_secrets_backend_loaded", lambda: [*loaded, SilentVault()])
    with pytest.raises(SecretsUnavailableError, match="SilentVault does not answer"):
        accounts.load_credentials("admitad_nowhere")
    monkeypatch.setattr(supervisor, "ensure_secrets_backend_loaded", lambda: loaded)
    with pytest.raises(AccountMissingError):
        accounts.load_credentials("admitad_nowhere")
