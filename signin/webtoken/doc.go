// Package webtoken makes and checks JSON Web Tokens: those that this server issues for the stock clients' cookies, and
// those that a learning management system beside it issues (design.md §4, "Who signs people in").
//
// A token of ours names its session, and is good only while that is: this package checks what can be checked without a
// database, callers ask for the session. Tokens are signed as the platform signs its own (RS512), so Python services that
// are given our public keys accept them. Of others only the algorithms of public keys are accepted, of the kind the key
// has; HS256 with a secret that was given for it; never "none".
package webtoken
