package webtoken

import (
	"crypto/sha256"
	"sync"
)

// maxChecked bounds the tokens that are remembered, of some 500 bytes each.
const maxChecked = 4096

// good is a token whose signature was found good.
type good struct {
	claims Claims
	key    string // id of the key that signed it
}

// checked remembers tokens whose signature was found good, as clients send the same one for an hour and checking it costs
// more than all else that is asked of a request. The zero value is empty. It is safe for concurrent use.
type checked struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]good // guarded by mu: by the digest of the whole token, signature included
}

func (c *checked) find(text string) (good, bool) {
	sum := sha256.Sum256([]byte(text))
	c.mu.Lock()
	defer c.mu.Unlock()
	g, ok := c.all[sum]
	return g, ok
}

func (c *checked) add(text string, g good) {
	sum := sha256.Sum256([]byte(text))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil || len(c.all) >= maxChecked {
		c.all = map[[sha256.Size]byte]good{} // those in use come back with their next request
	}
	c.all[sum] = g
}
