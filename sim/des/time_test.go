package des_test

import (
	"math"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/sim/des"
)

func TestFromSeconds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		s    float64
		want des.Time
	}{
		{0, 0}, {1, des.Second}, {0.05, 50 * des.Millisecond}, {1.4e-9, 1}, {1.6e-9, 2}, {-1, -des.Second},
		{1e300, des.Never}, {math.Inf(1), des.Never}, {-1e300, math.MinInt64}, {math.NaN(), 0},
		{86400, des.Day},
	} {
		if got := des.FromSeconds(c.s); got != c.want {
			t.Errorf("FromSeconds(%g) = %d, want %d", c.s, got, c.want)
		}
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	x := des.FromDuration(90*time.Second + 500*time.Millisecond)
	if x.Seconds() != 90.5 || x.Duration() != 90500*time.Millisecond || x.String() != "1m30.5s" {
		t.Errorf("90.5 s became %v, %v, %q", x.Seconds(), x.Duration(), x)
	}
	if got := des.Never.Add(1); got != des.Never {
		t.Errorf("Never + 1 = %d", got)
	}
	if got := (des.Never - 1).Add(1); got != des.Never {
		t.Errorf("Never - 1 + 1 = %d", got)
	}
	if got := des.Second.Add(des.Second); got != 2*des.Second {
		t.Errorf("1s + 1s = %v", got)
	}
}
