// Package validate judges course and library archives: it gives every finding in one pass, with file, line, rule, severity
// and what to do, and changes nothing (olx.md §4).
//
// The importer's own reading comes first, so what an import would refuse or leave out is always among the findings. What
// only an author cares about is checked on the elements as they stand in the files: mistakes that are legal but not meant,
// settings, dates, grading, links. Rules have the names of the reference validator, so that reports can be compared.
package validate
