"""Apps that stand for those of the platform whose tables refer to content: as much of them as migrating depends on.

Each has the last migration before content's tables changed their names (it stands for all before it), the one that
follows the change in Django's state alone, and the squash of both, from which new sites make the tables.
"""
import textwrap
from pathlib import Path

# Rows of the ledger that the first migrations stand for, and the ones that follow.
LAST = {
    "content_libraries": "0011_remove_contentlibrary_bundle_uuid_and_more",
    "contentstore": "0014_remove_componentlink_downstream_is_modified_and_more",
    "modulestore_migrator": "0006_alter_modulestoreblocksource_forwarded_and_more",
}
SWITCH = {
    "content_libraries": "0012_switch_to_openedx_content",
    "contentstore": "0015_switch_to_openedx_content",
    "modulestore_migrator": "0007_switch_to_openedx_content",
}

# App, model and field, the app that had its target, the target, and whether it refers to one row once.
FIELDS = [
    ("content_libraries", "ContentLibrary", "learning_package", "oel_publishing", "LearningPackage", True),
    ("contentstore", "ComponentLink", "upstream_block", "oel_components", "Component", False),
    ("contentstore", "ContainerLink", "upstream_container", "oel_publishing", "Container", False),
    ("modulestore_migrator", "ModulestoreMigration", "target", "oel_publishing", "LearningPackage", False),
    ("modulestore_migrator", "ModulestoreMigration", "target_collection", "oel_collections", "Collection", False),
    ("modulestore_migrator", "ModulestoreMigration", "change_log", "oel_publishing", "DraftChangeLog", False),
    ("modulestore_migrator", "ModulestoreBlockMigration", "target", "oel_publishing", "PublishableEntity", False),
    ("modulestore_migrator", "ModulestoreBlockMigration", "change_log_record", "oel_publishing", "DraftChangeLogRecord", True),
]


def write(folder):
    """Writes the apps as Python packages."""
    for app in LAST:
        package = Path(folder) / app
        (package / "migrations").mkdir(parents=True)
        for f in (package, package / "migrations"):
            (f / "__init__.py").touch()
        (package / "models.py").write_text(models(app))
        earlier = [("oel_publishing", "0006_draftchangelog"), ("oel_components", "0001_initial"), ("oel_collections", "0001_initial")]
        renamed = ("openedx_content", "0002_rename_tables_to_openedx_content")
        squash = f"0001_squashed_{SWITCH[app]}"
        for name, deps, operations, replaces in (
            (LAST[app], earlier, creation(app, old=True), []),
            (SWITCH[app], [(app, LAST[app]), renamed], following(app), []),
            (squash, [renamed], creation(app, old=False), [(app, LAST[app]), (app, SWITCH[app])]),
        ):
            (package / "migrations" / f"{name}.py").write_text(migration(deps, operations, replaces))


def field(old, source, target, once):
    kind = "OneToOneField" if once else "ForeignKey"
    app = source if old else "openedx_content"
    return f'models.{kind}("{app}.{target}", models.SET_NULL, null=True, related_name="+")'


def by_model(app):
    out = {}
    for a, model, *rest in FIELDS:
        if a == app:
            out.setdefault(model, []).append(rest)
    return out


def models(app):
    text = "from django.db import models\n"
    for model, fields in by_model(app).items():
        text += f"\n\nclass {model}(models.Model):\n"
        for name, *what in fields:
            text += f"    {name} = {field(False, *what)}\n"
    return text


def creation(app, old):
    out = []
    for model, fields in by_model(app).items():
        columns = "".join(f'("{name}", {field(old, *what)}), ' for name, *what in fields)
        key = '("id", models.BigAutoField(primary_key=True, serialize=False, auto_created=True, verbose_name="ID"))'
        out.append(f'migrations.CreateModel("{model}", [{key}, {columns}])')
    return out


def following(app):
    changes = [
        f'migrations.AlterField("{model}", "{name}", {field(False, *what)})'
        for model, fields in by_model(app).items()
        for name, *what in fields
    ]
    return [f"migrations.SeparateDatabaseAndState(state_operations=[{', '.join(changes)}])"]


def migration(dependencies, operations, replaces):
    return textwrap.dedent(
        """\
        from django.db import migrations, models


        class Migration(migrations.Migration):
            dependencies = {}
            replaces = {}
            operations = [{}]
        """
    ).format(dependencies, replaces, ", ".join(operations))
