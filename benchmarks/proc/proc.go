// Package proc tells how much processor time servers take.
package proc

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ServerPID returns the process of a server that scripts/servers has started, 0 for one that it has not.
func ServerPID(name string) int {
	b, err := os.ReadFile(filepath.Join(os.Getenv("LECTERN_SERVERS_DIR"), name, "pid"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return pid
}

// OwnCPU returns the CPU time that this process has taken, without those it has started; 0 where the system does not tell.
func OwnCPU() time.Duration {
	b, err := os.ReadFile("/proc/self/stat")
	_, rest, ok := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if err != nil || !ok || len(f) < 15 {
		return 0
	}
	user, _ := strconv.Atoi(f[11]) // the kernel writes nothing else
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * tick
}

// tick is the unit of times in /proc on every Linux.
const tick = time.Second / 100

// TreeCPU returns the CPU time that a process and those it has started have taken, those that ended included; 0 where
// the system does not tell.
func TreeCPU(root int) (total time.Duration) {
	names, err := filepath.Glob("/proc/[0-9]*/stat")
	if root == 0 || err != nil {
		return 0
	}
	parent, took := map[int]int{}, map[int]time.Duration{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		_, rest, ok := strings.Cut(string(b), ") ")
		f := strings.Fields(rest)
		pid, perr := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil || perr != nil || !ok || len(f) < 15 {
			continue // it has just ended
		}
		number := func(i int) int {
			n, _ := strconv.Atoi(f[i]) // the kernel writes nothing else
			return n
		}
		parent[pid] = number(1)
		took[pid] = time.Duration(number(11)+number(12)+number(13)+number(14)) * tick
	}
	for pid, t := range took {
		for at := pid; at > 1; at = parent[at] {
			if at == root {
				total += t
				break
			}
		}
	}
	return total
}
