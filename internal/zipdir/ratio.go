package zipdir

// Ratio watches how much comes out for what goes in, over every window of output. Windows start at multiples of a
// sixty-fourth of their length. Use [NewRatio]; it is not safe for concurrent use.
type Ratio struct {
	max     int64
	step    int64 // bytes of output between two marks
	in, out int64
	marks   [ratioSteps]int64 // input at the last steps of output, as a ring
	steps   int
}

const ratioSteps = 64

// NewRatio watches for more than most bytes that come out for a byte that goes in, over window bytes of output.
func NewRatio(most, window int64) *Ratio {
	return &Ratio{max: most, step: max(window/ratioSteps, 1)}
}

// Add takes note that in bytes became out bytes, and reports whether that is still within the ratio.
func (r *Ratio) Add(in, out int64) bool {
	for next := int64(r.steps+1) * r.step; next <= r.out+out; next += r.step {
		// Within one call, which is a short read or one zip member, expansion counts as even.
		at := r.in + int64(float64(in)*float64(next-r.out)/float64(out))
		mark := &r.marks[r.steps%ratioSteps]
		before := *mark // a whole window ago; 0 in the first one, as it should be
		if r.steps+1 >= ratioSteps && (at-before)*r.max < r.step*ratioSteps {
			return false
		}
		*mark = at
		r.steps++
	}
	r.in += in
	r.out += out
	return true
}
