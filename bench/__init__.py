"""Figures, never tests: each module measures one thing and prints it with unit, n, median and spread."""
