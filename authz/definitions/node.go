package definitions

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Widths of the columns, in characters (authz.md §10).
const (
	maxName = 255
	maxIcon = 128
)

// object is a mapping of the file, of which every key was looked at.
type object struct {
	p      *parser
	node   *yaml.Node
	what   string
	fields map[string]*yaml.Node
}

// object reads a mapping that has none but those keys.
func (p *parser) object(n *yaml.Node, what string, keys []string) *object {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		p.wrong(n, "%s is no mapping of keys to values", what)
		return nil
	}
	m := &object{p: p, node: n, what: what, fields: map[string]*yaml.Node{}}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolve(n.Content[i+1])
		switch {
		case !slices.Contains(keys, key.Value):
			p.wrong(key, "%s has an unknown key %q: it may have %s", what, key.Value, strings.Join(keys, ", "))
		case m.fields[key.Value] != nil:
			p.wrong(key, "%s has %s twice", what, key.Value)
		default:
			m.fields[key.Value] = value
		}
	}
	return m
}

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// need returns the value of a key, nil with a complaint where it is missing.
func (m *object) need(key string) *yaml.Node {
	f := m.fields[key]
	if f == nil {
		m.p.wrong(m.node, "%s lacks %s", m.what, key)
	}
	return f
}

// text returns a text that is not blank.
func (m *object) text(key string, required bool) string {
	f := m.fields[key]
	if f == nil {
		if required {
			m.need(key)
		}
		return ""
	}
	return m.scalar(f, key)
}

func (m *object) scalar(f *yaml.Node, key string) string {
	switch {
	case f.Kind != yaml.ScalarNode || f.Tag != "!!str":
		m.p.wrong(f, "%s of %s is no text", key, m.what)
	case strings.TrimSpace(f.Value) == "":
		m.p.wrong(f, "%s of %s is empty", key, m.what)
	case strings.ContainsRune(f.Value, 0):
		m.p.wrong(f, "%s of %s holds a NUL", key, m.what)
	case key != "description" && utf8.RuneCountInString(f.Value) > maxName:
		m.p.wrong(f, "%s of %s is longer than %d characters", key, m.what, maxName)
	default:
		return f.Value
	}
	return ""
}

// name returns a name of a form.
func (m *object) name(key string, want form) string {
	f := m.need(key)
	if f == nil {
		return ""
	}
	return m.named(f, key, want)
}

func (m *object) named(f *yaml.Node, key string, want form) string {
	s := m.scalar(f, key)
	switch {
	case s == "":
	case prefixes.MatchString(s):
		m.p.wrong(f, "%s of %s is %q: the engine's prefixes are put before it later", key, m.what, s)
	case !want.MatchString(s):
		m.p.wrong(f, "%s of %s is %q: it should be %s", key, m.what, s, want.text)
	default:
		return s
	}
	return ""
}

// names returns a list of different names, which is not empty where it is there.
func (m *object) names(key string, required bool, want form) []string {
	f := m.fields[key]
	if f == nil {
		if required {
			m.need(key)
		}
		return nil
	}
	if f.Kind != yaml.SequenceNode || len(f.Content) == 0 {
		m.p.wrong(f, "%s of %s is no list of at least one", key, m.what)
		return nil
	}
	var list []string
	for _, n := range f.Content {
		s := m.named(resolve(n), key, want)
		if s != "" && slices.Contains(list, s) {
			m.p.wrong(n, "%s of %s has %s twice", key, m.what, s)
		}
		list = append(list, s)
	}
	return list
}

// icon returns the name of an icon, "" for none.
func (m *object) icon() string {
	f := m.fields["icon"]
	if f == nil || f.Tag == "!!null" {
		return ""
	}
	s := m.scalar(f, "icon")
	switch {
	case s == "":
	case !pascal.MatchString(s) || len(s) > maxIcon:
		m.p.wrong(f, "icon of %s is %q: it should be a name such as BookOpen", m.what, s)
	case !icons[s]:
		m.p.wrong(f, "icon of %s is %q, which Paragon does not have", m.what, s)
	}
	return s
}

func (m *object) boolean(key string) *bool {
	f := m.fields[key]
	if f == nil {
		return nil
	}
	var v bool
	if f.Tag != "!!bool" || f.Decode(&v) != nil {
		m.p.wrong(f, "%s of %s is neither true nor false", key, m.what)
		return nil
	}
	return &v
}

// objects returns the entries of a list, which is not empty where it is there and whose entries differ.
func (m *object) objects(key string, keys ...string) (all []*object) {
	f := m.fields[key]
	if f == nil {
		return nil
	}
	if f.Kind != yaml.SequenceNode || len(f.Content) == 0 {
		m.p.wrong(f, "%s is no list of at least one", key)
		return nil
	}
	met := map[string]bool{}
	for i, n := range f.Content {
		what := entryName(key, resolve(n), i)
		if e := m.p.object(n, what, keys); e != nil {
			all = append(all, e)
		}
		if text, err := yaml.Marshal(resolve(n)); err == nil {
			if met[string(text)] {
				m.p.wrong(n, "%s is there twice", what)
			}
			met[string(text)] = true
		}
	}
	return all
}

// entryName names an entry of a list for messages: by its identifier where it has one.
func entryName(list string, n *yaml.Node, i int) string {
	kind := strings.TrimSuffix(strings.ReplaceAll(list, "_", " "), "s")
	if list == "permission_categories" {
		kind = "category"
	}
	var id string
	if n.Kind == yaml.MappingNode {
		for k := 0; k+1 < len(n.Content); k += 2 {
			switch n.Content[k].Value {
			case "id", "role_id", "name":
				id = resolve(n.Content[k+1]).Value
			}
		}
	}
	if id == "" {
		return kind + " number " + strconv.Itoa(i+1)
	}
	return kind + " " + id
}
