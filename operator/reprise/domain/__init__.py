"""Values, rules and decisions.

No I/O, no clock, no kopf, no kubernetes, no yaml: functions from values to values. Time comes in as an
argument.
"""
