// Package zipdir reads zips that may be hostile: their directories, and their members where they lie.
//
// Programs differ in which of the two they believe, the central directory or the local headers, so an archive in which
// they differ means different things to different readers and is refused (olx.md §5.1). For the same reason there may be
// nothing before, between or behind in which one could hide: members may not overlap, and the directory has to stand
// where the end record says, right before it. Symbolic links, encryption and other methods than store and deflate are
// refused. What names may be, how many members there may be and how large they are is up to the caller.
package zipdir

import (
	"bufio"
	"context"
	"fmt"
	"io"
)

// Limits bounds a zip.
type Limits struct {
	Members     int64 // files and directories
	Ratio       int64 // bytes that come out for a byte that goes in, over any window
	RatioWindow int64 // bytes of output over which Ratio is measured
}

// The rules that an archive can break.
const (
	Unsafe      = "ArchiveUnsafe"   // a member of a forbidden type or name, or a container that contradicts itself
	TooLarge    = "ArchiveTooLarge" // a limit is passed
	BadEncoding = "BadEncoding"     // a name that is not UTF-8
	Damaged     = "ArchiveDamaged"  // cut short, corrupt, or no zip at all
)

// Error says why a zip is refused, or why one of its members cannot be read.
type Error struct {
	Member string // the name as the archive has it; empty when it is about the archive as a whole
	Rule   string // Unsafe, TooLarge, BadEncoding or Damaged
	Text   string // the reason, lower case, no full stop
}

func (e *Error) Error() string {
	if e.Member == "" {
		return e.Text
	}
	return fmt.Sprintf("%q: %s", e.Member, e.Text)
}

func refuse(member, rule, format string, args ...any) *Error {
	return &Error{Member: member, Rule: rule, Text: fmt.Sprintf(format, args...)}
}

// Guarded is a reader that stops when its context is done.
type Guarded struct {
	Context context.Context
	Reader  io.Reader
}

// Read passes on, or gives the cause of the context's end.
func (g Guarded) Read(p []byte) (int, error) {
	if g.Context.Err() != nil {
		return 0, context.Cause(g.Context)
	}
	return g.Reader.Read(p)
}

// Expander is a decompressor whose expansion is watched: Output, which reads what is packed from Input. Use
// [NewExpander] and set Output. It is not safe for concurrent use.
type Expander struct {
	Input    *bufio.Reader
	Output   io.Reader
	packed   *metered
	consumed int64
	ratio    *Ratio
}

// NewExpander returns an expander of packed data that is to be read through a buffer of that size.
func NewExpander(packed io.Reader, buffer int, ratio *Ratio) *Expander {
	m := &metered{r: packed}
	return &Expander{Input: bufio.NewReaderSize(m, buffer), packed: m, ratio: ratio}
}

// Used returns how much of the compressed input the decompressor has taken, read-ahead not counted.
func (x *Expander) Used() int64 { return x.packed.n - int64(x.Input.Buffered()) }

// Read reads expanded data; more expansion than the ratio allows is an [*Error].
func (x *Expander) Read(p []byte) (int, error) {
	n, err := x.Output.Read(p)
	used := x.Used()
	if !x.ratio.Add(used-x.consumed, int64(n)) {
		return 0, refuse("", TooLarge, "expands more than %d times", x.ratio.max)
	}
	x.consumed = used
	return n, err
}

// metered counts what is read through it.
type metered struct {
	r io.Reader
	n int64
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.n += int64(n)
	return n, err
}
