"""Boostiny: publisher API of its performance reports, campaigns and coupons."""
