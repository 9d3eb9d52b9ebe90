"""The sandbox's Boostiny: campaigns, coupons and two reports, all behind one bare key.

Rooms: ``options``, ``answers`` (envelopes, error bodies), ``campaigns`` (what is on offer, with its coupons),
``listings`` (their JSON), ``sales`` (what happens to one sale and when), ``days`` (the sales of one day,
added up per row), ``reports`` (the rows of a range, in order), ``rows`` (their JSON), ``spoiling`` (bad
rows), ``queries`` (parameters), ``totals``, ``network`` (the endpoints).

The network publishes no documentation that could be read: what is here was seen in several clients of it,
and where they differ or are silent, ``options`` says what is assumed.
"""
