"""The command line: `main` (exit codes), `commands`, what the `terminal` shows, the entry point of a Ray job."""
