package media

import "time"

// Age is how long ago a file must have been written at least before a sweep may remove it. It has to be longer than any
// transaction that writes files may take.
type Age time.Duration

// GuardAge is the age for sweeps that nobody gave one.
const GuardAge = Age(24 * time.Hour)
