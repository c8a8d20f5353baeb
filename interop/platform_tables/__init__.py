"""An app that stands for the platform's, as far as openedx-authz reads their tables. It has no migrations: where Lectern
has made the tables Django finds them, elsewhere `migrate --run-syncdb` makes them. So nothing here refers to tables of
apps with migrations."""
