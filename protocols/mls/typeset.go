package mls

// typeSet is a list of codes to look many of up in. Lists come from the network and
// may be as long as a message: a search of one for each code of another would take
// time by the product of their lengths: from a KeyPackage of a megabyte, ten seconds
// of everyone who checks it.
type typeSet[T ~uint16] struct {
	list []T
	bits *[1 << 16 / 64]uint64 // nil if the list is short
}

// shortList is up to where a search is cheaper than a set.
const shortList = 64

func newTypeSet[T ~uint16](list []T) typeSet[T] {
	s := typeSet[T]{list: list}
	if len(list) > shortList {
		s.bits = new([1 << 16 / 64]uint64)
		for _, v := range list {
			s.bits[v/64] |= 1 << (v % 64)
		}
	}
	return s
}

func (s *typeSet[T]) has(v T) bool {
	if s.bits != nil {
		return s.bits[v/64]>>(v%64)&1 != 0
	}
	for _, x := range s.list {
		if x == v {
			return true
		}
	}
	return false
}

// add adds a code and reports whether it is new.
func (s *typeSet[T]) add(v T) bool {
	if s.has(v) {
		return false
	}
	if s.list = append(s.list, v); s.bits != nil {
		s.bits[v/64] |= 1 << (v % 64)
	} else if len(s.list) > shortList {
		*s = newTypeSet(s.list)
	}
	return true
}
