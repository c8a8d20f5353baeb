// Package content is the versioned store of learning content: a [Store] is an open database and its media files, and
// everything in it is done by the functions of the small packages below, the applets.
//
// # The map
//
// Each applet owns its tables, all named openedx_content_…, and whatever of lectern_… belongs to them; nobody else's SQL
// names them. An applet may use those to its left here, through their exported functions only:
//
//	publishing → media → components → containers → collections → backup
//
//	publishing   learning packages; entities and their versions; which version is draft and which published; the logs of
//	             every change and publish; history
//	             learningpackage, publishableentity, publishableentityversion, publishableentityversiondependency, draft,
//	             published, draftchangelog, draftchangelogrecord, draftsideeffect, publishlog, publishlogrecord,
//	             publishsideeffect; lectern_package, lectern_changelog, lectern_publishlog
//	media        bytes, each distinct content of a package once, in rows or files
//	             mediatype, media
//	components   entities that hold content, and the named files of their versions
//	             componenttype, component, componentversion, componentversionmedia
//	containers   entities that hold other entities: units, subsections, sections and Lectern's own kinds
//	             containertype, container, containerversion, entitylist, entitylistrow, unit, unitversion, subsection,
//	             subsectionversion, section, sectionversion; lectern_containerversionmedia
//	collections  named sets of entities, with a log, as Open edX keeps no history of them
//	             collection, collectionpublishableentity; lectern_collectionlog
//	backup       a package as an archive, and back
//
// Below all of them lies outbox (lectern_event, lectern_webhook, lectern_delivery), in which publishing and collections
// leave events about what they do; beside them lies events, which makes documents of those and delivers them.
//
// # How to use it
//
// Reads take a db.Querier: a [db.DB], or inside [Store.View] a transaction that sees one state throughout. Writes take a
// transaction from [Store.Update], and changes of drafts a publishing.ChangeSet, which groups them into one log. Nothing
// here begins a transaction by itself, so that a caller can make everything a user asked for one. See the examples.
//
// # The past
//
// Nothing that was is lost: [At] reads a whole package as of any [Moment], [Diff] and [DiffCollections] compare two, and
// [Restore] makes one the draft again.
package content
