package api

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// Bounds of what is kept compressed.
const (
	packedFile = 16 << 20 // bytes of one file; larger ones go out as they are
	packedAll  = 64 << 20 // compressed bytes of all
	packedMin  = 1 << 10  // below it is not worth it
)

// packed keeps files compressed, each compressed once: files of a built client change with the next release only.
type packed struct {
	mu    sync.Mutex // guards what follows
	files map[string]*packedEntry
	size  int
}

type packedEntry struct {
	tag  string
	once sync.Once
	data []byte // nil when it did not get smaller, or could not be read
}

// get returns the compressed content of a file, nil when it is to go out as it is. Of several that ask at once for a new
// file one compresses it.
func (p *packed) get(name, tag string, size int64, content io.Reader) []byte {
	if size < packedMin || size > packedFile {
		return nil
	}
	p.mu.Lock()
	e := p.files[name]
	if e == nil || e.tag != tag {
		if p.size > packedAll {
			p.mu.Unlock()
			return nil
		}
		if p.files == nil {
			p.files = map[string]*packedEntry{}
		}
		if e != nil {
			p.size -= len(e.data)
		}
		e = &packedEntry{tag: tag}
		p.files[name] = e
	}
	p.mu.Unlock()
	e.once.Do(func() {
		data := deflate(content, size)
		p.mu.Lock()
		defer p.mu.Unlock()
		e.data = data
		p.size += len(data)
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	return e.data
}

func deflate(content io.Reader, size int64) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if n, err := io.Copy(z, content); err != nil || n != size || z.Close() != nil || int64(b.Len()) >= size {
		return nil
	}
	return b.Bytes()
}

func compressible(kind string) bool {
	return strings.HasPrefix(kind, "text/") || strings.HasPrefix(kind, "application/json") || strings.HasPrefix(kind, "image/svg") ||
		strings.HasPrefix(kind, "application/wasm") || strings.HasPrefix(kind, "application/manifest")
}

// acceptsGzip reads Accept-Encoding as far as gzip is concerned.
func acceptsGzip(r *http.Request) bool {
	if r.Header.Get("Range") != "" {
		return false
	}
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		_, q, ok := strings.Cut(weight, "=")
		f, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
		return !ok || err == nil && f > 0
	}
	return false
}
