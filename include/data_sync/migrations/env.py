"""Alembic's environment: runs the migrations over a connection that the caller hands in."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table="schema_version", version_table_schema="data_sync")
with context.begin_transaction():
    context.run_migrations()
