"""Daphne, repaired."""
