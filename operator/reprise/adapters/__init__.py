"""One module for each outside system. Each translates that system's errors into `reprise.domain.errors`.

No decisions live here.
"""
