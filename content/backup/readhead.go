package backup

import (
	"errors"
	"unicode/utf8"
)

// The sections of files, as Python's log names them (backup-format.md §6.2).
const (
	sectionPackage    = "learning package section"
	sectionMeta       = "meta section"
	sectionCollection = "collection section"
)

// The limits that today's tables set (backup-format.md §7), in characters.
const (
	maxTitle       = 500
	maxRef         = 500
	maxPart        = 100 // of a component type
	maxDescription = 0   // declared as 10,000 and not enforced
)

// readHead reads package.toml (backup-format.md §4.1).
func (r *reader) readHead() error {
	i := r.a.find(packageFile)
	if i < 0 {
		r.inventory.add(packageFile, "", "", CodeMissing, "Missing learning package file.")
		return nil
	}
	t, ok, err := r.decode(i, &r.head)
	if err != nil || !ok {
		return err
	}
	p := r.plan
	unknown(t, r.warn, packageFile, "", "meta", "learning_package")
	if pkg := table(t, "learning_package"); len(pkg) == 0 {
		r.head.add(packageFile, sectionPackage, "non_field_errors", CodeNull, textNoData)
	} else {
		f := form{pkg, &r.head, packageFile, sectionPackage}
		p.Title = f.text("title", false, maxTitle)
		p.Key = f.text("key", false, 0)
		p.Description = f.text("description", true, maxDescription)
		p.Created = f.time("created")
		unknown(pkg, r.warn, packageFile, "learning_package.", "title", "key", "description", "created", "updated")
	}
	meta := table(t, "meta")
	if len(meta) == 0 {
		r.head.add(packageFile, sectionMeta, "non_field_errors", CodeNull, textNoData)
		return nil
	}
	f := form{meta, &r.head, packageFile, sectionMeta}
	if n, ok := f.integer("format_version"); ok && n != 1 {
		f.wrong("format_version", CodeVersion, "version %d of the format is not known; this program reads version 1", n)
	}
	p.Meta = Meta{FormatVersion: 1, CreatedBy: f.optional("created_by"), Email: f.optional("created_by_email"), CreatedAt: f.time("created_at"), Origin: f.optional("origin_server")}
	if p.Meta.Email != "" && !email.MatchString(p.Meta.Email) {
		f.wrong("created_by_email", CodeInvalid, textEmail)
	}
	unknown(meta, r.warn, packageFile, "meta.", "format_version", "created_by", "created_by_email", "created_at", "origin_server")
	return nil
}

// problemsIn returns the problem that an error of the archive is about.
func problemsIn(err error) (Problem, bool) {
	var p *Problems
	if errors.As(err, &p) && len(p.List) > 0 {
		return p.List[0], true
	}
	return Problem{}, false
}

// firstInvalid returns where content stops being UTF-8, -1 when it is.
func firstInvalid(content []byte) int {
	if utf8.Valid(content) {
		return -1
	}
	for i := 0; i < len(content); {
		r, n := utf8.DecodeRune(content[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}
