//go:build !unix

package mutants

import "os/exec"

func inGroupOfItsOwn(*exec.Cmd) {}

// killGroup kills the process alone: there are no process groups here.
func killGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }
