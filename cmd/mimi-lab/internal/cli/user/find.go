package user

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/client"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// findOptions are those of the command user find.
type findOptions struct {
	client.Options
	Domain string
	By     [6]string // in the order of searches
	given  func(string) bool
}

// searches are the fields of a query.
var searches = [6]struct {
	flag, help string
	kind       mimi.SearchIdentifierType
}{
	{"nick", "nickname or `name` of the handle", mimi.SearchNick},
	{"handle", "`handle`, such as im:bob@b.example", mimi.SearchHandle},
	{"email", "e-mail `address`", mimi.SearchEmail},
	{"phone", "telephone `number`, such as +12125551212", mimi.SearchPhone},
	{"name", "`part` of a name", mimi.SearchPartialName},
	{"profile", "`part` of any field that can be searched", mimi.SearchWholeProfile},
}

func newFind(t *term.IO) *cobra.Command {
	o := &findOptions{Options: client.Options{IO: t}}
	c := &cobra.Command{
		Use:   "find PROVIDER",
		Short: "Find users of a provider",
		Long: `Ask a provider for users (draft-ietf-mimi-protocol-06, Find internal address).
Of several fields all have to match. What can be found is for the user and the
provider to say: with --dev it is the nickname and the handle.`,
		Example: `  mimi-lab user find b.example --nick bob --as alice@a.example
  mimi-lab user find b.example --handle im:bob@b.example --as alice@a.example \
      --json`,
		Annotations: tried(),
		Args:        command.Args(1, 1, "a provider"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Domain, o.given = args[0], c.Flags().Changed
			return o.find(c.Context())
		},
	}
	f := c.Flags()
	f.SortFlags = false
	for i, s := range searches {
		f.StringVar(&o.By[i], s.flag, "", s.help)
	}
	o.Flags(f)
	f.BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

func (o *findOptions) find(ctx context.Context) error {
	u, err := ident.NewURI(ident.KindProvider, o.Domain)
	if err != nil {
		return exit.Usagef("It is a domain name, such as b.example.", "%q is no provider", o.Domain)
	}
	var query []mimi.QueryElement
	for i, s := range searches {
		if o.given(s.flag) {
			query = append(query, mimi.QueryElement{SearchType: s.kind, SearchValue: o.By[i]})
		}
	}
	if len(query) == 0 {
		return exit.Usagef(`"mimi-lab user find --help" lists the fields.`, "user find: whom? --nick, for example, says it")
	}
	return o.Run(ctx, func(ctx context.Context, s *client.Session) error { return o.run(ctx, s, u, query) })
}

// found is a user, as JSON.
type found struct {
	URI    mimi.IdentifierURI `json:"uri"`
	Fields []field            `json:"fields"`
}

type field struct {
	Source string `json:"source"`
	Name   string `json:"name"`
	Value  string `json:"value"`
}

func (o *findOptions) run(ctx context.Context, s *client.Session, at ident.URI, query []mimi.QueryElement) error {
	domain := at.Provider()
	e, err := s.Ask(ctx, at, "find users of "+domain, member.FindUsers{Domain: domain, Query: query})
	if err != nil {
		return err
	}
	r := e.Event.(member.Found).Response
	users := []found{}
	for i, u := range r.URI {
		f := found{URI: u, Fields: []field{}}
		if i < len(r.FoundProfiles) {
			for _, p := range r.FoundProfiles[i].Fields {
				f.Fields = append(f.Fields, field{p.FieldSource.String(), p.FieldName, string(p.FieldValue)})
			}
		}
		users = append(users, f)
	}
	if o.JSON {
		return o.IO.JSON(struct {
			Code  string  `json:"response_code"`
			Users []found `json:"users"`
		}{r.ResponseCode.String(), users})
	}
	if r.ResponseCode != mimi.QuerySuccess {
		return s.Say("%s finds nobody: %v", domain, r.ResponseCode)
	}
	for _, u := range users {
		fmt.Fprintln(o.IO.Out, client.ShortName(string(u.URI)))
		for _, f := range u.Fields {
			fmt.Fprintf(o.IO.Out, "  %s %s: %q\n", f.Source, f.Name, f.Value)
		}
	}
	return nil
}
