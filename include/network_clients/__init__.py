"""Clients of affiliate networks: one folder per network behind one small interface.

Nothing here knows Airflow or Postgres. A client is handed its credentials, a limiter and a token
store, asks a network for campaigns, coupons or purchases page by page, and answers with typed records
that keep the network's own payload.
"""
