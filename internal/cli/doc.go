// Package cli is the holdfast command without the process around it: [Run] takes the arguments, the
// environment, the three streams and a file system, and returns the exit code. Tests call it as
// cmd/holdfast does.
//
// Every setting can come from three places, and they are merged: a flag beats the environment
// variable HOLDFAST_ followed by the flag's name (HOLDFAST_MAX_FRAME for --max-frame), and that beats
// the configuration file named by --config: one JSON object with the names of flags as keys. A key
// there that is no flag of any command is an error. The flags --testing and --testing-… count on the
// command line only.
//
// Results go to the standard output, everything else to the standard error. The exit code says what
// went wrong; see [ExitCodes].
package cli
