// Package job keeps long work in rows: who asked for what, how far it is, how it ended (design.md §4, §5).
//
// The idea: a row is a job, and its status moves by single updates that name the row as it was read, so that every engine
// and every node of a cluster decides alike who does the work. Who does it holds a lease (package lease) named after the
// job and the attempt, from before the row says running until after it says how that ended. So a row that says running
// without a lease that is held is a job whose worker is gone: whoever notices takes the lease and puts the job back into the queue, or
// fails it where running it again could do harm or was tried often enough. What a late worker still has to say then is
// not heard, as its attempt is over.
//
// Jobs come in two ways: queued with [Queue.Add] for [Queue.Work] of any process, or done by the process that makes them
// with [Queue.Do], as commands do. Both are in one table.
//
// On SQLite a long transaction keeps all other writers waiting, those of a job's own progress, too. So what a process knows
// about the jobs it runs itself is told from memory; others see the last that could be written.
package job
