package check_test

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/sim/check"
	"github.com/mimi-lab/mimi-lab/sim/des"
)

// Two messages are acknowledged, one arrives, and it arrives twice.
func ExampleChecker() {
	c := check.New(check.Names, []byte("in every plaintext"))
	c.Consents(0, "alice", "bob", true)
	for _, id := range []string{"m1", "m2"} {
		c.Written(id, "bob", "alice")
		c.Accepted(id)
	}
	c.Delivered(2*des.Second, "m1", "bob", "alice", true, des.Second)
	c.Delivered(3*des.Second, "m1", "bob", "alice", true, des.Second)
	c.End(60 * des.Second)
	found, n := c.Violations()
	fmt.Println(n)
	for _, v := range found {
		fmt.Println(v)
	}
	// Output:
	// 2
	// duplicates at 3s: alice is shown a message of bob that was shown before or that nobody wrote (message m1)
	// durability at 1m0s: the message of bob to alice was acknowledged and never shown (message m2)
}
