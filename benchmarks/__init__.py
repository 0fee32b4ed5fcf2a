"""Measurements, each against a peer or a limit in the same run. They print ratios; they are not tests."""
