package config

// Config is a whole configuration: checked, with all defaults filled in and inheritance resolved. It is read-only after load.
//
// The toml tags name the keys; ",location" marks the keys of HTTP that a location may set, alias lists other spellings, and eg is
// the example that an error about a wrong type shows.
type Config struct {
	User                  string   `toml:"user" eg:"\"www-data\""`
	Group                 string   `toml:"group" eg:"\"www-data\""`
	WorkerProcesses       Count    `toml:"worker_processes"`   // threads of the front that run at once
	WorkerConnections     int      `toml:"worker_connections"` // open client connections
	WorkerShutdownTimeout Duration `toml:"worker_shutdown_timeout"`
	PID                   string   `toml:"pid" eg:"\"/run/hognose.pid\""`
	TempPath              string   `toml:"temp_path" eg:"\"/var/tmp\""`

	Log     Log             `toml:"log"`
	HTTP    HTTP            `toml:"http"`
	Apps    map[string]*App `toml:"app"`
	Servers []*Server       `toml:"server"`
}

// Log is the [log] table.
type Log struct {
	Level  string `toml:"level" eg:"\"info\""`                         // LogDebug, LogInfo, LogWarn or LogError
	Error  string `toml:"error" eg:"\"/var/log/hognose/error.log\""`   // LogStderr or a path
	Access string `toml:"access" eg:"\"/var/log/hognose/access.log\""` // LogOff, LogStdout or a path
	Format string `toml:"format" eg:"\"combined\""`                    // of the access log: FormatCombined or FormatJSON
}

// Words of the [log] table.
const (
	LogDebug = "debug"
	LogInfo  = "info"
	LogWarn  = "warn"
	LogError = "error"

	LogStderr = "stderr"
	LogStdout = "stdout"
	LogOff    = "off"

	FormatCombined = "combined"
	FormatJSON     = "json"
)

// HTTP holds the settings of nginx's http{} level. [http] sets them for all servers, a server for itself, and a
// location those marked ",location". Server.HTTP and Location.HTTP hold what is in force there: nobody has to look upward.
type HTTP struct {
	ClientMaxBodySize        Size          `toml:"client_max_body_size,location"` // 0 is no limit
	ClientBodyBufferSize     Size          `toml:"client_body_buffer_size,location"`
	ClientBodyMaxMemory      Size          `toml:"client_body_max_memory"`
	ClientHeaderTimeout      Duration      `toml:"client_header_timeout"`
	ClientBodyTimeout        Duration      `toml:"client_body_timeout,location"`
	SendTimeout              Duration      `toml:"send_timeout,location"`
	KeepaliveTimeout         Duration      `toml:"keepalive_timeout"` // 0 closes after each response
	KeepaliveRequests        int           `toml:"keepalive_requests"`
	LargeClientHeaderBuffers HeaderBuffers `toml:"large_client_header_buffers"`
	MaxHeaders               int           `toml:"max_headers"`
	SetRealIPFrom            Peers         `toml:"set_real_ip_from"`
	ServerTokens             bool          `toml:"server_tokens"`
	UnderscoresInHeaders     bool          `toml:"underscores_in_headers"`
	MergeSlashes             bool          `toml:"merge_slashes"`
	LimitConnPerIP           int           `toml:"limit_conn_per_ip"` // 0 is no limit
	UWSGIConnectTimeout      Duration      `toml:"uwsgi_connect_timeout,location"`
	UWSGIReadTimeout         Duration      `toml:"uwsgi_read_timeout,location"`
	UWSGIBuffering           bool          `toml:"uwsgi_buffering,location"`
	UWSGIMaxTempFileSize     Size          `toml:"uwsgi_max_temp_file_size,location"` // 0 is no file
}

// App is one [app.NAME] table: a Python application and its workers, in uWSGI's words.
type App struct {
	Name string `toml:"-"` // its key in Config.Apps

	Module     string            `toml:"module" alias:"wsgi" eg:"\"blog.wsgi:application\""` // without ":callable"
	WSGIFile   string            `toml:"wsgi_file" eg:"\"/srv/blog/app.py\""`                // instead of Module
	Callable   string            `toml:"callable" eg:"\"application\""`                      // dotted name in the module; with arguments, "name()", it is called to make the application
	Chdir      string            `toml:"chdir" eg:"\"/srv/blog\""`
	Home       string            `toml:"home" alias:"virtualenv venv pyhome" eg:"\"/srv/blog/venv\""`
	Python     string            `toml:"python" eg:"\"/usr/bin/python3.12\""` // a path, or a command to find in PATH
	PythonPath []string          `toml:"pythonpath" alias:"python_path pp" eg:"[\"/srv/lib\"]"`
	Env        map[string]string `toml:"env" eg:"{ DJANGO_SETTINGS_MODULE = \"blog.settings\" }"`
	// PassEnvironment names the variables of hognose's own environment that the application gets; "AWS_*" is all that begin so.
	PassEnvironment []string `toml:"pass_environment" eg:"[\"DATABASE_URL\"]"`
	Interface       string   `toml:"interface" eg:"\"wsgi\""` // InterfaceAuto or InterfaceWSGI

	Processes int    `toml:"processes" alias:"workers"`
	Threads   int    `toml:"threads"` // of each process
	User      string `toml:"user" eg:"\"blog\""`
	Group     string `toml:"group" eg:"\"blog\""`
	Umask     *Mode  `toml:"umask"` // nil leaves what hognose was started with

	Socket      Socket `toml:"socket"`
	ChmodSocket Mode   `toml:"chmod_socket"`
	ChownSocket string `toml:"chown_socket" eg:"\"blog:www-data\""`
	Vacuum      bool   `toml:"vacuum"` // removes a Unix Socket at exit

	Listen       int      `toml:"listen"` // requests that may wait for a free worker
	QueueTimeout Duration `toml:"queue_timeout"`
	Harakiri     Duration `toml:"harakiri"` // 0 is off
	ReloadMercy  Duration `toml:"reload_mercy"`
}

// Words of App.Interface.
const (
	InterfaceAuto = "auto"
	InterfaceWSGI = "wsgi"
)

// Server is one [[server]] table: a virtual host, in nginx's words.
type Server struct {
	Listen      []Listen    `toml:"listen"`
	ServerName  []string    `toml:"server_name" eg:"[\"example.com\", \"www.example.com\"]"` // lower case, exact
	Certificate Certificate `toml:"certificate"`
	Root        string      `toml:"root" eg:"\"/srv/www\""` // what locations without alias, root and pass serve
	Index       []string    `toml:"index" eg:"[\"index.html\"]"`
	HTTP        HTTP        `toml:",inline"`
	Locations   []*Location `toml:"location"` // in the order of the file, each path once
}

// Certificate names the PEM files of a server's certificate chain and key. The zero value is none.
type Certificate struct {
	Cert string `toml:"cert" eg:"\"/etc/ssl/example.com.crt\""`
	Key  string `toml:"key" eg:"\"/etc/ssl/private/example.com.key\""`
}

// Location is one [[server.location]] table. Exactly one of Alias, Root and Pass is set.
type Location struct {
	Path       LocationPath      `toml:"path"`
	Alias      string            `toml:"alias" eg:"\"/srv/blog/static/\""` // replaces the path's prefix; ends in "/" if Path does
	Root       string            `toml:"root" eg:"\"/srv/www\""`           // goes before the whole path
	Index      []string          `toml:"index" eg:"[\"index.html\"]"`
	Pass       Pass              `toml:"pass"`
	ScriptName string            `toml:"script_name" eg:"\"/flask\""`
	UWSGIParam map[string]string `toml:"uwsgi_param" eg:"{ SITE_NAME = \"blog\" }"`
	HTTP       HTTP              `toml:",inline=location"`
}
