package ddl

import (
	"context"
	"sync"
	"time"

	"github.com/openlectern/lectern/db"
)

// watch asks the server now and then whom the session me waits for, from another connection, until the function it returns
// is called; that returns the last answer, empty when nobody was seen. A server that does not answer is no reason to stop:
// then nobody is named.
func watch(ctx context.Context, d *db.DB, me int64, every time.Duration) func() Blocker {
	if d.Engine() == db.SQLite {
		return func() Blocker { return Blocker{} } // it does not know who has the lock
	}
	every = max(every, 10*time.Millisecond)
	var last Blocker
	var at time.Time
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if b, ok := look(ctx, d, me); ok {
				last, at = b, time.Now()
			}
		}
	})
	return func() Blocker {
		cancel()
		done.Wait()
		// What an earlier statement of the transaction waited for is in nobody's way any more.
		if time.Since(at) > 2*every+time.Second {
			return Blocker{}
		}
		return last
	}
}

// look asks once. Of the questions the first that has an answer counts; one that the user may not ask, or that this server
// does not know, has none.
func look(ctx context.Context, d *db.DB, me int64) (b Blocker, ok bool) {
	for _, q := range questions[d.Engine()] {
		var age int64
		b, found, err := db.One(ctx, d, q.sql, []any{me}, func(r *db.Row) (b Blocker, err error) {
			err = r.Scan(&b.Session, &b.User, &b.Host, &age, &b.Statement, &b.Table, &b.Waiting)
			return b, err
		})
		if err == nil && found {
			b.Since = time.Now().UTC().Add(-time.Duration(age) * time.Second).Truncate(time.Second)
			b.Probably = q.guess
			return b, true
		}
	}
	return b, false
}

// question is a statement that gives the session that the session ? waits for: number, user, host, age in seconds,
// statement, table, and the statement that waits.
type question struct {
	sql   string
	guess bool // the answer need not be the one
}

var questions = map[db.Engine][]question{
	db.PostgreSQL: {{postgresBlocking, false}},
	db.MySQL:      {{metadataLocks, false}, {mysqlRowLocks, false}, {oldestTransaction, true}, {oldestStatement, true}},
	db.MariaDB: {{metadataLocks, false}, {mariaLockInfo, false}, {mariaRowLocks, false}, {oldestTransaction, true},
		{oldestStatement, true}},
}

// PostgreSQL knows exactly. Of a row lock it does not tell the table.
const postgresBlocking = `SELECT b.pid, COALESCE(b.usename::text, ''), COALESCE(host(b.client_addr), ''),
	COALESCE(EXTRACT(EPOCH FROM clock_timestamp() - COALESCE(b.xact_start, b.query_start))::bigint, 0), COALESCE(b.query, ''),
	COALESCE((SELECT l.relation::regclass::text FROM pg_locks l WHERE l.pid = me.pid AND NOT l.granted AND l.relation IS NOT NULL LIMIT 1), ''),
	COALESCE(me.query, '')
	FROM pg_stat_activity me CROSS JOIN LATERAL unnest(pg_blocking_pids(me.pid)) AS w(pid) JOIN pg_stat_activity b ON b.pid = w.pid
	WHERE me.pid = ? ORDER BY b.xact_start, b.pid LIMIT 1`

// trxAge is how long ago a transaction began, in seconds: InnoDB tells it in the time zone of the server's machine.
const trxAge = `TIMESTAMPDIFF(SECOND, x.trx_started, CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', 'SYSTEM'))`

// metadataLocks needs the right to read performance_schema, and on MariaDB that it is switched on. A session that only
// queues in front of us is not the one to end, so what is granted counts.
const metadataLocks = `SELECT t.processlist_id, COALESCE(t.processlist_user, ''), COALESCE(t.processlist_host, ''),
	COALESCE(` + trxAge + `, t.processlist_time, 0), COALESCE(s.sql_text, t.processlist_info, ''), COALESCE(w.object_name, ''),
	COALESCE(me.processlist_info, '')
	FROM performance_schema.threads me
	JOIN performance_schema.metadata_locks w ON w.owner_thread_id = me.thread_id AND w.lock_status = 'PENDING'
	JOIN performance_schema.metadata_locks g ON g.object_type = w.object_type AND g.object_schema <=> w.object_schema
		AND g.object_name <=> w.object_name AND g.lock_status = 'GRANTED' AND g.owner_thread_id <> w.owner_thread_id
	JOIN performance_schema.threads t ON t.thread_id = g.owner_thread_id
	LEFT JOIN performance_schema.events_statements_current s ON s.thread_id = t.thread_id
	LEFT JOIN information_schema.innodb_trx x ON x.trx_mysql_thread_id = t.processlist_id
	WHERE me.processlist_id = ? ORDER BY x.trx_started IS NULL, x.trx_started, t.processlist_id LIMIT 1`

// mysqlRowLocks is about rows that another transaction has changed.
const mysqlRowLocks = `SELECT t.processlist_id, COALESCE(t.processlist_user, ''), COALESCE(t.processlist_host, ''),
	COALESCE(` + trxAge + `, t.processlist_time, 0), COALESCE(s.sql_text, t.processlist_info, ''), COALESCE(l.object_name, ''),
	COALESCE(me.processlist_info, '')
	FROM performance_schema.threads me
	JOIN performance_schema.data_lock_waits w ON w.requesting_thread_id = me.thread_id
	JOIN performance_schema.data_locks l ON l.engine_lock_id = w.requesting_engine_lock_id AND l.engine = w.engine
	JOIN performance_schema.threads t ON t.thread_id = w.blocking_thread_id
	LEFT JOIN performance_schema.events_statements_current s ON s.thread_id = t.thread_id
	LEFT JOIN information_schema.innodb_trx x ON x.trx_mysql_thread_id = t.processlist_id
	WHERE me.processlist_id = ? ORDER BY x.trx_started IS NULL, x.trx_started, t.processlist_id LIMIT 1`

// mariaLockInfo needs the plugin metadata_lock_info, which tells what is granted and not what is waited for: it is a table
// that our statement names.
const mariaLockInfo = `SELECT p.id, p.user, p.host, COALESCE(` + trxAge + `, p.time, 0), COALESCE(p.info, ''), g.table_name, COALESCE(me.info, '')
	FROM information_schema.processlist me
	JOIN information_schema.metadata_lock_info g ON g.thread_id <> me.id AND g.table_schema = me.db AND g.lock_type = 'Table metadata lock'
		AND me.info REGEXP CONCAT('(^|[^a-zA-Z0-9_$])', g.table_name, '([^a-zA-Z0-9_$]|$)')
	JOIN information_schema.processlist p ON p.id = g.thread_id
	LEFT JOIN information_schema.innodb_trx x ON x.trx_mysql_thread_id = p.id
	WHERE me.id = ? AND me.state LIKE 'Waiting for%' AND COALESCE(p.state, '') NOT LIKE 'Waiting for%'
	ORDER BY x.trx_started IS NULL, x.trx_started, p.id LIMIT 1`

const mariaRowLocks = `SELECT p.id, p.user, p.host, COALESCE(` + trxAge + `, p.time, 0), COALESCE(p.info, ''),
	REPLACE(SUBSTRING_INDEX(l.lock_table, '.', -1), '` + "`" + `', ''), COALESCE(r.trx_query, '')
	FROM information_schema.innodb_trx r
	JOIN information_schema.innodb_lock_waits w ON w.requesting_trx_id = r.trx_id
	JOIN information_schema.innodb_locks l ON l.lock_id = w.requested_lock_id
	JOIN information_schema.innodb_trx x ON x.trx_id = w.blocking_trx_id
	JOIN information_schema.processlist p ON p.id = x.trx_mysql_thread_id
	WHERE r.trx_mysql_thread_id = ? ORDER BY x.trx_started, p.id LIMIT 1`

// oldestTransaction needs the right PROCESS. A lock on a table lasts as long as the transaction that has touched it.
const oldestTransaction = `SELECT p.id, p.user, p.host, ` + trxAge + `, COALESCE(p.info, ''), '', COALESCE(me.info, '')
	FROM information_schema.processlist me
	JOIN information_schema.processlist p ON p.id <> me.id AND p.db = me.db
	JOIN information_schema.innodb_trx x ON x.trx_mysql_thread_id = p.id
	WHERE me.id = ? AND me.state LIKE 'Waiting for%' ORDER BY x.trx_started, p.id LIMIT 1`

// oldestStatement needs no right to see the sessions of the own user, which a site's often is. It cannot tell those that
// sleep in a transaction from those that sleep.
const oldestStatement = `SELECT p.id, p.user, p.host, COALESCE(p.time, 0), COALESCE(p.info, ''), '', COALESCE(me.info, '')
	FROM information_schema.processlist me
	JOIN information_schema.processlist p ON p.id NOT IN (me.id, CONNECTION_ID()) AND p.db = me.db AND p.command NOT IN ('Sleep', 'Daemon')
	WHERE me.id = ? AND me.state LIKE 'Waiting for%' AND COALESCE(p.state, '') NOT LIKE 'Waiting for%'
	ORDER BY p.time DESC, p.id LIMIT 1`
