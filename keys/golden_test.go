package keys_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/openlectern/lectern/internal/golden"
	"github.com/openlectern/lectern/keys"
)

// row is a line of keys.jsonl (keys.md §7.1).
type row struct {
	Kind, Input, Type, Canonical, Quirk string
	OK, Deprecated, RT                  bool

	Org, Course, Run, Library, Slug, Branch, Version *string
	BlockType                                        *string `json:"block_type"`
	BlockID                                          *string `json:"block_id"`
	CollectionID                                     *string `json:"collection_id"`
	ContainerType                                    *string `json:"container_type"`
	ContainerID                                      *string `json:"container_id"`
	DefinitionID                                     *string `json:"definition_id"`
	BundleUUID                                       *string `json:"bundle_uuid"`
	BundleVersion                                    *string `json:"bundle_version"`
	DraftName                                        *string `json:"draft_name"`
	OLXPath                                          *string `json:"olx_path"`
	BlockFamily                                      *string `json:"block_family"`
	AsideType                                        *string `json:"aside_type"`
	Inner                                            *string
	InnerType                                        *string `json:"inner_type"`
	Context                                          *string
	DB                                               *string
	DBError                                          *string `json:"db_error"`
	HTMLID                                           *string `json:"html_id"`
}

// accepted applies the policy of keys.md §6.4 to what the reference accepts.
func (r row) accepted() bool { return r.OK && r.Quirk != "lossy" && r.Quirk != "newline" }

func rows(tb testing.TB) (all []row) {
	golden.Lines(tb, "keys.jsonl", func(line []byte) {
		var r row
		if err := json.Unmarshal(line, &r); err != nil {
			tb.Fatalf("%s: %v", line, err)
		}
		all = append(all, r)
	})
	return all
}

// types are the reference's names of the forms.
var types = map[keys.Form]string{
	keys.FormCourse: "CourseLocator", keys.FormSlash: "CourseLocator", keys.FormLegacyLibrary: "LibraryLocator",
	keys.FormLibrary: "LibraryLocatorV2", keys.FormBlock: "BlockUsageLocator", keys.FormI4x: "BlockUsageLocator",
	keys.FormLegacyBlock: "LibraryUsageLocator", keys.FormLibraryBlock: "LibraryUsageLocatorV2",
	keys.FormLocation: "DeprecatedLocation", keys.FormAsset: "AssetLocator", keys.FormC4x: "AssetLocator",
	keys.FormDefinition: "DefinitionLocator", keys.FormBundle: "BundleDefinitionLocator",
	keys.FormBlockType: "BlockTypeKeyV1", keys.FormBareType: "BlockTypeKeyV1",
	keys.FormCollection: "LibraryCollectionLocator", keys.FormContainer: "LibraryContainerLocator",
	keys.FormAsideUsage1: "AsideUsageKeyV1", keys.FormAsideUsage2: "AsideUsageKeyV2",
	keys.FormAsideDefinition1: "AsideDefinitionKeyV1", keys.FormAsideDefinition2: "AsideDefinitionKeyV2",
}

func TestGoldenKeys(t *testing.T) {
	t.Parallel()
	for _, r := range rows(t) {
		kind, ok := keys.ParseKind(r.Kind)
		if !ok {
			t.Fatalf("unknown kind %q", r.Kind)
		}
		k, err := kind.Parse(r.Input)
		if ok := valid(kind, r.Input); ok != (err == nil) {
			t.Errorf("%s %q: Valid says %v, Parse %v", r.Kind, r.Input, ok, err)
		}
		if (err == nil) != r.accepted() {
			t.Errorf("%s %q (quirk %q): error %v, want accepted %v", r.Kind, r.Input, r.Quirk, err, r.accepted())
			continue
		}
		if err != nil {
			var e *keys.Error
			if !errors.Is(err, keys.ErrInvalid) || !errors.As(err, &e) || e.Kind != kind {
				t.Errorf("%s %q: error %#v", r.Kind, r.Input, err)
			}
			continue
		}
		if got := k.String(); got != r.Canonical {
			t.Errorf("%s %q: prints %q, want %q", r.Kind, r.Input, got, r.Canonical)
		}
		again, err := kind.Parse(k.String())
		if err != nil || again != k {
			t.Errorf("%s %q: read again: %v, %v", r.Kind, r.Input, again, err)
		}
		if !r.RT {
			t.Errorf("%s %q: accepted, though it cannot be read back", r.Kind, r.Input)
		}
		want := r.want()
		if got := k.Form(); types[got] != r.Type && !k.IsZero() {
			t.Errorf("%s %q: form %v, want %s", r.Kind, r.Input, got, r.Type)
		}
		if k.Deprecated() != r.Deprecated {
			t.Errorf("%s %q: deprecated %v, want %v", r.Kind, r.Input, k.Deprecated(), r.Deprecated)
		}
		if got := observed(t, kind, k); !reflect.DeepEqual(got, want) {
			t.Errorf("%s %q:\n got %v\nwant %v", r.Kind, r.Input, got, want)
		}
	}
}

// want returns what the row says of the key, under the names that observed uses.
func (r row) want() map[string]string {
	m := map[string]string{}
	put := func(name string, v *string) {
		if v != nil {
			m[name] = *v
		}
	}
	put("org", r.Org)
	put("code", r.Course)
	put("code", r.Library)
	put("code", r.Slug)
	put("run", r.Run)
	put("branch", r.Branch)
	put("version", r.Version)
	put("type", r.BlockType)
	put("type", r.ContainerType)
	put("id", r.BlockID)
	put("id", r.CollectionID)
	put("id", r.ContainerID)
	put("id", r.DefinitionID)
	put("id", r.BundleUUID)
	put("bundle_version", r.BundleVersion)
	put("draft", r.DraftName)
	put("path", r.OLXPath)
	put("family", r.BlockFamily)
	put("aside_type", r.AsideType)
	put("inner", r.Inner)
	put("inner_type", r.InnerType)
	put("context", r.Context)
	put("db", r.DB)
	put("html_id", r.HTMLID)
	if r.DBError != nil {
		m["db_error"] = "refused"
	}
	// A column cannot give these back (keys.md §7), so storing them is refused where the reference goes on.
	if db := r.DB; db != nil && (utf8.RuneCountInString(*db) > 255 || strings.ContainsRune(*db, 0) ||
		strings.HasSuffix(*db, "\n") || strings.HasSuffix(*db, " ")) {
		delete(m, "db")
		m["db_error"] = "refused"
	}
	return m
}

// observed asks a key for everything that the rows hold about its kind.
func observed(t *testing.T, kind keys.Kind, k keys.Key) map[string]string {
	m := map[string]string{}
	put := func(name, v string) {
		if v != "" {
			m[name] = v
		}
	}
	maybe := func(name, v string, ok bool) {
		if ok {
			m[name] = v
		}
	}
	version := func(v keys.Version, ok bool) { maybe("version", v.String(), ok) }
	run := func(v string, ok bool) { maybe("run", v, ok) }
	branch := func(v string, ok bool) { maybe("branch", v, ok) }
	switch k := k.(type) {
	case keys.Context:
		put("org", k.Org())
		put("code", k.Code())
		run(k.Run())
		branch(k.Branch())
		version(k.Version())
	case keys.Course:
		put("org", k.Org())
		put("code", k.Code())
		run(k.Run())
		branch(k.Branch())
		version(k.Version())
	case keys.Usage:
		if c, ok := k.Context(); ok {
			m["context"] = c.String()
			if again, err := keys.ParseContext(c.String()); err != nil || again != c {
				t.Errorf("%v: context %#v is not what its text reads as: %#v, %v", k, c, again, err)
			}
		}
		if a, ok := k.AsideType(); ok {
			inner, err := k.Inner()
			if err != nil {
				t.Errorf("%v: inner: %v", k, err)
			}
			m["aside_type"], m["inner"], m["inner_type"] = a, inner.String(), types[inner.Form()]
			break
		}
		put("org", k.Org())
		put("code", k.Code())
		run(k.Run())
		branch(k.Branch())
		version(k.Version())
		put("type", k.Type())
		put("id", k.ID())
		put("html_id", k.HTMLID())
	case keys.Asset:
		if c, ok := k.Course(); ok {
			m["context"] = c.String()
		}
		put("org", k.Org())
		put("code", k.Code())
		run(k.Run())
		branch(k.Branch())
		version(k.Version())
		put("type", k.Type())
		put("id", k.Path())
		put("html_id", k.HTMLID())
	case keys.Definition:
		if a, ok := k.AsideType(); ok {
			inner, err := k.Inner()
			if err != nil {
				t.Errorf("%v: inner: %v", k, err)
			}
			m["aside_type"], m["inner"], m["inner_type"] = a, inner.String(), types[inner.Form()]
			break
		}
		put("id", k.ID())
		put("type", k.Type())
		put("path", k.Path())
		v, ok := k.BundleVersion()
		maybe("bundle_version", v, ok)
		v, ok = k.Draft()
		maybe("draft", v, ok)
	case keys.BlockType:
		m["family"], m["type"] = k.Family(), k.Type()
	case keys.Collection:
		put("org", k.Org())
		put("code", k.Slug())
		put("id", k.ID())
		m["context"] = k.Library().String()
	case keys.Container:
		put("org", k.Org())
		put("code", k.Slug())
		put("type", k.Type())
		put("id", k.ID())
		m["context"] = k.Library().String()
	}
	switch kind {
	case keys.KindAsset, keys.KindDefinition, keys.KindAsideUsage, keys.KindAsideDefinition:
		// The reference has no columns for these.
	default:
		store(t, k, m)
	}
	return m
}
