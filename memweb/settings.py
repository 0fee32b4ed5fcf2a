"""Every setting of memweb, read from the environment once. A bad value is refused by name.

With nothing set, everything lives in one folder beside the code and serves this machine only.
"""

from __future__ import annotations

import base64
import logging
import os
import re
import secrets
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from environs import Env, ValidationError, validate

from memweb.whereabouts import bracketed


class _Environment(Env):
    """The environment. A name that is set to nothing is not set: unit and compose files leave what they lack empty."""

    def _get_value(self, env_key: str, default: Any) -> Any:
        found = super()._get_value(env_key, default)
        return default if found == "" else found


env = _Environment()

BASE_DIR = Path(__file__).resolve().parent.parent
ENVIRONMENT = env.str("MEMWEB_ENV", "local", validate=validate.OneOf(["local", "production"]))
PRODUCTION = ENVIRONMENT == "production"
DEBUG = env.bool("MEMWEB_DEBUG", False)

# One folder for the database, recordings, spools, joined weights and the secret key.
DATA_DIR = Path(env.str("MEMWEB_DATA_DIR", str(BASE_DIR / "data"))).expanduser().resolve()
SPOOL_DIR = DATA_DIR / "spools"
AUDIO_DIR = DATA_DIR / "audio"
ASSET_DIR = DATA_DIR / "assets"
UPLOAD_DIR = DATA_DIR / "uploads"
MODELS_DIR = DATA_DIR / "models"


def _port_number(given: int) -> None:
    if not 1 <= given <= 65535:
        raise ValidationError(f"{given} is not a port. Choose one from 1 to 65535.")


def _splittable(given: str) -> None:
    try:
        _ = urlsplit(given).port
    except ValueError as error:
        raise ValidationError("It must look like https://memweb.example.org, with a port where needed.") from error


def _as_browsers_write_it(given: str) -> str:
    """An address in small letters and without the port its scheme has anyway: origins are compared whole."""
    parts = urlsplit(given)
    if not parts.hostname:
        return given  # and a check says so
    port = "" if parts.port in (None, {"http": 80, "https": 443}.get(parts.scheme)) else f":{parts.port}"
    return parts._replace(netloc=f"{bracketed(parts.hostname)}{port}").geturl()


HOST = env.str("MEMWEB_HOST", "127.0.0.1").strip("[]")
PORT = env.int("MEMWEB_PORT", 8000, validate=_port_number)
# The address people use; needed behind a proxy, else made from host and port.
PUBLIC_URL = _as_browsers_write_it(env.str("MEMWEB_PUBLIC_URL", "", validate=_splittable).rstrip("/"))


def _address(name: str, default: str, schemes: list[str]) -> str:
    """A base address without a slash at its end."""

    def check(given: str) -> None:
        parts = urlsplit(given)
        if parts.scheme not in schemes or not parts.hostname or parts.query or parts.fragment:
            raise ValidationError(f"It must look like {schemes[-1]}://host, with a port and a path where needed.")

    return env.str(name, default, validate=check).rstrip("/")


def _secret_key() -> str:
    """The key from the environment, else one made once and kept in the data folder."""
    given = env.str("MEMWEB_SECRET_KEY", "")
    if given:
        return given
    path = DATA_DIR / "secret-key"
    try:
        if path.exists():
            return path.read_text()
        DATA_DIR.mkdir(parents=True, exist_ok=True)
        key = secrets.token_urlsafe(64)
        # Whole or not at all: two processes may start at once on an empty folder.
        draft = path.with_name(f"secret-key.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(key)
        try:
            os.link(draft, path)
        except FileExistsError:
            return path.read_text()
        finally:
            draft.unlink()
    except OSError as error:
        raise ImproperlyConfigured(
            f"The data folder {DATA_DIR} cannot be used ({error.strerror}). "
            "Make it writable for this user, or name another with MEMWEB_DATA_DIR."
        ) from error
    return key


SECRET_KEY = _secret_key()


def _hosts_or_networks(entries: list[str]) -> None:
    """Refuse what is neither a host's name nor an address or network."""
    for entry in entries:
        if "/" in entry or ":" in entry or entry.replace(".", "").isdigit():
            try:
                ip_network(entry, strict=False)
            except ValueError as error:
                raise ValidationError(f"{entry!r} is no address and no network") from error
        elif not re.fullmatch(r"[A-Za-z0-9_.-]{1,253}", entry):
            raise ValidationError(f"{entry!r} is no host")


def _signing_secrets(secrets_given: list[str]) -> None:
    """Refuse what no Standard Webhooks sender could sign with; the value itself is not repeated."""
    for given in secrets_given:
        try:
            key = base64.b64decode(given.removeprefix("whsec_"), validate=True)
        except ValueError:
            key = b""
        if len(key) < 16:
            raise ValidationError("Each must be whsec_ and then at least 16 bytes in base64.")


# The names memweb answers to: this machine's own, the address it was told to listen on, and the public one.
_public = urlsplit(PUBLIC_URL)
_own_hosts = [host for host in (HOST, _public.hostname) if host and host not in {"0.0.0.0", "::"}]  # noqa: S104
_named_hosts = ["localhost", "127.0.0.1", "::1", *_own_hosts, *env.list("MEMWEB_ALLOWED_HOSTS", [])]
ALLOWED_HOSTS = list(dict.fromkeys(map(bracketed, _named_hosts)))
# Whole origins, port included: any other program on this machine is a stranger to the page's socket.
_port = "" if PORT == 80 else f":{PORT}"
ALLOWED_ORIGINS = [f"http://{host}{_port}" for host in ALLOWED_HOSTS if "*" not in host]
if PUBLIC_URL:
    ALLOWED_ORIGINS.append(f"{_public.scheme}://{_public.netloc}")
CSRF_TRUSTED_ORIGINS = ALLOWED_ORIGINS[-1:] if PUBLIC_URL else []

# Behind a proxy that sets X-Forwarded-Proto and X-Forwarded-For itself, and only then.
BEHIND_PROXY = env.bool("MEMWEB_BEHIND_PROXY", False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
HTTPS = _public.scheme == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_AGE = 30 * 24 * 3600
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True  # pages carry the token in their forms
SECURE_SSL_REDIRECT = PRODUCTION and HTTPS
# Asked over plain HTTP from this machine: by the supervisor, and by the app at its own gateway.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^serve/", r"^v[0-9]/"]
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION and HTTPS else 0
# memweb speaks for its own name only, not for its neighbours under the same domain.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "media-src": [SELF, "blob:"],
        # 'self' is enough for newer browsers; the policy's grammar has no words for an IPv6 address.
        "connect-src": [SELF, *[f"ws{own.removeprefix('http')}" for own in ALLOWED_ORIGINS if "[" not in own]],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "django_htmx",
    "axes",
    "csp",
    "django_tasks",
    "django_tasks_db",
    "memweb",
    "memweb.accounts",
    "memweb.gateway",
    "memweb.dictation",
    "transcripts",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "memweb.headers.page_headers",
    "memweb.gateway.api.edges.in_envelope",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "memweb.accounts.signed_out.parts_are_refused",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "memweb.urls"
ASGI_APPLICATION = "memweb.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["memweb.templatetags.addresses", "memweb.templatetags.icons"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "transcripts.files.context.uploads",
            ],
        },
    },
]

# Not as an address: what is a sign of its grammar may be in the name of a folder.
_sqlite = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(DATA_DIR / "memweb.sqlite3")}
DATABASES: dict[str, Any] = {"default": env.dj_db_url("DATABASE_URL") if env.str("DATABASE_URL", "") else _sqlite}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # FULL: what has been acknowledged survives a power cut. IMMEDIATE: a writer waits, it does not fail.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
    }
# The threads that serve pages live long (see pages.py): their connections stay open, and are checked before use.
DATABASES["default"] |= {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", "")
CHANNEL_LAYERS = (
    {"default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}}
    if REDIS_URL
    else {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
)
# Work of a moment, work of minutes, and waiting for a gateway: see `manage.py work`.
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default", "long", "files"]}}

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
OPEN_REGISTRATION = env.bool("MEMWEB_OPEN_REGISTRATION", False)
# Five wrong passwords for one name from one address, then a minute's wait.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=1)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "memweb.accounts.views.locked_out"
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "sign-in"

# One language: looking each sentence up in a catalogue would cost a twentieth of a page.
LANGUAGE_CODE, USE_I18N = "en-gb", False
ZONES = Path("/usr/share/zoneinfo")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return (ZONES / name).is_file() or not ZONES.is_dir()  # Django takes no other


def _zone(given: str) -> None:
    if not _is_zone(given):
        raise ValidationError("It must be the name of a time zone, as Europe/Lisbon.")


def machine_zone(told: str, localtime: Path) -> str:
    """The zone that TZ tells, else the one /etc/localtime is a link to; UTC where neither is the name of a zone."""
    for place in (told.removeprefix(":"), os.path.realpath(localtime)):
        name = place.rpartition("zoneinfo/")[2]
        if _is_zone(name):
            return name
    return "UTC"


TIME_ZONE = env.str("MEMWEB_TIME_ZONE", machine_zone(os.environ.get("TZ", ""), Path("/etc/localtime")), validate=_zone)
USE_TZ = True

# Served as they are, from where they are, and asked for anew by browsers each time: nothing to collect, nothing stale.
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 0

# The gateway the app speaks to. Empty: the one built in, on this very server.
GATEWAY_URL = env.str("MEMWEB_GATEWAY_URL", "").rstrip("/")
GATEWAY_KEY = env.str("MEMWEB_GATEWAY_KEY", "")
# After a drop: how many times real time it is sent what it missed. Providers refuse what comes too fast.
GATEWAY_PACE = env.float("MEMWEB_GATEWAY_PACE", 2.0, validate=validate.Range(min=1))
# How app and built-in gateway know each other: a signed, short-lived key (see upstream.address).
GATEWAY_SIGNING_SALT = "memweb.gateway.internal"

# A dictation nobody attends for so long is transcribed to its end and finished.
DICTATION_IDLE_MINUTES = env.float("MEMWEB_DICTATION_IDLE_MINUTES", 10.0, validate=validate.Range(min=0))

# Live sessions and pulled streams at once through the built-in gateway: on this machine, and of one account.
MAX_SESSIONS = env.int("MEMWEB_MAX_SESSIONS", 16, validate=validate.Range(min=1, max=100_000))
MAX_STREAMS = env.int("MEMWEB_MAX_STREAMS", 16, validate=validate.Range(min=1, max=100_000))
# Requests to its REST API in a minute, of one account.
REQUESTS_PER_MINUTE = env.int("MEMWEB_REQUESTS_PER_MINUTE", 600, validate=validate.Range(min=1))

# The providers the built-in gateway passes on to, each once its key is set; else an engine on this machine answers in
# the provider's words.
ELEVENLABS_API_KEY = env.str("MEMWEB_ELEVENLABS_API_KEY", "")
ELEVENLABS_URL = _address("MEMWEB_ELEVENLABS_URL", "https://api.elevenlabs.io", ["http", "https"])
ELEVENLABS_WS_URL = _address("MEMWEB_ELEVENLABS_WS_URL", "wss://api.elevenlabs.io", ["ws", "wss"])
ASSEMBLYAI_API_KEY = env.str("MEMWEB_ASSEMBLYAI_API_KEY", "")
ASSEMBLYAI_URL = _address("MEMWEB_ASSEMBLYAI_URL", "https://api.assemblyai.com", ["http", "https"])
ASSEMBLYAI_WS_URL = _address("MEMWEB_ASSEMBLYAI_WS_URL", "wss://streaming.assemblyai.com", ["ws", "wss"])

# The longest message any socket takes, in bytes.
SOCKET_MESSAGE_LIMIT = env.int("MEMWEB_SOCKET_MESSAGE_LIMIT", 256 * 1024, validate=validate.Range(min=16 * 1024))

# Callbacks posted to us: the largest body, and the secrets ("whsec_...") that senders who sign may sign with.
CALLBACK_LIMIT = env.int("MEMWEB_CALLBACK_LIMIT", 8 * 1024 * 1024, validate=validate.Range(min=64 * 1024))
WEBHOOK_SECRETS: list[str] = env.list("MEMWEB_WEBHOOK_SECRETS", [], validate=_signing_secrets)

# Where users' own URLs (streams, sources, webhooks) may lead besides public addresses: hosts or networks.
ALLOW_PRIVATE_URLS: list[str] = env.list("MEMWEB_ALLOW_PRIVATE_URLS", [], validate=_hosts_or_networks)

# The largest file that can be uploaded, in megabytes.
MAX_UPLOAD_MB = env.int("MEMWEB_MAX_UPLOAD_MB", 4000, validate=validate.Range(min=1))
# What one account may keep at the gateway, in gigabytes.
ASSET_QUOTA_GB = env.float("MEMWEB_ASSET_QUOTA_GB", 50, validate=validate.Range(min=0))
# A folder whose new files are transcribed for the owner of this machine.
WATCH_DIR = env.str("MEMWEB_WATCH_DIR", "")
# The pieces the page sends it in: a proxy in front must let a body of this size pass.
UPLOAD_PIECE_KB = env.int("MEMWEB_UPLOAD_PIECE_KB", 4096, validate=validate.Range(min=16, max=65536))
# An upload of which nothing has come for so long is swept.
UPLOAD_DAYS = env.int("MEMWEB_UPLOAD_DAYS", 7, validate=validate.Range(min=1))

# The engines on this machine. Live places: four a core keep up on an otherwise idle machine.
LIVE_SLOTS = env.int("MEMWEB_LIVE_SLOTS", 4 * (os.cpu_count() or 1), validate=validate.Range(min=1))
# Moonshine processes, at most; another is started when each has two streams. One already uses every core of an idle
# machine; on a busy one a second halves the lag of eight streams, for 200 MB.
LIVE_WORKERS = env.int("MEMWEB_LIVE_WORKERS", min(4, os.cpu_count() or 1), validate=validate.Range(min=1))
# A folder with any faster-whisper model, in place of the Whisper base that is installed.
WHISPER_MODEL_DIR = env.str("MEMWEB_WHISPER_MODEL", "")

# Logs go to standard error: plain lines on a person's machine, JSON in production.
LOG_FORMAT = env.str("MEMWEB_LOG_FORMAT", "json" if PRODUCTION else "text", validate=validate.OneOf(["json", "text"]))
_log_level = env.log_level("MEMWEB_LOG_LEVEL", logging.WARNING)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "memweb.logs.JsonLines"}, "text": {"()": "memweb.logs.TextLines"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "level": _log_level}},
    "root": {"handlers": ["stderr"], "level": _log_level},
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
    },
}

# For `check`: which names exist, so that a misspelt one is told.
KNOWN_SETTINGS = {name for name in env._fields if name.startswith("MEMWEB_")} | {
    "MEMWEB_VENV",  # read by `run`
    "MEMWEB_PYTHON",  # read by `run`
    "MEMWEB_CHROMIUM",  # read by the tests
    "MEMWEB_KEY",  # read by the examples of the reference
    "MEMWEB_DRILLS",  # read by the tests: how often each random drill strikes
    "MEMWEB_SUPERVISOR",  # set by `up` for its children
}
