package authzapi

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/openlectern/lectern/api"
	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
)

// Prefix is where the addresses are, on both hosts of a platform (authz.md §11).
const Prefix = "/api/authz/v1/"

// Config says what an [API] works on. All but Log, OfferedOnly and OldNames must be set.
type Config struct {
	// Store has the policy in force, which somebody else keeps current, the flag for course authoring, and the use cases by
	// which roles are given and taken.
	Store *app.App
	// Person returns who sends a request; ok is false for nobody.
	Person func(context.Context) (p api.Person, ok bool)
	// OfferedOnly hides courses whose authoring is not decided by assignments: it is the three optional filters of the
	// reference together (authz.md §11.1).
	OfferedOnly bool
	// OldNames sends, beside the fields of today, those that were renamed or dropped since release 1.23: assignation_count
	// and is_superadmin (authz.md §15, D15).
	OldNames bool
	Log      *slog.Logger // default slog.Default()
}

// API answers the addresses below [Prefix]. It is safe for concurrent use.
type API struct {
	store       *app.App
	db          *db.DB
	engine      *authz.Engine
	person      func(context.Context) (api.Person, bool)
	offeredOnly bool
	oldNames    bool
	log         *slog.Logger

	people recent[*everyone]
	lists  listings
	places recent[[]place]
}

// New makes an API.
func New(c Config) *API {
	a := &API{store: c.Store, db: c.Store.DB, engine: c.Store.Engine(), person: c.Person,
		offeredOnly: c.OfferedOnly, oldNames: c.OldNames, log: c.Log}
	if a.log == nil {
		a.log = slog.Default()
	}
	a.people.load, a.people.always = readPeople(a.db), true // asked for where they are many only
	a.places.load = readPlaces(a.db)
	return a
}

// operations are all there are, by method and address below [Prefix] (authz.md §11, §12).
var operations = []struct {
	method, path string
	operation
}{
	{http.MethodPost, "permissions/validate/me", operation{gate{}, validateMe, "An error occurred while validating permissions"}},
	{http.MethodGet, "roles/", operation{gate: gate{scoped, viewRoles}, run: listRoles}},
	{http.MethodGet, "roles/users/", operation{gate: gate{scoped, viewRoles}, run: listHolders}},
	{http.MethodPut, "roles/users/", operation{gate: gate{scoped, manageTeam}, run: giveRoles}},
	{http.MethodDelete, "roles/users/", operation{gate: gate{scoped, manageTeam}, run: takeRoles}},
	{http.MethodGet, "orgs/", operation{gate: gate{someScope, viewTeam}, run: listOrgs}},
	{http.MethodGet, "scopes/", operation{gate: gate{someScope, viewTeam}, run: listPlaces}},
	{http.MethodGet, "users/", operation{gate: gate{someScope, viewTeam}, run: listMembers}},
	{http.MethodPost, "users/validate/", operation{gate{someScope, manageTeam}, validateUsers, "An error occurred while validating users"}},
	{http.MethodGet, "users/{username}/assignments/", operation{gate: gate{someScope, viewTeam}, run: listOf}},
	{http.MethodGet, "assignments/", operation{gate: gate{someScope, viewTeam}, run: listAssignments}},
	{http.MethodGet, "waffle-flag-states/", operation{gate{}, flagStates, "error"}},
}

// Mount adds the routes of all operations; it is one of the Parts of an [api.Config].
func (a *API) Mount(rt *api.Router) {
	for i := range operations {
		o := &operations[i]
		rt.Handle(api.Route{Method: o.method, Path: Prefix + o.path, Access: api.SignedIn, Needs: o.gate.String(),
			Handler: o.handler(a), Operation: describe(rt, o.method, o.path), MaxBody: MaxBody})
	}
}
