// Package jobs is long work over HTTP: /api/lectern/v1/jobs lists, shows, starts, cancels and tries again, takes uploads
// and gives what jobs have made. It decides nothing: package app says who may what, and does it.
package jobs
