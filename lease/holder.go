package lease

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/openlectern/lectern/db"
)

// Holder is who holds a lease.
type Holder struct {
	Host  string    `json:"host"`
	PID   int       `json:"pid"` // 0 where the row does not say
	What  string    `json:"what"`
	Since time.Time `json:"since"` // by the database's clock, UTC
	Until time.Time `json:"until"` // when it ends unless it is renewed
}

// String names the holder for messages, such as "process 4242 on web1, since 2026-03-01 09:10:11 UTC (db migrate)".
func (h Holder) String() string {
	s := fmt.Sprintf("process %d on %s", h.PID, h.Host)
	if h.PID == 0 {
		s = h.Host
	}
	s += ", since " + h.Since.UTC().Format("2006-01-02 15:04:05 UTC")
	if h.What != "" {
		s += " (" + h.What + ")"
	}
	return s
}

// Held returns who holds the lease of that name: nil when nobody does or the holder is known to be gone, which is when
// [Take] would succeed, and in a database without the table. It only reads.
func Held(ctx context.Context, q db.Querier, name string) (*Holder, error) {
	if found, err := there(ctx, q); !found || err != nil {
		return nil, err
	}
	r, found, err := read(ctx, q, name)
	if err != nil {
		return nil, fmt.Errorf("lease %s: %w", name, err)
	}
	if !found || r.free() {
		return nil, nil
	}
	h := r.who()
	return &h, nil
}

// who returns the holder as others see it.
func (r *row) who() Holder {
	id := parse(r.holder)
	return Holder{Host: id.host, PID: id.pid, What: r.what, Since: r.taken, Until: r.ends}
}

// free reports whether the row may be taken over: its holder is a process of this machine that is gone, or one of
// elsewhere and the end has passed. A process that lives here keeps its lease however late it is: a long transaction on
// SQLite keeps the renewal waiting.
func (r *row) free() bool {
	switch parse(r.holder).fate() {
	case gone:
		return true
	case running:
		return false
	}
	return r.ends.Before(r.read)
}

// identity is the text of the column holder, host:pid:start. Start tells processes of one id apart, as "ticks.mark.serial":
// when the process started, in which machine and space of process ids, and the how-manieth lease of the process it is.
// What another program wrote may have the first of the three only, or none.
type identity struct {
	host   string
	pid    int
	ticks  string // field 22 of /proc/PID/stat; where there is none, some time of this process
	mark   string // "" where the system has nothing to tell by
	serial string
}

func (id identity) String() string {
	return fmt.Sprintf("%s:%d:%s.%s.%s", id.host, id.pid, id.ticks, id.mark, id.serial)
}

// parse reads a holder; what has another form is a host alone.
func parse(s string) identity {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return identity{host: s}
	}
	j := strings.LastIndexByte(s[:i], ':')
	if j < 0 {
		return identity{host: s}
	}
	pid, err := strconv.Atoi(s[j+1 : i])
	if err != nil || pid <= 0 {
		return identity{host: s}
	}
	id := identity{host: s[:j], pid: pid}
	start := s[i+1:]
	id.ticks, start, _ = strings.Cut(start, ".")
	id.mark, id.serial, _ = strings.Cut(start, ".")
	return id
}

// own is this process, without a serial.
var own = sync.OnceValue(func() identity {
	const longest = 150 // of the column's 255 characters
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	if r := []rune(host); len(r) > longest {
		host = string(r[:longest])
	}
	id := identity{host: host, pid: os.Getpid(), mark: mark()}
	if id.ticks, _ = started(id.pid); id.ticks == "" {
		id.ticks = strconv.FormatInt(time.Now().UnixMilli(), 10)
	}
	return id
})

// mark tells machines of one host name apart, and containers of one machine, which have process ids of their own.
func mark() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "" // not Linux
	}
	space, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	h := fnv.New32a()
	fmt.Fprint(h, string(boot), space)
	return fmt.Sprintf("%08x", h.Sum32())
}

// fate is what is known of a holder.
type fate uint8

const (
	unknown fate = iota // of another machine, or of one that tells nothing
	running
	gone
)

// fate finds out whether the holder lives.
func (id identity) fate() fate {
	me := own()
	switch {
	case id.pid == 0, id.host != me.host, id.mark != "" && me.mark != "" && id.mark != me.mark:
		return unknown
	case id.pid == me.pid && id.ticks == me.ticks && id.serial != "":
		if leases.has(id.serial) {
			return running
		}
		return gone // released, or never known to be taken, and the database did not hear of it
	}
	return fateOf(id.pid, id.ticks)
}

// leases are those that this process holds. They belong to the process as its id does: another row of this process is left
// over, and nobody else could tell.
var leases = serials{m: map[string]bool{}}

type serials struct {
	mu   sync.Mutex
	last int             // guarded by mu
	m    map[string]bool // guarded by mu
}

func (s *serials) add() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	n := strconv.Itoa(s.last)
	s.m[n] = true
	return n
}

func (s *serials) drop(n string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, n)
}

func (s *serials) has(n string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[n]
}
