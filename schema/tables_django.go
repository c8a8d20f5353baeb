package schema

// Columns that many tables share.
var (
	id4     = Column{Name: "id", Type: serial4}
	id8     = Column{Name: "id", Type: serial8}
	uuidCol = Column{Name: "uuid", Type: uuid, Unique: true}
	created = Column{Name: "created", Type: timestamp}
)

// ref4 and ref8 make references to tables whose key has 4 or 8 bytes; by is a reference to a user that may be missing.
func ref4(name, table string, r Rule) Column {
	return Column{Name: name, Type: int4, Ref: table, Rule: r}
}

func ref8(name, table string, r Rule) Column {
	return Column{Name: name, Type: int8, Ref: table, Rule: r}
}

func by(name string) Column {
	return Column{Name: name, Type: int4, Null: true, Ref: "auth_user", Rule: SetNull}
}

// null makes a column that may be NULL.
func null(c Column) Column { c.Null = true; return c }

// late makes a column that was added after the tables were renamed.
func late(c Column) Column { c.Late = true; return c }

// subtype makes the primary key of a table whose rows extend those of another one by one.
func subtype(name, table string) Column {
	c := ref8(name, table, Cascade)
	c.PK = true
	return c
}

// django are the tables of Django itself. Where there is auth_user there must be all of them, with their ledger rows, or
// Django's own migrate fails (design.md §4).
var django = []Table{
	{
		Name:    "django_migrations",
		Columns: []Column{id4, {Name: "app", Type: char(255)}, {Name: "name", Type: char(255)}, {Name: "applied", Type: timestamp}},
	},
	{
		Name:    "django_content_type",
		Columns: []Column{id4, {Name: "app_label", Type: char(100)}, {Name: "model", Type: char(100)}},
		Indexes: []Index{unique("", "app_label", "model")},
	},
	{
		Name: "auth_permission",
		Columns: []Column{id4, {Name: "name", Type: char(255)}, ref4("content_type_id", "django_content_type", Cascade),
			{Name: "codename", Type: char(100)}},
		Indexes:  []Index{unique("", "content_type_id", "codename")},
		Rebuilt:  []string{"id", "content_type_id", "codename", "name"},
		OwnNames: true,
	},
	{
		Name:    "auth_group",
		Columns: []Column{id4, {Name: "name", Type: char(150), Unique: true}},
	},
	{
		Name:    "auth_group_permissions",
		Columns: []Column{id4, ref4("group_id", "auth_group", Cascade), ref4("permission_id", "auth_permission", Cascade)},
		Indexes: []Index{unique("", "group_id", "permission_id")},
	},
	{
		Name: "auth_user",
		Columns: []Column{id4, {Name: "password", Type: char(128)}, {Name: "last_login", Type: timestamp, Null: true},
			{Name: "is_superuser", Type: boolean}, {Name: "username", Type: char(150), Unique: true},
			{Name: "first_name", Type: char(150)}, {Name: "last_name", Type: char(150)}, {Name: "email", Type: char(254)},
			{Name: "is_staff", Type: boolean}, {Name: "is_active", Type: boolean}, {Name: "date_joined", Type: timestamp}},
		Rebuilt: []string{"id", "password", "last_login", "is_superuser", "username", "last_name", "email", "is_staff",
			"is_active", "date_joined", "first_name"},
		OwnNames: true,
	},
	{
		Name:    "auth_user_groups",
		Columns: []Column{id4, ref4("user_id", "auth_user", Cascade), ref4("group_id", "auth_group", Cascade)},
		Indexes: []Index{unique("", "user_id", "group_id")},
	},
	{
		Name:    "auth_user_user_permissions",
		Columns: []Column{id4, ref4("user_id", "auth_user", Cascade), ref4("permission_id", "auth_permission", Cascade)},
		Indexes: []Index{unique("", "user_id", "permission_id")},
	},
}
