package takeover

// codes are those that were chosen for rows whose keys cannot be codes.
type codes struct{ chosen map[string][]chosen }

// chosen is one of them; id is the primary key of its row.
type chosen struct {
	id   int64
	code string
}

func (c *codes) of(table string) []chosen {
	if c == nil {
		return nil
	}
	return c.chosen[table]
}
