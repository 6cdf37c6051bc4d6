package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// replications makes a small set of runs, the same at each call; backwards has
// everything recorded in another order.
func replications(backwards bool) []*Replication {
	var reps []*Replication
	for _, point := range []string{"opt_in=5", "opt_in=10", "opt_in=20"} {
		for i := range 3 {
			r := NewReplication(point, i, uint64(100+i))
			paths := []string{"direct", "proxied"}
			if backwards {
				slices.Reverse(paths)
			}
			r.Keep(latency, NewLabels("path", "direct"), 4)
			for _, path := range paths {
				l := NewLabels("path", path)
				r.Scalar(reach, l, 0.1*float64(i+1))
				for v := range int64(10) {
					r.Observe(latency, l, 1e6*(v+int64(i)))
				}
			}
			r.Count(drops, Labels{}, int64(i))
			reps = append(reps, r)
		}
	}
	if backwards {
		slices.Reverse(reps)
	}
	return reps
}

func TestSamples(t *testing.T) {
	t.Parallel()
	var one, two bytes.Buffer
	if err := WriteSamples(&one, Samples(replications(false))); err != nil {
		t.Fatal(err)
	}
	other := replications(true)
	other[0].Finish()
	if err := WriteSamples(&two, Samples(other)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("the same results in another order give other bytes")
	}
	rows, err := parquet.Read[Sample](bytes.NewReader(one.Bytes()), int64(one.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(rows, Samples(replications(false))) {
		t.Error("what is read is not what was written")
	}
	var points []string
	for _, r := range rows {
		if len(points) == 0 || points[len(points)-1] != r.Point {
			points = append(points, r.Point)
		}
	}
	if want := []string{"opt_in=5", "opt_in=10", "opt_in=20"}; !slices.Equal(points, want) {
		t.Errorf("points in the order %v, want %v", points, want)
	}
	var kept []int64
	for _, r := range rows[:20] {
		if r.Statistic == "observation" {
			kept = append(kept, r.Index)
		}
	}
	if want := []int64{0, 4, 8}; !slices.Equal(kept, want) {
		t.Errorf("kept observations %v of 10, want %v", kept, want)
	}
}

func TestReportWrite(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "results", "run")
	r := Report{Manifest: NewManifest([]string{"mimi-lab", "sim", "run"}), Replications: replications(false)}
	r.Manifest.Complete = true
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	var m Manifest
	text, err := os.ReadFile(filepath.Join(dir, ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	if !m.Complete || !slices.Equal(m.Intervals.Methods, []Method{Replications}) || m.Build.Go == "" {
		t.Errorf("manifest:\n%s", text)
	}
	if m.Replications != (Progress{9, 9}) || !slices.Equal(m.Seeds, []uint64{100, 101, 102}) {
		t.Errorf("replications %+v with seeds %v", m.Replications, m.Seeds)
	}
	if strings.Contains(string(text), "null") {
		t.Errorf("null in the manifest:\n%s", text)
	}
	host, _ := os.Hostname()
	if host != "" && strings.Contains(string(text), `"`+host+`"`) {
		t.Error("the manifest names the machine")
	}
	for _, f := range m.Files {
		content, err := os.ReadFile(filepath.Join(dir, f.Name))
		if err != nil || len(content) != f.Bytes {
			t.Errorf("%s: %d bytes, %v; the manifest says %d", f.Name, len(content), err, f.Bytes)
		}
	}

	// A second run writes the same bytes, drops what the first alone had and
	// leaves alone what isn't its own.
	samples, _ := os.ReadFile(filepath.Join(dir, SamplesFile))
	stale, foreign := filepath.Join(dir, FigureFolder, "stale.svg"), filepath.Join(dir, "notes.txt")
	for _, path := range []string{stale, foreign} {
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	m.Files = append(m.Files, File{Name: "figures/stale.svg"}, File{Name: "../run/notes.txt"})
	text, _ = json.Marshal(m)
	if err := os.WriteFile(filepath.Join(dir, ManifestFile), text, 0o666); err != nil {
		t.Fatal(err)
	}
	r.Manifest.Complete = false
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	if again, _ := os.ReadFile(filepath.Join(dir, SamplesFile)); !bytes.Equal(samples, again) {
		t.Error("a second run wrote other samples")
	}
	if _, err := os.Stat(stale); err == nil {
		t.Error("a figure of the earlier report is still there")
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Error("a foreign file was removed")
	}
	text, _ = os.ReadFile(filepath.Join(dir, ManifestFile))
	if !bytes.Contains(text, []byte(`"complete": false`)) {
		t.Errorf("an interrupted run is not marked:\n%s", text)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestReportWriteFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, SummaryFile), 0o777); err != nil {
		t.Fatal(err)
	}
	r := Report{Replications: replications(false)}
	err := r.Write(dir)
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, SummaryFile)) {
		t.Errorf("got error %v, want one that names the file", err)
	}
	if _, err := os.Stat(filepath.Join(dir, ManifestFile)); err == nil {
		t.Error("a report that failed has a manifest")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	bad := NewReplication("", 0, 1)
	bad.Scalar(reach, Labels{}, 1)
	bad.Scalar(reach, Labels{}, 1)
	if err := (&Report{Replications: []*Replication{bad}}).Write(dir); err == nil {
		t.Error("wrong replications were written")
	}
}

func TestSummaryJSON(t *testing.T) {
	t.Parallel()
	var texts [2][]byte
	for i, backwards := range []bool{false, true} {
		s, err := Collect(replications(backwards)...)
		if err != nil {
			t.Fatal(err)
		}
		if texts[i], err = indented(s); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(texts[0], texts[1]) {
		t.Error("summary.json depends on the order of recording")
	}
	one := NewReplication("", 0, 1)
	one.Scalar(reach, Labels{}, 0.5)
	s, _ := Collect(one)
	text, _ := json.Marshal(s)
	want := `"estimate":{"n":1,"mean":0.5,"sd":null,"low":null,"high":null,"method":"n=1, no interval"}`
	if !strings.Contains(string(text), want) {
		t.Errorf("%s lacks %s", text, want)
	}
}

func TestCompareLabels(t *testing.T) {
	t.Parallel()
	want := []string{"", "a=x", "n=-1", "n=5", "n=05", "n=10", "n=10,z=1", "n=1e2", "n=NaN", "n=word"}
	for i, a := range want {
		for j, b := range want {
			got := comparePoints(a, b)
			if a == "n=5" && b == "n=05" || a == "n=05" && b == "n=5" {
				if got == 0 {
					t.Error("different labels are equal")
				}
				continue
			}
			if a == "n=NaN" || b == "n=NaN" {
				if (got == 0) != (a == b) || got != -comparePoints(b, a) {
					t.Errorf("%q and %q: %d", a, b, got)
				}
				continue
			}
			if (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%q and %q: %d", a, b, got)
			}
		}
	}
}

// A run that is interrupted before its first replication ends still leaves
// whole files.
func TestReportWriteNothing(t *testing.T) {
	t.Parallel()
	empty := []Section{
		{Figure: &Figure{Name: "a", Title: "Lines", Chart: &LineCI{}}},
		{Figure: &Figure{Name: "b", Title: "Bars", Chart: &Bars{}}},
		{Figure: &Figure{Name: "c", Title: "Curves", Chart: &CDF{Series: []CDFSeries{{Name: "x"}}}}},
		{Figure: &Figure{Name: "d", Title: "Rows", Chart: &Percentiles{}}},
		{Figure: &Figure{Name: "e", Title: "Cells", Chart: &Matrix{}}},
	}
	dir := t.TempDir()
	r := Report{Sections: empty}
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, PageFile))
	if err != nil || bytes.Count(page, []byte("nothing to draw yet")) != len(empty) {
		t.Errorf("%v, page:\n%s", err, page)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, SummaryFile)); bytes.Contains(text, []byte("null")) {
		t.Errorf("summary:\n%s", text)
	}
	r.Manifest.Complete = true
	if err := r.Write(dir); err == nil {
		t.Error("a complete run without data for its figures was written")
	}
}
