package main

import (
	"bytes"
	"context"
	ctls "crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// readyPath is what a server must answer before its first measurement. An
// upload cannot be asked with GET, its application answers there too.
func (s scenario) readyPath() string {
	if s.upload > 0 {
		return "/"
	}
	return s.path
}

// uploadAnswer is what the application says after reading a body of that size.
func uploadAnswer(size int) string { return fmt.Sprintf("%d\n", size) }

// checkAnswer makes one request of the scenario and looks at the whole answer.
// The load generator looks at status codes only, and takes a redirect for
// success; this does not.
func checkAnswer(ctx context.Context, s scenario, url string) error {
	client := &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &ctls.Config{InsecureSkipVerify: true}, // self-signed, made for this run
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+s.path, nil)
	if s.upload > 0 {
		request, err = http.NewRequestWithContext(ctx, http.MethodPost, url+s.path, bytes.NewReader(make([]byte, s.upload)))
	}
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("checking the answer: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("checking the answer to %q: %w", s.path, err)
	}
	return s.judge(response.StatusCode, body)
}

// judge tells whether an answer is the expected one.
func (s scenario) judge(status int, body []byte) error {
	if status != http.StatusOK {
		return fmt.Errorf("%q is answered with status %d, want 200", s.path, status)
	}
	if len(body) != s.size {
		return fmt.Errorf("%q is answered with %d bytes, want %d", s.path, len(body), s.size)
	}
	if s.upload > 0 && string(body) != uploadAnswer(s.upload) {
		return fmt.Errorf("an upload of %d bytes arrived as %q", s.upload, strings.TrimSpace(string(body)))
	}
	return nil
}
