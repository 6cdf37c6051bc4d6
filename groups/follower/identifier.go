package follower

import (
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// FindUsers is an IdentifierRequest from the provider of the domain From
// (draft-ietf-mimi-protocol-06, Find internal address).
type FindUsers struct {
	From    string
	Request *mimi.IdentifierRequest
}

func (FindUsers) input() {}

// Profile is what a user can be found by. What is not searchable never leaves the
// provider.
type Profile struct {
	Fields []Field `json:"fields,omitempty"`
}

// Field is one property of a user.
type Field struct {
	// Type is what queries of that type match exactly: a handle, nick, e-mail
	// address or telephone number, an OpenID Connect claim or a vCard property.
	Type mimi.SearchIdentifierType `json:"type"`
	// Name is that of the claim or property.
	Name  string `json:"name,omitempty"`
	Value string `json:"value"`
	// Searchable lets others find the user by it. An inexact query (partialName,
	// wholeProfile) matches it only if Inexact too.
	Searchable bool `json:"searchable,omitempty"`
	Inexact    bool `json:"inexact,omitempty"`
}

// names are the claims and properties that hold the name of a human user: OpenID
// Connect Core 1.0, Section 5.1, and RFC 6350, Section 6.2.
var names = map[string]bool{
	"name": true, "given_name": true, "family_name": true, "middle_name": true, "nickname": true,
	"FN": true, "N": true, "NICKNAME": true,
}

// known reports whether the claim or property of a query is one that queries may name:
// "the specified UserInfo Standard Claim (defined in Section 5.1 of [OidcCore])" or "the
// specified vCard property listed in the vCard Properties IANA registry".
func known(q *mimi.QueryElement) bool {
	switch q.SearchType {
	case mimi.SearchOIDCStdClaim:
		return standardClaims[q.ClaimName]
	case mimi.SearchVCardField:
		return vCardProperties[q.PropertyName]
	}
	return true
}

// standardClaims are those of OpenID Connect Core 1.0, Section 5.1.
var standardClaims = setOf(
	"sub name given_name family_name middle_name nickname preferred_username profile picture website email email_verified " +
		"gender birthdate zoneinfo locale phone_number phone_number_verified address updated_at")

// vCardProperties are those of https://www.iana.org/assignments/vcard-elements.
var vCardProperties = setOf(
	"SOURCE KIND XML FN N NICKNAME PHOTO BDAY ANNIVERSARY GENDER ADR TEL EMAIL IMPP LANG TZ GEO TITLE ROLE LOGO ORG MEMBER " +
		"RELATED CATEGORIES NOTE PRODID REV SOUND UID CLIENTPIDMAP URL VERSION KEY FBURL CALADRURI CALURI BIRTHPLACE DEATHPLACE " +
		"DEATHDATE EXPERTISE HOBBY INTEREST ORG-DIRECTORY CONTACT-URI CREATED GRAMGENDER LANGUAGE PRONOUNS SOCIALPROFILE JSPROP")

func setOf(words string) map[string]bool {
	set := make(map[string]bool)
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// check refuses fields that no query could match.
func (p *Profile) check() error {
	for i, f := range p.Fields {
		switch f.Type {
		case mimi.SearchHandle, mimi.SearchNick, mimi.SearchEmail, mimi.SearchPhone:
			if f.Name != "" {
				return refuse(statusBadRequest, "field %d of the profile: a name %q with type %v, want none", i+1, f.Name, f.Type)
			}
		case mimi.SearchOIDCStdClaim, mimi.SearchVCardField:
			if f.Name == "" {
				return refuse(statusBadRequest, "field %d of the profile: no name with type %v, want one", i+1, f.Type)
			}
		default:
			return refuse(statusBadRequest, "field %d of the profile: type %v, want one that is matched exactly", i+1, f.Type)
		}
	}
	return nil
}

// Bounds of a query, which every user's profile is compared with; choices of this
// implementation.
const (
	maxElements = 16
	maxValue    = 1024 // bytes
)

// findUsers answers a query.
func (f *Follower) findUsers(in FindUsers) error {
	response := &mimi.IdentifierResponse{}
	f.out.Response = response
	if f.cfg.NoQueries || len(in.Request.QueryElements) == 0 {
		response.ResponseCode = mimi.QueryForbidden
		return nil
	}
	if n := len(in.Request.QueryElements); n > maxElements {
		return refuse(statusBadRequest, "%d query_elements, want at most %d", n, maxElements)
	}
	inexact := false
	for _, q := range in.Request.QueryElements {
		if len(q.SearchValue) > maxValue {
			return refuse(statusBadRequest, "searchValue of %d bytes, want at most %d", len(q.SearchValue), maxValue)
		}
		if !known(&q) {
			response.ResponseCode = mimi.QueryUnsupportedField
			return nil
		}
		exact := q.SearchType != mimi.SearchPartialName && q.SearchType != mimi.SearchWholeProfile
		inexact = inexact || !exact
		if q.SearchValue == "" {
			response.ResponseCode = mimi.QueryForbidden // it would match everybody
			return nil
		}
	}
	var found []*user
	for _, u := range f.users {
		if !u.deleted && u.profile.matches(in.Request.QueryElements) {
			found = append(found, u)
		}
	}
	slices.SortFunc(found, func(a, b *user) int { return compareURI(a.uri, b.uri) })
	switch {
	case len(found) == 0:
		response.ResponseCode = mimi.QueryNotFound
	case inexact && len(found) > f.limits.Matches:
		response.ResponseCode = mimi.QueryAmbiguous
	default:
		for _, u := range found {
			response.URI = append(response.URI, mimi.URI(u.uri))
			response.FoundProfiles = append(response.FoundProfiles, u.profile.shown(u.uri))
		}
	}
	return nil
}

// matches reports whether every element matches some field.
func (p *Profile) matches(query []mimi.QueryElement) bool {
	for i := range query {
		if !slices.ContainsFunc(p.Fields, func(f Field) bool { return f.Searchable && f.matches(&query[i]) }) {
			return false
		}
	}
	return true
}

func (f *Field) matches(q *mimi.QueryElement) bool {
	switch q.SearchType {
	case mimi.SearchPartialName:
		return f.Inexact && names[f.Name] && strings.Contains(strings.ToLower(f.Value), strings.ToLower(q.SearchValue))
	case mimi.SearchWholeProfile:
		return f.Inexact && strings.Contains(f.Value, q.SearchValue)
	case mimi.SearchOIDCStdClaim:
		return f.Type == q.SearchType && f.Name == q.ClaimName && f.Value == q.SearchValue
	case mimi.SearchVCardField:
		return f.Type == q.SearchType && f.Name == q.PropertyName && f.Value == q.SearchValue
	}
	return f.Type == q.SearchType && f.Value == q.SearchValue
}

// shown is the profile for others: the searchable fields that a UserProfile can hold.
func (p *Profile) shown(uri ident.URI) mimi.UserProfile {
	out := mimi.UserProfile{StableURI: mimi.URI(uri)}
	for _, f := range p.Fields {
		source := mimi.FieldSource(f.Type) // the numbers are the same
		if f.Searchable && (source == mimi.FieldOIDCStdClaim || source == mimi.FieldVCardField) {
			out.Fields = append(out.Fields, mimi.ProfileField{FieldSource: source, FieldName: f.Name, FieldValue: []byte(f.Value)})
		}
	}
	return out
}
