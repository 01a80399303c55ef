package keeper

// Main is the keeper process: the command that Options.Executable names, with
// the arguments that follow it. It returns the exit status.
func Main(args []string) int { return 2 }
