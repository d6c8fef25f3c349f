"""Fuzz targets of the gateway: functions of bytes that raise when something is wrong.

`python -m tests.fuzz TARGET` hunts with atheris (`make fuzz`); what it finds is kept in corpus/TARGET, and
tests/contract/test_fuzz_corpus.py replays all of that with no fuzzer at all.
"""
