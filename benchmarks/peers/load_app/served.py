"""A Django site that serves the REST interface of openedx-authz as the platform does, below /api/authz/v1/.

    gunicorn served:application       with the database in LOAD_DB, as Lectern writes it (a file, or postgres://…)
    python served.py session NAME…    signs people in: prints their session keys as JSON

The engine, the views and all that they use are the published packages; the platform's tables are stood in for by
stand_ins. Of the platform's middleware it has only what the views need, so it does less for a request than the
platform. Tables and rows are in the database already.
"""
import json
import logging
import os
import sys
from urllib.parse import unquote, urlsplit

from django.conf import settings


def database(place):
    """Django's settings of a database; SQLite as Lectern uses it, so that both sync as often."""
    if not place.startswith("postgres://"):
        pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": place,
            "OPTIONS": {"timeout": 60, "transaction_mode": "IMMEDIATE", "init_command": pragmas},
            "CONN_MAX_AGE": None,
        }
    u = urlsplit(place)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": u.path.lstrip("/"),
        "HOST": u.hostname,
        "PORT": u.port or "",
        "USER": unquote(u.username or ""),
        "PASSWORD": unquote(u.password or ""),
        "CONN_MAX_AGE": None,  # a connection is kept, as Lectern keeps its own
    }


class Settings:
    DEBUG = False
    SECRET_KEY = "load"
    ALLOWED_HOSTS = ["127.0.0.1"]
    USE_TZ = True
    TIME_ZONE = "UTC"
    ROOT_URLCONF = "urls"
    DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
    DATABASES = {"default": database(os.environ["LOAD_DB"])}
    INSTALLED_APPS = [
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "django.contrib.sessions",
        "waffle",
        "organizations",
        "rest_framework",
        "stand_ins",
        "openedx_authz",
    ]
    MIDDLEWARE = [
        "edx_django_utils.cache.middleware.RequestCacheMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "crum.CurrentRequestUserMiddleware",
    ]
    OPENEDX_TELEMETRY = []  # nobody is told of requests
    JWT_AUTH = {"JWT_AUTH_COOKIE": "edx-jwt-cookie"}
    OPENEDX_AUTHZ_CONTENT_LIBRARY_MODEL = "stand_ins.ContentLibrary"
    OPENEDX_AUTHZ_COURSE_OVERVIEW_MODEL = "stand_ins.CourseOverview"


def start():
    from openedx_authz.settings.common import plugin_settings

    plugin_settings(Settings)
    settings.configure(**{k: v for k, v in vars(Settings).items() if k.isupper()})
    logging.disable(logging.INFO)
    import django

    django.setup()


def sign_in(name):
    """Makes a session as Django's login does, and returns its key."""
    from importlib import import_module

    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model

    user = get_user_model().objects.get(username=name)
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return session.session_key


start()
if __name__ == "__main__":
    if sys.argv[1:2] != ["session"]:
        sys.exit(__doc__)
    print(json.dumps({name: sign_in(name) for name in sys.argv[2:]}))
else:
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()
