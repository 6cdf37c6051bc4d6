package check_test

import (
	"fmt"
	"testing"

	"github.com/mimi-lab/mimi-lab/sim/check"
	"github.com/mimi-lab/mimi-lab/sim/des"
)

func TestChecker(t *testing.T) {
	t.Parallel()
	secret := []byte("secret")
	tests := []struct {
		name string
		run  func(c *check.Checker)
		want []check.Name
	}{
		{"a good run", func(c *check.Checker) {
			c.Written("1", "p", "n")
			c.Written("2", "p", "n")
			c.Accepted("1")
			c.Accepted("2")
			c.Consents(0, "n", "p", true)
			c.Delivered(1, "1", "p", "n", true, 1)
			c.Delivered(2, "2", "p", "n", true, 1)
			c.Observed(1, "gatekeeper", []byte("secre"))
			c.End(3)
		}, nil},
		{"lost", func(c *check.Checker) {
			c.Written("1", "n", "p")
			c.Accepted("1")
			c.End(3)
		}, []check.Name{check.Durability}},
		{"never accepted", func(c *check.Checker) {
			c.Written("1", "n", "p")
			c.End(3)
		}, nil},
		{"excused", func(c *check.Checker) {
			c.Written("1", "n", "p")
			c.Accepted("1")
			c.Excused("1")
			c.End(3)
		}, nil},
		{"shown twice", func(c *check.Checker) {
			c.Written("1", "n", "p")
			c.Delivered(1, "1", "n", "p", false, 1)
			c.Delivered(1, "1", "n", "p", false, 1)
		}, []check.Name{check.Duplicates}},
		{"invented", func(c *check.Checker) {
			c.Delivered(1, "1", "n", "p", false, 1)
		}, []check.Name{check.Duplicates}},
		{"shown to another", func(c *check.Checker) {
			c.Written("1", "n", "p")
			c.Delivered(1, "1", "n", "q", false, 1)
		}, []check.Name{check.Duplicates}},
		{"out of order", func(c *check.Checker) {
			c.Written("1", "n", "p")
			c.Written("2", "n", "p")
			c.Delivered(1, "2", "n", "p", false, 1)
			c.Delivered(1, "1", "n", "p", false, 1)
		}, []check.Name{check.Order}},
		{"out of order after a retry", func(c *check.Checker) {
			c.Written("1", "n", "p")
			c.Written("2", "n", "p")
			c.Retried("1")
			c.Delivered(1, "2", "n", "p", false, 1)
			c.Delivered(1, "1", "n", "p", false, 1)
		}, nil},
		{"a copy overtaken by its own expiry", func(c *check.Checker) {
			c.Written("1", "n", "p")
			c.Written("2", "n", "p")
			c.Excused("1")
			c.Delivered(1, "2", "n", "p", false, 1)
			c.Delivered(1, "1", "n", "p", false, 1)
		}, nil},
		{"other conversations don't order", func(c *check.Checker) {
			c.Written("1", "n", "p")
			c.Written("2", "n", "q")
			c.Delivered(1, "2", "n", "q", false, 1)
			c.Delivered(1, "1", "n", "p", false, 1)
		}, nil},
		{"readable", func(c *check.Checker) {
			c.Observed(1, "gatekeeper", []byte("a secret it is"))
		}, []check.Name{check.Confidentiality}},
		{"never agreed", func(c *check.Checker) {
			c.Written("1", "p", "n")
			c.Delivered(1, "1", "p", "n", true, 1)
		}, []check.Name{check.Consent}},
		{"agreed too late", func(c *check.Checker) {
			c.Written("1", "p", "n")
			c.Consents(5, "n", "p", true)
			c.Delivered(6, "1", "p", "n", true, 4)
		}, []check.Name{check.Consent}},
		{"withdrawn before", func(c *check.Checker) {
			c.Written("1", "p", "n")
			c.Consents(1, "n", "p", true)
			c.Consents(2, "n", "p", false)
			c.Delivered(6, "1", "p", "n", true, 3)
		}, []check.Name{check.Consent}},
		{"withdrawn while under way", func(c *check.Checker) {
			c.Written("1", "p", "n")
			c.Consents(1, "n", "p", true)
			c.Consents(5, "n", "p", false)
			c.Delivered(6, "1", "p", "n", true, 3)
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := check.New(check.Names, secret)
			tt.run(c)
			found, n := c.Violations()
			if n != len(found) || len(found) != len(tt.want) {
				t.Fatalf("found %v, want %v", found, tt.want)
			}
			for i, v := range found {
				if v.Check != tt.want[i] {
					t.Errorf("found %v, want %v", v, tt.want[i])
				}
			}
			// The same run with all checks off finds nothing.
			c = check.New(nil, secret)
			tt.run(c)
			if found, n := c.Violations(); n != 0 {
				t.Errorf("with all checks off: %v", found)
			}
		})
	}
}

func TestViolationsAreCountedBeyondTheKept(t *testing.T) {
	t.Parallel()
	c := check.New(check.Names, []byte("secret"))
	for i := range check.MaxViolations + 5 {
		c.Delivered(des.Time(i), fmt.Sprint(i), "n", "p", false, 0)
	}
	if found, n := c.Violations(); len(found) != check.MaxViolations || n != check.MaxViolations+5 {
		t.Errorf("kept %d of %d, want %d of %d", len(found), n, check.MaxViolations, check.MaxViolations+5)
	}
}
