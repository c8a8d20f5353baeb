package media

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// The things that can be wrong with the bytes of a media.
const (
	WrongMissing = "media_file_missing" // the row says that there is a file
	WrongSize    = "media_file_size"
	WrongDigest  = "media_digest" // of the file or of the row's text
	WrongUnnamed = "media_file_unnamed"
)

// Wrong is a media row and bytes that do not agree, or with [WrongUnnamed] how many files of a package no row names.
type Wrong struct {
	Code       string
	Digest     string // of the row
	Type       Type
	Have, Want string
	Files      int // of WrongUnnamed
}

// Table is the table of the row.
func (w Wrong) Table() string { return "openedx_content_media" }

// page is how many rows are read before their files are looked at.
const page = 500

// Audit compares the media rows of a package with the bytes in rows and files, all of which it reads, and calls report
// for what does not agree. Files that no row names are counted if the store can list them. Memory is bounded: a page of
// rows, and one stream.
func Audit(ctx context.Context, q db.Querier, files Files, pkg publishing.Package, report func(Wrong) error) error {
	stored, err := storedTypes(ctx, q)
	if err != nil {
		return err
	}
	types := make(map[typeID]Type, len(stored))
	for _, t := range stored {
		types[t.id] = t.Type
	}
	for after := ID(0); ; {
		var list []Media
		err := q.Query(ctx, "SELECT "+columns+", COALESCE(text, '') FROM openedx_content_media WHERE learning_package_id = ? AND id > ? ORDER BY id LIMIT ?",
			[]any{pkg.ID, after, page}, func(r *db.Row) error {
				var text string
				m, t, err := scan(r, &text)
				m.Type, m.Text = types[t], text
				list = append(list, m)
				return err
			})
		if err != nil {
			return err
		}
		for i := range list {
			if err := auditOne(ctx, files, pkg, &list[i], report); err != nil {
				return err
			}
		}
		if len(list) < page {
			break
		}
		after = list[len(list)-1].ID
	}
	sweeper, ok := files.(Sweeper)
	if !ok {
		return nil
	}
	kept, err := sweeper.Old(ctx, pkg.UUID, 0)
	if err != nil {
		return err
	}
	idle, err := Unnamed(ctx, q, pkg.ID, kept)
	if err != nil || len(idle) == 0 {
		return err
	}
	return report(Wrong{Code: WrongUnnamed, Digest: idle[0], Files: len(idle)})
}

// auditOne looks at the bytes of one row.
func auditOne(ctx context.Context, files Files, pkg publishing.Package, m *Media, report func(Wrong) error) error {
	w := Wrong{Digest: m.Digest, Type: m.Type, Want: m.Digest}
	if m.HasText {
		if got, _, err := Digest(strings.NewReader(m.Text)); err != nil || got != m.Digest {
			w.Code, w.Have = WrongDigest, got
			return errors.Join(err, report(w))
		}
	}
	if !m.HasFile || files == nil {
		return nil
	}
	src, err := files.Open(ctx, pkg.UUID, m.Digest)
	if fault.Is(err, fault.NotFound) {
		w.Code, w.Have, w.Want = WrongMissing, "", m.Digest
		return report(w)
	}
	if err != nil {
		return err
	}
	sum, size, err := copySum(ctx, discard{}, src)
	got := sum.String()
	if err = errors.Join(err, src.Close()); err != nil {
		return err
	}
	switch {
	case size != m.Size:
		w.Code, w.Have, w.Want = WrongSize, fmt.Sprintf("%d bytes", size), fmt.Sprintf("%d bytes", m.Size)
	case got != m.Digest:
		w.Code, w.Have = WrongDigest, got
	default:
		return nil
	}
	return report(w)
}
