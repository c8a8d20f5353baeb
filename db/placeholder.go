package db

import (
	"strconv"
	"strings"
	"sync"
)

// numbered caches SQL whose ? were rewritten to $1, $2 …, as PostgreSQL wants them.
type numbered struct {
	mu sync.RWMutex
	// mu guards m. Statements are constants of the program but for padded lists, so the limit is never reached in
	// practice; it keeps a caller that builds SQL from filling memory.
	m map[string]string
}

func (n *numbered) rewrite(sql string) string {
	n.mu.RLock()
	s, ok := n.m[sql]
	n.mu.RUnlock()
	if ok {
		return s
	}
	s = number(sql)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.m == nil || len(n.m) > 2000 {
		n.m = map[string]string{}
	}
	n.m[sql] = s
	return s
}

// number rewrites the placeholders of sql.
func number(sql string) string {
	if strings.IndexByte(sql, '?') < 0 {
		return sql
	}
	b := make([]byte, 0, len(sql)+16)
	last, n := 0, 0
	eachPlaceholder(sql, func(i int) {
		n++
		b = append(b, sql[last:i]...)
		b = append(b, '$')
		b = strconv.AppendInt(b, int64(n), 10)
		last = i + 1
	})
	return string(append(b, sql[last:]...))
}

// eachPlaceholder calls f with the place of each ? that is not in a literal, a quoted name or a comment.
func eachPlaceholder(sql string, f func(i int)) {
	for i := 0; i < len(sql); i++ {
		switch c := sql[i]; {
		case c == '?':
			f(i)
		case c == '\'' || c == '"' || c == '`':
			// A doubled quote ends one literal and begins the next: the same for our purpose.
			end := strings.IndexByte(sql[i+1:], c)
			if end < 0 {
				return
			}
			i += end + 1
		case c == '-' && strings.HasPrefix(sql[i:], "--"):
			end := strings.IndexByte(sql[i:], '\n')
			if end < 0 {
				return
			}
			i += end
		case c == '/' && strings.HasPrefix(sql[i:], "/*"):
			end := strings.Index(sql[i+2:], "*/")
			if end < 0 {
				return
			}
			i += end + 3
		}
	}
}
