// Package oldcourse keeps what a site still needs of its courses with keys of the oldest store, ORG/COURSE/RUN, while that
// store is retired and when it is gone (modulestore.md §6): at which stage the retirement is, what the platform says of each
// such course, who is still enrolled, what pages of it answer, and how often somebody was refused one.
//
// A course is old by the form of its key alone. Nothing here opens the old store, and no row of the platform is written.
package oldcourse
