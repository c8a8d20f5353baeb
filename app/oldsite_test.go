package app

import "testing"

func TestOldSiteHasNoPassword(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"mongodb://u:p@h:1/db": "mongodb://h:1/db", "mongodb+srv://u:p@q@h": "mongodb+srv://h", "mongodb://h/db": "mongodb://h/db", "a@b/dump": "a@b/dump",
	} {
		if got := (OldSite{Source: source}).String(); got != want {
			t.Errorf("%s is told of as %s", source, got)
		}
	}
}
