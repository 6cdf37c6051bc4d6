package check

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// post asks with a struct and reads the struct that answers it.
func post[T any](ctx context.Context, p *peer, e mimi.EndpointName, subject string, body wire.Marshaler, change ...func(*request)) (T, *answer) {
	var none T
	b, err := wire.Marshal(body)
	if err != nil {
		return none, &answer{err: err}
	}
	return read[T](e, p.ask(ctx, e, subject, b, change...))
}

// read reads the struct of an answer. One that is accepted and can't be read is an answer
// with an error.
func read[T any](e mimi.EndpointName, a *answer) (T, *answer) {
	var none T
	if !a.accepted() {
		return none, a
	}
	endpoint, _ := mimi.FindEndpoint(e)
	m, err := endpoint.ParseResponse(a.body, nil)
	if err == nil {
		if c, ok := m.(interface{ Check() error }); ok {
			err = c.Check()
		}
	}
	if err != nil {
		a.err = err
		return none, a
	}
	t, ok := m.(T)
	if !ok {
		a.err = fmt.Errorf("a %T", m)
	}
	return t, a
}

// checkIdentifierQuery is Find internal address (5.8).
func (r *run) checkIdentifierQuery(ctx context.Context) {
	ask := func(elements ...mimi.QueryElement) (*mimi.IdentifierResponse, *answer) {
		return post[*mimi.IdentifierResponse](ctx, r.b, mimi.EndpointIdentifierQuery, r.cfg.Domain, &mimi.IdentifierRequest{QueryElements: elements})
	}
	nobody := mimi.QueryElement{SearchType: mimi.SearchNick, SearchValue: "nobody-" + rand.Text()}

	// finds is a check of a query that must not find anybody.
	finds := func(id string, m *mimi.IdentifierResponse, a *answer) {
		switch {
		case a.refused():
			r.pass(id, "%v", a)
		case a.err != nil || !a.accepted():
			r.fail(id, "%v", a)
		default:
			r.holds(id, m.ResponseCode != mimi.QuerySuccess, "%v", m.ResponseCode)
		}
	}
	m, a := ask(nobody)
	if a.refused() {
		r.warn("identifierQuery.none", "%v, where the draft has the code forbidden", a)
		r.skip("queries are refused in any case", "identifierQuery.found", "identifierQuery.all-match", "identifierQuery.empty", "identifierQuery.domain")
		return
	}
	finds("identifierQuery.none", m, a)
	m, a = ask()
	finds("identifierQuery.empty", m, a)
	domain := r.b.ask(ctx, mimi.EndpointIdentifierQuery, r.b.domain, query())
	r.refuses("identifierQuery.domain", domain)
	if r.cfg.Query == nil {
		r.skip("no query that finds the user was given", "identifierQuery.found", "identifierQuery.all-match")
		return
	}
	m, a = ask(*r.cfg.Query)
	if m == nil || a.err != nil {
		r.fail("identifierQuery.found", "%v", a)
	} else {
		found := slices.ContainsFunc(m.URI, mimi.URI(r.cfg.User).Equal) ||
			slices.ContainsFunc(m.FoundProfiles, func(p mimi.UserProfile) bool { return p.StableURI.Equal(mimi.URI(r.cfg.User)) })
		r.holds("identifierQuery.found", m.ResponseCode == mimi.QuerySuccess && found, "%v, %d URIs, the user's among them: %t", m.ResponseCode, len(m.URI), found)
	}
	m, a = ask(*r.cfg.Query, nobody)
	finds("identifierQuery.all-match", m, a)
}
