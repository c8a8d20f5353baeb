package lease

import (
	"fmt"
	"strconv"
	"strings"
)

// Mark returns a name of this process, made of digits, lower-case letters and dots, for what has no row to name its owner
// in, such as a file: no other process has had or will have it on this machine.
func Mark() string {
	id := own()
	return fmt.Sprintf("%d.%s.%s", id.pid, id.ticks, id.mark)
}

// Gone reports whether the process of a mark is known to have ended. Of another machine's, and of what is no mark, nothing
// is known.
func Gone(name string) bool {
	parts := strings.Split(name, ".")
	if len(parts) != 3 || parts[2] != own().mark {
		return false
	}
	pid, err := strconv.Atoi(parts[0])
	return err == nil && pid > 0 && fateOf(pid, parts[1]) == gone
}
