// Package picture holds no code: its test draws the picture of README.md from a
// run of the simulator and compares it with the one that is committed.
package picture
