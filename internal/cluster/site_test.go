package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/keys"
)

const (
	org    = "Org"
	number = "C1"
	units  = 3
	leaves = 4 // problems in a unit
)

// site is one program a node, all on one database and one folder of media files.
type site struct {
	*testing.T
	c     *dbtest.Cluster
	apps  []*app.App
	files string
}

func newSite(t *testing.T, c *dbtest.Cluster) *site {
	t.Helper()
	create(t, c)
	s := &site{T: t, c: c, files: t.TempDir()}
	for n := range c.Nodes() {
		s.apps = append(s.apps, s.open(n))
	}
	return s
}

// open starts a program on a node.
func (s *site) open(node int) *app.App {
	s.Helper()
	a, err := app.Open(s.Context(), app.Config{DB: s.c.URL(node), Media: s.files, Write: true})
	if err != nil {
		s.Fatalf("node %d: %v", node, err)
	}
	s.Cleanup(func() { _ = a.Close() }) // the node may be gone by then
	return a
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func courseKey(run string) keys.Course {
	key, err := keys.ParseCourse(fmt.Sprintf("course-v1:%s+%s+%s", org, number, run))
	if err != nil {
		panic(err)
	}
	return key
}

func usage(run, kind, name string) keys.Usage {
	key, err := keys.ParseUsage(fmt.Sprintf("block-v1:%s+%s+%s+type@%s+block@%s", org, number, run, kind, name))
	if err != nil {
		panic(err)
	}
	return key
}

func problem(name, text string) []byte {
	return fmt.Appendf(nil, `<problem display_name="%s"><p>%s</p></problem>`, name, text)
}

// archive writes a course as a folder; every problem, and every static file, carries the mark.
func (s *site) archive(run, mark string, units, leaves int) string {
	s.Helper()
	dir := filepath.Join(s.TempDir(), "course")
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		s.must(os.MkdirAll(filepath.Dir(path), 0o755))
		s.must(os.WriteFile(path, []byte(text), 0o644))
	}
	write("course.xml", fmt.Sprintf(`<course url_name="%s" org="%s" course="%s"/>`, run, org, number))
	var b strings.Builder
	fmt.Fprintf(&b, "<course display_name=%q><chapter url_name=\"c\" display_name=\"C\"><sequential url_name=\"s\" display_name=\"S\">\n", mark)
	for u := range units {
		fmt.Fprintf(&b, `<vertical url_name="u%d" display_name="%s">`+"\n", u, mark)
		for p := range leaves {
			fmt.Fprintf(&b, `<problem url_name="p%d_%d" display_name="p"><p>%s</p></problem>`+"\n", u, p, mark)
		}
		b.WriteString("</vertical>\n")
	}
	b.WriteString("</sequential></chapter></course>\n")
	write("course/"+run+".xml", b.String())
	for f := range 3 {
		write(fmt.Sprintf("static/f%d.txt", f), mark)
	}
	return dir
}

// outline returns the draft or published tree as seen through a node: each block with its OLX.
func (s *site) outline(node int, run, moment string) map[string]string {
	s.Helper()
	a := s.apps[node]
	o, err := a.Show(s.Context(), courseKey(run), moment, -1)
	s.must(err)
	out := map[string]string{}
	var all []keys.Usage
	var walk func(o *course.Outline)
	walk = func(o *course.Outline) {
		key, err := keys.ParseUsage(o.Key)
		s.must(err)
		all = append(all, key)
		for _, child := range o.Children {
			walk(child)
		}
	}
	walk(o.Outline)
	views, err := a.Blocks(s.Context(), all, moment)
	s.must(err)
	for _, v := range views {
		at := ""
		if v.Parent != nil {
			at = fmt.Sprintf("%s %d ", *v.Parent, *v.Index)
		}
		out[v.Key] = fmt.Sprintf("%s%d %s", at, v.Version, v.OLX)
	}
	return out
}

func blockID(kind, name string) courseware.BlockID { return courseware.BlockID{Type: kind, Name: name} }
