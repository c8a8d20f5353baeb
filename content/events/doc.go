// Package events tells others what happened in learning packages: it makes the events of content-model.md §19 from the
// outbox and the logs, as CloudEvents, and delivers them to webhooks.
//
// What package outbox promises about order and repetition holds for receivers: within one package events arrive in the
// order of its commits, each at least once. A receiver that must not act twice keeps the ids it has seen.
package events
