package lease

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

func TestMark(t *testing.T) {
	t.Parallel()
	mine := Mark()
	if Gone(mine) {
		t.Error("this process is gone")
	}
	parts := strings.Split(mine, ".")
	if len(parts) != 3 || parts[0] != strconv.Itoa(os.Getpid()) {
		t.Fatalf("mark %q", mine)
	}
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	ended := strconv.Itoa(cmd.Process.Pid)
	for mark, want := range map[string]bool{
		ended + "." + parts[1] + "." + parts[2]: true,
		parts[0] + ".1." + parts[2]:             true, // the id is another process's now
		ended + "." + parts[1] + ".0badcafe":    false,
		"":                                      false,
		"notes.txt":                             false,
		"x." + parts[1] + "." + parts[2]:        false,
		"0." + parts[1] + "." + parts[2]:        false,
		"-1." + parts[1] + "." + parts[2]:       false,
		ended + "." + parts[1]:                  false,
	} {
		if got := Gone(mark); got != want {
			t.Errorf("Gone(%q) is %v", mark, got)
		}
	}
}
