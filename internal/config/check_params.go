package config

import "strings"

// checkParams checks uwsgi_param: constants that are added to the variables of each request.
func (l *loader) checkParams(loc *Location) {
	if len(loc.UWSGIParam) > 0 && loc.Pass.Kind == "" && !l.failed(loc, "pass") {
		l.find(l.line(loc, "uwsgi_param"), "uwsgi_param %s %q: only a location with pass has parameters", inLocation, loc.Path)
	}
	for _, name := range sortedKeys(loc.UWSGIParam) {
		if problem := paramProblem(name, loc.UWSGIParam[name]); problem != "" {
			l.find(l.line(loc, "uwsgi_param."+name, "uwsgi_param"), "uwsgi_param %s: %q %s", inLocation, shorten(name), problem)
		}
	}
}

// paramProblem returns what is wrong with a parameter, or "".
func paramProblem(name, value string) string {
	switch {
	case !isParamName(name):
		return `is not a parameter's name: write capital letters, digits and "_"`
	case strings.HasPrefix(name, "UWSGI_"):
		return "is reserved: such variables make uWSGI load files and code"
	case name == "SCRIPT_NAME":
		return `is set by its own key: write script_name = "/prefix" in the location`
	case isRequestParam(name):
		return "comes from the request and is always set; remove it"
	case hasControl(value):
		return "has a control character in its value"
	case strings.Contains(value, "$"):
		return `has a "$" in its value: variables are not supported here, and nginx's own uwsgi_params are always set`
	case len(name)+len(value) > 32<<10:
		return "is longer than 32k"
	}
	return ""
}

func isParamName(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// isRequestParam names the variables that describe the request itself, or its framing: one that is constant
// would make the application answer another request than was asked.
func isRequestParam(name string) bool {
	switch name {
	case "REQUEST_METHOD", "REQUEST_URI", "QUERY_STRING", "PATH_INFO", "SERVER_PROTOCOL", "REQUEST_ID", "REMOTE_ADDR", "REMOTE_PORT",
		"CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE", "HTTP_TRANSFER_ENCODING", "HTTP_TE", "HTTP_TRAILER",
		"HTTP_CONNECTION", "HTTP_KEEP_ALIVE", "HTTP_UPGRADE", "HTTP_EXPECT", "HTTP_PROXY", "HTTP_PROXY_CONNECTION":
		return true
	}
	return false
}
