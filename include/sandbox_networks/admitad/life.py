"""What happens to one action, and when: all of it follows from the 48 bytes that were drawn for it.

An action happens, arrives (mostly at once, some hours or days late), may be revised while it is pending, is
decided after 1 to 30 days (approved, declined, or approved_but_stalled), may be settled later (stalled ones
become approved, a few approved ones are declined after all), is paid, and a few vanish. So the state at any
moment is a function of the moment: nothing has to be remembered.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

DRAW = struct.Struct("<8I8H")
"""The random numbers of one action: eight of 32 bits, eight of 16 bits."""

LIFE = struct.Struct("=7I")
"""The moments of one action, packed."""

NEVER = 0xFFFF_FFFF
_HOUR, _DAY = 3_600, 86_400
MAX_LATE_DAYS = 4
MAX_LIFE_DAYS = MAX_LATE_DAYS + 30 + 20 + 40
"""After so many days nothing changes any more, but for rows that vanish earlier."""


def share(percent: float) -> int:
    """Turn a percentage into a bound for a 16-bit random number."""
    return int(percent * 655.36)


_AT_ONCE, _SAME_DAY = share(80), share(94)
_APPROVED, _DECLINED = share(76), share(91)
_REVERSED = share(3)
_VANISHING = share(1.5)
_REVISED = share(8)
_PAID = share(96)


class Draw(NamedTuple):
    """The random numbers of one action, by what they decide."""

    second: int
    wait: int
    payday: int
    cart: int
    click: int
    delay: int
    part: int
    settling: int
    campaign: int
    website: int
    late: int
    fate: int
    odd: int
    gone: int
    shape: int
    code: int


class Life(NamedTuple):
    """The moments of one action in epoch seconds; :data:`NEVER` for what does not happen."""

    action: int
    arrival: int
    revise: int
    decide: int
    settle: int
    paid: int
    vanish: int


def live(draw: Draw, midnight: int, length: int) -> Life:
    """Work out the moments of an action of the day that starts at ``midnight`` and has ``length`` seconds."""
    action = arrival = midnight + (draw.second * length >> 32)
    if draw.late >= _AT_ONCE:
        span = 6 * _HOUR if draw.late < _SAME_DAY else MAX_LATE_DAYS * _DAY
        arrival += 60 + draw.delay % (span - 60)
    decide = arrival + _DAY + draw.wait % (29 * _DAY)
    settle = revise = vanish = paid = NEVER
    if draw.fate >= _DECLINED:
        settle = decide + 3 * _DAY + draw.settling % (17 * _DAY)
    elif draw.fate < _REVERSED:
        settle = decide + 2 * _DAY + draw.settling % (3 * _DAY)
    ends_approved = _REVERSED <= draw.fate < _APPROVED or draw.fate >= _DECLINED
    if ends_approved and draw.payday & 0xFFFF < _PAID:
        paid = (decide if settle == NEVER else settle) + 5 * _DAY + draw.payday % (35 * _DAY)
    if draw.part & 0xFFFF < _REVISED:
        revise = arrival + 60 + draw.part % (decide - arrival - 120)
    if draw.gone < _VANISHING:
        vanish = arrival + 2 * _DAY + draw.delay % (23 * _DAY)
    return Life(action, arrival, revise, decide, settle, paid, vanish)


def status_at(draw: Draw, life: Life, now: int) -> tuple[str, int]:
    """Say the network's word for an action at a moment, and since when it or the amounts stand like that."""
    if now >= life.settle:
        return "declined" if draw.fate < _REVERSED else "approved", life.settle
    if now >= life.decide:
        if draw.fate < _APPROVED:
            return "approved", life.decide
        return "declined" if draw.fate < _DECLINED else "approved_but_stalled", life.decide
    return "pending", life.revise if now >= life.revise else life.arrival
