"""Pages about people: the door, and the settings."""

from memweb.accounts.views.door import locked_out, sign_in, sign_in_link, sign_out, sign_up, welcome
from memweb.accounts.views.preferences import (
    forget_everywhere,
    gateway,
    gateway_trial,
    password,
    people,
    person_link,
    preference,
    settings_page,
)

__all__ = [
    "forget_everywhere",
    "gateway",
    "gateway_trial",
    "locked_out",
    "password",
    "people",
    "person_link",
    "preference",
    "settings_page",
    "sign_in",
    "sign_in_link",
    "sign_out",
    "sign_up",
    "welcome",
]
