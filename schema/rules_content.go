package schema

import "fmt"

// listRules are about lists of children (content-model.md laws 51, 54 and 72).
var listRules = []rule{
	{code: "list_order", severity: Error, table: "openedx_content_entitylistrow", of: ofVersion, next: "number the rows of the list from 0 in their order",
		query: `SELECT MIN(c.publishable_entity_version_id) AS of_id, NULL AS detail, MAX(x.top) AS value, MAX(x.n) - 1 AS want
FROM (SELECT entity_list_id, MIN(order_num) AS low, MAX(order_num) AS top, COUNT(*) AS n FROM @entitylistrow GROUP BY entity_list_id) x
JOIN @containerversion c ON c.entity_list_id = x.entity_list_id WHERE x.low <> 0 OR x.top <> x.n - 1 GROUP BY x.entity_list_id`},
	{code: "list_orphan", severity: Info, table: "openedx_content_entitylist", of: ofText, next: "nothing has to be done: lists without a version stay behind when a package is deleted",
		query: `SELECT '' AS of_id, NULL AS detail, COUNT(*) AS value, 0 AS want FROM @entitylist l
LEFT JOIN @containerversion c ON c.entity_list_id = l.id WHERE c.entity_list_id IS NULL HAVING COUNT(*) > 0`},
	{code: "child_package", severity: Error, table: "openedx_content_entitylistrow", of: ofVersion, label: "row", next: nextRows,
		query: `SELECT c.publishable_entity_version_id AS of_id, r.order_num AS detail, e.entity_ref AS value, 'an entity of the package' AS want
FROM @containerversion c JOIN @container n ON n.publishable_entity_id = c.container_id JOIN @entitylistrow r ON r.entity_list_id = c.entity_list_id
JOIN @publishableentity e ON e.id = r.entity_id WHERE e.learning_package_id <> n.learning_package_id`},
	{code: "child_pin", severity: Error, table: "openedx_content_entitylistrow", of: ofEntity, label: "row", next: nextRows,
		query: `SELECT r.entity_id AS of_id, r.id AS detail, o.entity_ref AS value, 'a version of the child' AS want
FROM @entitylistrow r JOIN @publishableentityversion v ON v.id = r.entity_version_id JOIN @publishableentity o ON o.id = v.entity_id WHERE v.entity_id <> r.entity_id`},
	// Databases from before 1.x may have such children; they are read, and refused in new versions.
	{code: "child_kind", severity: Warning, table: "openedx_content_entitylistrow", of: ofVersion, label: "row", next: "make a new version of the container without the child",
		query: `SELECT c.publishable_entity_version_id AS of_id, r.order_num AS detail, e.entity_ref AS value, t.type_code AS want
FROM @containerversion c JOIN @container n ON n.publishable_entity_id = c.container_id JOIN @containertype t ON t.id = n.container_type_id
JOIN @entitylistrow r ON r.entity_list_id = c.entity_list_id JOIN @publishableentity e ON e.id = r.entity_id
LEFT JOIN @component k ON k.publishable_entity_id = r.entity_id LEFT JOIN @container m ON m.publishable_entity_id = r.entity_id
LEFT JOIN @containertype u ON u.id = m.container_type_id
WHERE t.type_code = 'unit' AND k.publishable_entity_id IS NULL OR t.type_code = 'subsection' AND (u.type_code IS NULL OR u.type_code <> 'unit')
OR t.type_code = 'section' AND (u.type_code IS NULL OR u.type_code <> 'subsection')`},
}

// typedRules are about the rows that say what an entity or version is.
func typedRules() []rule {
	list := []rule{
		{code: "two_kinds", severity: Error, table: "openedx_content_container", of: ofEntity, next: nextRows,
			query: `SELECT n.publishable_entity_id AS of_id, NULL AS detail, 'component and container' AS value, 'one of them' AS want
FROM @container n JOIN @component c ON c.publishable_entity_id = n.publishable_entity_id`},
		{code: "code_pair", severity: Info, table: "openedx_content_container", of: ofPackage, next: "such a package cannot move to a MySQL or MariaDB site that Django made",
			query: `SELECT learning_package_id AS of_id, MIN(container_code) AS detail, MAX(container_code) AS value, 'codes that differ by more than case' AS want
FROM @container GROUP BY learning_package_id, LOWER(container_code) HAVING COUNT(*) > 1`},
	}
	for _, k := range []string{"component", "container"} {
		table := "openedx_content_" + k
		version := &fix{insert, table + "version", []string{"publishable_entity_version_id", "component_id"}}
		next := nextMend
		if k == "container" { // its list is lost
			version, next = nil, nextRows
		}
		list = append(list,
			rule{code: "package_differs", severity: Error, table: table, of: ofEntity, next: nextRows,
				query: fmt.Sprintf(`SELECT c.publishable_entity_id AS of_id, NULL AS detail, p.package_ref AS value, 'the package of the entity' AS want FROM @%s c
JOIN @publishableentity e ON e.id = c.publishable_entity_id JOIN @learningpackage p ON p.id = c.learning_package_id WHERE e.learning_package_id <> c.learning_package_id`, k)},
			rule{code: "version_row_missing", severity: Error, table: table + "version", of: ofVersion, next: next, fix: version,
				query: fmt.Sprintf(`SELECT v.id AS of_id, NULL AS detail, 'no row' AS value, 'a row' AS want, v.id AS a0, v.entity_id AS a1 FROM @%[1]s c
JOIN @publishableentityversion v ON v.entity_id = c.publishable_entity_id LEFT JOIN @%[1]sversion x ON x.publishable_entity_version_id = v.id
WHERE x.publishable_entity_version_id IS NULL`, k)},
			rule{code: "version_row_owner", severity: Error, table: table + "version", of: ofVersion, next: nextRows,
				query: fmt.Sprintf(`SELECT x.publishable_entity_version_id AS of_id, NULL AS detail, o.entity_ref AS value, 'the entity of the version' AS want FROM @%[1]sversion x
JOIN @publishableentityversion v ON v.id = x.publishable_entity_version_id JOIN @publishableentity o ON o.id = x.%[1]s_id WHERE v.entity_id <> x.%[1]s_id`, k)})
	}
	for _, k := range []string{"unit", "subsection", "section"} {
		table := "openedx_content_" + k
		list = append(list,
			rule{code: "type_row_missing", severity: Error, table: table, of: ofEntity, next: nextMend, fix: &fix{insert, table, []string{"container_id"}},
				query: fmt.Sprintf(`SELECT c.publishable_entity_id AS of_id, NULL AS detail, 'no row' AS value, 'a row' AS want, c.publishable_entity_id AS a0 FROM @container c
JOIN @containertype t ON t.id = c.container_type_id AND t.type_code = '%[1]s' LEFT JOIN @%[1]s x ON x.container_id = c.publishable_entity_id WHERE x.container_id IS NULL`, k)},
			rule{code: "type_row_missing", severity: Error, table: table + "version", of: ofVersion, next: nextMend, fix: &fix{insert, table + "version", []string{"container_version_id"}},
				query: fmt.Sprintf(`SELECT v.publishable_entity_version_id AS of_id, NULL AS detail, 'no row' AS value, 'a row' AS want, v.publishable_entity_version_id AS a0
FROM @container c JOIN @containertype t ON t.id = c.container_type_id AND t.type_code = '%[1]s' JOIN @containerversion v ON v.container_id = c.publishable_entity_id
LEFT JOIN @%[1]sversion x ON x.container_version_id = v.publishable_entity_version_id WHERE x.container_version_id IS NULL`, k)},
			rule{code: "type_row_extra", severity: Error, table: table, of: ofEntity, next: nextOwner,
				query: fmt.Sprintf(`SELECT x.container_id AS of_id, NULL AS detail, t.type_code AS value, '%[1]s' AS want FROM @%[1]s x
JOIN @container c ON c.publishable_entity_id = x.container_id JOIN @containertype t ON t.id = c.container_type_id WHERE t.type_code <> '%[1]s'`, k)},
			rule{code: "type_row_extra", severity: Error, table: table + "version", of: ofVersion, next: nextOwner,
				query: fmt.Sprintf(`SELECT x.container_version_id AS of_id, NULL AS detail, t.type_code AS value, '%[1]s' AS want FROM @%[1]sversion x
JOIN @containerversion v ON v.publishable_entity_version_id = x.container_version_id JOIN @container c ON c.publishable_entity_id = v.container_id
JOIN @containertype t ON t.id = c.container_type_id WHERE t.type_code <> '%[1]s'`, k)})
	}
	return list
}

// contentRules are about media and collections (content-model.md laws 60 and 65).
var contentRules = []rule{
	{code: "media_empty", severity: Error, table: "openedx_content_media", of: ofPackage, label: "media", next: nextRows,
		query: `SELECT learning_package_id AS of_id, hash_digest AS detail, 'nothing' AS value, 'text or a file' AS want FROM @media WHERE text IS NULL AND has_file = FALSE`},
	{code: "media_size", severity: Error, table: "openedx_content_media", of: ofPackage, label: "media", next: nextRows,
		query: `SELECT learning_package_id AS of_id, hash_digest AS detail, size AS value, OCTET_LENGTH(text) AS want FROM @media WHERE text IS NOT NULL AND OCTET_LENGTH(text) <> size`},
	{code: "media_package", severity: Error, table: "openedx_content_componentversionmedia", of: ofVersion, label: "path", next: nextRows,
		query: `SELECT f.component_version_id AS of_id, f.path AS detail, p.package_ref AS value, 'media of the package' AS want FROM @componentversionmedia f
JOIN @media m ON m.id = f.media_id JOIN @componentversion v ON v.publishable_entity_version_id = f.component_version_id
JOIN @component c ON c.publishable_entity_id = v.component_id JOIN @learningpackage p ON p.id = m.learning_package_id WHERE m.learning_package_id <> c.learning_package_id`},
	{code: "media_package", severity: Error, table: "lectern_containerversionmedia", of: ofVersion, label: "path", next: nextRows,
		query: `SELECT f.container_version_id AS of_id, f.path AS detail, p.package_ref AS value, 'media of the package' AS want FROM lectern_containerversionmedia f
JOIN @media m ON m.id = f.media_id JOIN @containerversion v ON v.publishable_entity_version_id = f.container_version_id
JOIN @container c ON c.publishable_entity_id = v.container_id JOIN @learningpackage p ON p.id = m.learning_package_id WHERE m.learning_package_id <> c.learning_package_id`},
	{code: "path", severity: Warning, table: "openedx_content_componentversionmedia", of: ofVersion, label: "path", next: "drop or rename the file in a new version",
		query: `SELECT f.component_version_id AS of_id, f.path AS detail, f.path AS value, 'names between slashes' AS want FROM @componentversionmedia f
WHERE f.path = '' OR f.path LIKE '/%' OR f.path LIKE ' %' OR f.path = '..' OR f.path LIKE '../%' OR f.path LIKE '%/../%' OR f.path LIKE '%/..' OR f.path LIKE '%//%'`},
	{code: "member_package", severity: Error, table: "openedx_content_collectionpublishableentity", of: ofEntity, label: "collection", next: nextOwner,
		query: `SELECT m.entity_id AS of_id, c.collection_code AS detail, p.package_ref AS value, 'a collection of the package' AS want FROM @collectionpublishableentity m
JOIN @collection c ON c.id = m.collection_id JOIN @publishableentity e ON e.id = m.entity_id JOIN @learningpackage p ON p.id = c.learning_package_id
WHERE e.learning_package_id <> c.learning_package_id`},
}

// catalogRules hold on the MySQL family what unique indexes on lower(…) and partial ones hold elsewhere, and tie runs to
// their courses.
var catalogRules = []rule{
	{code: "course_key_pair", severity: Error, table: "openedx_catalog_courserun", next: nextRows,
		query: `SELECT MIN(course_key) AS of_id, NULL AS detail, MAX(course_key) AS value, 'one run' AS want FROM openedx_catalog_courserun GROUP BY LOWER(course_key) HAVING COUNT(*) > 1`},
	{code: "run_pair", severity: Error, table: "openedx_catalog_courserun", next: nextRows,
		query: `SELECT MIN(course_key) AS of_id, NULL AS detail, MAX(course_key) AS value, 'one run' AS want FROM openedx_catalog_courserun
WHERE NOT course_key LIKE 'ccx%' GROUP BY catalog_course_id, run_code HAVING COUNT(*) > 1`},
	{code: "course_code_pair", severity: Error, table: "openedx_catalog_catalogcourse", next: nextRows,
		query: `SELECT MIN(course_code) AS of_id, NULL AS detail, MAX(course_code) AS value, 'one course' AS want FROM openedx_catalog_catalogcourse
GROUP BY org_id, LOWER(course_code) HAVING COUNT(*) > 1`},
	{code: "organization_pair", severity: Warning, table: "organizations_organization", next: "courses of such an organization are refused until one of the two is renamed",
		query: `SELECT MIN(short_name) AS of_id, NULL AS detail, MAX(short_name) AS value, 'one organization' AS want FROM organizations_organization
GROUP BY LOWER(short_name) HAVING COUNT(*) > 1`},
	{code: "run_names", severity: Error, table: "openedx_catalog_courserun", next: nextRows, needs: []string{"openedx_catalog_catalogcourse", "organizations_organization"},
		query: `SELECT r.course_key AS of_id, NULL AS detail, CONCAT(o.short_name, '+', c.course_code, '+', r.run_code) AS value, 'the names in the key' AS want
FROM openedx_catalog_courserun r JOIN openedx_catalog_catalogcourse c ON c.id = r.catalog_course_id JOIN organizations_organization o ON o.id = c.org_id
WHERE r.course_key LIKE 'course-v1:%' AND LOWER(r.course_key) <> LOWER(CONCAT('course-v1:', o.short_name, '+', c.course_code, '+', r.run_code))`},
}

// sideRules are about Lectern's own tables.
var sideRules = []rule{
	{code: "course_run", severity: Error, table: "lectern_course", of: ofPackage, next: nextRows, needs: []string{"openedx_catalog_courserun"},
		query: `SELECT c.learning_package_id AS of_id, NULL AS detail, r.course_key AS value, c.course_key AS want FROM lectern_course c
JOIN openedx_catalog_courserun r ON r.id = c.course_run_id WHERE r.course_key <> c.course_key`},
	{code: "course_run_missing", severity: Error, table: "lectern_course", of: ofPackage, next: nextMend, needs: []string{"openedx_catalog_courserun"},
		fix: &fix{update, "lectern_course", []string{"id", "course_run_id"}},
		query: `SELECT c.learning_package_id AS of_id, NULL AS detail, '' AS value, r.course_key AS want, c.id AS a0, r.id AS a1 FROM lectern_course c
JOIN openedx_catalog_courserun r ON r.course_key = c.course_key WHERE c.course_run_id IS NULL`},
	{code: "course_run_lost", severity: Warning, table: "lectern_course", of: ofPackage, next: "import the course again, which makes the run", needs: []string{"openedx_catalog_courserun"},
		query: `SELECT c.learning_package_id AS of_id, NULL AS detail, '' AS value, c.course_key AS want FROM lectern_course c
LEFT JOIN openedx_catalog_courserun r ON r.course_key = c.course_key WHERE c.course_run_id IS NULL AND r.id IS NULL AND NOT c.course_key LIKE 'library-v1:%'`},
	{code: "course_package", severity: Error, table: "lectern_course", of: ofPackage, next: nextRows,
		query: `SELECT c.learning_package_id AS of_id, NULL AS detail, c.course_key AS value, p.package_ref AS want FROM lectern_course c
JOIN @learningpackage p ON p.id = c.learning_package_id WHERE p.package_ref <> c.course_key`},
	{code: "course_root", severity: Error, table: "lectern_course", of: ofPackage, next: nextRows,
		query: `SELECT c.learning_package_id AS of_id, NULL AS detail, e.entity_ref AS value, 'a container of the package' AS want FROM lectern_course c
JOIN @publishableentity e ON e.id = c.root_entity_id LEFT JOIN @container n ON n.publishable_entity_id = e.id
WHERE e.learning_package_id <> c.learning_package_id OR n.publishable_entity_id IS NULL`},
	{code: "label_moment", severity: Warning, table: "lectern_label", of: ofPackage, label: "label", next: "remove the label",
		query: `SELECT b.learning_package_id AS of_id, b.name AS detail, b.moment AS value, 'a log of the package' AS want FROM lectern_label b
LEFT JOIN @draftchangelog l ON l.learning_package_id = b.learning_package_id AND b.moment = CONCAT('c', l.id)
LEFT JOIN @publishlog p ON p.learning_package_id = b.learning_package_id AND b.moment = CONCAT('p', p.id)
WHERE l.id IS NULL AND p.id IS NULL`},
	{code: "log_kind", severity: Warning, table: "lectern_changelog", of: ofPackage, label: "log", next: "set it to other", query: `SELECT l.learning_package_id AS of_id, l.id AS detail, x.kind AS value, 'a kind of log' AS want
FROM lectern_changelog x JOIN @draftchangelog l ON l.id = x.draft_change_log_id WHERE x.kind NOT IN ` + logKinds},
	{code: "log_kind", severity: Warning, table: "lectern_publishlog", of: ofPackage, label: "log", next: "set it to other", query: `SELECT l.learning_package_id AS of_id, l.id AS detail, x.kind AS value, 'a kind of log' AS want
FROM lectern_publishlog x JOIN @publishlog l ON l.id = x.publish_log_id WHERE x.kind NOT IN ` + logKinds},
	// Django adds them after a migration; a site that no Django has worked on has none.
	{code: "content_type_missing", severity: Warning, table: "django_content_type", next: "run Django's migrate, which adds the row",
		query: `SELECT m.model AS of_id, NULL AS detail, 'no row' AS value, 'openedx_content' AS want FROM (` + contentModels + `) m
LEFT JOIN django_content_type t ON t.app_label = 'openedx_content' AND t.model = m.model
WHERE t.id IS NULL AND EXISTS (SELECT 1 FROM django_content_type y WHERE y.app_label = 'openedx_content')`},
}

// logKinds are the kinds that package publishing writes.
const logKinds = `('import', 'edit', 'publish', 'discard', 'restore', 'delete', 'rerun', 'other')`
