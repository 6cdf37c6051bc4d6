package report

// Chart is one of the charts of this package.
type Chart interface {
	SVG() ([]byte, error)
}
