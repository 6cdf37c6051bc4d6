package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"
)

// Sample is one row of samples.parquet.
//
// A scalar or count is one row with statistic "value". A histogram is the rows
// "count", "mean", "min", "max", "p50", "p90" and "p99", and if it was kept one
// row "observation" for each raw value. Rows are sorted by point, replication,
// metric, labels, statistic (in the order above) and index.
type Sample struct {
	Point       string  `parquet:"point,dict"`     // "" if nothing is swept
	Replication int32   `parquet:"replication"`    // from 0
	Seed        uint64  `parquet:"seed"`           // of the replication
	Metric      string  `parquet:"metric,dict"`    // its name
	Labels      string  `parquet:"labels,dict"`    // canonical, "" if none
	Statistic   string  `parquet:"statistic,dict"` // see above
	Index       int64   `parquet:"index,delta"`    // of an observation: its number, from 0; else 0
	Unit        string  `parquet:"unit,dict"`      // of value; "" for a plain number
	Modelled    bool    `parquet:"modelled"`       // made without real cryptography
	Value       float64 `parquet:"value"`          // in unit
}

// Samples returns the rows of a set of replications, sorted.
func Samples(reps []*Replication) []Sample {
	sorted := slices.Clone(reps)
	slices.SortFunc(sorted, func(a, b *Replication) int {
		return cmp.Or(comparePoints(a.point, b.point), cmp.Compare(a.index, b.index))
	})
	var rows []Sample
	for _, r := range sorted {
		rows = append(rows, r.samples()...)
	}
	return rows
}

func (r *Replication) samples() []Sample {
	keys := make([]key, 0, len(r.scalars)+len(r.hists))
	for k := range r.scalars {
		keys = append(keys, k)
	}
	for k, h := range r.hists {
		if h.count > 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, compareKeys)
	var rows []Sample
	for _, k := range keys {
		m := r.metrics[k.metric]
		row := Sample{
			Point: r.point, Replication: int32(r.index), Seed: r.seed,
			Metric: m.Name, Labels: k.labels.text, Unit: m.Unit, Modelled: m.Modelled,
		}
		add := func(statistic, unit string, index int64, value float64) {
			row.Statistic, row.Unit, row.Index, row.Value = statistic, unit, index, value
			rows = append(rows, row)
		}
		if c := r.scalars[k]; c != nil {
			add("value", m.Unit, 0, c.value)
			continue
		}
		h := r.hists[k]
		add("count", One, 0, float64(h.count))
		add("mean", m.Unit, 0, h.mean())
		add("min", m.Unit, 0, float64(h.min)*h.scale())
		add("max", m.Unit, 0, float64(h.max)*h.scale())
		for i, v := range h.quantiles() {
			add(fmt.Sprintf("p%g", quantiles[i]*100), m.Unit, 0, v)
		}
		if h.limit > 0 {
			values, stride := h.kept.atMost(h.limit)
			for i, v := range values {
				add("observation", m.Unit, int64(i)*stride, float64(v)*h.scale())
			}
		}
	}
	return rows
}

// rowGroup is how many rows share a row group, so that memory stays bounded.
const rowGroup = 1 << 18

// WriteSamples writes rows as Parquet. The same rows give the same bytes: the
// writer's settings are fixed and no time, host or version goes into the file.
func WriteSamples(w io.Writer, rows []Sample) error {
	pw := parquet.NewGenericWriter[Sample](w,
		&parquet.WriterConfig{CreatedBy: "mimi-lab version 1.0.0 (build 0)"},
		parquet.Compression(&parquet.Snappy),
		parquet.DataPageStatistics(true),
		parquet.MaxRowsPerRowGroup(rowGroup),
	)
	if _, err := pw.Write(rows); err != nil {
		return fmt.Errorf("write samples: %w", err)
	}
	if err := pw.Close(); err != nil {
		return fmt.Errorf("write samples: %w", err)
	}
	return nil
}
