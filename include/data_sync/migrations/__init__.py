"""The tables' history: Alembic's environment and one file per change."""
