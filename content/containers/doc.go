// Package containers keeps containers, the entities that hold other entities in an order: units, subsections, sections
// and every further kind (content-model.md §11). It owns their rows, their types, the lists of children, and the
// settings files of each version.
//
// A container version names one list, and lists never change, so a version with the same children shares the list of
// the one before. A child is unpinned, and then whatever version of it is current, or pinned to one version. The
// unpinned children of a version are its dependencies, through which package publishing finds what a change affects.
//
// Which children a container takes is said by its type: units hold components, subsections units, sections subsections;
// types of Lectern's own, prefixed "lectern.", hold anything. Types of other programs can be read, not changed.
//
// Everything takes and returns batches; a batch of N rows costs a bounded number of statements. Functions that write
// take a transaction or a change set and never begin one.
package containers
