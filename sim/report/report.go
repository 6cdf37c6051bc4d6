// Package report turns what simulation runs recorded into results: estimates
// with confidence intervals, data files, figures and a page to read.
//
// Each run of a scenario with one seed fills a [Replication]. [Collect] makes a
// [Summary] of any number of them: at each point of the sweep and for each metric
// and set of labels a mean with its 95 % interval. There is never a bare mean: an
// estimate says whether its interval comes from replications or from batch means,
// or that there is none.
//
// A [Report] is written into a folder as
//
//	manifest.json      how the results came about, and the hashes of the files
//	samples.parquet    what each replication measured, see [Sample]
//	summary.json       the Summary
//	figures/NAME.svg   each [Figure], following the reader's light or dark
//	report.html        all of it to read, in one file without scripts
//
// and a [Table] prints within 80 columns, as Markdown or as JSON.
//
// Everything here is virtual time and counted things. The same replications give
// the same bytes in every file but the manifest, which alone knows of machine and
// time.
//
// The package doesn't run simulations, and it doesn't judge results: whether a
// run kept its promises is the business of sim/check.
package report
