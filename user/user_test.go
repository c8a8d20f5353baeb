package user

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

func tables(d *db.DB) error { return schema.Create(context.Background(), d) }

func create(t *testing.T, d *db.DB, n New) (u User, err error) {
	t.Helper()
	err = d.Update(t.Context(), func(tx *db.Tx) (err error) {
		u, err = Create(t.Context(), tx, n)
		return err
	})
	return u, err
}

func TestUsers(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		bob, err := create(t, d, New{Username: "bob", Email: "bob@example.org", Name: "Bob B. Builder", Staff: true})
		if err != nil {
			t.Fatal(err)
		}
		ada, err := create(t, d, New{Username: "ada", Email: "ada@example.org", Superuser: true})
		if err != nil {
			t.Fatal(err)
		}
		list, err := List(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]User{ada, bob}, list); diff != "" {
			t.Errorf("users (-want +got):\n%s", diff)
		}
		got, err := ByName(t.Context(), d, "bob")
		if err != nil || got != bob {
			t.Errorf("ByName = %+v, %v; want %+v", got, err, bob)
		}
		people, err := People(t.Context(), d, []string{"bob", "ada"}) // as lists of teams show them
		if err != nil || people["bob"].Name != "Bob B. Builder" || people["ada"].Name != "" {
			t.Errorf("People = %+v, %v", people, err)
		}
		names, err := Names(t.Context(), d, []ID{bob.ID, ada.ID, 999})
		if diff := cmp.Diff(map[ID]string{bob.ID: "bob", ada.ID: "ada"}, names); err != nil || diff != "" {
			t.Errorf("names: %v (-want +got):\n%s", err, diff)
		}
		for _, name := range []string{"Bob", "nobody", "bob "} {
			if _, err := ByName(t.Context(), d, name); !fault.Is(err, fault.NotFound) {
				t.Errorf("ByName(%q): %v, want not found", name, err)
			}
		}
		if _, err := create(t, d, New{Username: "BOB", Email: "x@example.org"}); !fault.Is(err, fault.Conflict) {
			t.Errorf("a name that differs by case alone: %v, want a conflict", err)
		}
	})
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		if _, fresh, err := Fresh(ctx, d); !fresh || err != nil {
			t.Errorf("Fresh = %v, %v without users", fresh, err)
		}
		jo, err := create(t, d, New{Username: "jo", Email: "jo@example.org", Superuser: true})
		if err != nil {
			t.Fatal(err)
		}
		if first, fresh, err := Fresh(ctx, d); !fresh || first != jo || err != nil {
			t.Errorf("Fresh = %+v, %v, %v with a superuser who has never come", first, fresh, err)
		}
		for _, name := range []string{"ada", "bob"} {
			if _, err := create(t, d, New{Username: name, Email: "both@example.org"}); err != nil {
				t.Fatal(err)
			}
		}
		for name, want := range map[string]ID{
			"jo": jo.ID, "jo@example.org": jo.ID, "JO": 0, "jo ": 0, "jö@example.org": 0, "JO@example.org": 0, "jo@example.org ": 0, "both@example.org": 0, "": 0, "%": 0,
		} {
			c, found, err := CredentialByName(ctx, d, name)
			if err != nil || c.ID != want || found != (want != 0) || found && c.Password != unusable {
				t.Errorf("CredentialByName(%q) = %+v, %v, %v; want user %d", name, c, found, err, want)
			}
		}
		err = d.Update(ctx, func(tx *db.Tx) error {
			if done, err := ReplacePassword(ctx, tx, jo.ID, "other", "x"); done || err != nil {
				t.Errorf("ReplacePassword of another hash: %v, %v", done, err)
			}
			if done, err := ReplacePassword(ctx, tx, jo.ID, unusable, "x"); !done || err != nil {
				t.Errorf("ReplacePassword: %v, %v", done, err)
			}
			if err := SetActive(ctx, tx, jo.ID, false); err != nil {
				return err
			}
			return SignedIn(ctx, tx, jo.ID)
		})
		c, found, cerr := CredentialByID(ctx, d, jo.ID)
		if err != nil || cerr != nil || !found || c.Password != "x" || c.Active {
			t.Errorf("%+v, %v, %v, %v", c, found, err, cerr)
		}
		if _, found, err := CredentialByID(ctx, d, 999); found || err != nil {
			t.Errorf("nobody is found: %v, %v", found, err)
		}
		if _, fresh, err := Fresh(ctx, d); fresh || err != nil {
			t.Errorf("Fresh = %v, %v with three users", fresh, err)
		}
	})
}

func TestNewRefused(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]New{
		"no name":     {Email: "a@example.org"},
		"long name":   {Username: strings.Repeat("a", 151), Email: "a@example.org"},
		"space":       {Username: "a b", Email: "a@example.org"},
		"no address":  {Username: "a"},
		"bad address": {Username: "a", Email: "a at example"},
		"a name too":  {Username: "a", Email: "A <a@example.org>"},
		"long person": {Username: "a", Email: "a@example.org", Name: strings.Repeat("n", 151)},
	} {
		if err := n.check(); !fault.Is(err, fault.Usage) {
			t.Errorf("%s: %v, want a usage error", name, err)
		}
	}
}
