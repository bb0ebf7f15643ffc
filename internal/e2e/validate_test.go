package e2e

import (
	"bytes"
	"net/http"
	"strconv"
	"sync"
	"testing"
)

// TestValidatorUnderLoad runs wsgiref.validate around an application, in two processes of
// two threads, under many requests of several kinds at once. Any breach of PEP 3333 is a 500 and a traceback.
func TestValidatorUnderLoad(t *testing.T) {
	s := start(t, site{module: "validated:app", app: "processes = 2\nthreads = 2", location: `client_max_body_size = "8m"`}.String())
	gets := s.startLoad(8, "/plain?q", body200("got 0"))
	heads := s.startLoad(2, "/sized", body200("0"))
	var wait sync.WaitGroup
	for worker := range 4 {
		wait.Go(func() {
			c := client(t)
			for i := range 60 {
				size := (worker*7919 + i*i*100) % 200_000
				req, err := http.NewRequest("POST", s.url("/sized"), bytes.NewReader(make([]byte, size)))
				if err != nil {
					t.Error(err)
					return
				}
				roundTrip(t, c, req).want(t, 200, strconv.Itoa(size))
			}
		})
	}
	wait.Wait()
	gets.more(2000)
	gets.finish()
	heads.finish()
	if s.log.contains("Traceback") || s.log.contains("AssertionError") {
		t.Errorf("wsgiref.validate complains")
	}
}
