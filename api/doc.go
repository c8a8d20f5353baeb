// Package api is the HTTP side of Lectern: one router, what every request passes through, the small calls that the stock
// clients make at start, health, metrics, static clients, and one OpenAPI document of all of it.
//
// The idea: an address is data, a [Route]. It says who may come in, how large a body may be, how long it may take and how
// it is described; the router makes of that the middleware, the answers 404 and 405, the document and the labels of the
// metrics. Other packages (api/signin, api/authz) bring routes through [Config.Mounts], so nothing can be reached that is not declared.
//
// What a request passes, outside in: its id and the client's address, the access log and metrics, recovery from panics,
// security headers, CORS, readiness, then of its route: limits, who sends it, CSRF, the method, the handler.
//
// The package decides nothing about courses or rights: it calls package app and translates kinds of fault to statuses.
package api
