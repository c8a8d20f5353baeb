package api

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/openlectern/lectern/fault"
)

// mounts adds the folders of files: those of the built stock clients and our own few.
func mounts(rt *Router, c *Config, origins map[string]bool) error {
	own, err := fs.Sub(embedded, "assets")
	if err != nil {
		return err
	}
	rt.Handle(Route{Method: http.MethodGet, Path: assetPath, Subtree: true, Access: Open, Early: true, Quiet: true,
		Handler: &folder{prefix: assetPath, files: own, packed: &packed{}}})
	for _, client := range []struct {
		flag, prefix string
		files        fs.FS
	}{{"--admin-console", adminConsolePath, c.AdminConsole}, {"--authoring", authoringPath, c.Authoring}} {
		if client.files == nil {
			continue
		}
		page, err := loadIndex(client.flag, client.prefix, client.files)
		if err != nil {
			return err
		}
		f := &folder{prefix: client.prefix, files: client.files, packed: &packed{}, index: true, policy: clientPolicy(page, origins)}
		rt.Handle(Route{Method: http.MethodGet, Path: client.prefix, Subtree: true, Access: Open, Early: true, Quiet: true, Handler: f})
	}
	return nil
}

const indexFile = "index.html"

// loadIndex reads the page of a client, and refuses a folder that has none or was built for another address: its pages
// would stay white.
func loadIndex(flag, prefix string, files fs.FS) ([]byte, error) {
	page, err := fs.ReadFile(files, indexFile)
	if err != nil {
		return nil, fault.Errorf(fault.Usage, flag, "there is no %s in the folder: %w", indexFile, err).WithNext("give the folder dist of a built client")
	}
	for _, m := range scriptSource.FindAllSubmatch(page, -1) {
		if src := string(m[1]); strings.HasPrefix(src, "/") && !strings.HasPrefix(src, "//") && !strings.HasPrefix(src, prefix) {
			return nil, fault.Errorf(fault.Usage, flag, "the client was built for another address: %s loads %s", indexFile, cut(src, 80)).
				WithNext("build it with PUBLIC_PATH=" + prefix)
		}
	}
	return page, nil
}

var scriptSource = regexp.MustCompile(`(?i)<script\b[^>]*?\bsrc\s*=\s*["']?([^"'\s>]+)`)

// folder serves files below an address. What is no file gives the client's page, as the client has addresses of its own
// below its own.
type folder struct {
	prefix string
	files  fs.FS
	packed *packed
	index  bool
	policy string
}

func (f *folder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.Trim(strings.TrimPrefix(r.URL.Path, f.prefix), "/")
	if name == "" {
		name = indexFile
	}
	if hidden(name) {
		WriteError(w, r, Problemf(http.StatusNotFound, "Not found."))
		return
	}
	served, err := f.serve(w, r, name)
	if !served && err == nil && f.index && !(isAsset(name) && !strings.Contains(r.Header.Get("Accept"), "text/html")) {
		served, err = f.serve(w, r, indexFile)
	}
	switch {
	case err != nil:
		WriteError(w, r, err)
	case !served:
		WriteError(w, r, Problemf(http.StatusNotFound, "Not found."))
	}
}

// hidden reports whether a path has to do with files that are nobody's business, or is none.
func hidden(name string) bool {
	if !fs.ValidPath(name) || strings.ContainsAny(name, "\\\x00") {
		return true
	}
	for s := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(s, ".") {
			return true
		}
	}
	return false
}

// serve answers with a file; served is false where there is none.
func (f *folder) serve(w http.ResponseWriter, r *http.Request, name string) (served bool, err error) {
	file, err := f.files.Open(name)
	if err != nil {
		return false, nil //nolint:nilerr // whatever the reason, it is not to be seen: a link that leads out of the folder, a right that is missing
	}
	defer func() { _ = file.Close() }() // it is only read
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false, err
	}
	h := w.Header()
	kind := contentType(name)
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", caching(name))
	if f.policy != "" && strings.HasPrefix(kind, "text/html") {
		h.Set("Content-Security-Policy", f.policy)
	}
	tag := fmt.Sprintf(`%x-%x`, info.ModTime().UnixNano(), info.Size())
	if compressible(kind) {
		h.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			if z := f.packed.get(name, tag, info.Size(), file); z != nil {
				h.Set("Content-Encoding", "gzip")
				h.Set("Etag", `"`+tag+`-gz"`)
				http.ServeContent(w, r, "", modified(info), bytes.NewReader(z))
				return true, nil
			}
		}
	}
	h.Set("Etag", `"`+tag+`"`)
	content, ok := file.(io.ReadSeeker)
	if !ok {
		return false, fmt.Errorf("%s cannot be read from its middle", name)
	}
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	http.ServeContent(w, r, "", modified(info), content)
	return true, nil
}

// modified is a file's time; embedded files have none.
func modified(info fs.FileInfo) time.Time { return info.ModTime() }

// hashed is a name with a digest of the content in it, as bundlers write them: it never means anything else.
var hashed = regexp.MustCompile(`\.[0-9a-f]{16,}\.(?:[a-z0-9]+\.)*[a-z0-9]+$|^[0-9a-f]{16,}\.[a-z0-9]+$`)

func caching(name string) string {
	if hashed.MatchString(path.Base(name)) {
		return "public, max-age=31536000, immutable"
	}
	return "no-cache" // asked again each time, and answered 304
}

// kinds are the types of the files that built clients have, by the ends of their names: the machine's own table differs
// from one to the next.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8", ".json": "application/json", ".map": "application/json", ".svg": "image/svg+xml",
	".txt": "text/plain; charset=utf-8", ".xml": "text/xml; charset=utf-8", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg",
	".gif": "image/gif", ".webp": "image/webp", ".ico": "image/x-icon", ".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf",
	".eot": "application/vnd.ms-fontobject", ".wasm": "application/wasm", ".mp4": "video/mp4", ".webmanifest": "application/manifest+json",
}

func isAsset(name string) bool {
	end := strings.ToLower(path.Ext(name))
	return end != ".html" && kinds[end] != ""
}

func contentType(name string) string {
	end := strings.ToLower(path.Ext(name))
	if k := kinds[end]; k != "" {
		return k
	}
	if k := mime.TypeByExtension(end); k != "" && !strings.HasPrefix(k, "text/html") {
		return k
	}
	return "application/octet-stream"
}
