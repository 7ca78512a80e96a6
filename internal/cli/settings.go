package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/spf13/afero"
)

// variable is the environment variable of a flag.
func variable(flag string) string {
	return "HOLDFAST_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// onCommandLineOnly reports whether a flag has no variable and no place in a file. Those for tests have
// none, nor have those that say what a campaign or a benchmark proves (tagged flagonly): a
// HOLDFAST_SYNC that is meant for a server must not turn a proof into another one unnoticed.
func onCommandLineOnly(flag *kong.Flag) bool {
	return isTestingFlag(flag.Name) || flag.Tag.Has("flagonly")
}

// lookup finds a variable in an environment.
func lookup(environ []string, name string) (string, bool) {
	for _, entry := range slices.Backward(environ) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// addSettings makes flags that are not on the command line fall back to the environment and then to
// the configuration file.
func addSettings(k *kong.Context, env *Env) error {
	name := configFile(k, env)
	file := map[string]string{}
	if name != "" {
		var err error
		if file, err = readConfig(env.FS, name, k.Model); err != nil {
			return fmt.Errorf("configuration file %s: %w", name, err)
		}
	}
	k.AddResolver(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if onCommandLineOnly(flag) {
			return nil, nil
		}
		if value, ok := lookup(env.Environ, variable(flag.Name)); ok {
			return value, nil
		}
		if value, ok := file[flag.Name]; ok {
			return value, nil
		}
		return nil, nil
	}))
	return nil
}

func configFile(k *kong.Context, env *Env) string {
	for _, flag := range k.Flags() {
		if flag.Name == "config" {
			if name := k.FlagValue(flag).(string); name != "" {
				return name
			}
		}
	}
	name, _ := lookup(env.Environ, variable("config"))
	return name
}

// readConfig returns the settings in a file by the name of their flag, as they would stand on the
// command line.
func readConfig(fsys afero.Fs, name string, app *kong.Application) (map[string]string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		return nil, fmt.Errorf("a JSON object is expected: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	known := flagNames(app)
	settings := make(map[string]string, len(object))
	for key, value := range object {
		if !known[key] {
			return nil, fmt.Errorf("unknown key %q", key)
		}
		switch v := value.(type) {
		case string:
			settings[key] = v
		case json.Number, bool:
			settings[key] = fmt.Sprint(v)
		default:
			return nil, fmt.Errorf("key %q must be a string, a number, true or false", key)
		}
	}
	return settings, nil
}

// flagNames returns the flags of all commands that make sense in a file; those for tests do not.
func flagNames(app *kong.Application) map[string]bool {
	names := map[string]bool{}
	// The visitor returns no errors of its own.
	_ = kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok && !onCommandLineOnly(flag) {
			names[flag.Name] = true
		}
		return next(nil)
	})
	delete(names, "help")
	delete(names, "config")
	return names
}
