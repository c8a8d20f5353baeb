package keys_test

import (
	"strings"
	"testing"

	"github.com/openlectern/lectern/keys"
)

const (
	specV = "519665f6223ebd6980884f2b"
	specU = "4b33677f-7eb7-4376-8752-024ce057d7e8"
)

// TestSpecExamples holds the table of keys.md §5 under the policy of §6.4. A canonical form of "=" is the input, of ""
// a refusal. V and U in the inputs stand for the version and UUID above.
func TestSpecExamples(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind             keys.Kind
		input, canonical string
	}{
		{keys.KindCourse, "course-v1:o+c+r", "="},
		{keys.KindCourse, "course-v1:o+c+r+branch@b+version@V", "="},
		{keys.KindCourse, "course-v1:version@V", "="},
		{keys.KindCourse, "course-v1:o+c+version@V", ""},
		{keys.KindCourse, "course-v1:branch@b+version@V", ""},
		{keys.KindCourse, "course-v1:o+c", ""},
		{keys.KindCourse, "course-v1:o+c+branch@b", ""},
		{keys.KindCourse, "course-v1:o+c+r+", ""},
		{keys.KindCourse, "course-v1:version@V+branch@b", ""},
		{keys.KindCourse, "course-v1:o+c+r+version@519665F6223EBD6980884F2B", ""},
		{keys.KindCourse, "course-v1:o+c+r+version@V0", ""},
		{keys.KindCourse, "course-v1:o+c+r+type@t+block@x%20", "course-v1:o+c+r"},
		{keys.KindCourse, "course-v1:o+c+r\n", ""},
		{keys.KindCourse, "course-v1:o c r", ""},
		{keys.KindCourse, "course-v1:o%2Bc%2Br", ""},
		{keys.KindCourse, "course-v1:course-v1:o+c+r", "="},
		{keys.KindCourse, "course-v1:１+²+Ⅷ", "="},
		{keys.KindCourse, "course-v1:a\u0301+c+r", ""},
		{keys.KindCourse, "course-v1:a\u203fb+c+r", ""},
		{keys.KindCourse, "slashes:o+c+r", "course-v1:o+c+r"},
		{keys.KindCourse, "o/c/r", "="},
		{keys.KindCourse, "o/c/", "="},
		{keys.KindCourse, "o/c/r~", ""},
		{keys.KindCourse, "../../..", "="},
		{keys.KindCourse, "library-v1:o+l", "="},
		{keys.KindCourse, "library-v1:o+l+run", "library-v1:o+l"},
		{keys.KindCourse, "library-v1:branch@b+version@V", ""},
		{keys.KindCourse, "lib:o:s", ""},
		{keys.KindContext, "lib:o:s", "="},
		{keys.KindContext, "lib:o:έψιλον", "="},
		{keys.KindContext, "lib:é:s", ""},
		{keys.KindContext, "lib:o:s\n", ""},
		{keys.KindContext, "lib:o:s\n\n", ""},
		{keys.KindContext, "lib:a/b/c", ""},
		{keys.KindUsage, "block-v1:o+c+r+block@x", ""},
		{keys.KindUsage, "block-v1:o+c+version@V+type@t+block@x", ""},
		{keys.KindUsage, "block-v1:o+c+r+type@t+block@x%20", ""},
		{keys.KindUsage, "lib-block-v1:o+l+branch@b+version@V+type@t+block@x", "="},
		{keys.KindUsage, "lib-block-v1:o+l+r+type@t+block@x", "lib-block-v1:o+l+type@t+block@x"},
		{keys.KindUsage, "lb:o:s:é:u", ""},
		{keys.KindUsage, "lb:o:s:t\n:u", ""},
		{keys.KindUsage, "location:o+c+r+t+n", "="},
		{keys.KindUsage, "i4x://o/c/t/n", "="},
		{keys.KindUsage, "i4x://o/c/t/n@draft", "="},
		{keys.KindUsage, "i4x://o/c/t/n@r:~%", "="},
		{keys.KindUsage, "i4x://o/c/t/n/m", ""},
		{keys.KindUsage, "i4x://o/c/a b!@#/n", "="},
		{keys.KindUsage, "i4x://o/c/\n/n", "="},
		{keys.KindUsage, "/i4x/o/c/t/n", ""},
		{keys.KindUsage, "/c4x/o/c/t/n", ""},
		{keys.KindAsset, "asset-v1:o+c+r+type@asset+block@x%20y", "="},
		{keys.KindAsset, "asset-v1:o+c+r+block@x", ""},
		{keys.KindAsset, "asset-v1:o+l+type@asset+block@x", ""},
		{keys.KindAsset, "/c4x/o/c/t/n@r", "="},
		{keys.KindAsset, "/c4x/o/c/a b/n%20.jpg", "="},
		{keys.KindDefinition, "bundle-olx:U:5:html:html/x.xml", "="},
		{keys.KindDefinition, "bundle-olx:U:05:html:x", ""},
		{keys.KindDefinition, "bundle-olx:U:-5:html:x", "="},
		{keys.KindDefinition, "bundle-olx:U:٣:html:x", ""},
		{keys.KindDefinition, "bundle-olx:U:²:html:x", ""},
		{keys.KindDefinition, "bundle-olx:U:½:html:x", "="},
		{keys.KindDefinition, "bundle-olx:U:99999999999999999999999:html:x", "="},
		{keys.KindBlockType, "problem", "="},
		{keys.KindBlockType, "block-type-v1:xmodule.v1:t", "t"},
		{keys.KindBlockType, "block-type-v1:f:t:u", "="},
		{keys.KindBlockType, "block-type-v1:nocolon", "="},
		{keys.KindBlockType, "block-type-v1:xblock.v1:block-type-v1:a:b", ""},
		{keys.KindContainer, "lct:o:l:unit:é", "="},
		{keys.KindContainer, "lct:o:l:ünit:c", ""},
		{keys.KindUsage, "aside-usage-v1:i4x://o/c/t/n", "aside-usage-v1:i4x://o/c/t/n::"},
		{keys.KindUsage, "aside-usage-v1:i4x://o/c/t/n:::x", "="},
		{keys.KindUsage, "aside-usage-v1:i4x://o/c/t/n::a::b", ""},
		{keys.KindUsage, "aside-usage-v1:i4x://o/c/t/n::a:$::b", ""},
		{keys.KindUsage, "aside-usage-v1:block-v1:o+c+r+type@t+block@x:", ""},
		{keys.KindUsage, "aside-usage-v1:aside-usage-v1:i4x://o/c/t/n", ""},
		{keys.KindUsage, "aside-usage-v1:i4x://o/c/t/n::a$::b", "="},
		{keys.KindUsage, "aside-usage-v1:block-v1:o+c+r+block@x::a", ""},
		{keys.KindUsage, "aside-usage-v1:aside-usage-v1:i4x://o/c/t/n::a::b", ""},
		{keys.KindUsage, "aside-usage-v2:i4x$://o/c/t/n::a$:b", "="},
		{keys.KindUsage, "aside-usage-v2:i4x://o/c/t/n::a", ""},
		{keys.KindUsage, "aside-usage-v2:i4x$://o/c/t/n", ""},
		{keys.KindUsage, "aside-usage-v2:aside-usage-v2$:i4x$$$://o/c/t/n$:$:a::b", "="},
		{keys.KindUsage, "aside-usage-v2:block-v1$:o+c+r+type@t+block@x$:::a", "="},
		{keys.KindDefinition, "aside-def-v1:def-v1:V+type@a:::x", "="},
		{keys.KindAsideUsage, "i4x://o/c/t/n", ""},

		// Beyond the table: §1.2, §2.1, §2.3 and §6.4 in single rules.
		{keys.KindCourse, "", ""},
		{keys.KindCourse, "course-v1:", ""},
		{keys.KindCourse, "course-v1:o++r", ""},
		{keys.KindCourse, "course-v1:o+c+r+branch@", ""},
		{keys.KindCourse, "course-v1:o+c+r+branch@b+branch@b", ""},
		{keys.KindCourse, "course-v1:o+c+r+x", ""},
		{keys.KindCourse, "course-v1:o+c+branch@b+r", ""},
		{keys.KindCourse, "course-v1:o+c+r+block@x+type@t", ""},
		{keys.KindCourse, "course-v1:o+c+r+Branch@b", ""},
		{keys.KindCourse, "Course-v1:o+c+r", ""},
		{keys.KindCourse, " course-v1:o+c+r", ""},
		{keys.KindCourse, "course-v1:\xff+c+r", ""},
		{keys.KindCourse, "course-v1:\ufffd+c+r", ""},
		{keys.KindCourse, "course-v1:o+c+r\x00", ""},
		{keys.KindCourse, "course-v1:version@V+type@t", "course-v1:version@V"},
		{keys.KindCourse, "slashes:version@V", "course-v1:version@V"},
		{keys.KindCourse, "slashes:o+c+version@V", ""},
		{keys.KindCourse, "o/c/r%", "="},
		{keys.KindCourse, "o/c/r/", ""},
		{keys.KindCourse, "o/c", ""},
		{keys.KindCourse, "/c/r", ""},
		{keys.KindCourse, "o//r", ""},
		{keys.KindCourse, "o/c/r\n", ""},
		{keys.KindCourse, "course-locator:o+c+r", ""},
		{keys.KindCourse, "ccx-v1:o+c+r+ccx@1", ""},
		{keys.KindCourse, "library-v1:o+l+r+version@V+type@t+block@b%", "library-v1:o+l+version@V"},
		{keys.KindCourse, "library-v1:version@V", "="},
		{keys.KindCourse, "library-v1:o", ""},
		{keys.KindContext, "lib:o", ""},
		{keys.KindContext, "lib:o:s:x", ""},
		{keys.KindContext, "lib:o:a~b", ""},
		{keys.KindUsage, "block-v1:version@V+type@t+block@x", "="},
		{keys.KindUsage, "block-v1:o+c+r+type@t", ""},
		{keys.KindUsage, "asset-v1:o+c+r+type@t+block@x", ""},
		{keys.KindUsage, "lib-block-v1:o+l+type@t", ""},
		{keys.KindUsage, "lib-block-v1:branch@b+version@V+type@t+block@x", ""},
		{keys.KindUsage, "location:o+c+r+t", ""},
		{keys.KindUsage, "location:o+c+r+t+n+x", ""},
		{keys.KindUsage, "location:o+c+r+branch@b+t+n", ""},
		{keys.KindUsage, "i4x://o/c//n", ""},
		{keys.KindUsage, "i4x://o/c/t/", ""},
		{keys.KindUsage, "i4x://o/c/t/n@", ""},
		{keys.KindUsage, "i4x://o/c/t/n@a@b", ""},
		{keys.KindUsage, "i4x://o/c/\xff/n", ""},
		{keys.KindUsage, "i4x:o/c/t/n", ""},
		{keys.KindUsage, "lb:o:s:t:u\n", ""},
		{keys.KindUsage, "", ""},
		{keys.KindAsset, "asset-v1:version@V+type@t+block@x", "="},
		{keys.KindDefinition, "def-v1:V+type@problem", "="},
		{keys.KindDefinition, "def-v1:V+type@", ""},
		{keys.KindDefinition, "def-v1:V", ""},
		{keys.KindDefinition, "def-v1:V0+type@problem", ""},
		{keys.KindDefinition, "bundle-olx:U:0:html:x", "="},
		{keys.KindDefinition, "bundle-olx:U::html:x", ""},
		{keys.KindDefinition, "bundle-olx:U:1²:html:x", ""},
		{keys.KindDefinition, "bundle-olx:U:\xff:html:x", ""},
		{keys.KindDefinition, "bundle-olx:U:1.0:html:../../etc", "="},
		{keys.KindDefinition, "bundle-olx:4B33677F-7eb7-4376-8752-024ce057d7e8:1:html:x", ""},
		{keys.KindDefinition, "bundle-olx:U:5:html:x\n", ""},
		{keys.KindBlockType, "block-type-v1::", "="},
		{keys.KindBlockType, "block-type-v1:xblock.v1:block-type-v1:a", "block-type-v1:a"},
		{keys.KindBlockType, "block-type-v1:Xblock.v1:a", "="},
		{keys.KindBlockType, "a\xff", ""},
		{keys.KindCollection, "lib-collection:o:l:c", "="},
		{keys.KindCollection, "lib-collection:o:l", ""},
		{keys.KindCollection, "lib:o:l", ""},
		{keys.KindContainer, "lib-collection:o:l:c", ""},
		{keys.KindUsage, "aside-usage-v1:i4x://o/c/a$$b/n::$$", "="},
		{keys.KindUsage, "aside-usage-v1:i4x://o/c/a$b/n::x", ""},
		{keys.KindUsage, "aside-usage-v1:i4x://o/c/t/n::\xff", ""},
		{keys.KindUsage, "aside-usage-v1:lib-block-v1:o+l+r+type@t+block@x::a", "aside-usage-v1:lib-block-v1:o+l+type@t+block@x::a"},
		{keys.KindAsideUsage, "aside-usage-v2:i4x$://o/c/t/n::a", "="},
		{keys.KindAsideUsage, "aside-def-v2:def-v1$:V+type@t::a", ""},
		{keys.KindAsideDefinition, "aside-def-v2:def-v1$:V+type@t::a", "="},
		{keys.KindAsideDefinition, "def-v1:V+type@t", ""},
	} {
		fill := strings.NewReplacer("V", specV, "U", specU)
		input, want := c.input, c.canonical
		if c.kind != keys.KindBlockType {
			input, want = fill.Replace(input), fill.Replace(want)
		}
		if want == "=" {
			want = input
		}
		k, err := c.kind.Parse(input)
		switch {
		case want == "":
			if err == nil {
				t.Errorf("%v %q: %v, want it refused", c.kind, input, k)
			}
		case err != nil:
			t.Errorf("%v %q: %v, want %q", c.kind, input, err, want)
		case k.String() != want:
			t.Errorf("%v %q: prints %q, want %q", c.kind, input, k, want)
		}
	}
}

// The empty bare type is no key (keys.md §7).
func TestEmptyBlockType(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "block-type-v1:xblock.v1:", "block-type-v1:xmodule.v1:"} {
		if b, err := keys.ParseBlockType(s); err != nil || !b.IsZero() || b.Family() != "xblock.v1" || !b.Deprecated() {
			t.Errorf("%q: %#v, %v, want no key", s, b, err)
		}
	}
	if b, err := keys.NewBlockType("xblock.v1", ""); err == nil {
		t.Errorf("made %#v of an empty bare type", b)
	}
}

func TestLongest(t *testing.T) {
	t.Parallel()
	const lead, tail = "course-v1:", "+c+r"
	longest := lead + strings.Repeat("o", 65_535-len(lead)-len(tail)) + tail
	c, err := keys.ParseCourse(longest)
	if err != nil {
		t.Fatal("65,535 bytes:", err)
	}
	if run, _ := c.Run(); run != "r" || c.Code() != "c" || len(c.Org()) != 65_535-14 {
		t.Errorf("fields of the longest course: %d bytes of org, %q, %q", len(c.Org()), c.Code(), run)
	}
	if _, err := keys.ParseCourse(longest + "r"); err == nil {
		t.Error("65,536 bytes: accepted")
	}
	// What fits as it is written and not as it is printed.
	if _, err := keys.ParseCourse("slashes:" + strings.TrimPrefix(longest, lead) + "r"); err == nil {
		t.Error("slashes of 65,534 bytes: accepted, though canonical it has 65,536")
	}
	if _, err := c.Usage("t", "x"); err == nil {
		t.Error("a block in the longest course: accepted")
	}
	aside := "aside-usage-v1:i4x://o/c/t/"
	if _, err := keys.ParseUsage(aside + strings.Repeat("n", 65_535-len(aside))); err == nil {
		t.Error("an aside that prints two more bytes: accepted")
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	_, err := keys.ParseCourse("course-v1:" + strings.Repeat("é", 300))
	if err == nil {
		t.Fatal("accepted")
	}
	if s := err.Error(); len(s) > 300 || !strings.Contains(s, "…") || strings.Contains(s, `\x`) {
		t.Errorf("a long text is not cut between characters: %s", s)
	}
	_, err = keys.ParseContainer("lct:o:l:unit")
	if got, want := err.Error(), `container key "lct:o:l:unit": want lct:ORG:SLUG:TYPE:ID`; got != want {
		t.Errorf("error %s, want %s", got, want)
	}
}
