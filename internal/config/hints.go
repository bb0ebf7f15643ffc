package config

// hint returns what to do about a word of nginx, uWSGI or Gunicorn that is not a key of ours, or "". Words that are
// merely misspelled or in the wrong table are not its business.
func hint(key string) string {
	if h := nginxHint(key); h != "" {
		return h
	}
	return uwsgiHint(key)
}

func nginxHint(key string) string {
	switch key {
	case "ssl_certificate", "ssl_certificate_key":
		return `write certificate = { cert = "...", key = "..." } in [[server]]`
	case "ssl":
		return `write ssl behind the address: listen = "0.0.0.0:443 ssl"`
	case "access_log", "log_format":
		return "the access log is set by access and format in [log]"
	case "error_log":
		return "the error log is set by error and level in [log]"
	case "types", "default_type", "sendfile", "tcp_nopush", "tcp_nodelay":
		return "it is not needed here; remove it"
	case "worker_rlimit_nofile":
		return "it is not needed here; the limit on open files is raised by itself"
	case "proxy_pass", "fastcgi_pass", "scgi_pass", "grpc_pass", "upstream":
		return `this version passes to applications and uwsgi servers only: pass = "app:NAME" or "uwsgi://host:port"`
	case "uwsgi_modifier1", "uwsgi_modifier2":
		return "it is not needed here; script_name mounts an application"
	case "uwsgi_params":
		return "these parameters are always set; for others write uwsgi_param = { NAME = \"value\" }"
	case "real_ip_header", "real_ip_recursive":
		return "X-Forwarded-For is read from the peers in set_real_ip_from; remove it"
	case "return", "rewrite", "try_files", "error_page", "if", "map", "internal", "expires", "add_header", "autoindex", "gzip", "gzip_static",
		"allow", "deny", "auth_basic", "auth_basic_user_file", "auth_request", "limit_req", "limit_conn", "limit_rate",
		"ssl_protocols", "ssl_ciphers", "ssl_session_cache", "http2", "http3", "resolver":
		return "this version does not have that directive of nginx"
	}
	return ""
}

func uwsgiHint(key string) string {
	switch key {
	case "enable_threads", "single_interpreter", "need_app", "thunder_lock", "die_on_term", "ignore_sigpipe", "ignore_write_errors",
		"disable_write_exception", "auto_procname", "py_call_uwsgi_fork_hooks", "no_orphans", "plugin", "plugins", "strict",
		"manage_script_name", "post_buffering", "http_keepalive", "preload_app", "worker_class":
		return "it is not needed here; remove it"
	case "buffer_size":
		return "the size of request headers is set by large_client_header_buffers in [http]"
	case "limit_post":
		return "the size of request bodies is set by client_max_body_size in [http], [[server]] or [[server.location]]"
	case "http", "https", "http_socket", "https_socket", "bind":
		return `write a [[server]] with listen = "127.0.0.1:8000"`
	case "uwsgi_socket":
		return "write socket"
	case "static_map", "check_static", "static_index":
		return "write a [[server.location]] with path and alias"
	case "mount":
		return "write a [[server.location]] with pass and script_name"
	case "uid":
		return "write user"
	case "gid":
		return "write group"
	case "disable_logging", "req_logger", "logto", "logger", "daemonize":
		return "logs are set in [log]"
	case "pidfile":
		return "write pid at the top level"
	case "timeout":
		return "write harakiri, the longest time one request may take"
	case "backlog":
		return "write backlog=N behind the address in listen; requests waiting for workers are limited by listen in [app.NAME]"
	case "worker_reload_mercy":
		return "write reload_mercy"
	case "asgi":
		return "this version runs WSGI applications only"
	case "max_requests", "max_requests_delta", "max_worker_lifetime", "reload_on_rss", "reload_on_as", "cheaper", "cheaper_initial", "cheaper_algo",
		"lazy_apps", "lazy", "touch_reload", "py_autoreload", "stats", "cron", "mule", "spooler", "attach_daemon", "emperor", "limit_as", "gevent", "async",
		"harakiri_verbose", "log_format":
		return "this version does not have that option of uWSGI"
	}
	return ""
}
