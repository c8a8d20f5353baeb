package schema

import (
	"context"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema/inspect"
)

// taskTable is what django-user-tasks calls a task.
const (
	taskTable      = "user_tasks_usertaskstatus"
	migrationTable = "modulestore_migrator_modulestoremigration"
)

// migrator are the tables of what was brought from courses and legacy libraries into libraries, and of the tasks that did
// it (migrator.md §1), as Lectern makes them where a platform has not: see [AddMigrator]. What refers to content gives way
// when Python or a prune removes that, which knows nothing of these tables. The two columns named forwarded_id refer to
// tables that refer to theirs, so they have no constraint; whoever reads them asks whether the row is still there.
var migrator = []Table{
	{
		Name: taskTable,
		Columns: []Column{id4, created, modified, {Name: "uuid", Type: uuid, Unique: true}, {Name: "task_id", Type: char(128), Unique: true},
			{Name: "is_container", Type: boolean}, {Name: "task_class", Type: char(128), Index: true}, {Name: "name", Type: char(255)},
			{Name: "state", Type: char(128)}, {Name: "completed_steps", Type: int4}, {Name: "total_steps", Type: int4}, {Name: "attempts", Type: int4},
			{Name: "parent_id", Type: int4, Null: true, Index: true},
			// The operator of the system is nobody, whom the platform's own table has no room for.
			{Name: "user_id", Type: int4, Null: true, Index: true, Ref: "auth_user", Rule: Clear}},
	},
	{
		Name: "user_tasks_usertaskartifact",
		Columns: []Column{id4, created, modified, {Name: "uuid", Type: uuid, Unique: true}, {Name: "name", Type: char(255)},
			{Name: "file", Type: char(255), Null: true}, {Name: "url", Type: longText}, {Name: "text", Type: longText}, ref4("status_id", taskTable, Drop)},
	},
	{
		Name: "modulestore_migrator_modulestoresource",
		Columns: []Column{id8, {Name: "key", Type: key(255), Unique: true},
			{Name: "forwarded_id", Type: int8, Null: true, Unique: true}},
	},
	{
		Name: migrationTable,
		Columns: []Column{id8, {Name: "source_version", Type: char(255), Null: true}, {Name: "composition_level", Type: char(255)},
			{Name: "repeat_handling_strategy", Type: char(24)}, {Name: "preserve_url_slugs", Type: boolean}, {Name: "is_failed", Type: boolean},
			{Name: "staged_content_id", Type: int8, Null: true, Unique: true},
			ref8("source_id", "modulestore_migrator_modulestoresource", Drop),
			{Name: "target_id", Type: int4, Index: true, Ref: learningPackage, Rule: Drop},
			{Name: "target_collection_id", Type: int4, Null: true, Index: true, Ref: "openedx_content_collection", Rule: Clear},
			{Name: "change_log_id", Type: int8, Null: true, Index: true, Ref: "openedx_content_draftchangelog", Rule: Clear},
			{Name: "task_status_id", Type: int4, Index: true, Ref: taskTable, Rule: Restrict}},
	},
	{
		Name: "modulestore_migrator_modulestoreblocksource",
		Columns: []Column{id8, created, modified, {Name: "key", Type: key(255), Unique: true},
			ref8("overall_source_id", "modulestore_migrator_modulestoresource", Drop), {Name: "forwarded_id", Type: int8, Null: true, Unique: true}},
	},
	{
		Name: "modulestore_migrator_modulestoreblockmigration",
		Columns: []Column{id8, created, modified, {Name: "unsupported_reason", Type: longText, Null: true},
			ref8("overall_migration_id", migrationTable, Drop), ref8("source_id", "modulestore_migrator_modulestoreblocksource", Drop),
			{Name: "target_id", Type: int8, Null: true, Index: true, Ref: "openedx_content_publishableentity", Rule: Drop},
			{Name: "change_log_record_id", Type: int8, Null: true, Unique: true, Ref: "openedx_content_draftchangelogrecord", Rule: Clear}},
		Indexes: []Index{unique("", "overall_migration_id", "source_id"), unique("", "overall_migration_id", "target_id")},
	},
}

// AddMigrator makes those of the tables of library migrations that the database lacks. Those of a platform are taken as they
// are. The database must be current.
func AddMigrator(ctx context.Context, d *db.DB) error {
	tables := make([]*Table, len(migrator))
	for i := range migrator {
		tables[i] = &migrator[i]
	}
	if eng := DialectOf(d); eng.mysql() {
		return makeMissing(ctx, d, eng, tables)
	}
	return d.Update(ctx, func(tx *db.Tx) error { return makeMissing(ctx, tx, DialectOf(d), tables) })
}

// HasMigrator reports whether all tables of library migrations are there.
func HasMigrator(ctx context.Context, q db.Querier) (bool, error) {
	have, err := inspect.Names(ctx, q)
	for i := range migrator {
		if !have[migrator[i].Name] {
			return false, err
		}
	}
	return err == nil, err
}
