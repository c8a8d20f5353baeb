package publishing

// PackageID is the row id of a learning package. Ids are the database's own: never show them outside.
type PackageID int64

// EntityID is the row id of a publishable entity, and of the component or container that it is.
type EntityID int64

// VersionID is the row id of a version of an entity; 0 stands for none (never drafted, deleted, not published).
type VersionID int64

// RecordID is the row id of a record of a draft log or of a publish log; the two count apart.
type RecordID int64

// UserID is the id of a user; 0 stands for nobody.
type UserID int64

// Nobody as the author of a new version says that nobody is known, where 0 stands for the author of the change set.
const Nobody UserID = -1

// null gives an id as a statement argument: 0 becomes NULL.
func null[T ~int64](id T) any {
	if id == 0 {
		return nil
	}
	return int64(id)
}

// orZero gives a nullable id column as an id.
func orZero[T ~int64](p *int64) T {
	if p == nil {
		return 0
	}
	return T(*p)
}

// Kind says what sort of operation made a log. It is Lectern's own mark: a log that another program made is [KindOther].
type Kind string

// The kinds of logs.
const (
	KindImport  Kind = "import"
	KindEdit    Kind = "edit"
	KindPublish Kind = "publish"
	KindDiscard Kind = "discard"
	KindRestore Kind = "restore"
	KindDelete  Kind = "delete"
	KindRerun   Kind = "rerun"
	KindOther   Kind = "other"
)
