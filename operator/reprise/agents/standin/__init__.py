"""A stand-in for a model's endpoint, to test harnesses: chat completions with answers from a script."""
