package kat_test

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/groups/kat"
)

// A file of whomever is verified case by case.
func ExampleRun() {
	result, err := kat.Run("url-templates", []byte(`[{
	  "name": "a room", "section": "Directory", "deviations": [],
	  "endpoint": "notify", "template": "https://a.example/notify/{roomId}",
	  "value": "mimi://h.example/r/1", "url": "https://a.example/notify/mimi:%2F%2Fh.example%2Fr%2F1",
	  "path": "/notify/mimi%3A%2F%2Fh.example%2Fr%2F1", "matches": true
	}]`))
	if err != nil {
		panic(err)
	}
	fmt.Println(result.Passed, "passed")
	for _, f := range result.Failures {
		fmt.Println(f.What)
	}
	// Output:
	// 0 passed
	// a room: url: got https://a.example/notify/mimi%3A%2F%2Fh.example%2Fr%2F1, the case has https://a.example/notify/mimi:%2F%2Fh.example%2Fr%2F1
}
