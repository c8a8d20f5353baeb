package takeover

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
)

// needed are the rights on the MySQL family that steps need.
var needed = []string{"ALTER", "CREATE", "DELETE", "DROP", "INDEX", "INSERT", "REFERENCES", "SELECT", "UPDATE"}

// rights finds out whether the user may change the tables, where the server tells: else the first statement that is
// refused would be one in the middle.
func (c *checker) rights(ctx context.Context) ([]schema.Finding, error) {
	switch {
	case len(c.pending) == 0 || c.d.Engine() == db.SQLite:
		return nil, nil
	case c.d.Engine() == db.PostgreSQL:
		return c.owns(ctx)
	}
	return c.granted(ctx)
}

// owns asks PostgreSQL, where a table is changed by its owner alone.
func (c *checker) owns(ctx context.Context) ([]schema.Finding, error) {
	type relation struct{ name, owner string }
	list, err := db.All(ctx, c.q, `SELECT relname::text, pg_get_userbyid(relowner)::text FROM pg_class
WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace AND NOT pg_has_role(relowner, 'USAGE') ORDER BY relname`, nil,
		func(r *db.Row) (x relation, err error) {
			err = r.Scan(&x.name, &x.owner)
			return x, err
		})
	if err != nil {
		return nil, fmt.Errorf("ask who owns the tables: %w", err)
	}
	var out []schema.Finding
	for _, x := range list {
		if c.concerns(x.name) {
			out = append(out, schema.Finding{Code: "privilege", Severity: schema.Error, Table: x.name, Key: "owner", Value: x.owner,
				Next: "run as " + x.owner + ": PostgreSQL lets nobody but the owner change a table"})
		}
	}
	schemaName, found, err := db.One(ctx, c.q, "SELECT current_schema()::text WHERE NOT has_schema_privilege(current_schema(), 'CREATE')", nil, db.Value[string])
	if err != nil {
		return nil, fmt.Errorf("ask for rights on the schema: %w", err)
	}
	if found {
		out = append(out, schema.Finding{Code: "privilege", Severity: schema.Error, Key: schemaName, Value: "no CREATE",
			Next: "GRANT CREATE ON SCHEMA " + schemaName + ", or run as its owner"})
	}
	return out, nil
}

// granted asks the MySQL family. Of what comes through roles, or for single tables, it is not told for certain, and nothing
// is found.
func (c *checker) granted(ctx context.Context) ([]schema.Finding, error) {
	user, _, err := db.One(ctx, c.q, "SELECT CURRENT_USER()", nil, db.Value[string])
	if err != nil {
		return nil, fmt.Errorf("ask who the user is: %w", err)
	}
	at := strings.LastIndexByte(user, '@')
	grantee := "'" + user[:max(at, 0)] + "'@'" + user[at+1:] + "'"
	var unsure bool
	var database string
	err = c.q.Query(ctx, `SELECT DATABASE(), COALESCE(CURRENT_ROLE(), 'NONE') <> 'NONE'
OR EXISTS (SELECT 1 FROM information_schema.table_privileges WHERE grantee = ? AND table_schema = DATABASE())`, []any{grantee},
		func(r *db.Row) error { return r.Scan(&database, &unsure) })
	if err != nil || unsure {
		return nil, err
	}
	has, err := db.All(ctx, c.q, `SELECT privilege_type FROM information_schema.user_privileges WHERE grantee = ?
UNION SELECT privilege_type FROM information_schema.schema_privileges WHERE grantee = ? AND DATABASE() LIKE table_schema`,
		[]any{grantee, grantee}, db.Value[string])
	if err != nil {
		return nil, fmt.Errorf("ask for the user's rights: %w", err)
	}
	if len(has) == 0 {
		return nil, nil // then they come by a way that these tables do not show
	}
	missing := slices.DeleteFunc(slices.Clone(needed), func(p string) bool { return slices.Contains(has, p) })
	if len(missing) == 0 {
		return nil, nil
	}
	list := strings.Join(missing, ", ")
	return []schema.Finding{{Code: "privilege", Severity: schema.Error, Key: user, Value: "no " + list,
		Next: fmt.Sprintf("GRANT %s ON %s.* TO %s, or run as another user", list, database, grantee)}}, nil
}
