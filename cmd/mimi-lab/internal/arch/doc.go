// Package arch holds no code: its test keeps the shape of the repository.
//
// The shape is data. floors_test.go lists every package on its floor and the
// exceptions with their reasons, deps_test.go compares the imports with that
// list, source_test.go looks through the type-checked sources for clocks,
// sockets, global randomness and goroutines where only pure code may live. The
// model is go/build/deps_test.go in the Go tree.
//
// When the test complains, suspect the design first.
package arch
