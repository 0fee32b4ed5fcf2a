"""Why a gateway could not be used.

UpstreamError(sentence)
├── Unauthorised         401: the key is missing, wrong or expired
├── Forbidden            403: this account may not do that
├── Refused              400 and other refusals of what was asked
├── InsufficientBalance  402
├── AtCapacity           429, 503: later
└── Unreachable          no answer, or none that makes sense: later

`code` is one of the stable codes of speech.dialects; `retry` says whether another try alone may help. Who
tries again by itself says so; who leaves that to a person says `advice`.
"""

from __future__ import annotations

from memweb import addresses


class UpstreamError(Exception):
    """The gateway could not be used. Its text is a sentence for a person, with a next step."""

    code = "unknown"
    retry = False

    def __init__(self, sentence: str, said: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.said = said
        """The gateway's own words, where it refused what was asked."""

    @property
    def advice(self) -> str:
        """The sentence for who asked just now, and whom nobody spares another try."""
        return f"{self.sentence} Try again in a moment." if self.retry else self.sentence


class Unauthorised(UpstreamError):
    code = "auth"


class Forbidden(UpstreamError):
    code = "auth"


class Refused(UpstreamError):
    code = "input"


class InsufficientBalance(UpstreamError):
    code = "funds"


class AtCapacity(UpstreamError):
    code = "capacity"
    retry = True


class Unreachable(UpstreamError):
    code = "provider"
    retry = True


def for_status(status: int) -> UpstreamError:
    """The error for an HTTP status that is no success."""
    match status:
        case 401:
            return Unauthorised("The gateway does not accept the key. Check it in the settings.")
        case 402:
            return InsufficientBalance(
                "The gateway's balance is used up. Recording goes on. Top it up, then try again."
            )
        case 403:
            return Forbidden("The gateway does not allow streaming with this key. Ask its operator to enable it.")
        case 429 | 503:
            return AtCapacity("The gateway is at capacity. Recording goes on; words follow when there is room.")
        case _ if 400 <= status < 500:
            return Refused(f"The gateway refused the request (status {status}). Check its address in the settings.")
        case _:
            return Unreachable(f"The gateway has a fault of its own (status {status}). Recording goes on.")


NO_SENSE = "The gateway's answer makes no sense. Check its address in the settings."


def for_refusal(status: int, message: str) -> UpstreamError:
    """The error for a request about a file or a stream that was refused; `message` is in the gateway's words."""
    said = f" It says: {message}" if message else ""
    match status:
        case 401:
            return Unauthorised("The gateway does not accept the key. Check it in the settings, then retry.")
        case 402:
            return InsufficientBalance("The gateway's balance is used up. Top it up, then retry.")
        case 403:
            return Forbidden(f"The gateway does not allow this with this key. Ask its operator.{said}")
        case 429 | 503:
            return AtCapacity("The gateway is at capacity.")
        case _ if 400 <= status < 500:
            return Refused(f"The gateway refused this.{said or ' It does not say why.'}", message)
        case _:
            return Unreachable(f"The gateway has a fault of its own (status {status}).")


def for_forbidden(error: addresses.Forbidden) -> UpstreamError:
    """The error for a gateway whose address may not be touched. A name that leads nowhere may lead there again."""
    if isinstance(error, addresses.Unknown):
        return Unreachable(str(error))
    return Refused(f"{error} Choose another gateway in the settings.")
