"""The sandbox networks: an HTTP server that behaves like the affiliate networks, without an account.

Rooms: ``settings`` (what can be chosen), ``world`` (seed, clock, days), ``zones`` (naive local times),
``faults`` (misbehaviour on demand), ``traffic`` (request counts, limits, violations), ``network`` (what a
network must bring along), ``gate`` (what every call passes), ``admin`` (the ``/_admin`` path),
``registry`` (the list of networks), ``server`` (the way in); then one folder per network.

To add a network: write a folder with a subclass of :class:`sandbox_networks.network.Network` and name it
in ``registry``. Nothing here imports ``network_clients``: the sandbox is a second, independent reading of
the networks' facts, so that a misreading on one side shows.
"""
