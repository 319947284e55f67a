"""When to send the next request: rate limits that are kept evenly, and pauses after a failure.

Pure arithmetic on a clock that the caller reads: nothing here waits.
"""

from __future__ import annotations

import datetime
import math
from email.utils import parsedate_to_datetime


class Pace:
    """Spreads an amount a minute evenly over time: whatever starts delays the next start by its share of a minute.

    In any t seconds at most `per_minute * t / 60` is started, and one more: there are no bursts (the leaky bucket of
    ITU-T I.371, with room for one).

    Args:
        per_minute: requests or tokens; 0 for no limit.
    """

    def __init__(self, per_minute: float) -> None:
        self._seconds = 60 / per_minute if per_minute else 0.0
        self._free = -math.inf

    def take(self, amount: float, now: float) -> float:
        """Reserve the next start, and return when it is."""
        start = max(now, self._free)
        self._free = start + amount * self._seconds
        return start

    def correct(self, amount: float) -> None:
        """What was started turned out to be so much more, or less if negative, than was reserved."""
        self._free += amount * self._seconds

    def hold(self, until: float) -> None:
        """Nothing starts before then."""
        self._free = max(self._free, until)


def backoff(attempt: int, first: float, longest: float, chance: float) -> float:
    """Seconds to wait after a failed attempt, by exponential backoff with full jitter.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog 2015: uniform in
    [0, min(longest, first * 2^attempt)].

    Args:
        attempt: number of the failed attempt, from 0.
        first: bound of the first pause.
        longest: bound of all.
        chance: uniform in [0, 1).
    """
    return chance * min(longest, first * 2.0 ** min(attempt, 64))


def told_to_wait(header: str | None, now: datetime.datetime) -> float:
    """Seconds that a `Retry-After` header asks for (RFC 9110, 10.2.3: seconds or a date); 0 where it says nothing."""
    if header is None:
        return 0.0
    try:
        seconds = float(header)
    except ValueError:
        try:
            date = parsedate_to_datetime(header)
        except ValueError:
            return 0.0
        seconds = (date.replace(tzinfo=date.tzinfo or datetime.UTC) - now).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else 0.0
