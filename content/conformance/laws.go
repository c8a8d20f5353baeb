package conformance

import "testing"

func laws(t *testing.T, open Open) {}
