// Package bench measures. What it returns are numbers with the verdict that they
// were taken on a correct run: each benchmark checks its own results, and one
// that fails yields an error and no numbers.
//
// [Engine] measures the event kernel, package sim/des: against a binary heap
// (the standard library's container/heap) on the hold model, and on a model
// with random draws and statistics, a set of M/M/1 queues, whose mean values are
// compared with theory.
//
// Figures are of wall-clock time and say on which machine they were taken.
// Virtual-time figures of simulations are package sim/report's.
package bench
