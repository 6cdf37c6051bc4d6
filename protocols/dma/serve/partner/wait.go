package partner

import (
	"net/http"
	"sync"
	"time"
)

// WaitPath is where a user's device waits to be woken: GET, with the user's credential, is
// answered by 200 once a push has come for the user, and by 204 if none does for a while.
// How a partner wakes its users' devices is its own affair: assumed.
const WaitPath = "/lab/wait"

// waitFor is how long a request waits.
const waitFor = 25 * time.Second

// maxWaiting is how many requests wait at once.
const maxWaiting = 4096

// waker is which users' devices are to be woken. The zero value is ready for use.
type waker struct {
	mu      sync.Mutex // guards what follows
	due     map[string]bool
	waiting map[string]chan struct{} // closed when the user is woken
	count   int
}

// wake wakes a user's device, or the one that will wait.
func (w *waker) wake(user string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.due == nil {
		w.due = map[string]bool{}
	}
	w.due[user] = true // of users alone, so that there are no more than those
	if c := w.waiting[user]; c != nil {
		close(c)
		delete(w.waiting, user)
	}
}

// await returns what is closed when the user is to be woken.
func (w *waker) await(user string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.waiting[user]
	if c == nil {
		c = make(chan struct{})
		if w.waiting == nil {
			w.waiting = map[string]chan struct{}{}
		}
		w.waiting[user] = c
	}
	if w.due[user] {
		close(c)
		delete(w.waiting, user)
	}
	return c
}

// woken says that the user's device has been told.
func (w *waker) woken(user string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.due, user)
}

// enter counts a request that waits, if there is room for it, and with -1 one that ended.
func (w *waker) enter(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count+n > maxWaiting {
		return false
	}
	w.count += n
	return true
}

// serveWait has a user's device wait.
func (s *Server) serveWait(w http.ResponseWriter, r *http.Request) {
	user, credential, _ := r.BasicAuth()
	if !s.is(user, credential) {
		s.refuse(w, r)
		return
	}
	if !s.wakes.enter(1) {
		http.Error(w, "too many devices wait", http.StatusServiceUnavailable)
		return
	}
	defer s.wakes.enter(-1)
	over := time.NewTimer(waitFor)
	defer over.Stop()
	select {
	case <-s.wakes.await(user):
		s.wakes.woken(user)
		w.WriteHeader(http.StatusOK)
	case <-over.C:
		w.WriteHeader(http.StatusNoContent)
	case <-s.down:
		http.Error(w, "the server goes down", http.StatusServiceUnavailable)
	case <-r.Context().Done():
	}
}
