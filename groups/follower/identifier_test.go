package follower

import (
	"fmt"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

var bobProfile = Profile{Fields: []Field{
	{Type: mimi.SearchHandle, Value: "im:bob.smith@b.example", Searchable: true},
	{Type: mimi.SearchNick, Value: "bob.smith", Searchable: true},
	{Type: mimi.SearchEmail, Value: "bsmith@b.example"},
	{Type: mimi.SearchPhone, Value: "+12125551212", Searchable: true},
	{Type: mimi.SearchOIDCStdClaim, Name: "given_name", Value: "Matthew", Searchable: true, Inexact: true},
	{Type: mimi.SearchOIDCStdClaim, Name: "family_name", Value: "Smith", Searchable: true},
	{Type: mimi.SearchVCardField, Name: "ORG", Value: "Example Corp", Searchable: true, Inexact: true},
}}

func query(elements ...mimi.QueryElement) FindUsers {
	return FindUsers{"a.example", &mimi.IdentifierRequest{QueryElements: elements}}
}

func element(t mimi.SearchIdentifierType, value string) mimi.QueryElement {
	return mimi.QueryElement{SearchType: t, SearchValue: value}
}

func claimed(name, value string) mimi.QueryElement {
	return mimi.QueryElement{SearchType: mimi.SearchOIDCStdClaim, ClaimName: name, SearchValue: value}
}

func property(name, value string) mimi.QueryElement {
	return mimi.QueryElement{SearchType: mimi.SearchVCardField, PropertyName: name, SearchValue: value}
}

// The semantics of the SearchIdentifierType values, Find internal address.
func TestFindUsers(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	for name, row := range map[string]struct {
		query []mimi.QueryElement
		want  mimi.IdentifierQueryCode
	}{
		"handle":                   {[]mimi.QueryElement{element(mimi.SearchHandle, "im:bob.smith@b.example")}, mimi.QuerySuccess},
		"half a handle":            {[]mimi.QueryElement{element(mimi.SearchHandle, "im:bob")}, mimi.QueryNotFound},
		"nick":                     {[]mimi.QueryElement{element(mimi.SearchNick, "bob.smith")}, mimi.QuerySuccess},
		"a handle as nick":         {[]mimi.QueryElement{element(mimi.SearchNick, "im:bob.smith@b.example")}, mimi.QueryNotFound},
		"not searchable":           {[]mimi.QueryElement{element(mimi.SearchEmail, "bsmith@b.example")}, mimi.QueryNotFound},
		"phone":                    {[]mimi.QueryElement{element(mimi.SearchPhone, "+12125551212")}, mimi.QuerySuccess},
		"partial name":             {[]mimi.QueryElement{element(mimi.SearchPartialName, "mat")}, mimi.QuerySuccess},
		"partial, exact name only": {[]mimi.QueryElement{element(mimi.SearchPartialName, "smi")}, mimi.QueryNotFound},
		"partial, not a name":      {[]mimi.QueryElement{element(mimi.SearchPartialName, "corp")}, mimi.QueryNotFound},
		"whole profile":            {[]mimi.QueryElement{element(mimi.SearchWholeProfile, "Corp")}, mimi.QuerySuccess},
		"claim":                    {[]mimi.QueryElement{claimed("family_name", "Smith")}, mimi.QuerySuccess},
		"another claim":            {[]mimi.QueryElement{claimed("given_name", "Smith")}, mimi.QueryNotFound},
		"claim and property":       {[]mimi.QueryElement{claimed("given_name", "Matthew"), property("ORG", "Example Corp")}, mimi.QuerySuccess},
		"one that does not match":  {[]mimi.QueryElement{claimed("given_name", "Matthew"), property("ORG", "Other")}, mimi.QueryNotFound},
		"a property as a claim":    {[]mimi.QueryElement{claimed("ORG", "Example Corp")}, mimi.QueryUnsupportedField},
		"no standard claim":        {[]mimi.QueryElement{claimed("given_name", "Matthew"), claimed("shoe_size", "43")}, mimi.QueryUnsupportedField},
		"no registered property":   {[]mimi.QueryElement{property("X-SHOE", "43")}, mimi.QueryUnsupportedField},
		"nothing asked":            {nil, mimi.QueryForbidden},
		"what everybody would be":  {[]mimi.QueryElement{element(mimi.SearchWholeProfile, "")}, mimi.QueryForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			r := l.step(query(row.query...)).Response.(*mimi.IdentifierResponse)
			if r.ResponseCode != row.want {
				t.Fatalf("got %v, want %v", r.ResponseCode, row.want)
			}
			if row.want != mimi.QuerySuccess {
				if len(r.URI) > 0 || len(r.FoundProfiles) > 0 {
					t.Errorf("%v with users: %+v", r.ResponseCode, r)
				}
				return
			}
			if len(r.URI) != 1 || r.URI[0] != mimi.URI(bob) || len(r.FoundProfiles) != 1 || len(r.FoundProfiles[0].Fields) != 3 {
				t.Errorf("got %+v, want Bob with three fields", r)
			}
		})
	}
}

// "ambiguous means that a field [...] need to match exactly for the provider to
// return any responses."
func TestAmbiguous(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *Config) { c.Limits.Matches = 2 })
	for i := range 3 {
		l.step(AddUser{uri(fmt.Sprintf("mimi://b.example/u/mat%d", i)), Profile{Fields: []Field{
			{Type: mimi.SearchOIDCStdClaim, Name: "given_name", Value: "Mathias", Searchable: true, Inexact: true},
		}}})
	}
	if r := l.step(query(element(mimi.SearchPartialName, "mat"))).Response.(*mimi.IdentifierResponse); r.ResponseCode != mimi.QueryAmbiguous || len(r.URI) > 0 {
		t.Errorf("got %+v, want ambiguous", r)
	}
	if r := l.step(query(claimed("given_name", "Mathias"))).Response.(*mimi.IdentifierResponse); r.ResponseCode != mimi.QuerySuccess || len(r.URI) != 3 {
		t.Errorf("an exact query: got %+v, want the three", r)
	}
}

func TestNoQueries(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *Config) { c.NoQueries = true })
	if r := l.step(query(element(mimi.SearchNick, "bob.smith"))).Response.(*mimi.IdentifierResponse); r.ResponseCode != mimi.QueryForbidden {
		t.Errorf("got %v, want forbidden", r.ResponseCode)
	}
}

func TestProfileRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	for says, f := range map[string]Field{
		`a name "x"`:                {Type: mimi.SearchNick, Name: "x", Value: "v"},
		"no name":                   {Type: mimi.SearchVCardField, Value: "v"},
		"one that is matched exact": {Type: mimi.SearchPartialName, Value: "v"},
	} {
		l.refused(400, says, AddUser{bella, Profile{Fields: []Field{f}}})
	}
	l.refused(404, "no user of b.example", AddUser{User: alice})
	l.refused(404, "no client of b.example", AddClient{clientA1})
	l.refused(400, "mimi://b.example/d/alone", AddClient{uri("mimi://b.example/d/alone")})
}
