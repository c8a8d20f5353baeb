package keys_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/openlectern/lectern/keys"
)

// TestBuild makes keys of parts; "" is a refusal. No part can smuggle in another field.
func TestBuild(t *testing.T) {
	t.Parallel()
	check := func(want string, k keys.Key, err error) {
		t.Helper()
		if k.String() != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, keys.ErrInvalid) {
			t.Errorf("got %q, %v, want %q", k, err, want)
		}
	}
	course := func(want, org, code, run string) keys.Course {
		t.Helper()
		c, err := keys.NewCourse(org, code, run)
		check(want, c, err)
		return c
	}
	c := course("course-v1:o+c+r", "o", "c", "r")
	course("course-v1:o:+c~+r", "o:", "c~", "r")
	course("", "o", "c", "")
	course("", "o+c", "r", "x")
	course("", "o", "c", "r+branch@b")
	course("", "o", "c", "r%")
	slash := func(want, org, code, run string) keys.Course {
		t.Helper()
		c, err := keys.NewSlashCourse(org, code, run)
		check(want, c, err)
		return c
	}
	s := slash("o/c/r", "o", "c", "r")
	slash("o/c/", "o", "c", "")
	slash("", "", "c", "r")
	slash("", "o/c", "r", "x")
	slash("", "course-v1:o", "c", "r")
	legacy := func(want, org, code string) keys.Course {
		t.Helper()
		c, err := keys.NewLegacyLibrary(org, code)
		check(want, c, err)
		return c
	}
	l := legacy("library-v1:o+l", "o", "l")
	legacy("", "o", "l+r")
	legacy("", "o", "")
	library := func(want, org, slug string) keys.Context {
		t.Helper()
		c, err := keys.NewLibrary(org, slug)
		check(want, c, err)
		return c
	}
	lib := library("lib:o:s", "o", "s")
	library("lib:o:é", "o", "é")
	library("", "é", "s")
	library("", "o:s", "t")
	library("", "o", "s\n")

	usage := func(want string, in keys.Context, typ, id string) {
		t.Helper()
		u, err := in.Usage(typ, id)
		check(want, u, err)
	}
	usage("block-v1:o+c+r+type@t+block@x", c.Context(), "t", "x")
	usage("", c.Context(), "", "x")
	usage("", c.Context(), "t", "")
	usage("", c.Context(), "t t", "x")
	usage("", c.Context(), "t", "x%20")
	usage("", c.Context(), "t+block@x", "y")
	usage("i4x://o/c/t/x", s.Context(), "t", "x")
	usage("i4x://o/c/a b/x%20", s.Context(), "a b", "x%20")
	usage("", s.Context(), "a/b", "x")
	usage("", s.Context(), "t", "x@b")
	usage("", s.Context(), "\xff", "x")
	usage("lib-block-v1:o+l+type@t+block@x", l.Context(), "t", "x")
	usage("lb:o:s:t:x", lib, "t", "x")
	usage("lb:o:s:t:é", lib, "t", "é")
	usage("", lib, "é", "x")
	usage("", lib, "t:x", "y")
	usage("", keys.Context{}, "t", "x")

	b, err := c.WithBranch("b")
	if err != nil {
		t.Fatal(err)
	}
	usage("block-v1:o+c+r+branch@b+type@t+block@x", b.Context(), "t", "x")
	only, err := keys.ParseCourse("course-v1:version@" + specV)
	if err != nil {
		t.Fatal(err)
	}
	usage("block-v1:version@"+specV+"+type@t+block@x", only.Context(), "t", "x")

	asset := func(want string, in keys.Course, typ, path string) {
		t.Helper()
		a, err := in.Asset(typ, path)
		check(want, a, err)
	}
	asset("asset-v1:o+c+r+type@asset+block@images_a%20b.png", c, "asset", "images_a%20b.png")
	asset("", c, "asset", "a b")
	asset("", c, "a+b", "x")
	asset("/c4x/o/c/thumbnail/x.jpg", s, "thumbnail", "x.jpg")
	asset("", s, "a/b", "x")
	asset("", l, "asset", "x") // could not be read back
	asset("", keys.Course{}, "asset", "x")

	collection := func(want string, in keys.Context, id string) {
		t.Helper()
		k, err := in.Collection(id)
		check(want, k, err)
	}
	collection("lib-collection:o:s:k", lib, "k")
	collection("", lib, "k:l")
	collection("", c.Context(), "k")
	container := func(want string, in keys.Context, typ, id string) {
		t.Helper()
		k, err := in.Container(typ, id)
		check(want, k, err)
	}
	container("lct:o:s:unit:k", lib, "unit", "k")
	container("", lib, "ünit", "k")
	container("", c.Context(), "unit", "k")

	v, err := keys.ParseVersion(specV)
	if err != nil {
		t.Fatal(err)
	}
	definition := func(want, typ string) {
		t.Helper()
		d, err := keys.NewDefinition(v, typ)
		check(want, d, err)
	}
	definition("def-v1:"+specV+"+type@t", "t")
	definition("", "")
	definition("", "t+x")
	blockType := func(want, family, typ string) {
		t.Helper()
		b, err := keys.NewBlockType(family, typ)
		check(want, b, err)
	}
	blockType("problem", "xblock.v1", "problem")
	blockType("problem", "xmodule.v1", "problem")
	blockType("block-type-v1:f:t:u", "f", "t:u")
	blockType("", "f:g", "t")
	blockType("", "xblock.v1", "block-type-v1:a:b")
}

func TestAsides(t *testing.T) {
	t.Parallel()
	u, err := keys.ParseUsage("block-v1:o+c+r+type@t+block@x:")
	if err != nil {
		t.Fatal(err)
	}
	a, err := u.Aside("$a::b")
	if err != nil || a.String() != "aside-usage-v2:block-v1$:o+c+r+type@t+block@x$:::$$a$:$:b" {
		t.Fatalf("aside: %v, %v", a, err)
	}
	if typ, ok := a.AsideType(); !ok || typ != "$a::b" {
		t.Errorf("aside type %q, %v", typ, ok)
	}
	if in, err := a.Inner(); err != nil || in != u {
		t.Errorf("inner %v, %v", in, err)
	}
	if run, ok := a.Run(); !ok || run != "r" || a.Org() != "o" || a.Code() != "c" || a.Type() != "t" || a.ID() != "x:" {
		t.Errorf("fields of %v are not those of the block", a)
	}
	if c, ok := a.Course(); !ok || c.String() != "course-v1:o+c+r" {
		t.Errorf("course %v, %v", c, ok)
	}
	if a.Kind() != keys.KindAsideUsage || u.Kind() != keys.KindUsage {
		t.Errorf("kinds %v, %v", a.Kind(), u.Kind())
	}
	if in, err := u.Inner(); err == nil {
		t.Errorf("inside %v: %v", u, in)
	}
	if _, ok := u.AsideType(); ok {
		t.Errorf("%v has an aside type", u)
	}
	if bad, err := (keys.Usage{}).Aside("a"); err == nil {
		t.Errorf("aside of no block: %v", bad)
	}
	if bad, err := u.Aside("\xff"); err == nil {
		t.Errorf("aside type that is no UTF-8: %v", bad)
	}
	d, err := keys.ParseDefinition("bundle-olx:" + specU + ":5:html:html/x.xml")
	if err != nil {
		t.Fatal(err)
	}
	ad, err := d.Aside("a")
	if err != nil {
		t.Fatal(err)
	}
	if in, err := ad.Inner(); err != nil || in != d || ad.ID() != specU || ad.Type() != "html" || ad.Path() != "html/x.xml" {
		t.Errorf("inside %v: %v, %v", ad, in, err)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	v, err := keys.ParseVersion("519665F6223EBD6980884F2B")
	if err != nil || v.String() != specV {
		t.Errorf("upper case: %v, %v", v, err)
	}
	for _, bad := range []string{"", specV + "0", specV[1:], "g" + specV[1:], "519665f6223e"} {
		if v, err := keys.ParseVersion(bad); !errors.Is(err, keys.ErrInvalid) {
			t.Errorf("%q: %v, %v", bad, v, err)
		}
	}
}

func TestParseAny(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"slashes:o+c+r":                     `{"kind":"course","org":"o","course":"c","run":"r","type":null,"id":null,"branch":null,"version":null,"deprecated":false,"canonical":"course-v1:o+c+r"}`,
		"o/c/":                              `{"kind":"course","org":"o","course":"c","run":"","type":null,"id":null,"branch":null,"version":null,"deprecated":true,"canonical":"o/c/"}`,
		"library-v1:o+l+branch@b":           `{"kind":"course","org":"o","course":"l","run":null,"type":null,"id":null,"branch":"b","version":null,"deprecated":false,"canonical":"library-v1:o+l+branch@b"}`,
		"course-v1:version@" + specV:        `{"kind":"course","org":null,"course":null,"run":null,"type":null,"id":null,"branch":null,"version":"` + specV + `","deprecated":false,"canonical":"course-v1:version@` + specV + `"}`,
		"lib:o:s":                           `{"kind":"context","org":"o","course":"s","run":null,"type":null,"id":null,"branch":null,"version":null,"deprecated":false,"canonical":"lib:o:s"}`,
		"block-v1:o+c+r+type@t+block@x":     `{"kind":"usage","org":"o","course":"c","run":"r","type":"t","id":"x","branch":null,"version":null,"deprecated":false,"canonical":"block-v1:o+c+r+type@t+block@x"}`,
		"lb:o:s:t:x":                        `{"kind":"usage","org":"o","course":"s","run":null,"type":"t","id":"x","branch":null,"version":null,"deprecated":false,"canonical":"lb:o:s:t:x"}`,
		"i4x://o/c/t/x@b":                   `{"kind":"usage","org":"o","course":"c","run":null,"type":"t","id":"x","branch":"b","version":null,"deprecated":true,"canonical":"i4x://o/c/t/x@b"}`,
		"/c4x/o/c/a:b/x":                    `{"kind":"asset","org":"o","course":"c","run":null,"type":"a:b","id":"x","branch":null,"version":null,"deprecated":true,"canonical":"/c4x/o/c/a:b/x"}`,
		"aside-usage-v2:lb$:o$:s$:t$:x::a":  `{"kind":"aside_usage","org":"o","course":"s","run":null,"type":"t","id":"x","branch":null,"version":null,"deprecated":false,"canonical":"aside-usage-v2:lb$:o$:s$:t$:x::a"}`,
		"def-v1:" + specV + "+type@t":       `{"kind":"definition","org":null,"course":null,"run":null,"type":"t","id":"` + specV + `","branch":null,"version":null,"deprecated":false,"canonical":"def-v1:` + specV + `+type@t"}`,
		"bundle-olx:" + specU + ":5:html:x": `{"kind":"definition","org":null,"course":null,"run":null,"type":"html","id":"` + specU + `","branch":null,"version":"5","deprecated":false,"canonical":"bundle-olx:` + specU + `:5:html:x"}`,
		"block-type-v1:xblock.v1:t":         `{"kind":"block_type","org":null,"course":null,"run":null,"type":"t","id":null,"branch":null,"version":null,"deprecated":true,"canonical":"t"}`,
		"lib-collection:o:s:k":              `{"kind":"collection","org":"o","course":"s","run":null,"type":null,"id":"k","branch":null,"version":null,"deprecated":false,"canonical":"lib-collection:o:s:k"}`,
		"lct:o:s:unit:k":                    `{"kind":"container","org":"o","course":"s","run":null,"type":"unit","id":"k","branch":null,"version":null,"deprecated":false,"canonical":"lct:o:s:unit:k"}`,
	} {
		k, err := keys.Parse(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if got, err := json.Marshal(keys.Describe(k)); err != nil || string(got) != want {
			t.Errorf("%q: %v\n got %s\nwant %s", in, err, got, want)
		}
	}
	for _, bad := range []string{"", "problem", "course-v1:o+c", "Course-v1:o+c+r", "o/c", "edx:o:c", ":", "i4x:", "/", "lib:o:s\n"} {
		if k, err := keys.Parse(bad); !errors.Is(err, keys.ErrInvalid) || k != nil {
			t.Errorf("%q: %v, %v", bad, k, err)
		}
	}
}
