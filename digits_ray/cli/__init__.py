"""The command line: commands, what the terminal shows, exit codes, the entry point of a Ray job."""
