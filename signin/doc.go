// Package signin says who somebody is: by password, by a session's cookie, by a web token, by the token of a program, or
// by an address that is good once.
//
// The idea: whatever a person or program shows is a random text of which the database holds a digest, in a row that names
// the user and a fingerprint of the user's password. Every use asks for both rows, so that a session or token ends
// everywhere at once when it is ended, when the user is disabled, and when the password is changed, be it by a Django
// process that knows nothing of us. Nothing is kept in memory, so several servers on one database agree.
//
// What is refused is refused with one error and in about equal time, whether the name is unknown, the password wrong or
// the user disabled. Failures are counted in the database by name and by address, in a bounded number of slots.
//
// It is no part of this package what a person may do, nor how a request carries what it shows (api/signin).
package signin
