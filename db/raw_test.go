package db

import (
	"context"
	"database/sql/driver"

	"modernc.org/sqlite"
)

// rawConnector opens SQLite without the layer.
type rawConnector struct {
	drv *sqlite.Driver
	dsn string
}

func (r rawConnector) Connect(context.Context) (driver.Conn, error) { return r.drv.Open(r.dsn) }
func (r rawConnector) Driver() driver.Driver                        { return r.drv }
