//go:build race

package backup

// raceEnabled tells of the race detector, under which making a million entries takes longer than all else together.
const raceEnabled = true
