// Package legacy tells over HTTP what is known of old courses while their store is retired, /api/lectern/v1/legacy: the stage,
// overviews, what each kind of page answers, the cards of enrolments, and how often somebody was refused. Whatever serves learners
// asks it; docs/oldstages.md says what for. It opens no old store and decides nothing: package app does.
package legacy
