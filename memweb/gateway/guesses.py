"""Wrong keys of the gateway, by address, in this process."""

from __future__ import annotations

from memweb.guesses import Guesses

guesses = Guesses()
