// Package signin is the HTTP side of signing in: what a request shows is turned into who sends it, and there are the
// pages, redirects and small calls that browsers and the stock clients use for it (stock-clients.md §2).
//
// A person is known by, in this order, an Authorization header (JWT or Bearer), the two cookies of a web token where the
// request says that it uses them, and the session's cookie. What a browser sends by itself, cookies, is believed on unsafe
// methods only with the token against forged requests (CSRF) that Django's clients send, and from an origin of ours.
//
// Who somebody is and what is stored of it is package signin's concern (imported here as who).
package signin
