"""Property tests of the speech core: no time limit per example on a busy machine, nothing written beside the tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "speech", deadline=None, database=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("speech")
