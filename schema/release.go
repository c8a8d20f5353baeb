package schema

import "fmt"

// release names the package that leaves a database in a state of the content tables; "" where none does: such a state
// comes from a run that was stopped, or between two releases (content-migrations.md §3.1).
func (f *facts) release(content string) string {
	switch content {
	case "U":
		return "openedx-learning 0.30 (Ulmo)"
	case "C2":
		return "openedx-core 0.31 to 0.34"
	case "C3":
		return "openedx-core 0.35 to 0.37"
	case "C5":
		return "openedx-core 0.38"
	case "C6":
		return "openedx-core 0.39"
	case "C12", "C12a":
		return "openedx-core 0.43"
	case "C13":
		return "openedx-core 0.44 to 0.46"
	case "C14":
		return "openedx-core 0.47 to 1.15 (Verawood, Willow)"
	case "O", "MO":
		return f.learning()
	}
	return ""
}

// learning names the release of openedx-learning before 0.30 whose rows the ledger has, the newest that it has all of.
func (f *facts) learning() string {
	count := func(app string) int {
		n, _ := f.rows.applied(app, before(app))
		return n
	}
	p, k, l := count("oel_publishing"), count("oel_components"), count("oel_collections")
	sections := count("oel_sections") > 0
	releases := []struct {
		p, k, l  int
		sections bool
		name     string
	}{
		{8, 4, 5, true, "0.29"}, {8, 3, 5, true, "0.25 to 0.28"}, {8, 3, 5, false, "0.23.1"}, {7, 3, 5, false, "0.23.0"}, {5, 3, 5, false, "0.20 to 0.22"},
		{4, 3, 5, false, "0.19"}, {2, 3, 5, false, "0.18"}, {2, 2, 5, false, "0.16"},
	}
	for _, r := range releases {
		if p >= r.p && k >= r.k && l >= r.l && (sections || !r.sections) {
			return fmt.Sprintf("openedx-learning %s", r.name)
		}
	}
	return "openedx-learning before 0.16"
}
