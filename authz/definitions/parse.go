package definitions

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile is how large a file may be, in bytes.
const maxFile = 1 << 20

// Problem is something wrong with a file, or, as a warning, something in it that has no effect.
type Problem struct {
	File    string `json:"file"` // "" where it is about several
	Line    int    `json:"line"` // 0 where it is about the whole file
	Text    string `json:"text"`
	Warning bool   `json:"warning"`
}

func (p Problem) String() string {
	at := p.File
	if p.Line > 0 {
		at += ":" + strconv.Itoa(p.Line)
	}
	if at != "" {
		at += ": "
	}
	return at + p.Text
}

// parser reads one file and collects what is wrong with it, to the end.
type parser struct {
	file     *File
	problems []Problem
}

// Parse reads a file. The rules are those of the format's JSON schema, which openedx-authz publishes and does not enforce
// (authz.md §15, D18), and of the values (§16.3). The file is nil where there are problems.
func Parse(path string, data []byte) (*File, string, []Problem) {
	p := &parser{file: &File{Path: path}}
	if len(data) > maxFile {
		p.wrong(nil, "the file is larger than 1 MiB")
		return nil, "", p.problems
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	if err := d.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is empty")
		}
		p.wrong(nil, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
		return nil, "", p.problems
	}
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		p.wrong(nil, "the file holds more than one document")
	}
	version := p.top(doc.Content[0])
	if len(p.problems) > 0 {
		return nil, "", p.problems
	}
	return p.file, version, nil
}

func (p *parser) wrong(n *yaml.Node, format string, args ...any) {
	w := Problem{File: p.file.Path, Text: fmt.Sprintf(format, args...)}
	if n != nil {
		w.Line = n.Line
	}
	p.problems = append(p.problems, w)
}

var lists = []string{"permission_categories", "permissions", "roles", "role_extensions"}

// top reads the document and returns the version of its format.
func (p *parser) top(n *yaml.Node) (version string) {
	m := p.object(n, "the file", append([]string{"schema_version", "priority"}, lists...))
	if m == nil {
		return ""
	}
	version = m.text("schema_version", true)
	if version != "" && version != "1.0" {
		p.wrong(m.fields["schema_version"], `schema_version is %q, this program reads "1.0"`, version)
	}
	if f := m.need("priority"); f != nil {
		v, err := strconv.Atoi(f.Value)
		if err != nil || f.Tag != "!!int" {
			p.wrong(f, "priority is no integer")
		}
		p.file.Priority = v
	}
	if !slices.ContainsFunc(lists, func(l string) bool { return m.fields[l] != nil }) {
		p.wrong(n, "the file has none of %s", strings.Join(lists, ", "))
	}
	for _, e := range m.objects(lists[0], "id", "display_name", "description", "icon") {
		p.file.Categories = append(p.file.Categories, Category{
			ID: e.name("id", identifier), Name: e.text("display_name", true), Description: e.text("description", true), Icon: e.icon(),
		})
	}
	for _, e := range m.objects(lists[1], "namespace", "name", "display_name", "description", "category_id", "scopes", "icon") {
		p.file.Permissions = append(p.file.Permissions, Permission{
			Namespace: e.name("namespace", identifier), Verb: e.name("name", identifier), Name: e.text("display_name", true),
			Description: e.text("description", true), Category: e.name("category_id", identifier), Scopes: e.names("scopes", true, namespace), Icon: e.icon(),
		})
	}
	for _, e := range m.objects(lists[2], "id", "display_name", "description", "scopes", "permissions", "icon", "hidden") {
		r := Role{
			ID: e.name("id", identifier), Name: e.text("display_name", true), Description: e.text("description", true),
			Scopes: e.names("scopes", true, namespace), Permissions: e.names("permissions", true, permissionID), Icon: e.icon(),
		}
		if h := e.boolean("hidden"); h != nil {
			r.Hidden = *h
		}
		p.file.Roles = append(p.file.Roles, r)
	}
	for _, e := range m.objects(lists[3], "role_id", "add_permissions", "remove_permissions", "display_name", "description", "icon", "hidden") {
		p.file.Extensions = append(p.file.Extensions, e.extension())
	}
	return version
}

func (m *object) extension() Extension {
	x := Extension{Role: m.name("role_id", identifier), Add: m.names("add_permissions", false, permissionID), Remove: m.names("remove_permissions", false, permissionID), Hidden: m.boolean("hidden")}
	for _, f := range []struct {
		key string
		to  **string
	}{{"display_name", &x.Name}, {"description", &x.Description}} {
		if m.fields[f.key] != nil {
			v := m.text(f.key, true)
			*f.to = &v
		}
	}
	if m.fields["icon"] != nil {
		v := m.icon()
		x.Icon = &v
	}
	if len(m.fields) == 1 && m.fields["role_id"] != nil {
		m.p.wrong(m.node, "the extension of role %s changes nothing", x.Role)
	}
	for _, id := range x.Add {
		if slices.Contains(x.Remove, id) {
			m.p.wrong(m.node, "the extension of role %s both adds and removes %s", x.Role, id)
		}
	}
	return x
}

// Forms of names (authz.md §16.3).
var (
	identifier   = form{regexp.MustCompile(`^[a-z][a-z0-9_]*$`), "lower-case letters, digits and _, beginning with a letter"}
	namespace    = form{regexp.MustCompile(`^[a-z][a-z0-9_-]*$`), "lower-case letters, digits, _ and -, beginning with a letter"}
	permissionID = form{regexp.MustCompile(`^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$`), "two names joined by a dot, such as courses.edit_files"}
	pascal       = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
	prefixes     = regexp.MustCompile(`^(act|role|sub|scope|g|p)\^`)
)

type form struct {
	*regexp.Regexp
	text string
}
