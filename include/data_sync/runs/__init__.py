"""One DAG run, from the moment it asks to start until everything about it is settled."""
