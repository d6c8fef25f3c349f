"""Kopf glue: observe, ask `domain.lifecycle` to decide, perform. Thin."""
