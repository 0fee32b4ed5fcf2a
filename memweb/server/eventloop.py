"""The reactor, on uvloop's event loop where that is installed. The package imports it before anything of Daphne's.

uvloop reads and writes sockets in C: half the cost of a live frame. Windows has none; the standard loop does as well.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import asyncioreactor

if "twisted.internet.reactor" not in sys.modules:
    try:
        import uvloop as loops
    except ImportError:
        import asyncio as loops  # type: ignore[no-redef]
    asyncioreactor.install(loops.new_event_loop())  # type: ignore[no-untyped-call]

import daphne.server  # noqa: F401  (keeps the reactor it finds)
from twisted.internet import reactor as _reactor

reactor: Any = _reactor
