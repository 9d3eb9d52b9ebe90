"""The REST API under ``/sync``: thin routes over ``data_sync``. The module ``app`` says how to add one."""
