package config

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

func (l *loader) checkApp(a *App) {
	where := "in " + a.where()
	if !isAppName(a.Name) {
		l.find(l.line(a), "%s: an application's name has 1 to 64 letters, digits, \"_\" and \"-\"", a.where())
	}
	l.checkModule(a, where)
	l.oneOfInterface(a, where)
	l.checkWorkers(a, where)
	l.checkAccount(a, "user", where, a.User)
	l.checkAccount(a, "group", where, a.Group)
	l.checkSocket(a, where)
	l.checkEnv(a, where)
	within(l, a, "listen", where, a.Listen, 1, 1_000_000)
	within(l, a, "queue_timeout", where, a.QueueTimeout, tick, hour)
	within(l, a, "harakiri", where, a.Harakiri, 0, day)
	within(l, a, "reload_mercy", where, a.ReloadMercy, 0, day)
}

// isAppName keeps names fit for process titles, "app:NAME" and log lines.
func isAppName(s string) bool {
	for i := range len(s) {
		if !isBare(s[i]) {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func (l *loader) checkModule(a *App, where string) {
	line := l.line(a, "module")
	switch {
	case l.failed(a, "module") || l.failed(a, "wsgi_file"):
	case a.Module == "" && a.WSGIFile == "":
		l.find(l.line(a), "%s does not say what to run; write module = \"package.module:callable\"", a.where())
	case a.Module != "" && a.WSGIFile != "":
		l.find(l.line(a, "wsgi_file"), "module and wsgi_file %s name two applications; keep one", where)
	case strings.Contains(a.Module, "/") || strings.HasSuffix(a.Module, ".py"):
		l.find(line, "module %s: %q is a file; write wsgi_file = %s, or module = \"package.module:callable\"", where, shorten(a.Module), quote(a.Module))
		return
	case a.Module != "" && !isDotted(a.Module):
		l.find(line, "module %s: %q is not the name of a Python module; write \"package.module:callable\"", where, shorten(a.Module))
	}
	if !isCallable(a.Callable) {
		l.find(l.line(a, "callable", "module"), "callable %s: %q is not a Python name or call; write \"application\", "+
			"\"object.attribute\" or \"create_app('production')\"", where, shorten(a.Callable))
	}
}

// isCallable reports whether s is a dotted name, or one with arguments behind it, as for Gunicorn. Python reads the arguments.
func isCallable(s string) bool {
	name, arguments, call := strings.Cut(s, "(")
	return isDotted(name) && (!call || strings.HasSuffix(arguments, ")")) && !hasControl(s) && utf8.ValidString(s)
}

// isDotted reports whether s is one Python identifier or several joined with dots.
func isDotted(s string) bool {
	for name := range strings.SplitSeq(s, ".") {
		for i, r := range name {
			if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r) && !unicode.Is(unicode.M, r)) {
				return false
			}
		}
		if name == "" {
			return false
		}
	}
	return true
}

func (l *loader) oneOfInterface(a *App, where string) {
	if a.Interface == "asgi" {
		l.find(l.line(a, "interface"), "interface %s: \"asgi\": this version runs WSGI applications only", where)
		return
	}
	l.oneOf(a, "interface", where, a.Interface, InterfaceAuto, InterfaceWSGI)
}

func (l *loader) checkWorkers(a *App, where string) {
	const most, mostThreads = 1024, 4096
	within(l, a, "processes", where, a.Processes, 1, most)
	within(l, a, "threads", where, a.Threads, 1, most)
	inBounds := a.Processes <= most && a.Threads <= most
	if inBounds && a.Processes*a.Threads > mostThreads {
		l.find(l.line(a, "threads", "processes"), "threads %s: %d processes of %d threads are more than %d threads in all", where, a.Processes, a.Threads, mostThreads)
	}
}

func (l *loader) checkSocket(a *App, where string) {
	if a.ChownSocket != "" {
		user, group, _ := strings.Cut(a.ChownSocket, ":")
		if user == "" || strings.ContainsAny(user+group, " \t:/,") || hasControl(a.ChownSocket) {
			l.find(l.line(a, "chown_socket"), "chown_socket %s: %q is not \"user\" or \"user:group\"", where, shorten(a.ChownSocket))
		}
	}
	if a.ChownSocket != "" && a.Socket.Network != "" && a.Socket.Network != "unix" {
		l.find(l.line(a, "chown_socket"), "chown_socket %s: socket is %q, not a path; only Unix sockets have owners", where, a.Socket)
	}
}

func (l *loader) checkEnv(a *App, where string) {
	for i, name := range a.PassEnvironment {
		if prefix, _ := strings.CutSuffix(name, "*"); name == "" || strings.ContainsAny(prefix, "*=\x00 ") {
			l.find(l.line(a, indexed("pass_environment", i), "pass_environment"),
				"pass_environment %s: %q is not the name of a variable, with or without \"*\" at its end", where, shorten(name))
		}
	}
	for _, name := range sortedKeys(a.Env) {
		value := a.Env[name]
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(value, 0) || !utf8.ValidString(name+value) {
			l.find(l.line(a, "env."+name, "env"), "env %s: %q cannot be an environment variable: "+
				"its name is empty or has \"=\", or it has a zero byte or is not UTF-8", where, shorten(name))
		}
	}
}
