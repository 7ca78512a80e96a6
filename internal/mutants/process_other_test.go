//go:build !unix

package mutants

import "testing"

// requireEnded has no way to ask here.
func requireEnded(*testing.T, int) {}
