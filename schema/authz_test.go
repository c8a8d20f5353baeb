package schema

import (
	"context"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

func TestAuthzAge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		rows []string
		want string
	}{
		{"no rows", nil, "A0"},
		{"three", authzMigrations[:3], "A3"},
		{"all", authzMigrations, "A11"},
		{"a gap", []string{authzMigrations[0], authzMigrations[2]}, "X5"},
		{"unknown", append([]string{"0012_shelves"}, authzMigrations...), "X1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.Ready(t, db.SQLite, setup)
			for _, n := range c.rows {
				run(t, d, "INSERT INTO django_migrations (app, name, applied) VALUES ('openedx_authz', '"+n+"', '2030-01-01 00:00:00')")
			}
			if got, err := AuthzAge(context.Background(), d); err != nil || got != c.want {
				t.Errorf("AuthzAge = %q, %v, want %q", got, err, c.want)
			}
		})
	}
	if got, err := AuthzAge(context.Background(), dbtest.Open(t, db.SQLite)); err != nil || got != "A0" {
		t.Errorf("of an empty database: %q, %v", got, err)
	}
}
