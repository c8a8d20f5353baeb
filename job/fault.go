package job

import (
	"errors"
	"fmt"

	"github.com/openlectern/lectern/fault"
)

// ErrGone is what [Queue.Do] returns, wrapped, when the work was done but others had taken it for lost meanwhile, as the
// database could not be reached for longer than a lease lasts.
var ErrGone = errors.New("the job is another's by now")

// told returns the part of an error that is meant for people, nil when it has none.
func told(err error) *fault.Error {
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind == fault.Internal {
		return nil
	}
	return f
}

func missing(id int64) error {
	return fault.Errorf(fault.NotFound, fmt.Sprintf("job %d", id), "there is no such job, or not any more").
		WithNext("see what there is with: lectern job list")
}

func refused(j *Job, next, format string, args ...any) error {
	return fault.Errorf(fault.Refused, j.name(), format, args...).WithNext(next)
}
