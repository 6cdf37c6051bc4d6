package command

import (
	"context"
	"time"
)

// Until waits for what ends a server: an error of its own, which it returns, the end of
// ctx, or a time from now; 0 is without end.
func Until(ctx context.Context, d time.Duration, ended <-chan error) error {
	var over <-chan time.Time // never, without a time
	if d > 0 {
		over = time.After(d)
	}
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	case <-over:
	}
	return nil
}
