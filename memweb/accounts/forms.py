"""What people type about themselves, read and refused in words."""

from __future__ import annotations

import unicodedata
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError

from memweb import addresses
from memweb.accounts.choices import DETECT, LANGUAGES, PAUSES, PROVIDERS
from memweb.accounts.models import Preferences, User


def plain_name(value: str) -> str:
    """A name without anything invisible: control characters, bidi marks, lone surrogates. Raises ValidationError."""
    name = unicodedata.normalize("NFKC", value).strip()
    if not name or any(unicodedata.category(mark)[0] == "C" for mark in name):
        raise ValidationError("Use letters, digits, spaces and simple marks for a name.")
    return name


class NameField(forms.CharField):
    """A name for a person or a thing: one line, nothing invisible in it."""

    def __init__(self, max_length: int = 150, **options: Any) -> None:
        super().__init__(max_length=max_length, **options)

    def clean(self, value: Any) -> str:
        """The name, normalised."""
        return plain_name(super().clean(value))


class PersonForm(forms.Form):
    """A further user."""

    name = NameField()

    def clean_name(self) -> str:
        """Refuse a name that is taken, in any case of letters."""
        name: str = self.cleaned_data["name"]
        if User.objects.filter(username__iexact=name).exists():
            raise ValidationError("Somebody already has this name. Choose another.")
        return name


class PasswordForm(forms.Form):
    """A new password; the old one as well, where there is one."""

    old = forms.CharField(required=False, strip=False)
    password = forms.CharField(strip=False, max_length=1024)

    def __init__(self, data: Any = None, *, user: User) -> None:
        super().__init__(data)
        self.user = user

    def clean_old(self) -> str:
        """The current password, checked; nothing to check while none is set."""
        old: str = self.cleaned_data["old"]
        if self.user.has_usable_password() and not self.user.check_password(old):
            raise ValidationError("This is not the current password.")
        return old

    def clean_password(self) -> str:
        """The new password, if it is hard enough to guess."""
        password: str = self.cleaned_data["password"]
        password_validation.validate_password(password, self.user)
        return password


class RegistrationForm(PersonForm):
    """Signing up, where the owner has opened that."""

    password = forms.CharField(strip=False, max_length=1024)

    def clean(self) -> dict[str, Any]:
        """Judge the password knowing the name."""
        data = super().clean() or {}
        if "password" in data and "name" in data:
            try:
                password_validation.validate_password(data["password"], User(username=data["name"]))
            except ValidationError as error:
                self.add_error("password", error)
        return data


class PreferencesForm(forms.ModelForm[Preferences]):
    """Choices that are saved as they are made."""

    provider = forms.ChoiceField(choices=PROVIDERS, required=False)
    language = forms.ChoiceField(choices=(DETECT, *LANGUAGES), required=False)
    pause_after = forms.TypedChoiceField(choices=PAUSES, coerce=int)

    class Meta:
        model = Preferences
        fields = (
            "provider", "language", "even_loudness", "remove_noise", "cancel_echo", "pause_after", "single_keys",
            "second_pass",
        )  # fmt: skip


class GatewayForm(forms.Form):
    """Another gateway's address and key."""

    url = forms.CharField(
        max_length=200, error_messages={"required": "Type the address first, as https://speech.example.org."}
    )
    key = forms.CharField(max_length=500, required=False)

    def __init__(self, data: Any = None, *, user: User) -> None:
        super().__init__(data)
        self.user = user

    def clean_url(self) -> str:
        """An http(s) address without user, query or fragment; only the owner may name one inside the network."""
        url: str = self.cleaned_data["url"].strip().rstrip("/")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or parts.scheme not in {"http", "https"} or parts.username or parts.query or parts.fragment:
            raise ValidationError("Write the address as https://speech.example.org, with nothing after it.")
        if not self.user.is_superuser:
            self._look_at(host, port or 443)
        return url

    @staticmethod
    def _look_at(host: str, port: int) -> None:
        """For the sentence's sake: each connection looks anew, since a name may lead elsewhere tomorrow."""
        try:
            addresses.addresses_of(host, port)
        except addresses.Private:
            raise ValidationError(
                "This address is inside the network. Only the owner of this memweb can choose it."
            ) from None
        except addresses.Forbidden as error:
            raise ValidationError(str(error)) from None

    def clean_key(self) -> str:
        """A key as it can travel in a header."""
        key: str = self.cleaned_data["key"].strip()
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ValidationError("A key has letters, digits and simple marks only. Copy it again.")
        return key
