// Package config is the configuration: TOML in nginx's and uWSGI's words, made into one typed, checked value.
//
// Place in the flow: the command loads a file (Load) or takes arguments (FromArgs) and hands the Config to
// the master, which hands it to the front as JSON: encoding/json keeps it without loss. Whoever gets
// it reads it and never looks into the file.
//
//		text -> toml -> decode -> resolve -> check -> Config
//		     -> line index ->|
//
//	  - decode goes over the decoded tables by the structs' tags and keeps the line of each key. Unknown
//	    keys, two spellings of a key and wrong types are findings. [http] is copied into each server, and
//	    that into each location, before their own keys are decoded.
//	  - resolve makes paths absolute, beginning at the file's directory, and settles what follows from other keys: listen
//	    options said once for a socket, default servers, a uwsgi_pass to an application's own socket.
//	  - check compares keys with each other. All findings are reported at once, by line.
//
// Invariants: a Config returned without error is complete (no default is applied later), consistent, and
// never changed. Print writes it as TOML that Parse reads back as an equal Config. Nothing here looks at
// users, directories or certificates: a configuration can be checked on another machine. The package starts no goroutines.
package config
