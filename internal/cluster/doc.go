// Package cluster holds the tests of everything on a cluster of several database servers that all take writes (design.md
// §4, "What a cluster changes"). It has no code for the program.
//
// They need LECTERN_TEST_GALERA, the URLs of the nodes as scripts/servers/galera prints them, and run by themselves:
// some of them kill nodes.
package cluster
