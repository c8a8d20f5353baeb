// Package convert makes of a course or library of an old store what importing its OLX would have made of it, without
// what an export loses on the way: a [courseware.State], a map from every old key to its new one, and a report
// (modulestore.md §5).
//
// [Convert] reads nothing but the branches it is given and depends on nothing else: the same branches give the same
// state, map and report, byte for byte (CV-30). [Compare] is the proof afterwards: it walks the source and what a store
// gave back, and knows of every difference the rule that allows it, or that none does (CV-35).
//
// What an archive cannot say is kept all the same where the tree has a place for it: blocks that no block lists stay
// among the blocks of the state without a parent, and are flagged in the map and the report (CV-36). A field that no
// block type knows becomes an attribute of its block's element, as an import would keep it (OM-12).
package convert
