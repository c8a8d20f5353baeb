package app

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore/split"
	"github.com/openlectern/lectern/schema/inspect"
)

// readIndex reads the SQL index of a site's courses: from its database, whose address begins with a scheme, or from a CSV
// file of the table (modulestore.md SP-5). The database is only read.
func readIndex(ctx context.Context, from string) (rows []split.Index, err error) {
	if strings.Contains(from, "://") || strings.HasPrefix(from, "sqlite:") {
		return readIndexTable(ctx, from)
	}
	f, err := os.Open(from) //nolint:gosec // the operator names it
	if err != nil {
		return nil, fault.Errorf(fault.NotFound, from, "%w", err).WithNext("name a CSV file of the table " + split.MirrorTable + ", or the address of its database")
	}
	defer func() { _ = f.Close() }() // opened for reading: nothing is lost when closing fails
	if rows, err = split.ReadMirror(f); err != nil {
		return nil, fault.Errorf(fault.Invalid, from, "%w", err).WithNext("export the table " + split.MirrorTable + " with the names of its columns")
	}
	return rows, nil
}

// readIndexTable reads the table. A site without it has another database for it, or is older than the table.
func readIndexTable(ctx context.Context, url string) (rows []split.Index, err error) {
	d, err := connect(ctx, url, db.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	names, err := inspect.Names(ctx, d)
	if err != nil {
		return nil, err
	}
	if !names[split.MirrorTable] {
		return nil, fault.Errorf(fault.NotFound, "--index", "the database has no table %s", split.MirrorTable).
			WithNext("name the database of the LMS; a site of a release without that table has its index in MongoDB alone")
	}
	return indexRows(ctx, d)
}

// indexRows returns the rows of the table.
func indexRows(ctx context.Context, d *db.DB) (rows []split.Index, err error) {
	err = d.View(ctx, func(tx *db.Tx) error {
		rows = []split.Index{}
		return tx.Query(ctx, `SELECT `+strings.Join(split.MirrorColumns, ", ")+` FROM `+split.MirrorTable+` ORDER BY id`, nil, func(r *db.Row) error {
			x, err := indexRow(r, split.MirrorTable)
			if err == nil {
				rows = append(rows, x)
			}
			return err
		})
	})
	return rows, err
}

// indexFields are the columns of a row as texts, "" for NULL. The columns after them go to more.
func indexFields(r *db.Row, more ...any) (map[string]string, error) {
	texts := make([]*string, len(split.MirrorColumns))
	var edited, updated *time.Time
	var by *int64
	to := make([]any, len(texts))
	for i, name := range split.MirrorColumns {
		switch name {
		case "edited_on":
			to[i] = &edited
		case "last_update":
			to[i] = &updated
		case "edited_by_id":
			to[i] = &by
		default:
			to[i] = &texts[i]
		}
	}
	if err := r.Scan(append(to, more...)...); err != nil {
		return nil, err
	}
	fields := make(map[string]string, len(texts))
	for i, name := range split.MirrorColumns {
		switch v := to[i].(type) {
		case **time.Time:
			if *v != nil {
				fields[name] = (*v).UTC().Format(time.RFC3339Nano)
			}
		case **int64:
			if *v != nil {
				fields[name] = strconv.FormatInt(**v, 10)
			}
		case **string:
			if *v != nil { // PostgreSQL pads what is of fixed width
				fields[name] = strings.TrimRight(**v, " ")
			}
		}
	}
	return fields, nil
}
