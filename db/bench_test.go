package db

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
)

// benchDDL is a table like the content store's: unique text keys, a time, and a CHECK by REGEXP.
const benchDDL = `CREATE TABLE item (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, uuid char(32) NOT NULL UNIQUE,
	code varchar(255) COLLATE BINARY NOT NULL CHECK (code REGEXP '^[\w.-]+\Z'), title varchar(500) COLLATE NOCASE NOT NULL,
	num integer unsigned NOT NULL CHECK (num >= 0), created datetime NOT NULL, by_id integer NULL, entity_id bigint NOT NULL)`

var benchCols = []string{"uuid", "code", "title", "num", "created", "by_id", "entity_id"}

// entityID stands for the named id types of the packages above.
type entityID int64

const benchRows = 5000

func benchDB(b *testing.B) *DB {
	d, err := Open(b.Context(), filepath.Join(b.TempDir(), "bench.db"), Options{Create: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Close() })
	if _, err := d.Exec(b.Context(), benchDDL); err != nil {
		b.Fatal(err)
	}
	return d
}

type benchRow struct {
	uuid uuid.UUID
	hex  string
	code string
}

func benchData() []benchRow {
	rows := make([]benchRow, benchRows)
	for i := range rows {
		u := uuid.NewSHA1(uuid.Nil, fmt.Append(nil, i))
		rows[i] = benchRow{uuid: u, hex: uuidText(u), code: fmt.Sprintf("problem_%d", i)}
	}
	return rows
}

var benchTime = time.Date(2025, 3, 4, 5, 6, 7, 123456000, time.UTC)

// BenchmarkInsertRaw is what the driver takes through database/sql for rows that are in its form already. It and
// BenchmarkInsert are to be compared in one run; the layer must stay within 1.15 of it.
func BenchmarkInsertRaw(b *testing.B) {
	d, rows := benchDB(b), benchData()
	drv, err := sqliteDriver()
	if err != nil {
		b.Fatal(err)
	}
	dsn := sqliteDSN(target{path: d.name}, "rw") + "&_txlock=immediate&_pragma=busy_timeout(2000)&_pragma=foreign_keys(1)&_pragma=synchronous(normal)&_pragma=cache_size(-16000)"
	raw := sql.OpenDB(rawConnector{drv, dsn})
	defer func() { _ = raw.Close() }()
	ctx := context.Background()
	text := "2025-03-04 05:06:07.123456"
	b.ReportAllocs()
	for b.Loop() {
		tx, err := raw.BeginTx(ctx, nil)
		if err != nil {
			b.Fatal(err)
		}
		st, err := tx.PrepareContext(ctx, `INSERT INTO item (uuid, code, title, num, created, by_id, entity_id) VALUES (?, ?, ?, ?, ?, ?, ?)`)
		if err != nil {
			b.Fatal(err)
		}
		for i := range rows {
			if _, err := st.ExecContext(ctx, rows[i].hex, rows[i].code, "A title", int64(i), text, nil, int64(i)); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := tx.Exec("DELETE FROM item"); err != nil {
			b.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	perRow(b)
}

// BenchmarkInsert is the same through the layer, with a context that can end, uuids, times and named types.
func BenchmarkInsert(b *testing.B) {
	d, rows := benchDB(b), benchData()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		err := d.Update(ctx, func(tx *Tx) error {
			_, err := tx.InsertIDs(ctx, "item", benchCols, len(rows), func(i int, v []any) {
				r := &rows[i]
				v[0], v[1], v[2], v[3], v[4], v[5], v[6] = r.uuid, r.code, "A title", i, benchTime, nil, entityID(i)
			})
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, "DELETE FROM item")
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	perRow(b)
}

func perRow(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
}

// BenchmarkRead compares reading the rows through database/sql and through the layer, with the time column in the
// declared type, which the driver parses, and as an expression, which the layer parses.
func BenchmarkRead(b *testing.B) {
	d, rows := benchDB(b), benchData()
	ctx := context.Background()
	err := d.Update(ctx, func(tx *Tx) error {
		return tx.Insert(ctx, "item", benchCols, len(rows), func(i int, v []any) {
			r := &rows[i]
			v[0], v[1], v[2], v[3], v[4], v[5], v[6] = r.uuid, r.code, "A title", i, benchTime, nil, entityID(i)
		})
	})
	if err != nil {
		b.Fatal(err)
	}
	drv, err := sqliteDriver()
	if err != nil {
		b.Fatal(err)
	}
	raw := sql.OpenDB(rawConnector{drv, sqliteDSN(target{path: d.name}, "rw")})
	defer func() { _ = raw.Close() }()
	cols := func(created string) string {
		return "SELECT id, uuid, code, title, num, " + created + ", by_id, entity_id FROM item"
	}
	b.Run("raw", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			rs, err := raw.QueryContext(ctx, cols("created"))
			if err != nil {
				b.Fatal(err)
			}
			for rs.Next() {
				var id, num, entity int64
				var u, code, title string
				var created time.Time
				var by *int64
				if err := rs.Scan(&id, &u, &code, &title, &num, &created, &by, &entity); err != nil {
					b.Fatal(err)
				}
			}
			if err := rs.Close(); err != nil {
				b.Fatal(err)
			}
		}
		perRow(b)
	})
	for _, c := range []string{"created", "+created"} {
		b.Run("layer/"+c, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				err := d.Query(ctx, cols(c), nil, func(r *Row) error {
					var id entityID
					var num, entity int64
					var u uuid.UUID
					var code, title string
					var created time.Time
					var by *int64
					return r.Scan(&id, &u, &code, &title, &num, &created, &by, &entity)
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			perRow(b)
		})
	}
}
