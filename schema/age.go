package schema

import (
	"fmt"
	"strings"
)

// age decides between the states of a database that has rows and tables of content and no gap in its ledger.
func (f *facts) age(oldNames, newNames []string) State {
	applied, _ := f.rows.applied("openedx_content", contentMigrations)
	if applied == 0 {
		return f.beforeMerge(newNames)
	}
	if applied >= 2 && len(oldNames) > 0 {
		return broken("X2", "openedx_content 0002 is applied, yet there is "+sample(oldNames))
	}
	switch applied {
	case 1:
		return f.renaming(oldNames, newNames)
	case 2:
		return f.media()
	}
	for i := range all {
		t := all[i].Name
		if strings.HasPrefix(t, "openedx_content_") && !f.names[t] && (t != containerType || applied >= 5) {
			return broken("X2", "the table "+t+" is missing")
		}
	}
	for n := 4; n <= applied; n++ {
		if s := steps[n]; s.done != nil && n != 13 && !f.kept(n) {
			return broken("X2", fmt.Sprintf("openedx_content %s is applied, but the tables do not show it", contentMigrations[n-1]))
		}
	}
	next := applied + 1
	for n := next + 1; n <= 13; n++ {
		if s := steps[n]; s.made != nil && s.made(f.probe) {
			return broken("X2", fmt.Sprintf("the tables show openedx_content %s, which is not applied", contentMigrations[n-1]))
		}
	}
	if next <= 13 && steps[next].trace != nil && steps[next].trace(f.probe) {
		// SQLite and PostgreSQL change all or nothing, so a part of a step there is the work of a hand.
		if !f.engine.mysql() && !steps[next].done(f.probe) {
			return broken("X2", fmt.Sprintf("the tables show a part of openedx_content %s, which is not applied", contentMigrations[next-1]))
		}
		return older(fmt.Sprintf("M%d", next), "a migration was stopped in "+contentMigrations[next-1])
	}
	switch {
	case applied == len(contentMigrations):
		return State{Status: Current, Content: "C14"}
	case applied == 12 && asciiChecks(f.probe):
		return older("C12a", "openedx_content is at "+contentMigrations[11]+" of openedx-core 0.43.0")
	}
	return older(fmt.Sprintf("C%d", applied), "openedx_content is at "+contentMigrations[applied-1])
}

// kept reports whether the tables show an applied migration: the columns it made are there and those it replaced gone.
func (f *facts) kept(n int) bool {
	switch n {
	case 5:
		return f.table(containerType) && f.column(container, "container_type_id")
	case 7:
		return f.column(publishRecord, "direct")
	case 8:
		return f.column(collection, "collection_code") && !f.column(collection, "_key")
	case 9:
		return f.column(component, "component_code") && !f.column(component, "local_key")
	case 10:
		return f.column(container, "container_code") && f.column(container, "learning_package_id")
	case 11:
		return f.column(entity, "entity_ref") && f.column(learningPackage, "package_ref") && !f.column(entity, "_key") &&
			!f.column(learningPackage, "_key")
	case 12:
		return f.column(link, "path") && !f.column(link, "_key")
	}
	return true
}

// renaming decides while 0002, which renames every table, is not recorded.
func (f *facts) renaming(oldNames, newNames []string) State {
	const index = "openedx_content_coll_lp_title" // renamed before the tables
	indexed := f.named("oel_collections_collection", index) || f.named(collection, index)
	if len(newNames) == 0 && !indexed {
		return older("C1", "the tables have their names of before the merge")
	}
	for _, c := range chains {
		for _, t := range c.tables {
			if f.names[c.prefix+t] == f.names[c.renamed(t)] {
				return broken("X2", fmt.Sprintf("of %s and %s there is not just one", c.prefix+t, c.renamed(t)))
			}
		}
	}
	if (len(oldNames) > 0 || !indexed) && !f.engine.mysql() {
		return broken("X2", "the tables show a part of openedx_content 0002, which is not applied")
	}
	return older("M", "a migration was stopped while it renamed tables")
}

// media decides while 0003, which renames content to media, is not recorded.
func (f *facts) media() State {
	pairs := map[string]string{contentOld: mediaTable, linkOld: link}
	now, begun := linkOld, false
	for was, is := range pairs {
		if f.names[was] == f.names[is] {
			return broken("X2", fmt.Sprintf("of %s and %s there is not just one", was, is))
		}
		begun = begun || f.names[is]
	}
	if f.names[link] {
		now = link
	}
	for _, c := range chains {
		for _, t := range c.tables {
			if n := c.renamed(t); n != contentOld && n != linkOld && !f.names[n] {
				return broken("X2", "the table "+n+" is missing")
			}
		}
	}
	indexes := f.named(now, "oel_cvcontent_c_cv") && f.named(now, "oel_cvcontent_cv_d")
	begun = begun || f.column(now, "media_id") || !indexes
	switch {
	case !begun:
		return older("C2", "openedx_content is at "+contentMigrations[1])
	case f.engine.mysql():
	case !f.names[mediaTable] || now != link || !f.column(now, "media_id") || !f.named(now, "oel_cvmedia_c_cv") || !f.named(now, "oel_cvmedia_cv_d"):
		return broken("X2", "the tables show a part of openedx_content 0003, which is not applied")
	}
	return older("M3", "a migration was stopped in "+contentMigrations[2])
}

// beforeMerge decides where openedx_content has no rows.
func (f *facts) beforeMerge(newNames []string) State {
	if len(newNames) > 0 {
		return broken("X2", "there is "+sample(newNames)+", but openedx_content has no rows in django_migrations")
	}
	missing, handed := false, 0
	for _, c := range chains {
		n, _ := f.rows.applied(c.app, c.names)
		missing = missing || n < len(c.names)
		if f.rows[c.app][c.gone] {
			handed++
		}
		for _, t := range c.tables {
			made := since[c.prefix+t]
			if made == "" {
				made = c.names[0]
			}
			if f.rows[c.app][made] && !f.names[c.prefix+t] {
				return broken("X2", fmt.Sprintf("%s %s is applied, but the table %s is missing", c.app, made, c.prefix+t))
			}
		}
	}
	switch {
	case missing && handed > 0:
		return older("TO", "a migration of openedx-core 0.31 to 0.38 was stopped")
	case handed > 0:
		return older("T", "the tables are those of openedx-learning 0.30")
	case !missing:
		return older("U", "the tables are those of openedx-learning 0.30")
	case f.ahead() && f.engine.mysql():
		return older("MO", "a migration of openedx-learning was stopped")
	case f.ahead():
		return broken("X2", "there are tables of which django_migrations does not know")
	}
	return older("O", "the tables are those of openedx-learning before 0.30")
}

// ahead reports whether there is something of a migration before the merge that is not applied.
func (f *facts) ahead() bool {
	for _, c := range chains {
		for _, t := range c.tables {
			made := since[c.prefix+t]
			if made == "" {
				made = c.names[0]
			}
			if f.names[c.prefix+t] && !f.rows[c.app][made] {
				return true
			}
		}
	}
	const p, l = "oel_publishing_", "oel_collections_collection"
	for m, there := range map[Migration]bool{
		{"oel_publishing", "0002_alter_learningpackage_key_and_more"}: f.column(p+"learningpackage", "_key") || f.column(p+"publishableentity", "_key"),
		{"oel_publishing", "0004_publishableentity_can_stand_alone"}:  f.column(p+"publishableentity", "can_stand_alone"),
		{"oel_publishing", "0009_dependencies_and_hashing"}: f.column(p+"draft", "draft_log_record_id") ||
			f.column(p+"draftchangelogrecord", "dependencies_hash_digest") || f.column(p+"publishlogrecord", "dependencies_hash_digest"),
		{"oel_components", "0002_alter_componentversioncontent_key"}: f.column("oel_components_componentversioncontent", "_key"),
		{"oel_components", "0003_remove_componentversioncontent_learner_downloadable"}: f.table("oel_components_componentversioncontent") &&
			!f.column("oel_components_componentversioncontent", "learner_downloadable"),
		{"oel_components", "0004_remove_componentversioncontent_uuid"}: f.table("oel_components_componentversioncontent") &&
			!f.column("oel_components_componentversioncontent", "uuid"),
		{"oel_collections", "0002_remove_collection_name_collection_created_by_and_more"}: f.column(l, "title") || f.column(l, "created_by_id"),
		{"oel_collections", "0004_collection_key"}:                                        f.column(l, "_key"),
	} {
		if there && !f.rows.has(m) {
			return true
		}
	}
	return false
}
