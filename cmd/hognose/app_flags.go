package main

import (
	"flag"

	"hognose/internal/config"
)

// appArgs are the options of "hognose run MODULE:CALLABLE".
type appArgs struct {
	config.Args
}

func appFlags(f *flags) *appArgs {
	a := &appArgs{}
	f.Var((*list)(&a.Bind), "bind", "")
	f.IntVar(&a.Processes, "processes", 0, "")
	f.IntVar(&a.Threads, "threads", 0, "")
	f.StringVar(&a.Chdir, "chdir", "", "")
	f.StringVar(&a.Home, "home", "", "")
	f.Var((*list)(&a.Env), "env", "")
	f.Var((*list)(&a.Static), "static", "")
	return a
}

// given reports whether one of the options was given.
func (a *appArgs) given(f *flags) bool {
	given := false
	f.Visit(func(option *flag.Flag) { given = given || option.Name != "c" })
	return given
}

func (a *appArgs) load() (*config.Config, error) {
	cfg, err := config.FromArgs(a.Args)
	if err != nil {
		return nil, configError{err}
	}
	return cfg, nil
}
