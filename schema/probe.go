package schema

import (
	"slices"
	"strings"

	"github.com/openlectern/lectern/schema/inspect"
)

// probe answers questions about a catalogue.
type probe struct{ live inspect.Tables }

func (p probe) table(name string) bool { return p.live[name] != nil }

func (p probe) column(table, column string) bool {
	t := p.live[table]
	return t != nil && t.Column(column) != nil
}

// notNull reports whether a column is there and takes no NULL.
func (p probe) notNull(table, column string) bool {
	t := p.live[table]
	if t == nil {
		return false
	}
	c := t.Column(column)
	return c != nil && !c.Null
}

// named reports whether a table has an index, constraint or check of that name.
func (p probe) named(table, name string) bool {
	t := p.live[table]
	return t != nil && (t.Index(name) != nil || t.Check(name) != nil || slices.ContainsFunc(t.Keys, func(k inspect.Unique) bool { return k.Name == name }))
}

func (p probe) foreign(table, column string) bool {
	t := p.live[table]
	return t != nil && slices.ContainsFunc(t.Foreign, func(f inspect.Foreign) bool { return f.Column == column })
}

// step says of a migration 0004 to 0013 how it shows in a catalogue (content-migrations.md §3.4.1).
type step struct {
	trace func(p probe) bool // begun: what a stop leaves, which the state before does not have
	made  func(p probe) bool // something exists that no earlier step makes
	done  func(p probe) bool // nothing is left to do
}

const (
	componentType = "openedx_content_componenttype"
	containerType = "openedx_content_containertype"
	collection    = "openedx_content_collection"
	link          = "openedx_content_componentversionmedia"
)

// steps is indexed by the number of the migration; those without a trace in the catalogue are empty.
var steps = [15]step{
	4: {
		trace: func(p probe) bool { return p.named(componentType, "oel_component_type_uniq_ns_n") },
		made:  func(p probe) bool { return p.named(componentType, "oel_component_type_uniq_ns_n") },
		done:  func(p probe) bool { return p.named(componentType, "oel_component_type_uniq_ns_n") },
	},
	5: {
		trace: func(p probe) bool { return p.table(containerType) || p.column(container, "container_type_id") },
		made:  func(p probe) bool { return p.table(containerType) || p.column(container, "container_type_id") },
		done: func(p probe) bool {
			return p.named(containerType, "oex_publishing_containertype_type_code_rx") && p.notNull(container, "container_type_id") &&
				p.foreign(container, "container_type_id")
		},
	},
	7: {
		trace: func(p probe) bool { return p.column(publishRecord, "direct") },
		made:  func(p probe) bool { return p.column(publishRecord, "direct") },
		done:  func(p probe) bool { return p.column(publishRecord, "direct") },
	},
	8: {
		trace: func(p probe) bool {
			return p.column(collection, "collection_code") || !p.named(collection, "oel_coll_uniq_lp_key") ||
				p.named(collection, "oel_coll_collection_code_regex")
		},
		made: func(p probe) bool {
			return p.column(collection, "collection_code") || p.named(collection, "oel_coll_collection_code_regex")
		},
		done: func(p probe) bool {
			return p.notNull(collection, "collection_code") && !p.column(collection, "_key") && p.named(collection, "oel_coll_uniq_lp_key") &&
				p.named(collection, "oel_coll_collection_code_regex")
		},
	},
	9: {
		trace: func(p probe) bool {
			return p.column(component, "component_code") || !p.named(component, "oel_component_uniq_lc_ct_lk") ||
				!p.named(component, "oel_component_idx_ct_lk")
		},
		made: func(p probe) bool {
			return p.column(component, "component_code") || p.named(component, "oel_component_code_regex")
		},
		done: func(p probe) bool {
			return p.notNull(component, "component_code") && !p.column(component, "local_key") &&
				p.named(component, "oel_component_uniq_lc_ct_lk") && p.named(component, "oel_component_idx_ct_lk") &&
				p.named(component, "oel_component_code_regex")
		},
	},
	10: {
		trace: func(p probe) bool {
			return p.column(container, "learning_package_id") || p.column(container, "container_code")
		},
		made: func(p probe) bool {
			return p.column(container, "learning_package_id") || p.column(container, "container_code")
		},
		done: func(p probe) bool {
			return p.notNull(container, "learning_package_id") && p.notNull(container, "container_code") &&
				p.foreign(container, "learning_package_id") && p.named(container, "oel_container_uniq_lp_cc") &&
				p.named(container, "oel_container_code_regex")
		},
	},
	11: {
		trace: func(p probe) bool {
			return p.column(entity, "entity_ref") || p.column(learningPackage, "package_ref") || !refNames(p)
		},
		made: func(p probe) bool { return p.column(entity, "entity_ref") || p.column(learningPackage, "package_ref") },
		done: func(p probe) bool {
			return p.column(entity, "entity_ref") && p.column(learningPackage, "package_ref") && !p.column(entity, "_key") &&
				!p.column(learningPackage, "_key") && refNames(p)
		},
	},
	12: {
		trace: func(p probe) bool { return p.column(link, "path") || !p.named(link, "oel_cvcontent_uniq_cv_key") },
		made:  func(p probe) bool { return p.column(link, "path") },
		done: func(p probe) bool {
			return p.column(link, "path") && !p.column(link, "_key") && p.named(link, "oel_cvcontent_uniq_cv_key")
		},
	},
	13: {
		trace: func(p probe) bool { return !codeChecks(p) },
		made:  func(probe) bool { return false },
		done:  codeChecks,
	},
}

// refNames reports whether the three names that 0011 makes anew are there.
func refNames(p probe) bool {
	return p.named(entity, "oel_pub_ent_uniq_lp_key") && p.named(entity, "oel_pub_ent_idx_key") &&
		p.named(learningPackage, "oel_publishing_lp_uniq_key")
}

// codeChecks reports whether the two CHECKs that 0013 makes anew are there.
func codeChecks(p probe) bool {
	return p.named(component, "oel_component_code_regex") && p.named(container, "oel_container_code_regex")
}

// asciiChecks reports whether one of the two CHECKs has the pattern of openedx-core 0.43.0.
func asciiChecks(p probe) bool {
	for table, name := range map[string]string{component: "oel_component_code_regex", container: "oel_container_code_regex"} {
		if t := p.live[table]; t != nil {
			if c := t.Check(name); c != nil && strings.Contains(c.Clause, "[a-zA-Z0-9_.-]") {
				return true
			}
		}
	}
	return false
}
