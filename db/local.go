package db

// Local returns the value that this transaction keeps under key, made by mk at its first use. It ends with the
// transaction; one that runs again starts without any. Keys are compared like map keys: use an unexported type. It is
// for what a package knows about its own uncommitted rows.
func (tx *Tx) Local(key any, mk func() any) any {
	v, ok := tx.local[key]
	if !ok {
		v = mk()
		if tx.local == nil {
			tx.local = map[any]any{}
		}
		tx.local[key] = v
	}
	return v
}
