"""Admitad (Mitgo): publisher API of the Admitad Partner Network."""
