package config

import "time"

// Default returns the configuration before any file: what every key is that no file sets. Applications, servers and
// locations begin as DefaultApp and DefaultServer say.
func Default() *Config {
	return &Config{
		WorkerConnections:     20000,
		WorkerShutdownTimeout: Duration(30 * time.Second),
		Log: Log{
			Level:  LogInfo,
			Error:  LogStderr,
			Access: LogOff,
			Format: FormatCombined,
		},
		HTTP: HTTP{
			ClientMaxBodySize:        1 * MB,
			ClientBodyBufferSize:     64 * KB,
			ClientBodyMaxMemory:      1 * MB,
			ClientHeaderTimeout:      Duration(15 * time.Second),
			ClientBodyTimeout:        Duration(30 * time.Second),
			SendTimeout:              Duration(60 * time.Second),
			KeepaliveTimeout:         Duration(65 * time.Second),
			KeepaliveRequests:        1000,
			LargeClientHeaderBuffers: HeaderBuffers{4, 8 * KB},
			MaxHeaders:               100,
			MergeSlashes:             true,
			UWSGIConnectTimeout:      Duration(60 * time.Second),
			UWSGIReadTimeout:         Duration(60 * time.Second),
			UWSGIBuffering:           true,
			UWSGIMaxTempFileSize:     1 * GB,
		},
	}
}

// DefaultApp returns what the keys of an [app.NAME] table are that it does not set. The defaults of Chdir and
// Python depend on other things: the directory of the file, and Home.
func DefaultApp() *App {
	return &App{
		Callable:     "application",
		Interface:    InterfaceAuto,
		Processes:    1,
		Threads:      1,
		ChmodSocket:  0o660,
		Vacuum:       true,
		Listen:       1024,
		QueueTimeout: Duration(30 * time.Second),
		ReloadMercy:  Duration(60 * time.Second),
	}
}

// DefaultServer returns what the keys of a [[server]] table are that it does not set.
// Index and HTTP are inherited: by a server from [http], by a location from its server.
func DefaultServer() *Server {
	return &Server{Index: []string{"index.html"}}
}
