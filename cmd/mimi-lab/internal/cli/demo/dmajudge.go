package demo

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// judge holds what was seen against what the interface promises.
func (s *stage) judge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	add := func(promise string, broken []string) {
		s.story.verdict = append(s.story.verdict, finding{promise, len(broken) == 0, broken})
	}
	var broken []string
	for _, p := range s.players {
		if !slices.Equal(p.read, p.want) {
			broken = append(broken, fmt.Sprintf("%s read %q, and was to read %q", p.name, p.read, p.want))
		}
	}
	add("Each message is shown once, in order, to whom it is for.", broken)
	broken = nil
	if slices.Contains(s.alice.read, refusedText) {
		broken = append(broken, fmt.Sprintf("alice read %q", refusedText))
	}
	add("What Bob writes while he is blocked is refused.", broken)
	broken = nil
	if slices.Contains(s.carol.read, laterText) {
		broken = append(broken, fmt.Sprintf("carol read %q", laterText))
	}
	add("Who was removed from a group reads nothing of it any more.", broken)
	add("A photo arrives as it was sent.", s.spoiled)
	broken = nil
	if len(s.pushes) == 0 || s.pushes[0] != s.bob.visible {
		broken = append(broken, fmt.Sprintf("pushes for %q", s.pushes))
	}
	add("The partner is told that something waits for Bob while he is away.", broken)
	broken = s.plaintexts()
	add("No stanza and no server's disk has a text, a reaction or a photo in the clear.", broken)
	broken = nil
	if !s.deleted {
		broken = append(broken, "bob's device was let in again")
	}
	add("A deleted account is gone.", broken)
}

// plaintexts returns where a text is that servers or the network had.
func (s *stage) plaintexts() (found []string) {
	if s.adapter.Claims().Modelled {
		return nil // there is nothing to hide it
	}
	secrets := append(slices.Clone(s.secrets), photo()[len(photo())/2:][:32])
	look := func(where string, b []byte) {
		for _, t := range secrets {
			if bytes.Contains(b, t) {
				found = append(found, fmt.Sprintf("%q in %s", t, where))
			}
		}
	}
	look("a stanza", s.wire)
	err := filepath.WalkDir(s.dir.Path, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		look(filepath.Base(path), b)
		return err
	})
	if err != nil {
		found = append(found, err.Error())
	}
	return found
}
