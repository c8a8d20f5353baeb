"""The commands of peer.py for a site with openedx-authz. Each is a request of its own: what the package remembers for the
length of one is forgotten before it.

    seed                      what the command load_policies does; says how many rows there are
    schema                    what the command load_authz_schema does
    people                    users, organizations, courses and libraries of a small world, by the platform's models
    allowed QUESTIONS         the answers to a JSON list of [user, action, scope]; null where the scope is none
    assign ACTOR GRANTS       gives each of a JSON list of [user, role, scope]; whether each was new
    unassign ACTOR GRANTS     takes them back; whether each was there
    unassign_all USER         takes all back from a user
    delete_user USER          deletes a user
    delete_course KEY         deletes a course overview
    save_course KEY           saves a new course overview
    rule PTYPE V0 V1 V2       what saving a rule in the admin site does
    assignments               every assignment with what belongs to it, by the models
    audit                     the audit as the admin site lists it
    admin                     the rules as the admin site lists and opens them
    forward ORG               the package's own move of an organization's role rows to assignments; what it says of each, and the seconds
    rollback ORG              the same back
    busy SEED N WORLD         N random changes among [users, roles, scopes]; what became of them
"""
import json
import random
import sys
from contextlib import nullcontext

APPS = ["waffle", "openedx_authz.engine.apps.CasbinAdapterConfig", "openedx_authz", "platform_tables"]


def settings():
    """What a site's settings say for these apps."""
    from openedx_authz.settings import common

    class Plugin:
        INSTALLED_APPS = []

    common.plugin_settings(Plugin)
    named = {k: v for k, v in vars(Plugin).items() if k.isupper() and k != "INSTALLED_APPS"}
    return named | {
        "DEFAULT_AUTO_FIELD": "django.db.models.AutoField",  # the platform's
        "OPENEDX_AUTHZ_CONTENT_LIBRARY_MODEL": "platform_tables.ContentLibrary",
        "OPENEDX_AUTHZ_COURSE_OVERVIEW_MODEL": "platform_tables.CourseOverview",
    }


def request(command):
    """Makes a command a request of its own."""
    from functools import wraps

    @wraps(command)
    def run(*args):
        from edx_django_utils.cache import RequestCache

        RequestCache.clear_all_namespaces()
        return command(*args)

    return run


def acting(name):
    """Lets a user be the one who makes the request, nobody where the name is empty."""
    from crum import impersonate
    from django.contrib.auth import get_user_model

    return impersonate(get_user_model().objects.get(username=name)) if name else nullcontext()


def seed():
    from casbin_adapter.models import CasbinRule
    from django.core.management import call_command

    call_command("load_policies")
    return CasbinRule.objects.exclude(ptype="g").count()


def schema():
    import io
    from django.core.management import call_command

    out = io.StringIO()
    call_command("load_authz_schema", stdout=out)
    return out.getvalue()


def people():
    from django.contrib.auth import get_user_model
    from organizations.models import Organization
    from platform_tables.models import ContentLibrary, CourseOverview, UserRetirementRequest

    user = get_user_model()
    for name, flags in WORLD["users"].items():
        made = user.objects.create(username=name, email=f"{name}@example.org", **{f: f != "is_active" for f in flags if f != "retired"})
        if "retired" in flags:
            UserRetirementRequest.objects.create(user_id=made.pk)
    for org, slugs in WORLD["libraries"].items():
        pk = Organization.objects.create(name=org, short_name=org).pk
        for slug in slugs:
            ContentLibrary.objects.create(org_id=pk, slug=slug)
    for key in WORLD["courses"]:
        save_course(key)


WORLD = {
    "users": {
        "ann": [], "bob": [], "cleo": [], "dan": [], "eve": ["is_active"], "root": ["is_superuser"], "staffer": ["is_staff"],
        "sleeper": ["is_staff", "is_active"], "leaver": ["is_staff", "retired"],
    },
    "libraries": {"OpenedX": ["LIB1", "LIB2"], "DemoX": ["LIB1"]},
    "courses": ["course-v1:OpenedX+CS1+2026", "course-v1:OpenedX+CS2+2026", "course-v1:DemoX+D1+2026"],
}  # fmt: skip


def allowed(questions):
    from openedx_authz.api.users import is_user_allowed

    def answer(user, action, scope):
        try:
            return is_user_allowed(user, action, scope)
        except ValueError:
            return None

    return [answer(*q) for q in json.loads(questions)]


def assign(actor, grants):
    from openedx_authz.api.users import assign_role_to_user_in_scope

    with acting(actor):
        return [assign_role_to_user_in_scope(*g) for g in json.loads(grants)]


def unassign(actor, grants):
    from openedx_authz.api.users import unassign_role_from_user

    with acting(actor):
        return [bool(unassign_role_from_user(*g)) for g in json.loads(grants)]


def unassign_all(user):
    from openedx_authz.api.users import unassign_all_roles_from_user

    return bool(unassign_all_roles_from_user(user))


def delete_user(name):
    from django.contrib.auth import get_user_model

    get_user_model().objects.get(username=name).delete()


def delete_course(key):
    from platform_tables.models import CourseOverview

    CourseOverview.objects.get(id=key).delete()


def save_course(key):
    from opaque_keys.edx.keys import CourseKey
    from platform_tables.models import CourseOverview

    course = CourseKey.from_string(key)
    CourseOverview.objects.create(id=course, org=course.org, display_name=key)


def rule(*values):
    from casbin_adapter.models import CasbinRule

    CasbinRule.objects.create(**dict(zip(("ptype", "v0", "v1", "v2"), values)))


def assignments():
    from casbin_adapter.models import CasbinRule

    def describe(r):
        out = {"rule": [r.v0, r.v1, r.v2], "rest": r.v3 + r.v4 + r.v5, "key": "", "scope": None, "linked": None, "user": None}
        e = getattr(r, "extended_rule", None)
        if e is None:
            return out
        out |= {"key": e.casbin_rule_key, "noted": e.description is not None or e.metadata is not None}
        out["user"] = e.subject and e.subject.usersubject.user.username
        if e.scope:
            out["scope"] = e.scope.external_key
            if hasattr(e.scope, "coursescope"):
                out["linked"] = e.scope.coursescope.course_overview and str(e.scope.coursescope.course_overview.id)
            else:
                out["linked"] = e.scope.contentlibraryscope.content_library and str(e.scope.contentlibraryscope.content_library.library_key)
        return out

    return [describe(r) for r in CasbinRule.objects.filter(ptype="g").order_by("v0", "v1", "v2", "id")]


def visit(model, **query):
    """The page of a model in the admin site, and a request of its list by somebody who may see all."""
    from django.contrib.admin import sites
    from django.contrib.auth import get_user_model
    from django.test import RequestFactory

    if "openedx_authz.admin" not in sys.modules:
        sites.site._wrapped = sites.AdminSite()  # without the app, whose tables and addresses are not needed here
    from openedx_authz import admin as _pages  # noqa: F401

    asked = RequestFactory().get("/", query)
    asked.user = get_user_model()(is_superuser=True, is_staff=True, is_active=True)
    return sites.site._registry[model], asked


def listed(model, **query):
    """The rows of a list of the admin site, as its columns show them."""
    page, asked = visit(model, **query)
    columns = [c for c in page.list_display if c != "timestamp"]
    return [
        [str(getattr(page, c)(r) if hasattr(page, c) else getattr(r, c)) for c in columns]
        for r in page.get_changelist_instance(asked).result_list
    ]


def audit():
    from openedx_authz.models.core import RoleAssignmentAudit

    both = listed(RoleAssignmentAudit, scope_type="lib") + listed(RoleAssignmentAudit, scope_type="course-v1")
    if sorted(both) != sorted(listed(RoleAssignmentAudit)):
        raise ValueError("rows of the audit are of neither kind of scope")
    return sorted(both)


def admin():
    """The rules in the list, and the key of the extended rule on the page of each."""
    from casbin_adapter.models import CasbinRule

    page, asked = visit(CasbinRule)
    opened = []
    for r in CasbinRule.objects.filter(ptype="g"):
        sets = [inline.get_formset(asked, r)(instance=r) for inline in page.get_inline_instances(asked, r)]
        opened += [[r.v0, r.v1, r.v2, f.instance.casbin_rule_key] for s in sets for f in s.initial_forms]
    return {"listed": sorted(r[2:5] for r in listed(CasbinRule, ptype="g")), "opened": sorted(opened)}


def busy(seed, n, world):
    """Gives and takes back at random among [users, roles, scopes]. What is refused is not tried again. Says which changes
    were refused, and what was last said of each assignment: true for there; those of which a refusal says nothing are not
    told of."""
    from openedx_authz.api.users import assign_role_to_user_in_scope, unassign_role_from_user

    pick, refused, told = random.Random(int(seed)), [], {}
    for _ in range(int(n)):
        grant = tuple(pick.choice(of) for of in json.loads(world))
        give = pick.random() < 0.6
        try:
            if (assign_role_to_user_in_scope if give else unassign_role_from_user)(*grant):
                told[grant] = give
        except Exception as e:  # from the database, or what the package makes of rows that have gone meanwhile
            told.pop(grant, None)
            refused.append(f"{type(e).__name__}: {e}"[:150])
    return {"told": [[*g, str(v)] for g, v in told.items()], "refused": refused}


def moved(move, org, *models):
    """Runs a move in one transaction, as the commands of the package do, and forgets the rows at the source."""
    from time import process_time

    from django.db import transaction

    start = process_time()
    with transaction.atomic():
        failed, done = move(*models, course_id_list=None, org_id=org, delete_after_migration=True)
    lines = [sorted([m.subject, m.role, m.scope] for m in done), sorted([m.subject, m.role, m.reason] for m in failed)]
    return {"done": lines[0], "failed": lines[1], "seconds": process_time() - start}


def forward(org):
    from openedx_authz.engine.utils import migrate_legacy_course_roles_to_authz
    from platform_tables.models import CourseAccessRole

    return moved(migrate_legacy_course_roles_to_authz, org, CourseAccessRole)


def rollback(org):
    from openedx_authz.engine.utils import migrate_authz_to_legacy_course_roles
    from openedx_authz.models.subjects import UserSubject
    from platform_tables.models import CourseAccessRole

    return moved(migrate_authz_to_legacy_course_roles, org, CourseAccessRole, UserSubject)


COMMANDS = {
    c.__name__: request(c)
    for c in (seed, schema, people, allowed, assign, unassign, unassign_all, delete_user, delete_course, save_course, rule,
              assignments, audit, admin, forward, rollback, busy)
}  # fmt: skip
