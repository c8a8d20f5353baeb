"""Stands for a Django site that works on the same database as Lectern.

    peer.py URL [KIND]

URL is one of Lectern's (sqlite:PATH, mysql://…, postgres://…); media files are in the folder $LECTERN_MEDIA. KIND says
which apps the site has, see KINDS. Each line on stdin is a command, a JSON list of its name and arguments:

    migrate         makes all tables, as a new site does; says which migrations it ran
    pending         migrations that Django would run, and what it would change to fit its models
    check APP…      what the commands `migrate --check` and `makemigrations --check` say, the latter of these apps
    packages        the refs of all learning packages
    extend REF CODE makes a component and a unit with that code in a package
    write CODE      makes a learning package with something of each kind, one of them with that code
    read REF        says what is in a learning package
    busy REF CODE N makes N new versions of a component, each in a transaction of its own, and says which were taken
    edit REF        makes a new version of every component and unit of a package, and publishes
    dump REF FILE   writes a package to an archive
    load FILE REF   makes a package of an archive, and says what is in it, or what is wrong with the archive

A site of the kind "authz" knows those of permissions.py, too.

For each, one line on stdout has the answer in JSON: {"answer": …} or {"error": traceback}. Only what the packages offer
to other programs is used, but for the digests.
"""
import atexit
import io
import json
import os
import sys
import tempfile
import traceback
from datetime import datetime, timezone
from urllib.parse import unquote, urlsplit

import pymysql

import permissions

pymysql.install_as_MySQLdb()  # Django asks for mysqlclient, which needs a C compiler

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)


def database(url):
    if url.startswith("sqlite:"):
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": url.removeprefix("sqlite:")}
    u = urlsplit(url)
    kind = {"mysql": "mysql", "postgres": "postgresql"}[u.scheme]
    return {
        "ENGINE": f"django.db.backends.{kind}",
        "NAME": u.path.lstrip("/"),
        "HOST": u.hostname,
        "PORT": u.port or "",
        "USER": unquote(u.username or ""),
        "PASSWORD": unquote(u.password or ""),
        "OPTIONS": {"charset": "utf8mb4"} if kind == "mysql" else {},
    }


# What a kind of site has beside the content packages. LMS and CMS of a site share one database.
CATALOG = ["simple_history", "organizations", "openedx_catalog"]
KINDS = {
    "content": [],
    "catalog": CATALOG,
    "neighbours": CATALOG + ["openedx_tagging", "openedx_learning"],
    "lms": ["content_libraries"],
    "cms": ["content_libraries", "contentstore", "modulestore_migrator"],
    "authz": CATALOG + permissions.APPS,
}


def start(url, kind="catalog"):
    """Starts Django as a site of that kind."""
    from django.conf import settings
    from openedx_content.settings_api import openedx_content_backcompat_apps_to_install

    if kind in ("lms", "cms"):
        import platform_apps

        folder = tempfile.TemporaryDirectory()
        atexit.register(folder.cleanup)
        platform_apps.write(folder.name)
        sys.path.append(folder.name)
    settings.configure(
        DEBUG=False,
        SECRET_KEY="interop",
        USE_TZ=True,
        TIME_ZONE="UTC",
        DATABASES={"default": database(url)},
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "openedx_content",
            *openedx_content_backcompat_apps_to_install(),
            *KINDS[kind],
        ],
        OPENEDX_LEARNING={
            "MEDIA": {
                "BACKEND": "django.core.files.storage.FileSystemStorage",
                "OPTIONS": {"location": os.environ.get("LECTERN_MEDIA", "")},
            }
        },
        **({"DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField"} if kind != "authz" else permissions.settings()),
    )
    import logging

    logging.disable(logging.WARNING)
    import django
    from django.db import connection

    django.setup()
    if connection.vendor == "mysql" and connection.mysql_is_mariadb and uuids_are_text(connection):
        connection.features.has_native_uuid_field = False  # what Django 5 asks of sites that began with an earlier one


def uuids_are_text(connection):
    """Whether the tables were made by a Django that had no uuid columns on MariaDB."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT data_type FROM information_schema.columns WHERE table_schema = DATABASE() "
            "AND table_name = 'openedx_content_publishableentity' AND column_name = 'uuid'"
        )
        row = cursor.fetchone()
    return row is not None and row[0] == "char"


def migrate():
    """Makes all tables, as a new site does."""
    from django.core.management import call_command

    before = planned()
    call_command("migrate", verbosity=0, run_syncdb=True)
    return before


def planned():
    """The migrations that Django would run, by name."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    executor.loader.check_consistent_history(connection)
    return [str(m) for m, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]


def check(*apps):
    """What the two commands say that a deployment asks: nothing where all is well."""
    from django.core.management import call_command

    said = io.StringIO()
    for command, args, options in (
        ("migrate", [], {"check_unapplied": True}),
        ("makemigrations", apps, {"check_changes": True, "dry_run": True}),
    ):
        out = io.StringIO()
        try:
            call_command(command, *args, **options, stdout=out, stderr=out, no_color=True)
        except SystemExit as e:
            said.write(f"{command} --check ends with {e.code}:\n{out.getvalue()}")
    return said.getvalue()


def packages():
    """The refs of all learning packages."""
    from openedx_content.models_api import LearningPackage

    return list(LearningPackage.objects.order_by("pk").values_list("package_ref", flat=True))


def pending():
    """What `migrate --check` and `makemigrations --check` look at, and whether migrating really does nothing."""
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.autodetector import MigrationAutodetector
    from django.db.migrations.executor import MigrationExecutor
    from django.db.migrations.state import ProjectState
    from django.apps import apps

    plan = planned()
    executor = MigrationExecutor(connection)
    changes = MigrationAutodetector(executor.loader.project_state(), ProjectState.from_apps(apps)).changes(
        graph=executor.loader.graph
    )
    written = []

    def watch(execute, sql, params, many, context):
        if sql.lstrip().split(None, 1)[0].upper() in ("CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE"):
            written.append(sql)
        return execute(sql, params, many, context)

    # Permissions and content types are rows that every migrate run completes, whatever is pending.
    call_command("migrate", verbosity=0)
    with connection.execute_wrapper(watch):
        call_command("migrate", verbosity=0)
    return {
        "pending": plan,
        # Apps whose models and migrations differ by themselves, on any database, are not of interest here.
        "changes": sorted(a for a in changes if a.startswith(("openedx_c", "oel_"))),
        "written": written,
    }


def write(code):
    """Makes a package with something of each kind, and says what is in it."""
    from django.contrib.auth import get_user_model
    from openedx_content import api

    user = get_user_model().objects.create(username="interop").pk
    package = api.create_learning_package("lp:interop", "Interop: zażółć 🎓", created=NOW).id

    def component(kind, code, title, files):
        media = {}
        for path, content in files.items():
            if isinstance(content, bytes):
                kept = api.get_or_create_file_media(
                    package, api.get_or_create_media_type("image/png").id, data=content, created=NOW
                )
            else:
                mime = api.get_or_create_media_type(f"application/vnd.openedx.xblock.v1.{kind}+xml")
                kept = api.get_or_create_text_media(package, mime.id, text=content, created=NOW)
            media[path] = kept.id
        return api.create_component_and_version(
            package,
            api.get_or_create_component_type("xblock.v1", kind),
            code,
            title=title,
            created=NOW,
            created_by=user,
            media=media,
        )

    with api.bulk_draft_changes_for(package, changed_at=NOW, changed_by=user):
        intro, _ = component("html", "intro", "Introduction", {"block.xml": "<html>né à Łódź\n</html>"})
        quiz, quiz_1 = component(
            "problem", "quiz", "Quiz", {"block.xml": "<problem/>", "static/figure.png": b"\x89PNG\0\xff"}
        )
        gone, _ = component("html", "gone", "Gone", {"block.xml": "<html/>"})
        unit, _ = api.create_unit_and_version(
            package, "unit-1", title="Unit", components=[intro, quiz_1, gone], created=NOW, created_by=user
        )
        subsection, _ = api.create_subsection_and_version(
            package, "sub", title="Subsection", units=[unit], created=NOW, created_by=user
        )
        api.create_section_and_version(
            package, "sec", title="Section", subsections=[subsection], created=NOW, created_by=user
        )
    api.publish_all_drafts(package, message="first", published_at=NOW, published_by=user)
    # After that the draft differs: a new version below a pinned and an unpinned place, a deletion, something new.
    api.create_next_component_version(
        quiz.id, title="Quiz, better", media_to_replace={"static/figure.png": None}, created=NOW, created_by=user
    )
    api.create_next_component_version(intro.id, title="Welcome", media_to_replace={}, created=NOW)
    api.soft_delete_draft(gone.id, deleted_by=user)
    component("html", code, "New", {"block.xml": "<html>2</html>"})
    api.create_collection(package, "best", title="The best", created_by=user, description="of all")
    api.add_to_collection(package, "best", api.get_publishable_entities(package).filter(entity_ref__contains="quiz"))
    return read("lp:interop")


def extend(ref, code):
    """Makes a component and, with it inside, a unit, both with that code."""
    from openedx_content import api

    package = api.get_learning_package_by_ref(ref).id
    mime = api.get_or_create_media_type("application/vnd.openedx.xblock.v1.html+xml")
    text = api.get_or_create_text_media(package, mime.id, text=f"<html>{code}</html>", created=NOW)
    html = api.get_or_create_component_type("xblock.v1", "html")
    _, version = api.create_component_and_version(
        package, html, code, title="Made later", created=NOW, created_by=None, media={"block.xml": text.id}
    )
    api.create_unit_and_version(package, code, title="Unit made later", components=[version], created=NOW)


def edit(ref):
    """Works on a package as a site's editors would: a new version of every component and container, then publish."""
    from openedx_content import api
    from openedx_content.models_api import Component, Container

    package = api.get_learning_package_by_ref(ref).id
    drafts = {"publishable_entity__learning_package": package, "publishable_entity__draft__version__isnull": False}
    with api.bulk_draft_changes_for(package, changed_at=NOW):
        for c in Component.objects.filter(**drafts).order_by("pk"):
            title = c.versioning.draft.title + " (edited)"
            api.create_next_component_version(c.id, title=title, media_to_replace={}, created=NOW)
        for c in Container.objects.filter(container_type__type_code="unit", **drafts).order_by("pk"):
            api.create_next_container_version(c, title="Unit, edited", created=NOW, created_by=None)
    api.publish_all_drafts(package, message="edited", published_at=NOW)
    return read(ref)


def read(ref):
    """What is in a package, and whether the digests of its branches are what Python computes."""
    from openedx_content import api
    from openedx_content.applets.publishing.api import hash_for_log_record

    package = api.get_learning_package_by_ref(ref)
    entities, wrong = {}, []

    def version(v, record):
        if v is None:
            return None
        if record.dependencies_hash_digest != hash_for_log_record(record, {}, {}, None):
            wrong.append(f"{v.entity.entity_ref} v{v.version_num}")
        out = {"num": v.version_num, "title": v.title, "digest": record.dependencies_hash_digest}
        if hasattr(v, "componentversion"):
            out["media"] = {m.path: content(m.media) for m in v.componentversion.componentversionmedia_set.all()}
        if hasattr(v, "containerversion"):
            rows = v.containerversion.entity_list.entitylistrow_set.order_by("order_num")
            out["children"] = [
                {"ref": r.entity.entity_ref, "pin": r.entity_version and r.entity_version.version_num} for r in rows
            ]
        return out

    def content(media):
        if media.text is not None and not media.has_file:
            return media.text
        try:
            with media.read_file() as f:
                return f"{len(f.read())} bytes, {media.hash_digest}"
        except FileNotFoundError:
            if media.text is None:
                return f"file lost, {media.hash_digest}"
            return f"{len(media.text.encode())} bytes, {media.hash_digest}"

    for e in api.get_publishable_entities(package.id).order_by("pk"):
        entry = {"draft": None, "published": None}
        if hasattr(e, "component"):
            entry["type"] = str(e.component.component_type)
            entry["code"] = e.component.component_code
        if hasattr(e, "container"):
            entry["type"] = e.container.container_type.type_code
            entry["code"] = e.container.container_code
            entry["unpublished"] = api.contains_unpublished_changes(e.container)
        if hasattr(e, "draft"):
            entry["draft"] = version(e.draft.version, e.draft.draft_log_record)
        if hasattr(e, "published"):
            entry["published"] = version(e.published.version, e.published.publish_log_record)
        entities[e.entity_ref] = entry
    last = api.get_last_publish(package.id)
    return {
        "ref": package.package_ref,
        "title": package.title,
        "entities": entities,
        "collections": {
            c.collection_code: {
                "title": c.title,
                "description": c.description,
                "entities": sorted(c.entities.values_list("entity_ref", flat=True)),
            }
            for c in api.get_collections(package.id)
        },
        "published_at": last and last.published_at.isoformat(timespec="microseconds"),
        "wrong_digests": wrong,
    }


def busy(ref, code, n):
    """Edits one component over and over, as a site does while others write too. What is refused is not tried again."""
    from django.db import DatabaseError
    from openedx_content import api
    from openedx_content.models_api import Component

    package = api.get_learning_package_by_ref(ref).id
    component = Component.objects.get(learning_package=package, component_code=code)
    taken = []
    for i in range(int(n)):
        title = f"Python {i}"
        try:
            api.create_next_component_version(component.id, title=title, media_to_replace={}, created=NOW)
            taken.append(title)
        except DatabaseError:
            pass
    return taken


def dump(ref, path):
    """Writes a package to an archive."""
    from django.contrib.auth import get_user_model
    from openedx_content import api

    user = get_user_model().objects.get(username="interop")
    user.email = "interop@example.com"
    api.create_zip_file(ref, path, user=user, origin_server="studio.example.com")


def load(path, ref):
    """Makes a package of an archive."""
    from openedx_content import api

    result = api.load_learning_package(path, package_ref=ref)
    if result["status"] != "success":
        return {"log": result["log_file_error"].getvalue(), "view": None}
    return {"log": "", "view": read(ref)}


COMMANDS = {
    "migrate": migrate,
    "pending": pending,
    "check": check,
    "packages": packages,
    "write": write,
    "extend": extend,
    "edit": edit,
    "busy": busy,
    "read": read,
    "dump": dump,
    "load": load,
}


def main():
    answers, sys.stdout = sys.stdout, sys.stderr  # nothing else may get between the answers
    start(*sys.argv[1:])
    commands = COMMANDS | (permissions.COMMANDS if "authz" in sys.argv[2:] else {})
    for line in sys.stdin:
        name, *args = json.loads(line)
        try:
            answer = {"answer": commands[name](*args)}
        except Exception:  # whatever it is, the other side must see it
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
