package proxy

import (
	"encoding/base64"
	"strconv"
	"time"
	"unicode/utf8"

	"hognose/internal/exchange"
)

// entry is what one line is made of.
type entry struct {
	ex   *exchange.Exchange
	line []byte
	sent int64
	now  time.Time
}

// timestamp is a formatted second.
type timestamp struct {
	unix int64
	text string
}

// timeLocal returns nginx's $time_local, made once a second.
func (l *AccessLog) timeLocal(now time.Time) string {
	s := l.stamp.Load()
	if s == nil || s.unix != now.Unix() {
		s = &timestamp{now.Unix(), now.Format("02/Jan/2006:15:04:05 -0700")}
		l.stamp.Store(s)
	}
	return s.text
}

// appendCombined appends a line in nginx's predefined format "combined".
func (e *entry) appendCombined(b []byte, timeLocal string) []byte {
	b = e.appendRemote(b)
	b = append(b, " - "...)
	b = appendUser(b, e.ex.Field("authorization"))
	b = append(b, " ["...)
	b = append(b, timeLocal...)
	b = append(b, `] "`...)
	b = appendVariable(b, e.line)
	b = append(b, `" `...)
	b = strconv.AppendInt(b, int64(e.ex.Response.Status), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, e.sent, 10)
	b = append(b, ` "`...)
	b = appendVariable(b, e.ex.Field("referer"))
	b = append(b, `" "`...)
	b = appendVariable(b, e.ex.Field("user-agent"))
	return append(b, '"', '\n')
}

// appendRemote appends the client's address; nginx calls the peer of a Unix socket "unix:".
func (e *entry) appendRemote(b []byte) []byte {
	if !e.ex.Remote.IsValid() {
		return append(b, "unix:"...)
	}
	return e.ex.Remote.Addr().Unmap().AppendTo(b)
}

// appendVariable appends a value as nginx does: "-" when there is none, what could be taken for
// something else as \xHH.
func appendVariable(b, v []byte) []byte {
	if v == nil {
		return append(b, '-')
	}
	const hexDigits = "0123456789ABCDEF"
	clean := 0
	for i, c := range v {
		if c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			continue
		}
		b = append(b, v[clean:i]...)
		b = append(b, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		clean = i + 1
	}
	return append(b, v[clean:]...)
}

// appendUser appends the user name of Basic authentication (RFC 7617), and never what else is in the field.
func appendUser(b, authorization []byte) []byte {
	if len(authorization) < 6 || !exchange.EqualFold(authorization[:6], "basic ") {
		return append(b, '-')
	}
	coded := trimSpace(authorization[6:])
	var mem [192]byte
	if len(coded) > 256 { // a multiple of four: whole groups decode alone
		coded = coded[:256]
	}
	n, _ := base64.StdEncoding.Decode(mem[:], coded)
	for i, c := range mem[:n] {
		if c == ':' && i > 0 {
			return appendVariable(b, mem[:i])
		}
	}
	return append(b, '-')
}

// appendJSON appends a line that is a JSON object. request_time is in seconds.
func (e *entry) appendJSON(b []byte) []byte {
	ex := e.ex
	b = append(b, `{"time":"`...)
	b = e.now.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, `","remote_addr":"`...)
	b = e.appendRemote(b)
	b = append(b, '"')
	if ex.Method == nil { // the request line could not be read
		b = appendMember(b, "request", e.line)
	} else {
		b = appendMember(b, "method", ex.Method)
		b = appendMember(b, "uri", ex.Target)
		b = append(b, `,"protocol":"`...)
		b = append(append(b, ex.Proto.String()...), '"')
	}
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(ex.Response.Status), 10)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, e.sent, 10)
	b = append(b, `,"request_time":`...)
	b = appendSeconds(b, e.now.Sub(ex.Start))
	b = appendMember(b, "host", ex.Host)
	b = appendMember(b, "referer", ex.Field("referer"))
	b = appendMember(b, "user_agent", ex.Field("user-agent"))
	b = appendMember(b, "request_id", ex.ID)
	return append(b, '}', '\n')
}

// appendSeconds appends d with milliseconds, as nginx's $request_time.
func appendSeconds(b []byte, d time.Duration) []byte {
	ms := max(d.Milliseconds(), 0)
	b = strconv.AppendInt(b, ms/1000, 10)
	ms %= 1000
	return append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
}

// appendMember appends ,"name":"value". What is not UTF-8 becomes U+FFFD, as in every JSON reader.
func appendMember(b []byte, name string, v []byte) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':', '"')
	clean := 0
	for i := 0; i < len(v); {
		c := v[i]
		if c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		if c > 0x7f {
			if _, size := utf8.DecodeRune(v[i:]); size > 1 {
				i += size
				continue
			}
		}
		b = append(b, v[clean:i]...)
		b = appendJSONEscape(b, c)
		i++
		clean = i
	}
	b = append(b, v[clean:]...)
	return append(b, '"')
}

func appendJSONEscape(b []byte, c byte) []byte {
	const hexDigits = "0123456789abcdef"
	switch {
	case c == '"' || c == '\\':
		return append(b, '\\', c)
	case c > 0x7f:
		return append(b, `\ufffd`...)
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
