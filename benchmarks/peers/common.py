"""What the benches share: arguments, the database, query and row counts, memory, the one JSON line.

A job is a script. It sets up outside the timed part (in a child process where that would leave memory behind),
measures, and prints one JSON line. Nothing of Open edX is repeated here: the packages are called, never copied.
"""
import argparse
import contextlib
import hashlib
import json
import os
import platform
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import urlsplit, unquote

try:
    import MySQLdb  # noqa: F401
except ImportError:  # it needs a C compiler; this one does not
    with contextlib.suppress(ImportError):
        import pymysql
        pymysql.install_as_MySQLdb()

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
HERE = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("LECTERN_SHARED", HERE.parent.parent.parent / "shared"))


def parser(job, n=None, db=False):
    p = argparse.ArgumentParser(prog=f"{job}.py")
    p.add_argument("--n", type=int, default=n)
    if db:
        p.add_argument("--db", default="", help="sqlite:PATH | mysql://user:pw@host:port/name | postgres://…; "
                       "default: a fresh SQLite file. Whatever is there is REPLACED; server databases must be "
                       "named lectern_bench…")
        p.add_argument("--stock", action="store_true", help="SQLite as Django opens it (rollback journal, "
                       "synchronous=FULL, foreign keys on); default is WAL and synchronous=NORMAL")
        p.add_argument("--cache", default="", help="folder that keeps set-up SQLite databases between runs")
        p.add_argument("--phase", default="", help=argparse.SUPPRESS)
    return p


def args_db(a, job):
    """Fills in a.db; the folder that media files go to is beside it."""
    if not a.db:
        a.db = "sqlite:" + str(Path(tempfile.mkdtemp(prefix="lectern-bench-")) / f"{job}.db")
    return a


def db_config(url, stock=False):
    if url.startswith("sqlite:"):
        path = url[len("sqlite:"):]
        opts = {} if stock else {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": path, "OPTIONS": opts}
    u = urlsplit(url)
    engine = {"mysql": "mysql", "postgres": "postgresql", "postgresql": "postgresql"}[u.scheme]
    c = {"ENGINE": f"django.db.backends.{engine}", "NAME": u.path.lstrip("/"), "HOST": u.hostname,
         "PORT": u.port or "", "USER": unquote(u.username or ""), "PASSWORD": unquote(u.password or "")}
    if engine == "mysql":
        c["OPTIONS"] = {"charset": "utf8mb4"}
    return c


def fresh_db(url):
    """An empty database at url; what was there is gone."""
    if url.startswith("sqlite:"):
        path = url[len("sqlite:"):]
        for f in (path, path + "-wal", path + "-shm", path + "-journal"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f)
        shutil.rmtree(path + ".media", ignore_errors=True)
        return
    u = urlsplit(url)
    name = u.path.lstrip("/")
    if not name.startswith("lectern_bench"):
        sys.exit("refused: a server database for the benches must be named lectern_bench…")
    if u.scheme == "mysql":
        import MySQLdb
        c = MySQLdb.connect(host=u.hostname, port=u.port, user=unquote(u.username or ""),
                            password=unquote(u.password or ""))
        cur = c.cursor()
        cur.execute(f"DROP DATABASE IF EXISTS {name}")
        cur.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    else:
        import psycopg
        with psycopg.connect(host=u.hostname, port=u.port, user=unquote(u.username or ""),
                             password=unquote(u.password or ""), dbname="postgres", autocommit=True) as c:
            c.execute(f"DROP DATABASE IF EXISTS {name}")
            c.execute(f"CREATE DATABASE {name}")
    shutil.rmtree(media_dir(url), ignore_errors=True)


def media_dir(url):
    if url.startswith("sqlite:"):
        return url[len("sqlite:"):] + ".media"
    return str(Path(tempfile.gettempdir()) / ("lectern-bench-media-" + urlsplit(url).path.lstrip("/")))


def django_up(url, stock=False, era="1.15"):
    """Configures and starts Django with the peer's apps, as a site that has nothing else."""
    from django.conf import settings
    base = ["django.contrib.contenttypes", "django.contrib.auth"]
    if era == "1.15":
        from openedx_content.settings_api import openedx_content_backcompat_apps_to_install
        apps = base + ["openedx_content", *openedx_content_backcompat_apps_to_install()]
    else:
        apps = base + [f"openedx_learning.apps.authoring.{x}" for x in (
            "collections", "components", "contents", "publishing", "sections", "subsections", "units")]
    settings.configure(
        DEBUG=False, SECRET_KEY="bench", USE_TZ=True, TIME_ZONE="UTC", INSTALLED_APPS=apps,
        DATABASES={"default": db_config(url, stock or era != "1.15")}, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        OPENEDX_LEARNING={"MEDIA": {"BACKEND": "django.core.files.storage.FileSystemStorage",
                                    "OPTIONS": {"location": media_dir(url)}}},
        LOGGING_CONFIG=None,
    )
    import logging
    logging.disable(logging.WARNING)
    import django
    django.setup()


def migrate(a=None):
    """Today's tables. With --cache, an empty SQLite database is copied instead of made again."""
    from django.core.management import call_command
    from django.db import connection
    kept = Path(a.cache) / "empty.db" if a and a.cache and a.db.startswith("sqlite:") else None
    path = connection.settings_dict["NAME"]
    if kept and kept.exists():
        connection.close()
        shutil.copyfile(kept, path)
        return
    call_command("migrate", verbosity=0)
    if kept:
        connection.close()
        c = sqlite3.connect(path)
        c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        c.close()
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, kept)


class Counter:
    """Counts statements (every execute/executemany that reaches the driver, savepoints included)."""
    def __init__(self):
        self.n = 0

    def __call__(self, execute, sql, params, many, context):
        self.n += 1
        return execute(sql, params, many, context)


def row_counts():
    from django.db import connection
    with connection.cursor() as cur:
        tables = [t for t in connection.introspection.table_names(cur) if not t.startswith("sqlite_")]
        total = 0
        for t in tables:
            cur.execute(f"SELECT count(*) FROM {connection.ops.quote_name(t)}")
            total += cur.fetchone()[0]
    return total


def sqlite_changes():
    from django.db import connection
    if connection.vendor != "sqlite":
        return None
    connection.ensure_connection()
    return connection.connection.total_changes


@contextlib.contextmanager
def measured(out, rows=True):
    """Times the block; leaves in out: seconds, cpu_seconds (of this process: what to compare on a loaded machine),
    queries, rows_written (net new rows over all tables) and, on SQLite, rows_touched (inserted, updated, deleted)."""
    from django.db import connection
    before = row_counts() if rows else 0
    ch = sqlite_changes()
    c = Counter()
    with connection.execute_wrapper(c):
        t, cpu = time.perf_counter(), time.process_time()
        yield
        out["seconds"], out["cpu_seconds"] = time.perf_counter() - t, time.process_time() - cpu
    out["queries"] = c.n
    if rows:
        if ch is not None:
            out["rows_touched"] = sqlite_changes() - ch
        out["rows_written"] = row_counts() - before


def peak_rss_mb():
    try:
        for line in open("/proc/self/status"):
            if line.startswith("VmHWM"):
                return round(int(line.split()[1]) / 1024, 1)
    except OSError:
        pass
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def reset_peak():
    with contextlib.suppress(OSError):
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")


def calibrate():
    """CPU ms of a fixed pure-Python loop, right after the timed part: how slow this machine was just then."""
    t = time.process_time()
    x = 0
    for i in range(1_000_000):
        x += i & 7
    return round((time.process_time() - t) * 1000, 1)


def emit(job, n, out, ops=None, **more):
    """The one JSON line. per_op_us is seconds over ops (n unless told)."""
    line = {"job": job, "n": n, "ops": ops or n, "seconds": round(out["seconds"], 6),
            "per_op_us": round(out["seconds"] / (ops or n) * 1e6, 3), "peak_rss_mb": peak_rss_mb(),
            "rows_written": out.get("rows_written"), "queries": out.get("queries")}
    if "cpu_seconds" in out:
        line["cpu_seconds"] = round(out["cpu_seconds"], 6)
        line["cpu_per_op_us"] = round(out["cpu_seconds"] / (ops or n) * 1e6, 3)
    if "rows_touched" in out:
        line["rows_touched"] = out["rows_touched"]
    line.update(more)
    line["calib_ms"] = calibrate()
    line["python"] = platform.python_version()
    line["load1"] = round(os.getloadavg()[0], 1)
    print(json.dumps(line), flush=True)


# ---- made-up content, the same in any language -------------------------------------------------------------------
def block_xml(i, version=1, size=1024):
    """Exactly `size` ASCII bytes, different for every (i, version)."""
    head = f'<problem display_name="Problem {i}" max_attempts="3"><p>Question {i}, version {version}.</p><p>'
    tail = "</p></problem>"
    body, seed = "", f"{i}:{version}"
    while len(body) < size:
        seed = hashlib.sha1(seed.encode()).hexdigest()
        body += seed + " "
    return head + body[: size - len(head) - len(tail)] + tail


def file_bytes(i, size):
    """Bytes that do not compress: SHA-256 of "file:<i>:<k>" for k = 0, 1, …, cut at size."""
    out = bytearray()
    k = 0
    while len(out) < size:
        out += hashlib.sha256(f"file:{i}:{k}".encode()).digest()
        k += 1
    return bytes(out[:size])


def code(i):
    return f"p{i:06d}"


def title(i):
    return f"Problem {i}"


def create_components(lp_id, n, files=0, api=None):
    """n components, one version each, with block.xml text media (and a file of `files` bytes)."""
    from openedx_content import api as content
    ctype = content.get_or_create_component_type("xblock.v1", "problem")
    olx = content.get_or_create_media_type("application/vnd.openedx.xblock.v1.problem+xml")
    png = content.get_or_create_media_type("image/png") if files else None
    made = []
    for i in range(n):
        m = content.get_or_create_text_media(lp_id, olx.id, text=block_xml(i), created=NOW)
        media = {"block.xml": m.id}
        if files:
            f = content.get_or_create_file_media(lp_id, png.id, data=file_bytes(i, files), created=NOW)
            media["static/figure.png"] = f.id
        c, _v = content.create_component_and_version(lp_id, ctype, code(i), title=title(i), created=NOW, media=media)
        made.append(c)
    return made


def build_course(n, files=0):
    """The package of jobs 3, 4 and 5: n components, 50 to a unit, 5 units to a subsection, 4 subsections to a
    section; every version 1 is draft and published. Returns the package id.

    Set-up is never timed, so components go in by bulk inserts of the rows that create_components() makes (all in one
    draft change log), containers through the API, and the first publish by bulk inserts; digests by the peer.
    """
    from django.core.management.color import no_style
    from django.db import connection, transaction
    from openedx_content import api as content
    from openedx_content import models as m
    from openedx_content.applets.publishing import api as publishing
    from openedx_content.applets.publishing.models import (
        Draft, DraftChangeLog, DraftChangeLogRecord, Published, PublishLog, PublishLogRecord)

    def bulk(cls, objs):
        for i, o in enumerate(objs, 1):  # the database is fresh; ids are given because `pk` has no setter in the peer
            o.id = i
        cls.objects.bulk_create(objs, batch_size=500)
        with connection.cursor() as cur:
            for sql in connection.ops.sequence_reset_sql(no_style(), [cls]):
                cur.execute(sql)
        return objs

    with transaction.atomic():
        lp = content.create_learning_package("lp:bench", "Bench", created=NOW)
        ctype = content.get_or_create_component_type("xblock.v1", "problem")
        olx = content.get_or_create_media_type("application/vnd.openedx.xblock.v1.problem+xml")
        png = content.get_or_create_media_type("image/png") if files else None
        ents = bulk(m.PublishableEntity, [m.PublishableEntity(
            learning_package=lp, entity_ref=f"xblock.v1:problem:{code(i)}", created=NOW) for i in range(n)])
        vers = bulk(m.PublishableEntityVersion, [m.PublishableEntityVersion(
            entity=e, version_num=1, title=title(i), created=NOW) for i, e in enumerate(ents)])
        m.Component.objects.bulk_create([m.Component(
            publishable_entity=e, learning_package=lp, component_type=ctype, component_code=code(i))
            for i, e in enumerate(ents)], batch_size=500)
        m.ComponentVersion.objects.bulk_create([m.ComponentVersion(
            publishable_entity_version=v, component_id=v.entity_id) for v in vers], batch_size=500)
        blake = lambda b: hashlib.blake2b(b, digest_size=20).hexdigest()  # noqa: E731
        texts = [block_xml(i) for i in range(n)]
        media = bulk(m.Media, [m.Media(
            learning_package=lp, media_type=olx, hash_digest=blake(t.encode()), size=len(t), text=t, has_file=False,
            created=NOW) for t in texts])
        links = [m.ComponentVersionMedia(component_version_id=v.pk, media=md, path="block.xml")
                 for v, md in zip(vers, media)]
        if files:
            pngs = [content.get_or_create_file_media(lp.id, png.id, data=file_bytes(i, files), created=NOW)
                    for i in range(n)]
            links += [m.ComponentVersionMedia(component_version_id=v.pk, media=md, path="static/figure.png")
                      for v, md in zip(vers, pngs)]
        m.ComponentVersionMedia.objects.bulk_create(links, batch_size=500)
        dcl = DraftChangeLog.objects.create(learning_package=lp, changed_at=NOW)
        recs = bulk(DraftChangeLogRecord, [DraftChangeLogRecord(
            draft_change_log=dcl, entity_id=v.entity_id, new_version=v) for v in vers])
        Draft.objects.bulk_create([Draft(entity_id=r.entity_id, version_id=r.new_version_id, draft_log_record=r)
                                   for r in recs], batch_size=500)
        level = list(m.Component.objects.order_by("pk"))
        for kind, size, fn, arg in (("unit", 50, content.create_unit_and_version, "components"),
                                    ("subsection", 5, content.create_subsection_and_version, "units"),
                                    ("section", 4, content.create_section_and_version, "subsections")):
            level = [fn(lp.id, f"{kind}{j:04d}", title=f"{kind.capitalize()} {j}", created=NOW,
                        **{arg: level[j * size:(j + 1) * size]})[0]
                     for j in range((len(level) + size - 1) // size)]
        pl = PublishLog.objects.create(learning_package=lp, message="first", published_at=NOW)
        recs = bulk(PublishLogRecord, [PublishLogRecord(
            publish_log=pl, entity_id=e, new_version_id=v, direct=True)
            for e, v in Draft.objects.order_by("pk").values_list("entity_id", "version_id")])
        Published.objects.bulk_create([Published(
            entity_id=r.entity_id, version_id=r.new_version_id, publish_log_record=r) for r in recs], batch_size=500)
        publishing.update_dependencies_hash_digests_for_log(pl)
    assert not any(content.contains_unpublished_changes(c) for c in level)
    return lp.id


def setup_in_child(a, script, key):
    """Runs `script --phase setup` in a child so that its memory is not ours; with --cache, keeps the SQLite result."""
    sqlite = a.db.startswith("sqlite:")
    path = a.db[len("sqlite:"):]
    kept = Path(a.cache) / f"{key}.db" if a.cache and sqlite else None
    fresh_db(a.db)
    if kept and kept.exists():
        shutil.copyfile(kept, path)
        if Path(str(kept) + ".media").exists():
            shutil.copytree(str(kept) + ".media", path + ".media")
        return
    argv = [sys.executable, script, "--phase", "setup", "--n", str(a.n), "--db", a.db, "--cache", a.cache]
    subprocess.run(argv + [x for x in sys.argv[1:] if x == "--stock"], check=True)
    if sqlite:
        c = sqlite3.connect(path)
        c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        c.close()
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, kept)
        if Path(path + ".media").exists():
            shutil.copytree(path + ".media", str(kept) + ".media", dirs_exist_ok=True)
