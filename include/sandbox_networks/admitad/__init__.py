"""The sandbox's Admitad: token endpoint, websites, campaigns, coupons and single actions.

Rooms: ``options``, ``answers`` (error bodies, envelopes), ``tokens``, ``catalogue`` (campaigns and coupons),
``life`` (what happens to an action and when), ``days`` (the actions of a day, found and ordered), ``rows``
(their JSON), ``actions`` (ranges, pages, sums), ``queries`` (parameters), ``network`` (the endpoints).
"""
