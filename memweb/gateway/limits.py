"""How many requests an account may make in a minute, before it is told to wait."""

from __future__ import annotations

import math
import time
from collections import OrderedDict

from django.conf import settings

from memweb.gateway.doors import Refused

_MOST_ACCOUNTS = 10_000


class Requests:
    """A bucket for each account: a minute's worth at first, filled again as time goes by. One per process."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[int, tuple[float, float]] = OrderedDict()

    def wait(self, account_id: int, now: float | None = None) -> int:
        """Count one request. Seconds to wait where there were too many, else 0."""
        now = time.monotonic() if now is None else now
        most = float(settings.REQUESTS_PER_MINUTE)
        left, at = self._buckets.pop(account_id, (most, now))
        left = min(most, left + (now - at) * most / 60)
        allowed = left >= 1
        self._buckets[account_id] = (left - allowed, now)
        if len(self._buckets) > _MOST_ACCOUNTS:
            self._buckets.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((1 - left) * 60 / most))


requests = Requests()


def admit(account_id: int) -> None:
    """Count one request. Raises Refused(429), with the time to come again, where there were too many."""
    wait = requests.wait(account_id)
    if wait:
        raise Refused(429, f"This account made too many requests. Try again in {wait} s.", wait)
