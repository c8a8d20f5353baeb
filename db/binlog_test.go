package db

import (
	"context"
	"errors"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/openlectern/lectern/fault"
)

// TestStatementBinaryLog tells the operator of a server with a statement-based binary log what to set.
func TestStatementBinaryLog(t *testing.T) {
	t.Parallel()
	d := &DB{engine: MariaDB, name: "site"}
	err := d.explain(context.Background(), &mysql.MySQLError{Number: 1665, Message: "Cannot execute statement"})
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Refused || f.Next == "" || !errors.Is(err, ErrBinaryLog) {
		t.Errorf("%v, want fault.Refused with a next step", err)
	}
}
