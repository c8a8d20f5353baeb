// Package migratorapi is the migration of courses and legacy libraries into libraries over HTTP, as Open edX's clients ask for
// it: /api/modulestore_migrator/v1 (libraries-api.md §10). It reads and writes the shapes, and decides nothing: package app says
// who may what, and does it. What a task left is at [ArtifactPath].
package migratorapi
