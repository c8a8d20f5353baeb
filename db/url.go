package db

import (
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/openlectern/lectern/fault"
)

// target is what a database URL names.
type target struct {
	engine         Engine // MySQL for MariaDB too, until the server has spoken
	name           string // for messages
	path           string // SQLite: absolute
	user, password string
	addr           string // host:port
	database       string
	params         string // after the ?, for the driver
}

var scheme = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9+.-]*)://`)

// urlForms is the next step after a URL that does not parse.
const urlForms = "write a path, sqlite:PATH, mysql://user:pass@host:port/name or postgres://user:pass@host:port/name"

func usage(text string) error {
	return fault.Errorf(fault.Usage, "database URL", "%s", text).WithNext(urlForms)
}

// parseURL reads a database URL (cli.md, "Everywhere"). Its errors never show what may hold a password.
func parseURL(s string) (target, error) {
	m := scheme.FindStringSubmatch(s)
	switch {
	case strings.TrimSpace(s) == "":
		return target{}, usage("is empty")
	case strings.IndexByte(s, 0) >= 0:
		return target{}, usage("has a NUL character")
	case strings.HasPrefix(s, "sqlite:"):
		path, params, _ := strings.Cut(strings.TrimPrefix(s, "sqlite:"), "?")
		return sqliteTarget(path, params)
	case m != nil:
		return serverTarget(strings.ToLower(m[1]), s)
	}
	for _, p := range []string{"mysql:", "mariadb:", "postgres:", "postgresql:", "file:"} {
		if strings.HasPrefix(strings.ToLower(s), p) {
			return target{}, usage("is not of a form that lectern knows")
		}
	}
	return sqliteTarget(s, "")
}

func sqliteTarget(path, params string) (target, error) {
	switch {
	case path == "":
		return target{}, usage("names no file")
	case path == ":memory:":
		return target{}, usage("names a database in memory, which its connections could not share")
	case strings.HasSuffix(path, "/"):
		return target{}, usage("names a folder, not a file")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return target{}, usage("names a path that cannot be made absolute")
	}
	return target{engine: SQLite, name: path, path: abs, params: params}, nil
}

func serverTarget(scheme, s string) (target, error) {
	t := target{engine: MySQL}
	port := "3306"
	switch scheme {
	case "mysql", "mariadb":
	case "postgres", "postgresql":
		t.engine, port = PostgreSQL, "5432"
	default:
		return target{}, usage(scheme + ":// is not of a form that lectern knows")
	}
	u, err := url.Parse(s)
	if err != nil {
		return target{}, usage("does not parse (special characters in the password must be written as %XX)")
	}
	t.database = strings.TrimPrefix(u.Path, "/")
	switch {
	case u.Hostname() == "":
		return target{}, usage("names no host")
	case t.database == "" || strings.Contains(t.database, "/"):
		return target{}, usage("must name one database after the host")
	case u.User.Username() == "":
		return target{}, usage("names no user")
	case u.Fragment != "" || strings.HasSuffix(s, "#"):
		return target{}, usage("has a # (write it as %23)")
	}
	if u.Port() != "" {
		port = u.Port()
	}
	t.user = u.User.Username()
	t.password, _ = u.User.Password()
	t.addr = net.JoinHostPort(u.Hostname(), port)
	t.params = u.RawQuery
	t.name = t.addr + "/" + t.database
	return t, nil
}
