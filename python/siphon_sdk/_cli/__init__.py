"""The command line `siphon-sdk`."""
