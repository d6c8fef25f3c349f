"""Replays a recorded trajectory: the calls of a JSONL file, then its submission."""
