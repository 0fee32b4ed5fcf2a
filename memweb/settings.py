"""Every setting of memweb, read from the environment once. A bad value is refused by name.

With nothing set, everything lives in one folder beside the code and serves this machine only.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from urllib.parse import urlsplit

from environs import Env

env = Env()

BASE_DIR = Path(__file__).resolve().parent.parent
ENVIRONMENT = env.str("MEMWEB_ENV", "local")
PRODUCTION = ENVIRONMENT == "production"
DEBUG = env.bool("MEMWEB_DEBUG", False)

# One folder for the database, recordings, spools, joined weights and the secret key.
DATA_DIR = Path(env.str("MEMWEB_DATA_DIR", str(BASE_DIR / "data"))).expanduser().resolve()
SPOOL_DIR = DATA_DIR / "spools"
AUDIO_DIR = DATA_DIR / "audio"
MODELS_DIR = DATA_DIR / "models"

HOST = env.str("MEMWEB_HOST", "127.0.0.1")
PORT = env.int("MEMWEB_PORT", 8000)
# The address people use; needed behind a proxy, else made from host and port.
PUBLIC_URL = env.str("MEMWEB_PUBLIC_URL", "").rstrip("/")


def _secret_key() -> str:
    """The key from the environment, else one made once and kept in the data folder."""
    given = env.str("MEMWEB_SECRET_KEY", "")
    if given:
        return given
    path = DATA_DIR / "secret-key"
    try:
        return path.read_text()
    except FileNotFoundError:
        DATA_DIR.mkdir(parents=True, exist_ok=True)
        key = secrets.token_urlsafe(64)
        path.touch(mode=0o600)
        path.write_text(key)
        return key


SECRET_KEY = _secret_key()

# The names memweb answers to: this machine's own, the address it was told to listen on, and the public one.
_LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
_own_hosts = [host for host in (HOST, urlsplit(PUBLIC_URL).hostname) if host and host not in {"0.0.0.0", "::"}]  # noqa: S104
ALLOWED_HOSTS = env.list("MEMWEB_ALLOWED_HOSTS", list(dict.fromkeys([*_LOCAL_HOSTS, *_own_hosts])))
# Whole origins, port included: any other program on this machine is a stranger to the page's socket.
ALLOWED_ORIGINS = [
    f"http://{host}" if PORT == 80 else f"http://{host}:{PORT}" for host in ALLOWED_HOSTS if "*" not in host
]
if PUBLIC_URL:
    ALLOWED_ORIGINS.append(PUBLIC_URL)
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL else []

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
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
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
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": env.dj_db_url("DATABASE_URL", f"sqlite:///{DATA_DIR / 'memweb.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # FULL: what has been acknowledged survives a power cut. IMMEDIATE: a writer waits, it does not fail.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", "")
CHANNEL_LAYERS = (
    {"default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}}
    if REDIS_URL
    else {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
)
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "sign-in"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = env.str("MEMWEB_TIME_ZONE", "UTC")
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]

# The gateway the app speaks to. Empty: the one built in, on this very server.
GATEWAY_URL = env.str("MEMWEB_GATEWAY_URL", "").rstrip("/")
GATEWAY_KEY = env.str("MEMWEB_GATEWAY_KEY", "")
# How app and built-in gateway know each other: a signed, short-lived key (see upstream.address).
GATEWAY_SIGNING_SALT = "memweb.gateway.internal"
