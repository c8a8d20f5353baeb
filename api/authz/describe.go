package authzapi

import (
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openlectern/lectern/api"
	"github.com/openlectern/lectern/flags"
)

const tag = "permissions"

// doc describes an operation for the OpenAPI document.
type doc struct {
	id, summary string
	query       []*huma.Param
	body        any // an example of the type that is sent, nil for none
	answer      api.Answer
}

// What is sent, for the document only: bodies are read more loosely than this.
type (
	// Question is one item of what validate/me is asked.
	Question struct {
		Action string `json:"action" minLength:"1" maxLength:"255"`
		Scope  string `json:"scope,omitempty" minLength:"1" maxLength:"255"`
	}
	// Names is what users/validate/ is asked.
	Names struct {
		Users []string `json:"users" minItems:"1" maxItems:"10000"`
	}
	// Giving is a role to be given: Scope or Scopes must be there.
	Giving struct {
		Role   string   `json:"role" minLength:"1" maxLength:"255"`
		Users  []string `json:"users" minItems:"1"`
		Scope  string   `json:"scope,omitempty" maxLength:"255"`
		Scopes []string `json:"scopes,omitempty" minItems:"1"`
	}
)

func text(name, description string) *huma.Param {
	return &huma.Param{Name: name, In: "query", Description: description, Schema: &huma.Schema{Type: huma.TypeString}}
}

func needed(p *huma.Param) *huma.Param {
	p.Required = true
	return p
}

// oneOf is a parameter with a choice of values, of which blank is one: the stock console sends it.
func oneOf(name string, values ...string) *huma.Param {
	list := []any{""}
	for _, v := range values {
		list = append(list, v)
	}
	return &huma.Param{Name: name, In: "query", Schema: &huma.Schema{Type: huma.TypeString, Enum: list}}
}

func paged(params ...*huma.Param) []*huma.Param {
	return append(params, text("page", "From 1, or `last`. Another is 404."),
		text("page_size", "1 to 100, default 10. Larger counts as 100, anything else as 10."))
}

var (
	scopeParam  = needed(text("scope", "A library, a course, or all of an organization or of the platform: `lib:ORG:SLUG`, `course-v1:ORG+COURSE+RUN`, `lib:ORG:*`, `course-v1:ORG+*`, `lib:*`, `course-v1:*`."))
	searchParam = text("search", "Part of a name or address, in any letter case.")
	rolesParam  = text("roles", "Comma list.")
	orgsParam   = text("orgs", "Comma list of short names.")
	scopesParam = text("scopes", "Comma list. Sets that contain one of them count, too.")
	ascending   = oneOf("order", "asc", "desc")
)

var changed = api.Answer{Status: http.StatusMultiStatus, Text: "What was done, and what was not, item by item.", Body: Changed{}}

func ok(body any) api.Answer { return api.Answer{Status: http.StatusOK, Text: "OK", Body: body} }

// docs are the descriptions of the operations, by method and path.
var docs = map[string]doc{
	"POST permissions/validate/me": {"authz_validate_me", "What the person who asks may do", nil, []Question{}, ok([]Verdict{})},
	"GET roles/":                   {"authz_roles", "Roles that can be given in a scope", paged(scopeParam), nil, ok(Page[Role]{})},
	"GET roles/users/": {"authz_role_holders", "Who has roles exactly in a scope",
		paged(scopeParam, searchParam, rolesParam, oneOf("sort_by", "username", "full_name", "email"), ascending), nil, ok(Page[RoleHolder]{})},
	"PUT roles/users/": {"authz_give_role", "Give a role to people in scopes", nil, Giving{}, changed},
	"DELETE roles/users/": {"authz_take_role", "Take a role in a scope from people", []*huma.Param{
		needed(text("users", "Comma list of user names or e-mail addresses.")), needed(text("role", "")), scopeParam}, nil, changed},
	"GET orgs/": {"authz_orgs", "Organizations in which the person who asks has something", paged(searchParam), nil, ok(Page[Org]{})},
	"GET scopes/": {"authz_scopes", "Courses and libraries in which the person who asks has something", paged(
		oneOf("scope_type", "course", "library"), searchParam, text("org", "Short name."), orgsParam,
		text("management_permission_only", "Those whose team the person may manage, rather than view. `true` or `false`.")), nil, ok(Page[Place]{})},
	"GET users/": {"authz_members", "People who have roles that the person who asks may see", paged(
		searchParam, rolesParam, orgsParam, scopesParam, text("assignments_limit", "How many assignments to show of each: 1 to 10, default 3."),
		oneOf("sort_by", "username", "full_name", "email"), ascending), nil, ok(Page[Member]{})},
	"POST users/validate/": {"authz_validate_users", "Which names are of people to whom roles can be given", nil, Names{}, ok(People{})},
	"GET users/{username}/assignments/": {"authz_assignments_of", "Assignments of one person", paged(
		rolesParam, orgsParam, oneOf("sort_by", "role", "org", "scope"), ascending), nil, ok(Page[Assignment]{})},
	"GET assignments/": {"authz_assignments", "Assignments of everybody that the person who asks may see", paged(
		searchParam, rolesParam, orgsParam, scopesParam,
		oneOf("sort_by", "full_name", "role", "org", "scope", "username", "email"), ascending), nil, ok(Page[TeamAssignment]{})},
	"GET waffle-flag-states/": {"authz_flag_states", "Where course authoring is decided by assignments", nil, nil, ok(flags.States{})},
}

// describe makes the entry of an operation in the document.
func describe(rt *api.Router, method, path string) *huma.Operation {
	d := docs[method+" "+path]
	answers := []api.Answer{d.answer}
	if d.body != nil || len(d.query) > 0 {
		answers = append(answers, api.Answer{Status: http.StatusBadRequest, Text: "What was sent is no good: each field with its messages; of a list, a list of them.", Body: new(any)})
	}
	if strings.Contains(strings.Join(names(d.query), " "), "page_size") {
		answers = append(answers, api.Answer{Status: http.StatusNotFound, Text: "There is no such page.", Body: &api.Problem{}})
	}
	if d.body != nil {
		answers = append(answers, api.Answer{Status: http.StatusUnsupportedMediaType, Text: "The body is not JSON.", Body: &api.Problem{}})
	}
	op := &huma.Operation{OperationID: d.id, Summary: d.summary, Tags: []string{tag}, Parameters: d.query, Responses: rt.Answers(answers...)}
	if d.body != nil {
		op.RequestBody = rt.Body(d.body)
	}
	return op
}

func names(params []*huma.Param) []string {
	list := make([]string, len(params))
	for i, p := range params {
		list[i] = p.Name
	}
	return list
}
