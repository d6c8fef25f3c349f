"""One module a service, each with a `main()` that serves until it is told to stop."""
