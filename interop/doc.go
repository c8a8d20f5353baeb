// Package interop tests that Lectern and the Python packages of Open edX work on the same database, one after the other
// and in turns, also on older databases that Lectern has taken over. The Python side is peer.py, with what is of
// permissions in permissions.py and stand-ins for the platform in platform_tables and platform_apps.py; it is run by the interpreter
// that LECTERN_INTEROP_PYTHON names; the script run beside it makes one with the packages of requirements.txt and runs the
// tests. Without it there is nothing to test against: then no engine gets a subtest, and with LECTERN_REQUIRE_INTEROP=1 the
// tests fail.
package interop
