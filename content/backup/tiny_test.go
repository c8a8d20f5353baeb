package backup

import (
	"archive/zip"
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
)

// tiny is the worked example of backup-format.md §10, without its folders.
func tiny() map[string]string {
	const html, problem = "entities/xblock.v1/html/", "entities/xblock.v1/problem/"
	component := func(key, published string, versions ...string) string {
		return "[entity]\ncan_stand_alone = true\nkey = \"" + key + "\"\ncreated = 2026-02-01T12:00:00Z\n\n[entity.draft]\nversion_num = " + versions[0] +
			"\n\n[entity.published]\n" + published + "\n\n# ### Versions\n\n[[version]]\ntitle = \"V\"\nversion_num = " + strings.Join(versions, "\n\n[[version]]\ntitle = \"V\"\nversion_num = ") + "\n"
	}
	return map[string]string{
		"package.toml": `[meta]
format_version = 1
created_by = "ada"
created_by_email = "ada@acme.example"
created_at = 2026-03-01T09:30:00.250000Z
origin_server = "studio.acme.example"

[learning_package]
title = "Tiny"
key = "lib:Acme:Tiny"
description = "One page, one quiz"
created = 2026-01-10T08:00:00Z
updated = 2026-02-20T10:15:00Z
`,
		"entities/week-1-9f3c2a.toml": `[entity]
can_stand_alone = true
key = "week-1-9f3c2a"
created = 2026-01-10T08:05:00Z

[entity.draft]
version_num = 3

[entity.published]
version_num = 2

[entity.container.unit]

# ### Versions

[[version]]
title = "Week 1"
version_num = 3

[version.container]
children = ["xblock.v1:html:intro", "xblock.v1:problem:Intro"]

[[version]]
title = "Week one"
version_num = 2

[version.container]
children = ["xblock.v1:html:intro"]
`,
		html + "intro.toml":                                      component("xblock.v1:html:intro", "version_num = 1", "2", "1"),
		html + "intro/component_versions/v2/block.xml":           "<html>Second</html>",
		html + "intro/component_versions/v2/static/plan.png":     "png",
		html + "intro/component_versions/v1/block.xml":           "<html>First</html>",
		problem + "intro_3edf9c.toml":                            component("xblock.v1:problem:Intro", "# unpublished: no published_version_num", "1"),
		problem + "intro_3edf9c/component_versions/v1/block.xml": "<problem/>",
		"collections/intro_29c04f.toml": `[collection]
title = "Getting started"
key = "intro"
description = ""
created = 2026-02-02T07:00:00Z
entities = [
    "xblock.v1:html:intro",
    "xblock.v1:problem:Intro",
]
`,
	}
}

// pack makes a zip of files, in the order of their names.
func pack(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// changed returns tiny with parts of one file replaced.
func changed(t testing.TB, name string, oldNew ...string) map[string]string {
	t.Helper()
	files := tiny()
	for i := 0; i < len(oldNew); i += 2 {
		if !strings.Contains(files[name], oldNew[i]) {
			t.Fatalf("%s has no %q", name, oldNew[i])
		}
	}
	files[name] = strings.NewReplacer(oldNew...).Replace(files[name])
	return files
}

// read reads files as an archive.
func read(t testing.TB, files map[string]string, o ReadOptions) (*Plan, error) {
	t.Helper()
	a, err := Open(t.Context(), put(t, "x.zip", pack(t, files)), Limits{})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = a.Close() })
	return a.Read(t.Context(), o)
}

// refused checks that files are refused with one problem.
func refused(t testing.TB, files map[string]string, o ReadOptions, file, field, code string) {
	t.Helper()
	_, err := read(t, files, o)
	var p *Problems
	if !errors.As(err, &p) {
		t.Fatalf("error %v, want a problem with %s", err, file)
	}
	if len(p.List) != 1 || p.List[0].File != file || p.List[0].Field != field || p.List[0].Code != code {
		t.Errorf("problems:\n%swant %s, field %q, code %s", p.Log(), file, field, code)
	}
}
