// Command mimi-lab is the door to the laboratory: it simulates how messengers
// interoperate and measures the protocols they do it with.
//
// Start with
//
//	mimi-lab sim run dma-launch-2024
//
// and mimi-lab help for the rest.
package main

import (
	"os"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli"
)

func main() { os.Exit(cli.Main()) }
