// Package authzapi answers /api/authz/v1 as openedx-authz 1.35.0 does, so that the stock admin console and everything
// else written for it works unchanged: the same addresses, gates, checks, status codes, keys and order (authz.md §11, §12).
//
// The idea: [Routes] is one table that names every operation with its gate, and [API] walks each request through the same
// steps: who asks, is the request forged, may they, is what they sent well-formed, then the work. Decisions come from the
// index in memory ([authz.Index]), taken once a request, so that one answer never mixes two policies; names of people,
// courses and libraries come from the database, in a few statements however long the list is.
//
// The texts of 400 answers are this package's own; clients read the status only. Where the reference fails with 500
// (authz.md §15, D8) the answer is a 400 here.
package authzapi
