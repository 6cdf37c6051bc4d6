package gatekeeper

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

func newConfig(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:   "config",
		Short: "Show and check configuration files",
		Long: `Show and check configuration files of gatekeeper serve: YAML, with a key for
each thing that can be different, and those marked that no public text knows.`,
		Example: `  mimi-lab gatekeeper config example`,
	}, newConfigExample(t), newConfigCheck(t))
}

func newConfigExample(t *term.IO) *cobra.Command {
	return &cobra.Command{
		Use:     "example",
		Short:   "Print a configuration file with every key",
		Long:    `Print a configuration file with every key, its default and what it is for.`,
		Example: `  mimi-lab gatekeeper config example`,
		Args:    command.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(t.Out, example)
			return err
		},
	}
}

// configCheckOptions are those of the command gatekeeper config check.
type configCheckOptions struct {
	IO   *term.IO
	File string
	JSON bool
}

func newConfigCheck(t *term.IO) *cobra.Command {
	o := &configCheckOptions{IO: t}
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a configuration file without serving",
		Long: `Check a configuration file without serving. What is wrong is said with its line,
its key and what was expected. Of a good one the assumed parameters are printed:
no public text has their values.`,
		Example: `  mimi-lab gatekeeper config example > gatekeeper.yaml
  mimi-lab gatekeeper config check gatekeeper.yaml`,
		Args: command.Args(1, 1, "a configuration file"),
		RunE: func(_ *cobra.Command, args []string) error {
			o.File = args[0]
			return o.run()
		},
	}
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

func (o *configCheckOptions) run() error {
	s, err := read(o.File)
	if err != nil {
		return err
	}
	if s.Dev == "" { // a directory of --dev is made when it is served from
		if _, err := s.directory(o.IO.Now()); err != nil {
			return err
		}
	}
	for _, p := range s.Partners {
		if _, err := p.roots(); err != nil {
			return err
		}
	}
	if o.JSON {
		assumed := map[string]string{}
		for _, p := range assumedOf(s) {
			assumed[p.key] = p.value
		}
		e := json.NewEncoder(o.IO.Out)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			File    string            `json:"file"`
			Assumed map[string]string `json:"assumed"`
		}{o.File, assumed})
	}
	fmt.Fprintf(o.IO.Out, "%s is good; what is assumed in it, as no public text says it:\n", o.File)
	for _, p := range assumedOf(s) {
		fmt.Fprintf(o.IO.Out, "  %-34s %s\n", p.key, p.value)
	}
	return nil
}

// parameter is a key with its value.
type parameter struct{ key, value string }

// assumedOf returns the parameters that are assumed, in the order of the file.
func assumedOf(s *settings) []parameter { return walk(nil, reflect.ValueOf(*s), "", false) }

func walk(list []parameter, v reflect.Value, path string, assumed bool) []parameter {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key := strings.TrimPrefix(path+"."+f.Tag.Get("json"), ".")
		here := assumed || f.Tag.Get("assumed") == "true"
		switch x := v.Field(i).Interface().(type) {
		case service, media, limits, rates, logging:
			list = walk(list, v.Field(i), key, here)
		case []partnerSettings:
			for n := range x {
				list = walk(list, v.Field(i).Index(n), key+"."+strconv.Itoa(n), here)
			}
		case time.Duration:
			if here {
				list = append(list, parameter{key, brief(x)})
			}
		case string:
			if here && x != "" {
				list = append(list, parameter{key, x})
			}
		default:
			if here {
				list = append(list, parameter{key, fmt.Sprint(x)})
			}
		}
	}
	return list
}

// wrapped returns parameters one after the other, in lines of some width.
func wrapped(list []parameter, width int) (lines []string) {
	line := ""
	for _, p := range list {
		next := p.key + " " + p.value + ";"
		if line != "" && len(line)+1+len(next) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+next, " ")
	}
	if line == "" {
		return lines
	}
	return append(lines, strings.TrimSuffix(line, ";"))
}
