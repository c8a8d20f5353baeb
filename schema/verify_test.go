package schema

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
)

// found returns the findings as "severity code table key".
func found(t *testing.T, d *db.DB) []string {
	t.Helper()
	fs, err := Verify(context.Background(), d, false)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, f := range fs {
		got = append(got, fmt.Sprint(f.Severity, " ", f.Code, " ", f.Table, " ", f.Key))
	}
	return got
}

// TestGoldenVerify verifies databases that Django made, at 1.15.2 and on its way there. Look-alikes of other apps' tables
// in them are no matter of ours.
func TestGoldenVerify(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		for _, name := range starts(t, e, "", "[NU]*") {
			if name != "N115" && name != "U-at-1.15.2" {
				continue
			}
			t.Run(string(e)+"/"+name, func(t *testing.T) {
				t.Parallel()
				d := dbtest.Open(t, e)
				load(t, d, "", name, true)
				want := []string{"info authz_missing openedx_authz_* ", "info catalog_missing openedx_catalog_* ", "info lectern_missing lectern_* "}
				switch e {
				case db.MariaDB:
					want = append(want, "info container_code_collation openedx_content_container container_code",
						"info check_ascii_only openedx_content_container oel_container_code_regex",
						"info check_ascii_only openedx_content_component oel_component_code_regex")
				case db.MySQL:
					want = append(want, "info container_code_collation openedx_content_container container_code")
				default: // Django lets such pairs stand there
					want = append(want, "info code_pair openedx_content_container lib:Axim:MixedCase_Lib.1 Unit-1-AA11BB")
				}
				if diff := cmp.Diff(want, found(t, d)); diff != "" {
					t.Errorf("findings (-want +got):\n%s", diff)
				}
				// Lectern's tables refer to the catalog, which such a site does not have yet.
				if err := AddLectern(context.Background(), d); !fault.Is(err, fault.Refused) {
					t.Errorf("AddLectern: %v, want refused", err)
				}
			})
		}
	}
}
