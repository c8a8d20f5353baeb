package xmltree

import (
	"strings"
	"testing"
)

func BenchmarkParse(b *testing.B) {
	src := []byte("<vertical display_name=\"A &amp; B\">\n" +
		strings.Repeat("  <html url_name=\"25d5f3d6f2eb4155be6d1d53904e1034\" display_name=\"Text &#10; more\"/>\n  <p>text with <b>bold</b></p>\n", 1000) +
		"</vertical>\n")
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("f.xml", src, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
