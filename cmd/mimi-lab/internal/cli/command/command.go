// Package command holds the manners that all commands of mimi-lab share: how
// nouns are made of verbs, how arguments are demanded and how a mistyped name is
// answered.
package command

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/suggest"
)

// Noun makes the command that holds the verbs. On its own it shows its help.
func Noun(c *cobra.Command, verbs ...*cobra.Command) *cobra.Command {
	c.AddCommand(verbs...)
	c.Args = known
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	return c
}

// known refuses an argument where one of the subcommands is expected.
func known(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	guess := suggest.Closest(args[0], names)
	if guess == "" {
		guess = withNoun(c, args[0])
	}
	return exit.Usagef(
		hint(guess, fmt.Sprintf("%q lists the commands.", c.CommandPath()+" --help")),
		"unknown command %q for %q", args[0], c.CommandPath())
}

// withNoun names the commands that name is the verb of, or nearly, for those who
// left the noun out: "content show, mls show or stanza show".
func withNoun(c *cobra.Command, name string) string {
	var verbs []string
	paths := map[string][]string{} // by verb
	for _, noun := range c.Commands() {
		for _, verb := range noun.Commands() {
			if verb.IsAvailableCommand() {
				verbs = append(verbs, verb.Name())
				paths[verb.Name()] = append(paths[verb.Name()], noun.Name()+" "+verb.Name())
			}
		}
	}
	meant := paths[suggest.Closest(name, slices.Compact(slices.Sorted(slices.Values(verbs))))]
	if n := len(meant); n > 1 {
		return strings.Join(meant[:n-1], ", ") + " or " + meant[n-1]
	}
	return strings.Join(meant, "")
}

// Args demands between least and most arguments; what says in the singular what
// each one is.
func Args(least, most int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		help := fmt.Sprintf("%q shows how it is called.", c.CommandPath()+" --help")
		switch {
		case len(args) < least:
			return exit.Usagef(help, "%s: %s is missing", c.CommandPath(), what)
		case len(args) > most && most == 0:
			return exit.Usagef(help, "%s takes no arguments, got %q", c.CommandPath(), args[0])
		case len(args) > most:
			return exit.Usagef(help, "%s: one argument too many: %q", c.CommandPath(), args[most])
		}
		return nil
	}
}

// NoArgs demands that there are none.
var NoArgs = Args(0, 0, "")

// values says what a flag takes, by the type that it has for pflag.
var values = map[string]string{
	"bool":      "true or false",
	"duration":  "a time with its unit, such as 10s or 1m30s",
	"int":       "a whole number",
	"intSlice":  "whole numbers, with commas between",
	"uint64":    "a whole number, 0 or more",
	"uintSlice": "whole numbers, 0 or more, with commas between",
}

// FlagError turns an error about flags into one that names the flag that was meant,
// or what it takes.
func FlagError(c *cobra.Command, err error) error {
	help := fmt.Sprintf("%q lists the flags.", c.CommandPath()+" --help")
	var bad *pflag.InvalidValueError
	if errors.As(err, &bad) {
		f := bad.GetFlag()
		switch want, ok := values[f.Value.Type()]; {
		case errors.Is(err, strconv.ErrRange):
			return exit.Usagef(help, "%s: --%s %q: the number is out of range", c.CommandPath(), f.Name, bad.GetValue())
		case ok:
			return exit.Usagef(help, "%s: --%s %q: want %s", c.CommandPath(), f.Name, bad.GetValue(), want)
		}
		return exit.Usagef(help, "%s: --%s %q: %w", c.CommandPath(), f.Name, bad.GetValue(), bad.Unwrap())
	}
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return exit.Usagef(help, "%s: %w", c.CommandPath(), err)
	}
	name := unknown.GetSpecifiedName()
	if unknown.GetSpecifiedShortnames() != "" {
		return exit.Usagef(help, "%s: unknown flag -%s", c.CommandPath(), name)
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, "--"+f.Name)
		}
	})
	return exit.Usagef(hint(suggest.Closest("--"+name, names), help), "%s: unknown flag --%s", c.CommandPath(), name)
}

// hint is what to do next, after a guess what was meant.
func hint(guess, otherwise string) string {
	if guess == "" {
		return otherwise
	}
	return "Did you mean " + guess + "? " + strings.TrimSpace(otherwise)
}

// Unknown is the error for a name that is none of the candidates. kind says
// what it should name.
func Unknown(kind, name string, candidates []string, otherwise string) error {
	return exit.Usagef(hint(suggest.Closest(name, candidates), otherwise), "no %s %q", kind, name)
}

// Quote protects a word from a shell.
func Quote(s string) string {
	if strings.ContainsAny(s, " \t\n'\"$&;|<>(){}[]*?!#~`\\") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}
