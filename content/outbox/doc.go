// Package outbox keeps events until they are delivered: what happened in a learning package, written in the transaction
// that did it, so that an event exists exactly if its change does (content-model.md §19, law 75). It owns the rows of
// events, of webhooks, and of the deliveries that connect the two.
//
// # Order
//
// Everyone who changes a package holds its lock until the end of the transaction (publishing.Lock), and an event's id is
// given under that lock. So the ids of one package's events are in the order of its commits, and whoever sees an event
// sees all earlier ones of the same package. Nothing is promised about ids of different packages: an event may appear
// after one with a greater id. Therefore no reader remembers "everything up to id N". Instead each event carries a mark
// that says whether it was given to the webhooks; [Route] takes those without it, in id order, and makes one delivery for
// each webhook that wants the event, in the transaction that sets the mark.
//
// # Delivery
//
// The deliveries of one webhook and one package are a lane: only the first of a lane that is not dead may be claimed, and
// the next becomes the first when that one is done or dead. A claim moves the time at which the delivery is due next beyond
// the longest time that sending takes, so a deliverer that dies leaves nothing to clean up: another takes the delivery when
// it is due again, which sends the event a second time. Events arrive at least once, and in order within their package.
//
// The row of an event about a log is small whatever the size of the log: what changed is read from the log when the
// event is sent. Before logs are deleted, the events that still wait for delivery are given their data (Frozen).
package outbox
