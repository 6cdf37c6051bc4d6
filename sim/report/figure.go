package report

// Figure is a chart with what a reader needs to know beside it.
type Figure struct {
	Name     string // of the file, without folder and extension: a-z, 0-9 and '-'
	Title    string // what it shows, as a sentence or question
	Caption  string // what to see in it; n and the kind of intervals are added
	Modelled bool   // some of it was made without real cryptography
	Chart    Chart
}
