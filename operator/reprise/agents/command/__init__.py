"""Any command-line agent as an attempt; `wrapper.py` is one file that runs in other people's images."""
