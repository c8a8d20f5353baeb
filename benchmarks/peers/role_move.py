"""Job 11: openedx-authz's own functions that move an organization's role rows to assignments and back, each in one transaction
as its commands do. n is what ours does; of these --rows (default 300) are moved, beside --stored assignments of another organization
(default 5,000, made by bulk inserts): a row takes some 20 ms, and 0.045 ms more for every assignment that there is.
Two lines: role_forward, role_back.

The site is that of the interop suite, with the tables that Django makes on SQLite; the platform's table of role rows has the platform's
columns and indexes.
"""
import sys
from pathlib import Path

from common import emit, parser, reset_peak

p = parser("role_move", n=25_000)
p.add_argument("--rows", type=int, default=300)
p.add_argument("--stored", type=int, default=5_000)
p.add_argument("--cache", help="of the other jobs; not used")
a = p.parse_args()

import tempfile  # noqa: E402
import time  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "interop"))
import peer  # noqa: E402
import permissions  # noqa: E402

EACH, ROLES = 5, ["instructor", "staff", "limited_staff", "data_researcher", "beta_testers"]

with tempfile.TemporaryDirectory() as folder:
    peer.start(f"sqlite:{folder}/roles.db", "authz")
    peer.migrate()
    from django.contrib.auth import get_user_model
    from django.db import connection
    from platform_tables.models import CourseAccessRole

    with connection.schema_editor() as editor:
        CourseAccessRole._meta.managed = True
        editor.create_model(CourseAccessRole)
    permissions.seed()
    n, people = min(a.n, a.rows), max(EACH, min(a.n, a.rows) // 50)
    users = [get_user_model().objects.create(username=f"user{i:05d}", email=f"user{i:05d}@example.org") for i in range(people)]
    for i in range((n + EACH - 1) // EACH):
        permissions.save_course(f"course-v1:Big+C{i:05d}+2026")
    CourseAccessRole.objects.bulk_create(
        CourseAccessRole(user=users[i * 7 % people], org="Big", course_id=f"course-v1:Big+C{i // EACH:05d}+2026", role=ROLES[i % EACH])
        for i in range(n)
    )
    from casbin_adapter.models import CasbinRule

    others = max(EACH, a.stored // 50)
    get_user_model().objects.bulk_create(get_user_model()(username=f"other{i:05d}", email=f"other{i:05d}@example.org") for i in range(others))
    CasbinRule.objects.bulk_create(
        CasbinRule(ptype="g", v0=f"user^other{i * 7 % others:05d}", v1="role^course_staff", v2=f"course-v1^course-v1:Other+C{i:05d}+2026")
        for i in range(a.stored)
    )
    for line, move in (("role_forward", permissions.forward), ("role_back", permissions.rollback)):
        reset_peak()
        t = time.perf_counter()
        told = permissions.request(move)("Big")
        assert len(told["done"]) == n and not told["failed"], told
        emit(line, n, {"seconds": time.perf_counter() - t, "cpu_seconds": told["seconds"]}, ops=n, moved=n, check=n)
    connection.close()
