package exchange

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// StatusError is an error that has an answer: the front sends Code with its own
// static page, and logs Err. Nothing of Err is shown to the client.
type StatusError struct {
	// Code is the status, 400 to 599; 499 means that the client left and nobody is answered.
	Code int
	// Err is for the log. May be nil.
	Err error
	// RetryAfter is sent as Retry-After when it is positive.
	RetryAfter time.Duration
	// Close tells that the connection cannot be used again.
	Close bool
}

// ClientClosed is nginx's status for a client that left before it was answered.
const ClientClosed = 499

// Error returns the status and the cause.
func (e *StatusError) Error() string {
	text := http.StatusText(e.Code)
	if e.Code == ClientClosed {
		text = "client closed request"
	}
	if e.Err == nil {
		return fmt.Sprintf("%d %s", e.Code, text)
	}
	return fmt.Sprintf("%d %s: %v", e.Code, text, e.Err)
}

// Unwrap returns the cause.
func (e *StatusError) Unwrap() error { return e.Err }

// Errorf returns a StatusError with a formatted cause.
func Errorf(code int, format string, args ...any) error {
	return &StatusError{Code: code, Err: fmt.Errorf(format, args...)}
}

// StatusOf returns the status that answers err: that of a StatusError in its chain, else 500.
func StatusOf(err error) int {
	if se, ok := errors.AsType[*StatusError](err); ok {
		return se.Code
	}
	return http.StatusInternalServerError
}
