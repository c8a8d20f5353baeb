package schema

// Past returns the definition of a content table as openedx-learning 0.30 had it, under its name of that time; nil for
// other names. It is today's, without what later migrations made and with the names that they changed
// (content-migrations.md §2). It is shared: read only.
func Past(name string) *Table { return past[name] }

var past = func() map[string]*Table {
	m := map[string]*Table{}
	for i := range all {
		if t := &all[i]; t.Was != "" {
			m[t.Was] = t.before()
		}
	}
	return m
}()

// lookup returns the definition of a table of today or of the time before the merge.
func lookup(name string) *Table {
	if t := byName[name]; t != nil {
		return t
	}
	if t := past[name]; t != nil {
		return t
	}
	for i := range migrator {
		if migrator[i].Name == name {
			return &migrator[i]
		}
	}
	return nil
}

// pastColumns names, for columns of today, those they were before the merge; "" for those that are younger.
var pastColumns = map[string]map[string]string{
	learningPackage: {"package_ref": "_key"},
	entity:          {"entity_ref": "_key"},
	link:            {"path": "_key", "media_id": "content_id"},
	collection:      {"collection_code": "_key"},
	component:       {"component_code": "local_key"},
	container:       {"container_type_id": "", "learning_package_id": "", "container_code": ""},
	publishRecord:   {"direct": ""},
}

// pastIndexes is the same for indexes of explicit name.
var pastIndexes = map[string]string{
	"openedx_content_coll_lp_title": "oel_collect_learnin_dfaf89_idx",
	"oel_cvmedia_c_cv":              "oel_cvcontent_c_cv",
	"oel_cvmedia_cv_d":              "oel_cvcontent_cv_d",
	"oel_component_type_uniq_ns_n":  "",
	"oel_container_uniq_lp_cc":      "",
}

// before returns the table as it was before the merge.
func (t *Table) before() *Table {
	was := func(column string) string {
		if n, renamed := pastColumns[t.Name][column]; renamed {
			return n
		}
		return column
	}
	b := &Table{Name: t.Was}
	for _, c := range t.Columns {
		if c.Name = was(c.Name); c.Name == "" {
			continue
		}
		if r := byName[c.Ref]; r != nil {
			c.Ref = r.born()
		}
		if c.Type.Kind == Key && c.Type.Len == 255 {
			c.Type = key(500) // the codes, which 0008 and 0009 made shorter
		}
		c.Late, c.WasName = false, ""
		b.Columns = append(b.Columns, c)
	}
	for _, x := range t.Indexes {
		if n, renamed := pastIndexes[x.Name]; renamed {
			if x.Name = n; n == "" {
				continue
			}
		}
		ps := make([]Part, len(x.Parts))
		for i, p := range x.Parts {
			p.Column = was(p.Column)
			ps[i] = p
		}
		x.Parts = ps
		b.Indexes = append(b.Indexes, x)
	}
	return b
}
