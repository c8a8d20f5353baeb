package authzapi

import (
	"net/http"
	"strconv"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/scope"
)

// question is one item of validate/me.
type question struct {
	action string
	scope  scope.Scope
	asked  bool // with a scope
}

// Verdict answers one question of validate/me, in the order asked. Scope is left out where none was sent.
type Verdict struct {
	Action  string `json:"action"`
	Scope   string `json:"scope,omitempty"`
	Allowed bool   `json:"allowed"`
}

var errScopeFormat = &problem{status: http.StatusBadRequest, body: message{"Invalid scope format"}}

// validateMe tells what the person who asks may do (authz.md §12.1).
func validateMe(c *call) (int, any, error) {
	body, err := c.readBody()
	if err != nil {
		return 0, nil, err
	}
	questions, err := readQuestions(body)
	if err != nil {
		return 0, nil, err
	}
	verdicts := make([]Verdict, len(questions))
	anywhere := map[string]bool{}
	for i, q := range questions {
		v := &verdicts[i]
		v.Action = q.action
		if q.asked {
			v.Scope = q.scope.Key()
			if v.Allowed, err = c.ix.Allowed(c.who.Username, q.action, q.scope.Key()); err != nil && !unclear(err) {
				return 0, nil, err
			}
			v.Allowed = v.Allowed && c.offered(q.scope)
			continue
		}
		allowed, known := anywhere[q.action]
		if !known {
			if allowed, err = c.ix.AllowedAnywhere(c.who.Username, q.action); err != nil && !unclear(err) {
				return 0, nil, err
			}
			anywhere[q.action] = allowed
		}
		v.Allowed = allowed
	}
	return http.StatusOK, verdicts, nil
}

// readQuestions reads the body. What is wrong with items is told in a list with an empty object for each good one.
func readQuestions(body any) ([]question, error) {
	items, ok := body.([]any)
	if !ok {
		return nil, invalid(nonField, isNotList)
	}
	questions := make([]question, len(items))
	wrong := make([]faults, len(items))
	bad := false
	scopes := make([]string, len(items))
	for i, item := range items {
		f := faults{}
		fields, ok := item.(map[string]any)
		if !ok {
			f.add(nonField, isNotMap)
		} else {
			questions[i].action = readField(f, fields, "action")
			if _, ok := fields["scope"]; ok {
				questions[i].asked = true
				scopes[i] = readField(f, fields, "scope")
			}
		}
		wrong[i] = f
		bad = bad || len(f) > 0
	}
	if bad {
		return nil, &problem{status: http.StatusBadRequest, body: wrong}
	}
	for i := range questions {
		if !questions[i].asked {
			continue
		}
		s, err := scope.Parse(scopes[i])
		if err != nil {
			return nil, errScopeFormat
		}
		questions[i].scope = s
	}
	return questions, nil
}

// readField reads a text that must be there.
func readField(f faults, fields map[string]any, name string) string {
	v, ok := fields[name]
	if !ok {
		f.add(name, isRequired)
		return ""
	}
	text, wrong := readText(v)
	if wrong != "" {
		f.add(name, wrong)
	}
	return text
}

// People is what users/validate/ answers.
type People struct {
	Valid   []string `json:"valid_users"`
	Invalid []string `json:"invalid_users"`
	Summary Summary  `json:"summary"`
}

// Summary counts the names of [People].
type Summary struct {
	Total   int `json:"total"`
	Valid   int `json:"valid_count"`
	Invalid int `json:"invalid_count"`
}

// validateUsers tells which names are of people to whom roles can be given: active, and not retired (authz.md §12.9).
func validateUsers(c *call) (int, any, error) {
	body, err := c.readBody()
	if err != nil {
		return 0, nil, err
	}
	fields, ok := body.(map[string]any)
	if !ok {
		return 0, nil, invalid(nonField, isNotMap)
	}
	f := faults{}
	names := readNames(f, fields)
	if err := f.err(); err != nil {
		return 0, nil, err
	}
	var p People
	if p.Valid, p.Invalid, err = authz.ValidateUsers(c.ctx, c.db, names); err != nil {
		return 0, nil, err
	}
	p.Summary = Summary{len(names), len(p.Valid), len(p.Invalid)}
	return http.StatusOK, p, nil
}

// readNames reads the list "users", each name once.
func readNames(f faults, fields map[string]any) []string {
	v, ok := fields["users"]
	if !ok {
		f.add("users", isRequired)
		return nil
	}
	names, wrong := readTexts(v)
	switch {
	case wrong != nil:
		f["users"] = wrong
	case len(names) == 0:
		f.add("users", isEmpty)
	case len(names) > MaxPairs:
		f.add("users", "At most "+strconv.Itoa(MaxPairs)+" users are allowed.")
	}
	return dedup(names)
}
