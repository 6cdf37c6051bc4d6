package report

import "encoding/json"

// estimateJSON is an [Estimate] in summary.json and in JSON tables. Where there
// is no interval its fields are null rather than 0.
type estimateJSON struct {
	N      int      `json:"n"`
	Mean   float64  `json:"mean"`
	SD     *float64 `json:"sd"`
	Low    *float64 `json:"low"`
	High   *float64 `json:"high"`
	Method Method   `json:"method"`
}

func (e Estimate) forJSON() estimateJSON {
	out := estimateJSON{N: e.N, Mean: e.Mean, Method: e.Method}
	if e.HasInterval() {
		sd, low, high := e.SD, e.Low(), e.High()
		out.SD, out.Low, out.High = &sd, &low, &high
	}
	return out
}

type entryJSON struct {
	Point        Labels            `json:"point"`
	Metric       string            `json:"metric"`
	Labels       Labels            `json:"labels"`
	Modelled     bool              `json:"modelled,omitempty"`
	Replications int               `json:"replications"`
	Estimate     estimateJSON      `json:"estimate"`
	Distribution *distributionJSON `json:"distribution,omitempty"`
}

type distributionJSON struct {
	Count     int64          `json:"count"`
	Min       float64        `json:"min"`
	Max       float64        `json:"max"`
	Quantiles []quantileJSON `json:"quantiles"`
}

type quantileJSON struct {
	P        float64      `json:"p"`
	Estimate estimateJSON `json:"estimate"`
	Merged   float64      `json:"merged"`
}

// MarshalJSON writes the summary in its own order, so the same summary always
// gives the same bytes.
func (s *Summary) MarshalJSON() ([]byte, error) {
	out := struct {
		Level   float64     `json:"level"`
		Metrics []Metric    `json:"metrics"`
		Entries []entryJSON `json:"entries"`
	}{Level: Level, Metrics: append([]Metric{}, s.Metrics...), Entries: []entryJSON{}}
	for _, e := range s.Entries {
		j := entryJSON{
			Point: e.Point, Metric: e.Metric.Name, Labels: e.Labels, Modelled: e.Metric.Modelled,
			Replications: e.Replications, Estimate: e.Estimate.forJSON(),
		}
		if d := e.Distribution; d != nil {
			j.Distribution = &distributionJSON{Count: d.Count, Min: d.Min, Max: d.Max}
			for _, q := range d.Quantiles {
				j.Distribution.Quantiles = append(j.Distribution.Quantiles,
					quantileJSON{P: q.P, Estimate: q.Estimate.forJSON(), Merged: q.Merged})
			}
		}
		out.Entries = append(out.Entries, j)
	}
	return json.Marshal(out)
}
