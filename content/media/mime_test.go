package media

import (
	"strings"
	"testing"

	"github.com/openlectern/lectern/fault"
)

func TestParseType(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Type{
		"text/plain":                 {"text", "plain", ""},
		"image/svg+xml":              {"image", "svg", "xml"},
		"TEXT/Plain":                 {"TEXT", "Plain", ""},
		"text/html; charset=utf-8":   {"text", "html; charset=utf-8", ""},
		"a/b+":                       {"a", "b", ""},
		"/":                          {"", "", ""},
		"application/vnd.x.v1.y+xml": {"application", "vnd.x.v1.y", "xml"},
	} {
		if got, err := ParseType(in); err != nil || got != want {
			t.Errorf("ParseType(%q) = %+v, %v, want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "text", "a/b/c", "a/b+c+d", "a+b/c+d", "text/plän", "text/plain ", " text/plain", "a/b +c", "a/b\x00", "a/\n", strings.Repeat("x", 128) + "/y"} {
		if got, err := ParseType(in); !fault.Is(err, fault.Invalid) {
			t.Errorf("ParseType(%q) = %+v, %v, want invalid", in, got, err)
		}
	}
	if got := (Type{"image", "svg", "xml"}).String(); got != "image/svg+xml" {
		t.Errorf("String() = %q", got)
	}
}

func TestTypeByExtension(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"static/plan.png":         "image/png",
		"static/deep/er/x.tar.gz": "application/x-tar",
		"x.tgz":                   "application/x-tar",
		"X.TGZ":                   "application/x-tar",
		"drawing.svgz":            "image/svg+xml",
		"static/Big.TXT":          "text/plain",
		"b.js":                    "text/javascript",
		"notes.md":                "text/markdown",
		"a.svg":                   "image/svg+xml",
		"a.webp":                  "image/webp",
		"a.css":                   "text/css",
		"both.json":               "application/json",
		"zero.bin":                "application/octet-stream",
		"block.xml":               "application/xml",
		"static/noext":            OctetStream,
		"a.gz":                    OctetStream,
		"a.txt.gz":                "text/plain",
		"a.txt.GZ":                OctetStream,
		".png":                    OctetStream,
		"..png":                   OctetStream,
		"x/.hidden.png":           "image/png",
		"a.png/":                  OctetStream,
		"":                        OctetStream,
		"a.unheardof":             OctetStream,
		"a.yaml":                  OctetStream,
	} {
		if got := TypeByExtension(name); got != want {
			t.Errorf("TypeByExtension(%q) = %s, want %s", name, got, want)
		}
	}
	for ext, mime := range typeOf {
		if _, err := ParseType(mime); err != nil || ext != strings.ToLower(ext) || ext[0] != '.' {
			t.Errorf("table entry %q: %q: %v", ext, mime, err)
		}
	}
}
