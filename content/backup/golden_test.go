package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/golden"
)

// sidecar is what the reference made of an archive.
type sidecar struct {
	Status   string         `json:"status"`
	Log      string         `json:"log"`
	Restored map[string]any `json:"lp_restored_data"`
	Meta     map[string]any `json:"backup_metadata"`
	state
}

// state is every row of a package that a restore makes, by refs.
type state struct {
	Package     map[string]any   `json:"package"`
	Entities    []map[string]any `json:"entities"`
	Collections []map[string]any `json:"collections"`
	DraftLogs   []logState       `json:"draft_logs"`
	PublishLogs []logState       `json:"publish_logs"`
	Media       [][]any          `json:"media"`
}

type logState struct {
	By          any     `json:"by"`
	At          string  `json:"at"`
	Records     [][]any `json:"records"`
	SideEffects [][]any `json:"side_effects"`
	Message     *string `json:"message,omitempty"`
}

// deviations are the archives of which Go makes something else than the reference, each with the reason.
var deviations = map[string]string{
	"bad-E04-blank-email":           "B3: blank counts as absent",
	"bad-O-dotdot-path":             "§4.4: .. is refused",
	"bad-O-future-format-version":   "§8: only version 1 is read",
	"bad-O-version-entity-ref":      "§4.2: the stray key is ignored",
	"bad-R-collection-code-unicode": "B12: mapped to a code",
	"bad-R-container-code-slash":    "B12: mapped to a code",
	"bad-R-toml-asset":              "B5: an asset",
	"noemail":                       "B3: blank counts as absent",
	"oldcoll":                       "B12: mapped to a code",
	"oldcolon":                      "B12: mapped to a code",
	"oldkeys":                       "B12: mapped to a code",
}

// fails says whether Go refuses an archive, given what the reference does.
func fails(name, status string) bool {
	shape, _, _ := strings.Cut(name, "--")
	if _, other := deviations[shape]; other {
		return status == "success"
	}
	return status != "success"
}

func TestGoldenArchives(t *testing.T) {
	t.Parallel()
	for _, path := range golden.Glob(t, "backup/*.zip") {
		name := strings.TrimSuffix(filepath.Base(path), ".zip")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(strings.TrimSuffix(path, ".zip") + ".json")
			if err != nil {
				t.Fatal(err)
			}
			var want sidecar
			if err := json.Unmarshal(b, &want); err != nil {
				t.Fatal(err)
			}
			s := newStand(t, db.SQLite)
			before := s.rows()
			plan, restored, err := s.restore(path, "lib:Golden:"+name, ReadOptions{})
			if fails(name, want.Status) {
				if err == nil {
					t.Fatalf("restored what has to be refused")
				}
				if diff := cmp.Diff(before, s.rows()); diff != "" {
					t.Errorf("left behind (-before +after):\n%s", diff)
				}
				sameErrors(t, want, err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want.Status != "success" {
				return
			}
			sameResult(t, want, plan)
			got := s.state(restored.Package)
			compare(t, want.state, got)
		})
	}
}

var loggedField = regexp.MustCompile(`'(\w+)': (?:\{(\d+): )?\[ErrorDetail\(string=.*?, code='(\w+)'\)`)

// sameErrors holds the errors against the lines of the reference's log: file, field and code of each, in order.
func sameErrors(t *testing.T, want sidecar, err error) {
	t.Helper()
	var p *Problems
	if !errors.As(err, &p) {
		t.Fatalf("no list of problems: %v", err)
	}
	if want.Status != "error" {
		return
	}
	type line struct{ Label, Field, Code string }
	var wanted, got []line
	for _, l := range strings.Split(strings.TrimSpace(want.Log), "\n")[1:] {
		label, rest, _ := strings.Cut(l, ": ")
		for _, m := range loggedField.FindAllStringSubmatch(rest, -1) {
			field := m[1]
			if m[2] != "" {
				field += "." + m[2]
			}
			wanted = append(wanted, line{label, field, m[3]})
		}
		if !strings.HasPrefix(rest, "{") {
			wanted = append(wanted, line{Label: label})
		}
	}
	for _, one := range p.List {
		l := line{one.Label(), one.Field, one.Code}
		if one.Code == CodeMissing || one.Code == CodeUnknown {
			l.Field, l.Code = "", ""
		}
		got = append(got, l)
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s\nlog: %s\ngot: %s", diff, want.Log, p.Log())
	}
}

func sameResult(t *testing.T, want sidecar, p *Plan) {
	t.Helper()
	b, err := json.Marshal(p.Counts())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	got["archive_package_ref"], got["title"] = p.Key, p.Title
	for k, v := range got {
		if diff := cmp.Diff(want.Restored[k], v); diff != "" {
			t.Errorf("result %s (-want +got):\n%s", k, diff)
		}
	}
	orNil := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	meta := map[string]any{"format_version": float64(p.Meta.FormatVersion), "created_by": orNil(p.Meta.CreatedBy),
		"created_by_email": orNil(p.Meta.Email), "original_server": orNil(p.Meta.Origin),
		"created_at": strings.Replace(p.Meta.CreatedAt.Format("2006-01-02 15:04:05.000000+00:00"), ".000000", "", 1)}
	if diff := cmp.Diff(want.Meta, meta); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}

// compare holds the rows against the sidecar's. Of side effects the reference leaves some out.
func compare(t *testing.T, want, got state) {
	t.Helper()
	delete(want.Package, "package_ref")
	delete(got.Package, "package_ref")
	for _, l := range [][2][]logState{{want.DraftLogs, got.DraftLogs}, {want.PublishLogs, got.PublishLogs}} {
		for i := range min(len(l[0]), len(l[1])) {
			for _, edge := range l[0][i].SideEffects {
				if !slices.ContainsFunc(l[1][i].SideEffects, func(e []any) bool { return cmp.Equal(e, edge) }) {
					t.Errorf("log %d: no side effect %v", i, edge)
				}
			}
			l[0][i].SideEffects, l[1][i].SideEffects = nil, nil
		}
	}
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	got = state{}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for _, list := range [][][]any{want.Media, got.Media} {
		slices.SortFunc(list, func(a, b []any) int { return strings.Compare(fmt.Sprint(a...), fmt.Sprint(b...)) })
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

const times = "2006-01-02T15:04:05.000000Z"

func at(when time.Time) string {
	if when.Equal(loadTime) {
		return "<load time>"
	}
	return when.Format(times)
}

// state reads every row of a package.
func (s *stand) state(pkg publishing.Package) state {
	s.t.Helper()
	ctx, q := s.t.Context(), s.DB
	check := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	by := func(u publishing.UserID) any {
		if u == 0 {
			return nil
		}
		return "bob"
	}
	out := state{Package: map[string]any{"package_ref": pkg.Ref, "title": pkg.Title, "description": pkg.Description,
		"created": at(pkg.Created), "updated": at(pkg.Updated)}, Entities: []map[string]any{}, Collections: []map[string]any{}, Media: [][]any{}}
	entities, err := publishing.Entities(ctx, q, pkg.ID)
	check(err)
	slices.SortFunc(entities, func(a, b publishing.Entity) int { return strings.Compare(a.Ref, b.Ref) })
	refs := map[publishing.EntityID]string{}
	var ids []publishing.EntityID
	for _, e := range entities {
		refs[e.ID] = e.Ref
		ids = append(ids, e.ID)
	}
	pointers, err := publishing.PointersOf(ctx, q, ids)
	check(err)
	leaves, err := components.ByID(ctx, q, ids)
	check(err)
	parents, err := containers.ByID(ctx, q, ids)
	check(err)
	used := map[media.ID]media.Media{}
	for _, e := range entities {
		row := map[string]any{"ref": e.Ref, "can_stand_alone": e.CanStandAlone, "created": at(e.Created), "created_by": by(e.By), "kind": "component"}
		leaf, isLeaf := leaves[e.ID]
		if isLeaf {
			row["component_type"], row["code"] = leaf.Type.String(), leaf.Code
		} else {
			row["kind"], row["code"] = parents[e.ID].Type, parents[e.ID].Code
		}
		branch := func(name string, b publishing.Branch) {
			switch {
			case !b.Exists:
				row[name] = "absent"
				return
			case !b.Live():
				row[name] = nil
			default:
				row[name] = b.Num
			}
			row[name+"_has_digest"] = b.Digest != ""
		}
		branch("draft", pointers[e.ID].Draft)
		branch("published", pointers[e.ID].Published)
		versions, err := publishing.VersionsOf(ctx, q, e.ID)
		check(err)
		list := []map[string]any{}
		for _, v := range versions {
			deps, err := publishing.Dependencies(ctx, q, []publishing.VersionID{v.ID})
			check(err)
			names := []string{}
			for _, d := range deps[v.ID] {
				names = append(names, refs[d])
			}
			slices.Sort(names)
			one := map[string]any{"num": v.Num, "title": v.Title, "created": at(v.Created), "created_by": by(v.By), "dependencies": names}
			if isLeaf {
				files, err := components.Files(ctx, q, []publishing.VersionID{v.ID}, true)
				check(err)
				rows := []map[string]any{}
				for _, f := range files {
					used[f.Media.ID] = f.Media
					var text any
					if f.Media.HasText {
						text = f.Media.Text
					}
					rows = append(rows, map[string]any{"path": f.Path, "type": f.Media.Type.String(), "size": f.Media.Size,
						"digest": f.Media.Digest, "has_file": f.Media.HasFile, "text": text})
				}
				one["media"] = rows
			} else {
				children, err := containers.Children(ctx, q, []publishing.VersionID{v.ID})
				check(err)
				rows := [][]any{}
				for _, c := range children[v.ID] {
					var pin any
					if c.Pin != 0 {
						pinned, err := publishing.Versions(ctx, q, []publishing.VersionID{c.Pin})
						check(err)
						pin = pinned[0].Num
					}
					rows = append(rows, []any{refs[c.Entity], pin})
				}
				one["rows"] = rows
			}
			list = append(list, one)
		}
		row["versions"] = list
		out.Entities = append(out.Entities, row)
	}
	sets, err := collections.Collections(ctx, q, pkg.ID, collections.All)
	check(err)
	members, err := collections.AllMembers(ctx, q, pkg.ID)
	check(err)
	slices.SortFunc(sets, func(a, b collections.Collection) int { return strings.Compare(a.Code, b.Code) })
	for _, c := range sets {
		list := [][]any{}
		for _, m := range members {
			if m.Collection == c.ID {
				list = append(list, []any{refs[m.Entity], by(m.By)})
			}
		}
		slices.SortFunc(list, func(a, b []any) int { return strings.Compare(a[0].(string), b[0].(string)) })
		out.Collections = append(out.Collections, map[string]any{"code": c.Code, "title": c.Title, "description": c.Description,
			"enabled": c.Enabled, "created_by": by(c.By), "created": at(c.Created), "members": list})
	}
	logs, err := publishing.Logs(ctx, q, pkg.ID, publishing.LogFilter{})
	check(err)
	slices.SortFunc(logs, func(a, b publishing.Log) int { return int(a.ID - b.ID) })
	num := func(id publishing.VersionID, n int) any {
		if id == 0 {
			return nil
		}
		return n
	}
	out.DraftLogs, out.PublishLogs = []logState{}, []logState{}
	for _, l := range logs {
		records, err := publishing.Records(ctx, q, l.Publish, []int64{l.ID})
		check(err)
		slices.SortFunc(records, func(a, b publishing.LogRecord) int { return strings.Compare(a.Ref, b.Ref) })
		one := logState{By: by(l.By), At: at(l.At), Records: [][]any{}}
		of := map[publishing.RecordID]string{}
		for _, r := range records {
			of[r.ID] = r.Ref
			row := []any{r.Ref, num(r.Old, r.OldNum), num(r.New, r.NewNum)}
			if l.Publish {
				row = append(row, *r.Direct)
			}
			one.Records = append(one.Records, row)
		}
		table := "draftsideeffect"
		if l.Publish {
			table = "publishsideeffect"
		}
		check(q.Query(ctx, "SELECT cause_id, effect_id FROM openedx_content_"+table, nil, func(r *db.Row) error {
			var cause, effect int64
			err := r.Scan(&cause, &effect)
			if from, ok := of[publishing.RecordID(cause)]; ok {
				one.SideEffects = append(one.SideEffects, []any{from, of[publishing.RecordID(effect)]})
			}
			return err
		}))
		if l.Publish {
			message := l.Message
			one.Message = &message
			out.PublishLogs = append(out.PublishLogs, one)
		} else {
			out.DraftLogs = append(out.DraftLogs, one)
		}
	}
	for _, m := range used {
		out.Media = append(out.Media, []any{m.Type.String(), m.Size, m.Digest, m.HasFile, m.HasText})
	}
	return out
}
